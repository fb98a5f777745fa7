// How late a patient client may be. Each fault makes it wait for as long as it lasts, and for what comes after: a board that starts takes 2 s, a
// takeover that failed is tried again after 5 s. When no fault is left, what is outstanding is answered soon.

import type { Action } from "./linear"

/** Times in ms. */
export interface Span {
    fromMs: number
    toMs: number
}

/** An operation of a client, from its call to its end. */
export interface Wait {
    client: string
    volume: number
    action: Action
    calledAt: number
    returnedAt: number
}

export interface Disturbed {
    faults: readonly Span[]
    /** From then on there was none any more. */
    endMs: number
    /** A board hung for good: one that waits for a holder that it never heard waits for 90 s (docs/PROTOCOL.md, "Roles"). */
    isHungForGood: boolean
    /** Someone had volumes change hands and elements filled all the while. */
    isOperated: boolean
}

/** Without any fault: several clients at once, on slow chips, while a node cleans up. */
const undisturbedMsMax = 5_000
const operatedMsMax = 15_000
/** For each fault, beyond its own time. */
const afterFaultMsMax = 6_000
/** docs/PROTOCOL.md, "Line and bus faults": the slowest of them is over after 17 s. */
const afterAllMsMax = 20_000
const hungMsMax = 100_000

/** Operations of patient clients that ended later than all that was wrong explains. */
export function tooLate(waits: readonly Wait[], disturbed: Disturbed): string[] {
    return waits.flatMap(wait => {
        const { client, volume, action, calledAt, returnedAt } = wait
        const took = returnedAt - calledAt
        const most = mostMs(wait, disturbed)
        const left = returnedAt - Math.max(calledAt, disturbed.endMs)
        const mostLeft = disturbed.isHungForGood ? hungMsMax : afterAllMsMax
        if (took <= most && left <= mostLeft) return []
        const what = `${client} ${action.kind} on volume ${volume} took ${took.toFixed(0)} ms from ${calledAt.toFixed(0)} ms on`
        return took > most
            ? `${what}; the faults explain ${most.toFixed(0)}`
            : `${what}, ${left.toFixed(0)} of them after the last fault had ended; ${mostLeft} are allowed`
    })
}

function mostMs({ calledAt, returnedAt }: Wait, { faults, isHungForGood, isOperated }: Disturbed): number {
    if (isHungForGood) return undisturbedMsMax + hungMsMax
    const met = faults.filter(({ fromMs, toMs }) => fromMs <= returnedAt && toMs + afterFaultMsMax >= calledAt)
    const lasted = met.reduce((sum, { fromMs, toMs }) => sum + Math.min(toMs, returnedAt) - fromMs, 0)
    return (isOperated ? operatedMsMax : undisturbedMsMax) + lasted + met.length * afterFaultMsMax
}
