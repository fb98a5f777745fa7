/** The array of a volume: what it is made of, rebuilding an element, scrubbing. What is begun goes on without the client. */
import { isError } from "../error"
import {
    decodeArray,
    decodeElements,
    givenUpSlot,
    type ArrayFigures,
    type FoundElements,
} from "../protocol/array-figures"
import { anyPlace, rebuildFlags, volumeLetter } from "../protocol/numbers"
import type { Changes } from "./changes"
import type { Link } from "./link"
import { query, type CallOptions } from "./queries"
import { refusePosition, refuseTaken } from "./rebuild-checks"
import { rebuildError } from "./rebuild-errors"
import { statusError } from "./statuses"

export interface RebuildOptions extends CallOptions {
    /** The missing one unless said otherwise. */
    position?: number
    /** The slot of the element to use; the node finds one unless it is said. */
    slot?: number
    /** It may overwrite an element of another array, or one that was left out. */
    force?: boolean
    /** The element that is there is dropped first. */
    replace?: boolean
}

export interface ElementsOptions extends CallOptions {
    clockHz?: number
    slot?: number
}

export class Arrays {
    constructor(
        private readonly link: Link,
        private readonly changes: Changes,
    ) {}

    async figures(volume: number, options: CallOptions = {}): Promise<ArrayFigures> {
        const subject = `array of volume ${volumeLetter(volume)}`
        const answer = await query(this.link, { volume }, { op: "array" }, subject, options)
        if (answer.status !== "ok") throw statusError(answer.status, subject)
        if (answer.payload.length === 0) throw statusError("badRequest", subject)
        return decodeArray(answer.payload)
    }

    /**
     * What one node finds at its selects of a volume's array, whether or not it serves that; and with `clockHz` the digest of the label of the
     * element in `slot`, read at that clock: 0 when it was not.
     */
    async elements(
        node: number,
        volume: number,
        { clockHz = 0, slot = 0, ...options }: ElementsOptions = {},
    ): Promise<FoundElements> {
        const subject = `elements of volume ${volumeLetter(volume)} at node ${volumeLetter(node)}`
        const answer = await query(this.link, { node }, { op: "elements", clockHz, slot }, subject, {
            ...options,
            about: volume,
        })
        if (answer.status !== "ok") throw statusError(answer.status, subject)
        return decodeElements(answer.payload)
    }

    /** Begins a rebuild. Throws `exists` (nothing is missing), `notFound`, `foreign`, `tooSmall`, `busy`, `noSpace`, `vetoed`, `ioError`, `usage` (a slot in use). */
    async rebuild(volume: number, options: RebuildOptions = {}): Promise<void> {
        const { position, slot, force, replace } = options
        const subject = `array of volume ${volumeLetter(volume)}`
        const flags = (force ? rebuildFlags.force : 0) | (replace ? rebuildFlags.replace : 0)
        if (slot !== undefined || position !== undefined) {
            const figures = await this.figures(volume, options)
            if (position !== undefined) refusePosition(volume, figures, position)
            if (slot !== undefined) refuseTaken(volume, figures, slot, position)
        }
        const body = { op: "rebuild", position: position ?? anyPlace, slot: slot ?? anyPlace, flags } as const
        try {
            await this.changes.run(volume, body, subject, { ...options, isBusyFinal: true }, async () => {
                return (await this.figures(volume, options)).joining !== undefined
            })
        } catch (error) {
            const isChosen = slot === undefined && isError(error, "notFound")
            throw rebuildError(error, volume, isChosen ? givenUpSlot(await this.figures(volume, options)) : undefined)
        }
    }

    /**
     * The figures after the node has looked at all its slots, which it does before a rebuild and seldom otherwise: it is asked for one that it
     * refuses, `position` onto the element of another position. An array with no other element is told of as it is.
     */
    async figuresOfNow(volume: number, position: number, options: CallOptions = {}): Promise<ArrayFigures> {
        const { slots } = await this.figures(volume, options)
        const other = slots.find(one => one.state === "member" && one.position !== position)
        if (other) {
            const subject = `array of volume ${volumeLetter(volume)}`
            const body = { op: "rebuild", position, slot: other.slot, flags: 0 } as const
            try {
                await this.changes.run(volume, body, subject, { ...options, isBusyFinal: true }, async () => false)
            } catch (error) {
                if (!isError(error, "exists", "badRequest", "vetoed", "busy")) throw error
            }
        }
        return this.figures(volume, options)
    }

    /** Rows a second, 0 to stop. */
    async scrub(volume: number, rowsPerSecond: number, options: CallOptions = {}): Promise<void> {
        const subject = `scrub of volume ${volumeLetter(volume)}`
        await this.changes.run(volume, { op: "scrub", rowsPerSecond }, subject, options, async () => {
            // one that runs may be another client's, at its rate
            const { running } = (await this.figures(volume, options)).scrub
            return rowsPerSecond === 0 && !running ? true : undefined
        })
    }
}
