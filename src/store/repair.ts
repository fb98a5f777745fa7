// Keeps the elements of an array alike: looks whether they hold what they should (scrub), writes a segment of one of them again, and
// fills an element that took another's place (rebuild). All of it in bounded steps, while the volume serves.
//
// Promises:
// - An element is read for a segment only when it has all of it: until then the segment is marked in `array.away`, in every anchor.
// - What a cut breaks off goes on after the next mount from the last anchor, at most `segmentsPerAnchor` segments back.
// - A segment is erased on one element only when all of it can be made from the others; else what is in use of it is moved. Not for rows that
//   hold nothing in use, such as those that a power cut tore: another element may be lost meanwhile.
// - A segment that an element does not hold even when written again is emptied and retired.
// - What is copied is read back before it counts. An element that does not hold what is written to it is not rebuilt onto: it has failed. (A rebuild begins in rebuild.ts.)
//
// Crash orders: docs/FORMAT.md, "Rebuild" and "Repair".

import { ElementArray, joiningSlot, isMarked, mark, holdsRow, pageAt, makePage, readAt, deadIn } from "../array/array"
import { addPage, emptySum } from "../array/parity"
import { slotsMax } from "../flash/bank"
import { pageIsBlank } from "../flash/blank"
import { platform } from "../platform"
import { isHeir, isOwn, leaveOut, lookAt, slotFailed, slotMember, writeLabel } from "./label"
import { atCheck, pageIsGood } from "./page"
import { dropStrangers, lookAround, readTries } from "./presence"
import { badIn } from "./redundancy"
import { isNeeded } from "./in-use"
import { noSpace, ok } from "./status"
import { isPinned, retire, pagesIn } from "./usage"
import { Volume, emptySegment } from "./volume"
import { available, changeSegment, holdsNeeded, Log } from "./log"

/** Rows copied, or looked at, in one step. */
const rowsPerStep = 4
const segmentsPerAnchor = 8
export const badPagesMax = 255
/** Rows a second of a scrub that nobody asked for. */
const scrubRate = 100
export class Repair {
    volume: Volume
    log: Log
    array: ElementArray
    buffer: Buffer
    /** Bad element pages found in each slot since boot. */
    badPages: Buffer
    found: number
    repaired: number
    /** Segments in which pages were found bad that are not repaired yet; and how many there were before the scrub that runs. */
    damaged: number
    damagedBefore: number
    /** Segment being copied to the joining element, or looked at; 0 = none. And the row in it to go on with. */
    segment: number
    row: number
    copied: number
    /** Positions, as bits, found bad in the segment looked at. */
    bad: number
    /** And those that hold what cannot be made from the others. */
    only: number
    /** The segment repaired last, to be looked at again. */
    again: number
    /** A segment to be emptied and not used any more, or 0. */
    retiring: number
    // the scrub that someone asked for
    rate: number
    dueMs: number
    next: number
    passes: number
    /** When to look next whether all elements are there. */
    lookMs: number
    /** Sequence of the newest anchor when all were, the last time: what holds one up to that was there before. */
    seen: number
    /** Positions, as bits, whose label was lost since the mount, or the last rebuild, and written again. */
    relabelled: number

    constructor(volume: Volume, buffer: Buffer) {
        this.volume = volume
        this.log = volume.log
        this.array = volume.array
        this.buffer = buffer
        this.badPages = Buffer.alloc(slotsMax)
        this.found = 0
        this.repaired = 0
        this.damaged = 0
        this.damagedBefore = 0
        this.passes = 0
        this.lookMs = 0
        this.rate = 0
        this.dueMs = 0
        this.next = 1
        this.seen = 0
        beginRepair(this)
    }
}

/** After a mount: nothing is under way but what the anchor says. */
export function beginRepair(repair: Repair): void {
    repair.segment = 0
    repair.row = 0
    repair.copied = 0
    repair.bad = 0
    repair.only = 0
    repair.again = 0
    repair.retiring = 0
    repair.relabelled = 0
}

function lookThrough(repair: Repair, segment: number): void {
    const log = repair.log
    if (segment === 0) return
    if (segment === log.segment) return
    if (!holdsNeeded(log, segment)) return
    repair.segment = segment
    repair.row = 0
    repair.bad = 0
    repair.only = 0
}

/** What was left since the last time: a cut may have left pages of it on one element only, or one may not have heard. */
function lookAtLeft(repair: Repair): void {
    const log = repair.log
    const unlooked = log.anchors.unlooked
    for (let segment = 1; segment < log.segments; segment++)
        if (isMarked(unlooked, segment)) {
            lookThrough(repair, segment)
            if (repair.segment) return
            mark(unlooked, segment, false)
        }
    log.hasLeft = false
}

function nextScrubbed(repair: Repair): number {
    const log = repair.log
    while (repair.next < log.segments) {
        const segment = repair.next++
        if (segment !== log.segment) if (holdsNeeded(log, segment)) return segment
    }
    repair.passes++
    repair.next = 1
    repair.rate = 0
    // those that are bad still were found again
    repair.damaged -= repair.damagedBefore
    if (repair.damaged < 0) repair.damaged = 0
    return 0
}

async function lookStep(repair: Repair): Promise<void> {
    const array = repair.array
    const rows = array.segmentRows
    const first = repair.segment * rows
    await array.settle()
    for (let n = 0; n < rowsPerStep && repair.row < rows; n++) {
        const row = first + repair.row++
        const bad = await badIn(array, row, repair.buffer)
        if (bad) if (await isNeeded(repair.volume, row, repair.buffer)) await noteBad(repair, row, bad)
    }
    if (repair.row < rows) return
    const segment = repair.segment
    repair.segment = 0
    mark(repair.log.anchors.unlooked, segment, false)
    const isAgain = repair.again === segment
    repair.again = 0
    if (repair.bad === 0) {
        if (isAgain) {
            repair.repaired++
            repair.damaged--
        }
        return
    }
    if (isAgain) {
        repair.retiring = segment
        return
    }
    repair.damaged++
    if (repair.bad & ((repair.bad - 1) | repair.only)) {
        // two elements are damaged in one segment, or one that alone has something: what is in use is moved, and the segment is as good as any other then
        repair.retiring = segment
        repair.again = segment
    } else await rewrite(repair, segment)
}

/** Counts what can be made good; what cannot was never acknowledged, or is lost. */
async function noteBad(repair: Repair, row: number, bad: number): Promise<void> {
    const array = repair.array
    for (let position = 0; position < array.elements; position++) {
        if (!(bad & (1 << position))) continue
        if (!holdsRow(array, position, row)) continue
        const page = pageAt(array, position, row)
        if (page >= 0)
            if (!(await makePage(array, position, row, repair.buffer)) || !pageIsGood(repair.buffer, page)) {
                repair.only |= ~bad
                continue
            }
        repair.bad |= 1 << position
        repair.found++
        countBad(repair, array.slots[position])
    }
}

function countBad(repair: Repair, slot: number): void {
    const pages = repair.badPages[slot]
    if (pages < badPagesMax) repair.badPages[slot] = pages + 1
}

/** Has the segment written again on the one element that is bad in it. */
async function rewrite(repair: Repair, segment: number): Promise<void> {
    const array = repair.array
    let position = 0
    while (!(repair.bad & (1 << position))) position++
    // nothing to make it from
    if (deadIn(array)) return
    repair.again = segment
    mark(array.away, segment, true)
    array.use(array.members & ~(1 << position), position)
    await repair.log.writeAnchor()
}

/** Empties a segment through the cleaner. @returns false while nothing can be done */
async function retireStep(repair: Repair): Promise<boolean> {
    const volume = repair.volume
    const log = repair.log
    const usage = log.usage
    const segment = repair.retiring
    if (segment === log.segment || isPinned(usage, segment)) {
        repair.retiring = 0
        return false
    }
    if (pagesIn(usage, segment) > 0) {
        if (available(log) === 0) return false
        if (!(await emptySegment(volume, segment))) repair.retiring = 0
        return true
    }
    repair.retiring = 0
    repair.damaged--
    if (repair.again !== segment) {
        retire(usage, segment)
        // emptied, it may have been erased to be entered next
        log.erased = 0
        await volume.commit()
    }
    repair.again = 0
    return true
}

async function copyStep(repair: Repair): Promise<void> {
    const array = repair.array
    const log = repair.log
    // what breaks this step off leaves the segment to be copied anew
    let segment = repair.segment
    repair.segment = 0
    await array.settle()
    // what was copied since the last step is believed only if all answer still
    await dropStrangers(repair)
    if (array.joining < 0) return
    if (segment)
        if (repair.row >= array.segmentRows) {
            mark(array.away, segment, false)
            if (++repair.copied % segmentsPerAnchor === 0) await log.writeAnchor()
        }
    // one that became free meanwhile may be erased already, for what comes next
    if (segment === 0 || !isMarked(array.away, segment) || !holdsNeeded(log, segment)) {
        segment = 0
        for (let s = 1; s < log.segments && segment === 0; s++) {
            if (!isMarked(array.away, s)) continue
            // free: it is erased when it is entered
            if (holdsNeeded(log, s)) segment = s
            else mark(array.away, s, false)
        }
        if (segment === 0) return await finishCopy(repair)
        await array.bank.erase(1 << joiningSlot(array), segment * array.segmentRows, array.segmentRows)
        repair.row = 0
    } else {
        const end = repair.row + rowsPerStep
        while (repair.row < end) {
            await copyRow(repair, segment * array.segmentRows + repair.row)
            repair.row++
        }
        await array.finish()
    }
    if (array.joining >= 0) repair.segment = segment
}

async function copyRow(repair: Repair, row: number): Promise<void> {
    const array = repair.array
    const buffer = repair.buffer
    const bank = array.bank
    const position = array.joining
    const slot = joiningSlot(array)
    const page = pageAt(array, position, row)
    const isMember = array.heir >= 0
    const from = page < 0 ? emptySum(array.parity) : buffer
    let isGood = false
    let check = 1
    // an element may read wrong once: of a page its check tells, of a parity that it is the same again
    for (let tries = 3; tries && !isGood; tries--)
        if (page < 0) {
            const bad = await badIn(array, row, buffer)
            // the sum is of all that are members, and one that has an heir is
            if (isMember)
                if (await readAt(array, position, row, buffer)) if (!pageIsBlank(buffer)) addPage(from, buffer)
            if ((bad & ~(1 << position)) === 0) isGood = from.getAt(atCheck, "i32") === check
            check = from.getAt(atCheck, "i32")
        } else if (await makePage(array, position, row, buffer)) isGood = pageIsGood(buffer, page)
    if (isMember) {
        if (deadIn(array)) isGood = false
        // what the others do not hold, or not any more
        if (!isGood) {
            await readAt(array, position, row, from)
            isGood = pageIsGood(from, page)
        }
    }
    // a page that is not good now was never acknowledged, or is lost: there is nothing to copy. A parity that holds it keeps the row's others
    if (page < 0) isGood = !pageIsBlank(from)
    check = from.getAt(atCheck, "i32")
    if (isGood) await bank.program(1 << slot, row, from, true)
    for (let tries = 2; tries; tries--) {
        await bank.read(slot, row, buffer)
        if (page < 0) {
            addPage(from, buffer)
            if (pageIsBlank(from)) return
            addPage(from, buffer)
        } else if (isGood) {
            if (pageIsGood(buffer, page)) if (buffer.getAt(atCheck, "i32") === check) return
        } else if (pageIsBlank(buffer)) return
    }
    countBad(repair, slot)
    // written again in a repair: it is looked at again, and retired
    if (repair.again === 0) refuse(repair, slot)
}

/** An element that does not hold what is written to it: no more is asked of it. */
export function refuse(repair: Repair, slot: number): void {
    repair.badPages[slot] = badPagesMax
    repair.volume.labels.states[slot] = slotFailed
    repair.array.bank.alive &= ~(1 << slot)
}

async function finishCopy(repair: Repair): Promise<void> {
    const array = repair.array
    const position = array.joining
    const labels = repair.volume.labels
    const generations = repair.log.anchors.generations
    const epoch = repair.log.epoch
    const heir = array.heir
    repair.copied = 0
    if (heir >= 0) {
        // it may have been exchanged meanwhile, or read wrong once
        const generation = labels.generations[heir]
        let isHere = false
        for (let tries = readTries; tries && !isHere; tries--) {
            await lookAt(labels, heir)
            if (labels.generations[heir] !== generation) continue
            if (isHeir(labels, heir, generations)) await writeLabel(labels, heir, position, generation, 0, epoch)
            else if (labels.positions[heir] === position)
                if (isOwn(labels, heir)) isHere = labels.states[heir] === slotMember
        }
        if (!isHere) return refuse(repair, heir)
        array.heir = -1
        generations[position] = generation
        array.slots[position] = heir
    }
    array.use(array.members | (1 << position), -1)
    await repair.log.writeAnchor()
    labels.states[array.slots[position]] = slotMember
    await leaveOut(labels, epoch)
    if (repair.again) {
        lookThrough(repair, repair.again)
        // nothing is in it any more
        if (repair.segment === 0) {
            repair.again = 0
            repair.damaged--
        }
    }
    // after a rebuild all is looked through: the others may have read wrong
    else if (repair.rate === 0) {
        repair.rate = scrubRate
        repair.next = 1
        repair.damagedBefore = repair.damaged
    }
}

/** One bounded step, if there is anything to do now. @returns false when there is not */
export async function repairStep(repair: Repair, nowMs: number): Promise<boolean> {
    const log = repair.log
    if (repair.array.joining >= 0) {
        await copyStep(repair)
        return true
    }
    if (repair.retiring) if (await retireStep(repair)) return true
    if (repair.segment === 0) {
        if (nowMs >= repair.lookMs) await lookAround(repair, nowMs)
        if (repair.array.joining >= 0) return true
        if (log.hasLeft) lookAtLeft(repair)
    }
    if (repair.segment === 0) if (repair.rate) if (nowMs >= repair.dueMs) lookThrough(repair, nextScrubbed(repair))
    if (repair.segment === 0) return false
    if (repair.rate) {
        if (nowMs < repair.dueMs) return false
        repair.dueMs = nowMs + (rowsPerStep * 1000) / repair.rate
    }
    await lookStep(repair)
    return true
}

/** Begins to look through all that the array holds. @param rowsPerSecond 0 ends it */
export async function scrubArray(repair: Repair, rowsPerSecond: number): Promise<number> {
    const volume = repair.volume
    if (rowsPerSecond)
        // the one that nobody asked for leaves the present segment out, and may be past some that were written since
        if (repair.rate === 0 || repair.rate === scrubRate) {
            // what is in the present segment is looked through as well
            const log = repair.log
            if (available(log) === 0) return noSpace
            await volume.commit()
            await changeSegment(log)
            repair.next = 1
            repair.dueMs = platform.now()
            repair.damagedBefore = repair.damaged
        }
    repair.rate = rowsPerSecond
    return ok
}
