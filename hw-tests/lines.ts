// Which wire explains what was seen of a takeover: pure functions, so that the words are tested with every fault of a simulated cabinet.
// y takes x's array. What each wire does: HOLD of y tells x to let go, or to wait when it boots; RESET of y is x's reset pin; OWN of x
// turns the switch and tells y that x drives nothing.

import type { ArrayFigures } from "../tools/bridge/protocol/array-figures"
import { letter } from "./bench"

const waiting = 1
const lettingGo = 7
const vetoLines = 7
const vetoHeld = 8

export interface SeenTakeover {
    taker: number
    isForced: boolean
    /** The reason's number, when it was refused. */
    veto?: number
    /** The other board started anew. */
    isRestarted: boolean
    /** All roles the other board told meanwhile. */
    roles: ReadonlySet<number>
}

/** The fault in words; undefined when all lines did what they should. */
export function faultOf({ taker, isForced, veto, isRestarted, roles }: SeenTakeover): string | undefined {
    const [x, y] = [letter(taker ^ 1), letter(taker)]
    if (veto !== undefined) return faultOfRefused(x, y, veto, isRestarted, roles)
    if (!isForced && isRestarted)
        return `OWN of ${x} does not reach ${y}: it looks low while ${x} drives it, so ${y} took ${x} for dead and reset it`
    if (isForced && !isRestarted) return `RESET of ${y} does not reach the reset pin of ${x}: it let go by HOLD alone`
    return roles.has(waiting) ? undefined : `HOLD of ${y} does not reach ${x}: it did not wait`
}

function faultOfRefused(x: string, y: string, veto: number, isRestarted: boolean, roles: ReadonlySet<number>): string {
    if (veto === vetoLines)
        return isRestarted
            ? `OWN of ${x} stays high while ${x} is in reset: it has no pull-down, or hangs on supply`
            : `RESET of ${y} does not reach the reset pin of ${x}, and it does not let go`
    if (veto === vetoHeld)
        return roles.has(lettingGo) || roles.has(waiting)
            ? `OWN of ${x} stays high though ${x} has let go: it hangs on supply`
            : `HOLD of ${y} does not reach ${x}: it is not asked to let go`
    return `${y} does not take array ${x}: reason ${veto}`
}

/** Selects of the two boards that do not mean the same element. */
export function swappedSelects(volume: number, home: ArrayFigures, partner: ArrayFigures): string | undefined {
    const wrong = home.slots.filter(({ slot, position }) => partner.slots[slot]?.position !== position)
    if (wrong.length === 0) return undefined
    const where = wrong
        .map(
            ({ slot, position }) =>
                `${nameOf(position)} at E${slot} and ${nameOf(partner.slots[slot]?.position)} at F${slot}`,
        )
        .join(", ")
    return `array ${letter(volume)}: selects do not agree, ${letter(volume)} finds element ${where} of ${letter(volume ^ 1)}`
}

const nameOf = (position: number | undefined) => (position === undefined ? "none" : String(position))
