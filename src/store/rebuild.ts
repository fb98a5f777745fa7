// Begins a rebuild: which element takes a position of an array, and whether it may. The copying is a repair's (repair.ts).
//
// Crash order: docs/FORMAT.md, "Rebuild".

import { mark, dropElements, deadIn, isWritten } from "../array/array"
import { slotsMax } from "../flash/bank"
import {
    noPosition,
    slotBlank,
    slotEmpty,
    slotMember,
    slotStale,
    stateLeftOut,
    adopt,
    idOf,
    isOwn,
    lookAt,
    writeLabel,
} from "./label"
import { available, changeSegment, holdsNeeded } from "./log"
import { dropStrangers, lookAtSlots } from "./presence"
import { Repair, badPagesMax, beginRepair, refuse } from "./repair"
import { badRequest, busy, exists, foreign, ioError, noSpace, notFound, ok, tooSmall, vetoed } from "./status"

const flagForce = 1
export const flagReplace = 2

/** The position's own slot, or the next whose element may be overwritten. */
function chooseSlot(repair: Repair, position: number): number {
    for (let i = 0; i < slotsMax; i++) {
        const slot = (position + i) % slotsMax
        if (repair.badPages[slot] < badPagesMax) if (mayTake(repair, slot)) return slot
    }
    return -1
}

/** Whether an element may be overwritten without being asked twice: it is blank, or one of this array that fell behind. */
function mayTake(repair: Repair, slot: number): boolean {
    const labels = repair.volume.labels
    if (isWritten(repair.array, slot)) return false
    const state = labels.states[slot]
    return state === slotBlank || ((state === slotStale || state === slotMember) && isOwn(labels, slot))
}

function judge(repair: Repair, slot: number, flags: number, isSame: boolean): number {
    const array = repair.array
    const state = repair.volume.labels.states[slot]
    if (isWritten(array, slot)) if (!isSame) return badRequest
    if (array.bank.pages[slot] === 0) return notFound
    if (array.bank.pages[slot] < array.rows) return tooSmall
    if (!isSame) if (!(flags & flagForce)) if (!mayTake(repair, slot)) return state === slotEmpty ? notFound : foreign
    return ok
}

/**
 * Begins to fill an element with what a position should hold.
 * @param position 0xff: the one that is missing; @param slot 0xff: one whose element may be overwritten
 */
export async function rebuildElement(repair: Repair, position: number, slot: number, flags: number): Promise<number> {
    const volume = repair.volume
    const array = repair.array
    const log = repair.log
    if (array.joining >= 0) return busy
    await lookAtSlots(repair)
    if (!deadIn(array)) await dropStrangers(repair)
    if (position === noPosition) {
        position = 0
        while (position < array.elements && array.members & (1 << position)) position++
        if (position === array.elements) return exists
    }
    if (position >= array.elements) return badRequest
    const isMember = (array.members & (1 << position)) !== 0
    if (isMember) if (!(flags & flagReplace)) return exists
    // nothing to make it from
    if (deadIn(array) & ~(1 << position)) return vetoed
    if (slot === noPosition) slot = chooseSlot(repair, position)
    if (slot < 0) return notFound
    if (slot >= slotsMax) return badRequest
    const status = judge(repair, slot, flags, isMember && slot === array.slots[position])
    if (status !== ok) return status
    if (available(log) === 0) return noSpace
    await volume.commit()
    // one that is to take a member's place is left out until it holds everything
    let labelState = 0
    if (isMember)
        if (slot === array.slots[position]) await dropElements(array, 1 << position)
        else labelState = stateLeftOut
    repair.badPages[slot] = 0
    const generations = log.anchors.generations
    const labels = volume.labels
    let generation = (generations[position] + 1) & 0xff
    // a rebuild that was cut before its anchor has left a label: it must not pass for this one
    for (let s = 0; s < slotsMax; s++)
        if (s !== slot)
            if (labels.positions[s] === position)
                if (labels.generations[s] === generation)
                    if (idOf(labels, s) === labels.arrayId) {
                        generation = (generation + 1) & 0xff
                        s = -1
                    }
    await array.bank.erase(1 << slot, 0, array.segmentRows)
    await array.bank.settle(1 << slot)
    await writeLabel(labels, slot, position, generation, labelState, log.epoch)
    await lookAt(labels, slot)
    if (labels.positions[slot] !== position || labels.generations[slot] !== generation) {
        refuse(repair, slot)
        return ioError
    }
    if (labelState) array.heir = slot
    else {
        generations[position] = generation
        adopt(labels, slot, position, generation)
    }
    for (let s = 1; s < log.segments; s++) mark(array.away, s, holdsNeeded(log, s))
    array.use(array.members, position)
    log.erased = 0
    log.anchors.sectorIsOpen = false
    beginRepair(repair)
    // its anchor makes it so; the segment entered is erased on the new element too
    await changeSegment(log)
    return ok
}
