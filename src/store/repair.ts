// Keeps the elements of an array alike: looks whether they hold what they should (scrub), writes a segment of one of them again, and
// fills an element that took another's place (rebuild). All of it in bounded steps, while the volume serves.
//
// Promises:
// - An element is read for a segment only when it has all of it: until then the segment is marked in `array.away`, in every anchor.
// - What a cut breaks off goes on after the next mount from the last anchor, at most `segmentsPerAnchor` segments back.
// - A segment is erased on one element only when all of it can be made from the others; else what is in use of it is moved.
// - A segment that an element does not hold even when written again is emptied and retired.
//
// Crash orders: docs/FORMAT.md, "Rebuild" and "Repair".

import { ElementArray } from "../array/array"
import { slotsMax } from "../flash/bank"
import { platform } from "../platform"
import { noPosition, slotBlank, slotEmpty, slotFailed, slotJoining, slotMember, slotStale } from "./label"
import { pageIsBlank, pageIsGood } from "./page"
import { badIn } from "./redundancy"
import { badRequest, busy, exists, foreign, noSpace, notFound, ok, tooSmall, vetoed } from "./status"
import { Volume } from "./volume"

/** Rows copied, or looked at, in one step. */
const rowsPerStep = 8
const segmentsPerAnchor = 8
export const flagForce = 1
export const flagReplace = 2
const describedBytes = 32 + slotsMax * 12
const kindMirror = 1
const kindParity = 2

export class Repair {
    private volume: Volume
    private array: ElementArray
    private buffer: Buffer
    /** Bad element pages found in each slot since boot. */
    private badPages: Buffer
    found: number
    repaired: number
    /** Segment being copied to the joining element, or looked at; 0 = none. And the row in it to go on with. */
    private segment: number
    private row: number
    private copied: number
    /** Positions, as bits, found bad in the segment looked at. */
    private bad: number
    /** The segment repaired last, to be looked at again. */
    private again: number
    /** A segment to be emptied and not used any more, or 0. */
    private retiring: number
    // the scrub that someone asked for
    private rate: number
    private dueMs: number
    private next: number
    passes: number

    constructor(volume: Volume, buffer: Buffer) {
        this.volume = volume
        this.array = volume.array
        this.buffer = buffer
        this.badPages = Buffer.alloc(slotsMax)
        this.found = 0
        this.repaired = 0
        this.passes = 0
        this.rate = 0
        this.dueMs = 0
        this.next = 1
        this.begin()
    }

    /** After a mount: nothing is under way but what the anchor says. */
    begin(): void {
        this.segment = 0
        this.row = 0
        this.copied = 0
        this.bad = 0
        this.again = 0
        this.retiring = 0
    }

    /** One bounded step, if there is anything to do now. @returns false when there is not */
    async step(nowMs: number): Promise<boolean> {
        const log = this.volume.log
        if (this.array.joining >= 0) {
            await this.copyStep()
            return true
        }
        if (this.retiring) if (await this.retireStep()) return true
        if (this.segment === 0)
            if (log.left) {
                this.look(log.left)
                log.left = 0
            }
        if (this.segment === 0) if (this.rate) if (nowMs >= this.dueMs) this.look(this.nextScrubbed())
        if (this.segment === 0) return false
        if (this.rate) {
            if (nowMs < this.dueMs) return false
            this.dueMs = nowMs + (rowsPerStep * 1000) / this.rate
        }
        await this.lookStep()
        return true
    }

    /** Whether `step` will have work without anyone asking. */
    isPending(): boolean {
        return (
            this.array.joining >= 0 ||
            this.retiring !== 0 ||
            this.segment !== 0 ||
            this.volume.log.left !== 0 ||
            this.rate !== 0
        )
    }

    // --- looking

    /** Begins to look through all that the array holds. @param rowsPerSecond 0 ends it */
    async scrub(rowsPerSecond: number): Promise<number> {
        const volume = this.volume
        if (rowsPerSecond)
            if (this.rate === 0) {
                // what is in the present segment is looked through as well
                if (volume.log.usage.available() === 0) return noSpace
                await volume.commit()
                await volume.log.changeSegment()
                this.next = 1
                this.dueMs = platform.now()
            }
        this.rate = rowsPerSecond
        return ok
    }

    private look(segment: number): void {
        const log = this.volume.log
        if (segment === 0) return
        if (segment === log.segment) return
        if (!log.holds(segment)) return
        this.segment = segment
        this.row = 0
        this.bad = 0
    }

    private nextScrubbed(): number {
        const log = this.volume.log
        while (this.next < log.segments) {
            const segment = this.next++
            if (segment !== log.segment) if (log.holds(segment)) return segment
        }
        this.passes++
        this.rate = 0
        return 0
    }

    private async lookStep(): Promise<void> {
        const array = this.array
        const rows = array.segmentRows
        const first = this.segment * rows
        await array.settle()
        for (let n = 0; n < rowsPerStep && this.row < rows; n++) {
            const row = first + this.row++
            const bad = await badIn(array, row, this.buffer)
            if (bad) await this.noteBad(row, bad)
        }
        if (this.row < rows) return
        const segment = this.segment
        this.segment = 0
        const isAgain = this.again === segment
        this.again = 0
        if (this.bad === 0) {
            if (isAgain) this.repaired++
            return
        }
        if (isAgain || this.bad & (this.bad - 1)) this.retiring = segment
        else await this.repair(segment)
        // two elements are damaged in one segment: what is in use is moved, and the segment is as good as any other then
        if (!isAgain) if (this.retiring) this.again = segment
    }

    /** Counts what can be made good; what cannot was never acknowledged, or is lost. */
    private async noteBad(row: number, bad: number): Promise<void> {
        const array = this.array
        for (let position = 0; position < array.elements; position++) {
            if (!(bad & (1 << position))) continue
            if (!array.counts(position, row)) continue
            const page = array.pageAt(position, row)
            if (page >= 0)
                if (!(await array.make(position, row, this.buffer)) || !pageIsGood(this.buffer, page)) continue
            this.bad |= 1 << position
            this.found++
            const slot = array.slots[position]
            if (this.badPages[slot] < 255) this.badPages[slot] = this.badPages[slot] + 1
        }
    }

    /** Has the segment written again on the one element that is bad in it. */
    private async repair(segment: number): Promise<void> {
        const array = this.array
        let position = 0
        while (!(this.bad & (1 << position))) position++
        // nothing to make it from
        if (array.dead()) return
        this.again = segment
        array.setAway(segment, true)
        array.use(array.members & ~(1 << position), position)
        await this.volume.log.writeAnchor()
    }

    /** Empties a segment through the cleaner. @returns false while nothing can be done */
    private async retireStep(): Promise<boolean> {
        const volume = this.volume
        const usage = volume.log.usage
        const segment = this.retiring
        if (segment === volume.log.segment || usage.isPinned(segment)) {
            this.retiring = 0
            return false
        }
        if (usage.of(segment) > 0) {
            if (volume.log.usage.available() === 0) return false
            if (!(await volume.empty(segment))) this.retiring = 0
            return true
        }
        this.retiring = 0
        if (this.again !== segment) {
            usage.retire(segment)
            await volume.commit()
        }
        this.again = 0
        return true
    }

    // --- copying

    private async copyStep(): Promise<void> {
        const array = this.array
        const log = this.volume.log
        if (this.segment === 0 || !array.isAway(this.segment)) {
            this.segment = 0
            for (let s = 1; s < log.segments && this.segment === 0; s++) {
                if (!array.isAway(s)) continue
                // free: it is erased when it is entered
                if (log.holds(s)) this.segment = s
                else array.setAway(s, false)
            }
            if (this.segment === 0) return await this.finish()
            this.row = 0
            await array.bank.erase(1 << array.slots[array.joining], this.segment * array.segmentRows, array.segmentRows)
            return
        }
        await array.settle()
        const end = this.row + rowsPerStep
        while (this.row < end && this.row < array.segmentRows && array.joining >= 0) {
            await this.copyRow(this.segment * array.segmentRows + this.row)
            this.row++
        }
        await array.finish()
        if (this.row < array.segmentRows) return
        if (array.joining < 0) return
        array.setAway(this.segment, false)
        this.segment = 0
        if (++this.copied % segmentsPerAnchor === 0) await log.writeAnchor()
    }

    private async copyRow(row: number): Promise<void> {
        const array = this.array
        const buffer = this.buffer
        const position = array.joining
        if (!(await array.make(position, row, buffer))) return
        if (pageIsBlank(buffer)) return
        const page = array.pageAt(position, row)
        // what is not good was never acknowledged, or is lost: either way there is nothing to copy
        if (page >= 0) if (!pageIsGood(buffer, page)) return
        await array.bank.program(1 << array.slots[position], row, buffer)
    }

    private async finish(): Promise<void> {
        const array = this.array
        const position = array.joining
        this.copied = 0
        array.use(array.members | (1 << position), -1)
        await this.volume.log.writeAnchor()
        this.volume.labels.states[array.slots[position]] = slotMember
        if (this.again) this.look(this.again)
    }

    // --- what someone asks for

    /**
     * Begins to fill an element with what a position should hold.
     * @param position 0xff: the one that is missing; @param slot 0xff: one whose element may be overwritten
     */
    async rebuild(position: number, slot: number, flags: number): Promise<number> {
        const volume = this.volume
        const array = this.array
        const log = volume.log
        if (array.joining >= 0) return busy
        if (position === noPosition) {
            position = 0
            while (position < array.elements && array.members & (1 << position)) position++
            if (position === array.elements) return exists
        }
        if (position >= array.elements) return badRequest
        const isMember = (array.members & (1 << position)) !== 0
        if (isMember) if (!(flags & flagReplace)) return exists
        // nothing to make it from
        if (array.dead() & ~(1 << position)) return vetoed
        await this.lookAtSlots()
        if (slot === noPosition) slot = this.chooseSlot(position)
        if (slot < 0) return notFound
        if (slot >= slotsMax) return badRequest
        const status = this.judge(slot, flags, isMember && slot === array.slots[position])
        if (status !== ok) return status
        if (log.usage.available() === 0) return noSpace
        await volume.commit()
        if (isMember) await array.drop(position)
        const generations = log.anchors.generations
        const generation = (generations[position] + 1) & 0xff
        await array.bank.erase(1 << slot, 0, array.segmentRows)
        await array.bank.settle(1 << slot)
        await volume.labels.writeOne(slot, position, generation, 0, log.epoch)
        generations[position] = generation
        volume.labels.adopt(slot, position, generation)
        for (let s = 1; s < log.segments; s++) array.setAway(s, log.holds(s))
        array.use(array.members, position)
        log.erased = 0
        log.anchors.leaveSector()
        this.begin()
        // its anchor makes it so; the segment entered is erased on the new element too
        await log.changeSegment()
        return ok
    }

    /** Elements may have come and gone since the mount. */
    private async lookAtSlots(): Promise<void> {
        const array = this.array
        await array.settle()
        await array.bank.identify(slotsMax)
        await array.finish()
        for (let slot = 0; slot < slotsMax; slot++) if (!array.writes(slot)) await this.volume.labels.look(slot)
    }

    /** The position's own slot, or the next whose element may be overwritten. */
    private chooseSlot(position: number): number {
        for (let i = 0; i < slotsMax; i++) {
            const slot = (position + i) % slotsMax
            if (this.mayTake(slot)) return slot
        }
        return -1
    }

    /** Whether an element may be overwritten without being asked twice: it is blank, or one of this array that fell behind. */
    private mayTake(slot: number): boolean {
        const labels = this.volume.labels
        if (this.array.writes(slot)) return false
        const state = labels.states[slot]
        return state === slotBlank || ((state === slotStale || state === slotMember) && labels.isOwn(slot))
    }

    private judge(slot: number, flags: number, isSame: boolean): number {
        const array = this.array
        const state = this.volume.labels.states[slot]
        if (array.writes(slot)) if (!isSame) return badRequest
        if (array.bank.pages[slot] === 0) return notFound
        if (array.bank.pages[slot] < array.rows) return tooSmall
        if (!isSame) if (!(flags & flagForce)) if (!this.mayTake(slot)) return state === slotEmpty ? notFound : foreign
        return ok
    }

    /** Writes what there is to know of the array, docs/PROTOCOL.md, query `array`. @returns bytes */
    describe(out: Buffer, at: number): number {
        const array = this.array
        const log = this.volume.log
        const labels = this.volume.labels
        const usage = log.usage
        const bank = array.bank
        out.fillAt(at, describedBytes, 0)
        for (let s = 1; s < log.segments; s++) if (array.isAway(s)) out[at + 14]++
        out[at] = array.elements
        out[at + 1] = array.rowPages === 1 ? kindMirror : kindParity
        out[at + 2] = array.members
        out[at + 3] = array.joining & 0xff
        out.setAt(at + 4, "u16", array.segmentRows)
        out.setAt(at + 6, "u16", log.segments)
        out.setAt(at + 8, "u32", array.rows)
        out.setAt(at + 12, "u16", usage.retiredCount)
        if (this.rate) {
            out[at + 16] = 1
            out.setAt(at + 18, "u16", this.next)
        }
        out.setAt(at + 20, "u16", this.passes)
        out.setAt(at + 22, "u16", this.found)
        out.setAt(at + 24, "u16", this.repaired)
        out[at + 26] = slotsMax
        out.setAt(at + 28, "u32", usage.wearBase)
        at += 32
        for (let slot = 0; slot < slotsMax; slot++) {
            const pages = bank.pages[slot]
            const position = labels.positions[slot]
            let state = labels.states[slot]
            if (pages && !(bank.alive & (1 << slot))) state = slotFailed
            else if (array.writes(slot)) state = position === array.joining ? slotJoining : slotMember
            else if (state === slotMember) state = slotStale
            out[at] = state
            out[at + 1] = position
            if (pages) out[at + 2] = bank.strideBytes >> 8
            out[at + 3] = this.badPages[slot]
            out.setAt(at + 4, "u32", bank.ids[slot])
            out.setAt(at + 8, "u32", pages)
            at += 12
        }
        return describedBytes
    }
}
