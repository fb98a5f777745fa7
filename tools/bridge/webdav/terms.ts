/**
 * On what terms a request makes its change: what changes a path takes its turn there, and in that turn the request's conditions must
 * still hold. A body is not waited for in a turn.
 */
import { PreconditionFailedError } from "nephele"
import { isError } from "../error"
import { volumeLetter } from "../protocol/numbers"
import { httpError } from "./errors"
import type { Place } from "./tree-view"
import type { Turns } from "./turns"

export class Terms {
    /** Throws when the request's conditions hold no longer; goes with the next change. */
    recheck?: () => Promise<void>
    /** Whether what is at the target may be replaced. */
    mayReplace = true

    constructor(private readonly turns: Turns) {}

    inTurn<T>(places: readonly NonNullable<Place>[], change: () => Promise<T>): Promise<T> {
        const keys = places.map(({ volume, names }) => [volumeLetter(volume), ...names].join("/"))
        return this.turns.take(keys, async () => {
            await this.recheck?.()
            const result = await change()
            this.recheck = undefined // the change itself may have made them untrue
            return result
        })
    }

    /** What the volume itself refuses because it is not as the request wants it is a failed condition (412). */
    error(error: unknown): unknown {
        const isUnmet = isError(error, "exists") ? !this.mayReplace : isError(error, "replaced") && this.recheck
        return isUnmet ? new PreconditionFailedError((error as Error).message) : httpError(error)
    }
}
