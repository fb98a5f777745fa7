/** The array of a volume: what it is made of, rebuilding an element, scrubbing. What is begun goes on without the client. */
import { isError, TwinfilerError } from "../error"
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
        if (slot !== undefined) refuseTaken(volume, await this.figures(volume, options), slot, position)
        const body = { op: "rebuild", position: position ?? anyPlace, slot: slot ?? anyPlace, flags } as const
        try {
            await this.changes.run(volume, body, subject, { ...options, isBusyFinal: true }, async () => {
                return (await this.figures(volume, options)).joining !== undefined
            })
        } catch (error) {
            const isChosen = slot === undefined && isError(error, "notFound")
            throw explained(error, volume, isChosen ? givenUpSlot(await this.figures(volume, options)) : undefined)
        }
    }

    /** Rows a second, 0 to stop. */
    async scrub(volume: number, rowsPerSecond: number, options: CallOptions = {}): Promise<void> {
        const subject = `scrub of volume ${volumeLetter(volume)}`
        await this.changes.run(volume, { op: "scrub", rowsPerSecond }, subject, options, async () => false)
    }
}

/** Throws when the element in a slot is in use, but for another position than `position`, or there is no such slot. */
export function refuseTaken(volume: number, { slots }: ArrayFigures, slot: number, position: number | undefined): void {
    const letter = volumeLetter(volume)
    const found = slots.find(one => one.slot === slot)
    const free = slots.filter(({ state }) => state === "blank" || state === "stale").map(one => one.slot)
    const other = free.length ? `name another with --slot (${free.join(", ")})` : "put an element into an empty slot"
    const say = (text: string) => new TwinfilerError("usage", `volume ${letter}: ${text}: ${other}`)
    if (!found) throw say(`there is no slot ${slot}, they are 0 to ${slots.length - 1}`)
    if (found.state !== "member" || found.position === position) return
    throw say(`the element in slot ${slot} is in use, as position ${found.position} of the array`)
}

/** @param givenUp slot whose element did not hold what was written to it */
function explained(error: unknown, volume: number, givenUp?: number): unknown {
    const letter = volumeLetter(volume)
    const say = (code: TwinfilerError["code"], text: string) => new TwinfilerError(code, `volume ${letter}: ${text}`)
    if (isError(error, "exists"))
        return say(
            "exists",
            `all elements of the array are there: nothing to rebuild; \`twinfiler array replace ${letter} POSITION\` exchanges one`,
        )
    if (isError(error, "notFound") && givenUp !== undefined)
        return say(
            "notFound",
            `the element in slot ${givenUp} did not hold what a rebuild wrote to it: exchange it, then name the slot with --slot ${givenUp}`,
        )
    if (isError(error, "notFound"))
        return say(
            "notFound",
            "no element is there to rebuild onto: put an empty one into a free slot, or name a slot with --slot; " +
                `\`twinfiler array show ${letter}\` lists them`,
        )
    if (isError(error, "foreign"))
        return say(
            "foreign",
            "the element holds another array, or was left out of this one: give --force to overwrite what is on it",
        )
    if (isError(error, "vetoed"))
        return say(
            "vetoed",
            "another element is missing too: rebuild that one first, there is nothing to make this one from",
        )
    if (isError(error, "ioError"))
        return say(
            "ioError",
            "the element does not hold what is written to it, or the array cannot be written; " +
                `\`twinfiler array show ${letter}\` says whether the slot has failed: then use another element`,
        )
    if (isError(error, "tooSmall"))
        return say("tooSmall", "the element is smaller than the array's: use one at least as large")
    if (isError(error, "busy"))
        return say(
            "busy",
            `a rebuild is under way already: \`twinfiler array rebuild ${letter} --wait\` shows how far it is`,
        )
    if (isError(error, "noSpace"))
        return say("noSpace", "the volume is too full to begin a rebuild: delete files or a snapshot first")
    return error
}
