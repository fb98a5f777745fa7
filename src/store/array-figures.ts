// What a host is told of an array, docs/PROTOCOL.md, query `array`.

import { isMarked, isWritten, joiningSlot } from "../array/array"
import { slotsMax } from "../flash/bank"
import { slotFailed, slotJoining, slotMember, slotStale } from "./label"
import { Repair } from "./repair"

const describedBytes = 32 + slotsMax * 12
const kindMirror = 1
const kindParity = 2

/** Writes what there is to know of the array. @returns bytes */
export function describeArray(repair: Repair, out: Buffer, at: number): number {
    const array = repair.array
    const log = repair.volume.log
    const labels = repair.volume.labels
    const usage = log.usage
    const bank = array.bank
    out.fillAt(at, describedBytes, 0)
    for (let s = 1; s < log.segments; s++) if (isMarked(array.away, s)) out[at + 14]++
    out[at] = array.elements
    out[at + 1] = array.rowPages === 1 ? kindMirror : kindParity
    out[at + 2] = array.members
    out[at + 3] = array.joining & 0xff
    out.setAt(at + 4, "u16", array.segmentRows)
    out.setAt(at + 6, "u16", log.segments)
    out.setAt(at + 8, "u32", array.rows)
    out.setAt(at + 12, "u16", usage.retiredCount)
    if (repair.rate) {
        out[at + 16] = 1
        out.setAt(at + 18, "u16", repair.next)
    }
    out.setAt(at + 20, "u16", repair.passes)
    out.setAt(at + 22, "u16", repair.found)
    out.setAt(at + 24, "u16", repair.repaired)
    out[at + 26] = slotsMax
    out.setAt(at + 28, "u32", usage.wearBase)
    at += 32
    for (let slot = 0; slot < slotsMax; slot++) {
        const pages = bank.pages[slot]
        const position = labels.positions[slot]
        let state = labels.states[slot]
        if (pages && !(bank.alive & (1 << slot))) state = slotFailed
        else if (isWritten(array, slot)) {
            state = slotMember
            if (array.joining >= 0) if (slot === joiningSlot(array)) state = slotJoining
        } else if (state === slotMember) state = slotStale
        out[at] = state
        out[at + 1] = position
        if (pages) out[at + 2] = bank.strideBytes >> 8
        out[at + 3] = repair.badPages[slot]
        out.setAt(at + 4, "u32", bank.ids[slot])
        out.setAt(at + 8, "u32", pages)
        at += 12
    }
    return describedBytes
}
