/** What a node would refuse of a rebuild, as far as the figures of the array tell: known before anything is begun, and told with what there is. */
import { TwinfilerError } from "../error"
import { badPagesMax, givenUpSlot, type ArrayFigures } from "../protocol/array-figures"
import { volumeLetter } from "../protocol/numbers"
import { rebuildError } from "./rebuild-errors"
import { statusError } from "./statuses"

/** Throws when the array has no such position. */
export function refusePosition(volume: number, { elements, members, slots }: ArrayFigures, position: number): void {
    if (position < elements) return
    const places = members.map(member => {
        const at = slots.find(one => one.state === "member" && one.position === member)
        return at && `position ${member} in slot ${at.slot}`
    })
    const letter = volumeLetter(volume)
    throw new TwinfilerError(
        "usage",
        `volume ${letter}: there is no position ${position} in the array, they are 0 to ${elements - 1} ` +
            `(${places.filter(Boolean).join(", ")}); \`twinfiler array show ${letter}\` lists all slots`,
    )
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

/** Throws when there is no element to rebuild onto: in `slot`, or in any when none is said. Of what the figures do not tell, the node has the last word. */
export function refuseUnfit(volume: number, figures: ArrayFigures, slot: number | undefined, force: boolean): void {
    const { slots, members, rows } = figures
    const no = (status: "notFound" | "foreign" | "tooSmall", givenUp?: number) =>
        rebuildError(statusError(status, ""), volume, givenUp)
    const named = slots.find(one => one.slot === slot)
    if (named?.state === "member") return
    if (named) {
        if (named.pages === 0) throw no("notFound")
        if (named.pages < rows) throw no("tooSmall")
        if (named.state === "foreign" && !force) throw no("foreign")
        return
    }
    const free = slots.filter(({ state, position, badPages }) => {
        const isUsed = state === "member" && position !== undefined && members.includes(position)
        return !isUsed && badPages < badPagesMax && (state === "blank" || state === "stale" || state === "member")
    })
    if (free.length === 0) throw no("notFound", givenUpSlot(figures))
    if (free.every(({ pages }) => pages < rows)) throw no("tooSmall")
}
