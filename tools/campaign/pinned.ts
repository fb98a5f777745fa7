// What a scrub may leave unmended (docs/decisions/0007-rows-and-parity.md): a segment in which two elements lack something is emptied, and
// cannot be as long as a snapshot pins it.

import { positionsLacking, type Report } from "../check"
import { bit } from "../check/fields"

/** Of an array that was read through when all was quiet: what is there only once, and should not be any more. */
export function leftByScrub({ degraded, reading }: Report): string[] {
    if (!reading) return ["the array cannot be read"]
    const left: string[] = []
    for (const { segment, message } of degraded) {
        if (segment === undefined || segment === reading.members.anchor.segment) continue
        const isPinned = reading.snapshots.some(({ record }) => bit(record.pins, segment))
        if (!isPinned) left.push(`${message}, and no snapshot pins segment ${segment}`)
        else if (positionsLacking(segment, reading.pages).size < 2)
            left.push(`${message}, and all others hold what segment ${segment} should have`)
    }
    return left
}
