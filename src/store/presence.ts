// Looks whether the elements of an array are those that it is made of, and hold what tells so: labels and anchors.
//
// Promises:
// - Who is not the array's any more is noticed without a write, and is a member no more; who reads wrong now and then stays.
// - A member that lacks its label, or the newest anchor, gets it again.
// - What is not the array's is never written to, but for an element of it that fell behind: its label says so.
//
// What a look must not do: docs/decisions/0015-redundancy-nobody-missed.md.

import { isWritten, dropElements, deadIn } from "../array/array"
import { slotsMax } from "../flash/bank"
import { platform } from "../platform"
import { isOn, readAnchor, sectorPages } from "./anchors"
import { adopt, isHeir, isOwn, leaveOut, lookAt, slotBlank, slotFailed, slotMember, writeLabel } from "./label"
import { flagReplace, rebuildElement } from "./rebuild"
import { Repair, badPagesMax } from "./repair"

/** An element may read wrong; one that always does is of no use. Together longer than a glitch of a line that nobody notices. */
export const readTries = 6
const readTryMs = 20
/** Anchors written again until the one that takes none is given up. */
const anchorTries = 2
/** How often it looks whether all elements are there. */
const lookEveryMs = 2000

/**
 * An element whose label does not say that it is this one is silent, or was exchanged: it is a member no more. One that reads wrong may stay, and
 * all stay while a line has a glitch, and when one began or ended between two of them. Throws when none answers, or one not any more.
 */
export async function dropStrangers(repair: Repair): Promise<void> {
    const array = repair.array
    const sequence = repair.log.anchors.sequence
    let lost = 0
    let here = 0
    for (let i = 0; i < array.elements; i++)
        if (isWritten(array, array.slots[i]))
            if (await isThere(repair, i, readTries)) here++
            else lost |= 1 << i
    if (lost)
        for (let i = 0; i < array.elements; i++)
            if (isWritten(array, array.slots[i])) {
                const isSeen = await isThere(repair, i, 0)
                if (!(lost & (1 << i))) {
                    if (!isSeen) here = 0
                } else if (isSeen) lost &= ~(1 << i)
            }
    if (here === 0) throw new Error("no element answers")
    await dropElements(array, lost)
    await array.finish()
    repair.seen = sequence
}

/** Whether the label in a position's slot says that its element is this one, in one of so many tries. In a single one, 0, nothing is written to it. */
async function isThere(repair: Repair, position: number, tries: number): Promise<boolean> {
    const labels = repair.volume.labels
    const slot = repair.array.slots[position]
    for (;;) {
        await lookAt(labels, slot)
        if (labels.positions[slot] === position)
            if (labels.generations[slot] === repair.log.anchors.generations[position])
                if (labels.states[slot] === slotMember) if (isOwn(labels, slot)) return true
        if (--tries <= 0) break
        await platform.sleep(readTryMs)
    }
    if (labels.states[slot] !== slotBlank) return false
    // a label is one page: it may rot, and its sector go bad. What was put in meanwhile has the anchors since then, if any
    const generations = repair.log.anchors.generations
    if (!(await isOn(repair.log.anchors, slot, position, repair.seen))) return false
    adopt(labels, slot, position, generations[position])
    if (tries === 0)
        if (!(repair.relabelled & (1 << position))) {
            repair.relabelled |= 1 << position
            await writeLabel(labels, slot, position, generations[position], 0, repair.log.epoch)
        }
    return true
}

/** Elements may have come and gone since the mount. */
export async function lookAtSlots(repair: Repair): Promise<void> {
    const array = repair.array
    const labels = repair.volume.labels
    await array.settle()
    await array.bank.identify(slotsMax)
    if (array.writeMask & ~array.bank.alive) {
        // silent for a moment
        await platform.sleep(readTryMs)
        await array.bank.identify(slotsMax)
    }
    for (let slot = 0; slot < slotsMax; slot++) if (!isWritten(array, slot)) await lookAt(labels, slot)
    // before what it may find: else, the only one left being silent now, one that fell behind is taken for the array
    await leaveOut(labels, repair.log.epoch)
    await array.finish()
}

/**
 * One that is not the array's any more is noticed without a write; and one that fell behind and answers again is marked, or it would be
 * believed when it is the only one some day.
 */
export async function lookAround(repair: Repair, nowMs: number): Promise<void> {
    const labels = repair.volume.labels
    for (let slot = 0; slot < slotsMax; slot++)
        if (!isWritten(repair.array, slot))
            if (repair.badPages[slot] < badPagesMax)
                if (isHeir(labels, slot, repair.log.anchors.generations))
                    await rebuildElement(repair, labels.positions[slot], slot, flagReplace)
    if (repair.array.joining >= 0) return
    let isFailed = false
    // what a rebuild refused is shown as such until someone asks for another
    for (let slot = 0; slot < slotsMax; slot++) if (labels.states[slot] === slotFailed) isFailed = true
    if (!deadIn(repair.array)) {
        await dropStrangers(repair)
        await lookAtAnchor(repair)
    } else if (!isFailed) await lookAtSlots(repair)
    // one that stays busy takes seconds, which others want
    const now = platform.now()
    repair.lookMs = now + lookEveryMs + (now - nowMs) * 8
}

/** An anchor that an element does not hold is written again, in another sector: without it, what came since would be lost with the others. One that takes none has failed. */
async function lookAtAnchor(repair: Repair): Promise<void> {
    for (let anchors = anchorTries; ; anchors--) {
        const lost = await lackAnchor(repair)
        if (!lost) return
        if (anchors === 0) return await dropElements(repair.array, lost)
        repair.log.anchors.sectorIsOpen = false
        await repair.log.writeAnchor()
    }
}

/** @returns positions, as bits, whose elements do not hold the newest anchor, or the first of its sector, without which it is not found, however often they are asked */
async function lackAnchor(repair: Repair): Promise<number> {
    const anchors = repair.log.anchors
    const newest = anchors.newest
    let lost = repair.array.members
    let unopened = lost
    for (let tries = readTries; tries; tries--) {
        await readAnchor(anchors, newest)
        lost &= ~anchors.goodOn
        await readAnchor(anchors, newest - (newest % sectorPages))
        unopened &= ~anchors.goodOn
        if (!(lost | unopened)) return 0
        await platform.sleep(readTryMs)
    }
    return lost | unopened
}
