// An array: two elements that hold the same bytes, or three to six whose rows have rotating parity. docs/FORMAT.md, "Elements, pages,
// rows, segments".
//
// Promises:
// - What was `settle`d before can be read with any one element gone; an element that fails leaves, and the loss is recorded on the
//   array (`recorder`) before `program` or `settle` returns, so that it is never read again as if it had kept up.
// - `program` returns before the chips are done, so that the next page is prepared meanwhile; the rows before this page's are settled.
// - A row is written once: its pages in rising order, then its parity. `settle` ends a row that is not full.
// - Pages of the reserved segment are the same on every element.

import { ElementBank, slotsMax } from "../flash/bank"
import { Parity, abandonRow, readInRow, programInRow, closeRow } from "./parity"

/** Records who the members are: the log. No function of its own for each array, which would keep all locals of who made it. */
export interface Recorder {
    writeAnchor(): Promise<void>
}

export class ElementArray {
    bank: ElementBank
    /** Positions; 0 = not known yet. */
    elements: number
    /** Pages in a row: 1 in a mirror. */
    rowPages: number
    rows: number
    segmentRows: number
    segmentPages: number
    /** Pages of the log, the reserved segment's included. */
    pages: number
    /** Ways to read one page: attempt 0, 1, … of `read`. */
    copies: number
    /** Slot of the element that holds each position, or -1. */
    slots: number[]
    /** Positions, as bits, whose elements hold all that was settled. */
    members: number
    /** Position whose element holds all but the segments in `away`; -1 = none. */
    joining: number
    /** Slot of an element that is to take the joining position, whose element is a member until then and holds all: the one that gets what is lacking; or -1. */
    heir: number
    /** Bit s % 8 of byte s / 8: the joining element lacks segment s. */
    away: Buffer
    /** Is told when `members` became fewer; undefined while that is not to be recorded. */
    recorder: Recorder
    /** The row that was ended last; nothing may be added to it. */
    closedRow: number
    /** Slots of all elements that are written to. */
    writeMask: number
    parity: Parity

    /** @param scratch a page buffer that is free while a page is read */
    constructor(bank: ElementBank, scratch: Buffer) {
        this.bank = bank
        this.away = Buffer.alloc(32)
        this.slots = []
        for (let i = 0; i < slotsMax; i++) this.slots.push(-1)
        this.parity = new Parity(this, scratch)
        this.elements = 0
        this.rowPages = 1
        this.rows = 0
        this.segmentRows = 0
        this.segmentPages = 0
        this.pages = 0
        this.copies = 0
        this.members = 0
        this.joining = -1
        this.heir = -1
        this.closedRow = -1
        this.writeMask = 0
    }

    // --- taking elements in

    /** Asks the elements who they are, and waits for what a former controller left running. @returns slots that answer, as bits */
    async identify(): Promise<number> {
        this.recorder = undefined
        this.elements = 0
        this.members = 0
        this.joining = -1
        this.heir = -1
        this.away.fillAt(0, this.away.length, 0)
        for (let i = 0; i < slotsMax; i++) this.slots[i] = -1
        abandonRow(this.parity)
        this.closedRow = -1
        return await this.bank.identify(slotsMax)
    }

    /** Sets what a label says; `slots` and `use` follow. */
    shape(elements: number, rows: number, segmentRows: number): void {
        this.elements = elements
        this.rowPages = elements > 2 ? elements - 1 : 1
        this.copies = 2
        this.rows = rows
        this.segmentRows = segmentRows
        this.segmentPages = segmentRows * this.rowPages
        this.pages = rows * this.rowPages
    }

    /** From now on the elements of these positions are read and written, and the joining one. */
    use(members: number, joining: number): void {
        this.members = members
        this.joining = joining
        let mask = 0
        if (this.heir >= 0) mask = 1 << this.heir
        for (let i = 0; i < this.elements; i++)
            if (this.slots[i] >= 0) if (members & (1 << i) || i === joining) mask |= 1 << this.slots[i]
        this.writeMask = mask
        this.bank.inUse = mask & this.bank.alive
        // what joins gets every page that is written from now on
        this.bank.missesMax = deadIn(this) & ~(1 << joining) ? 0 : 1
    }

    // --- pages of the log

    /** Ends the row, and waits until all is on the elements. */
    async settle(): Promise<void> {
        if (this.rowPages !== 1) await closeRow(this.parity)
        await this.finish()
    }

    /** Waits for the elements without ending the row. */
    async finish(): Promise<void> {
        await this.bank.settle(-1)
        const mask = this.writeMask
        if ((this.bank.alive & mask) !== mask) await noteLoss(this)
    }

    // --- rows
}

/** Erases a segment of the log, or the reserved one. @returns when the last erase has begun */
export async function eraseOnAll(array: ElementArray, segment: number): Promise<void> {
    await array.bank.erase(array.writeMask, segment * array.segmentRows, array.segmentRows)
}

/** Whether enough elements are in use for everything to be readable: what joins counts when it lacks nothing any more. */
export function isEnough(array: ElementArray): boolean {
    let missing = 0
    let lacks = 0
    for (let i = 0; i < array.away.length; i++) lacks |= array.away[i]
    for (let i = 0; i < array.elements; i++)
        if (!(array.members & (1 << i))) if (lacks || i !== array.joining) missing++
    return missing <= 1 && array.elements > 0
}

/** Slot of the element that joins. */
export function joiningSlot(array: ElementArray): number {
    return array.heir < 0 ? array.slots[array.joining] : array.heir
}

/** Slots, as bits, of the elements that get what a position holds. */
export function targets(array: ElementArray, position: number): number {
    let mask = 1 << array.slots[position]
    if (position === array.joining) mask |= 1 << joiningSlot(array)
    return mask & array.writeMask & array.bank.alive
}

/** Whether the element in a slot is written to. */
export function isWritten(array: ElementArray, slot: number): boolean {
    return slot >= 0 && (array.writeMask & array.bank.alive & (1 << slot)) !== 0
}

/** Whether a segment is marked in a set of them, such as `away`. */
export function isMarked(segments: Buffer, segment: number): boolean {
    return (segments[segment >> 3] & (1 << (segment & 7))) !== 0
}

export function mark(segments: Buffer, segment: number, isIn: boolean): void {
    const bit = 1 << (segment & 7)
    const at = segment >> 3
    segments[at] = isIn ? segments[at] | bit : segments[at] & ~bit
}

/** Whether the element of a position holds this row. */
export function holdsRow(array: ElementArray, position: number, row: number): boolean {
    const slot = array.slots[position]
    if (slot < 0) return false
    if (!(array.bank.alive & (1 << slot))) return false
    if (array.members & (1 << position)) return true
    return position === array.joining && !isMarked(array.away, (row / array.segmentRows) | 0)
}

/**
 * Reads the first `buffer.length - 4` bytes of a page to offset 4 of `buffer`.
 * @param attempt 0: from the page's own element (a mirror: position 0); 1: from the others
 * @returns false when that way is barred by a dead element
 */
export async function readCopy(array: ElementArray, page: number, buffer: Buffer, attempt: number): Promise<boolean> {
    if (array.rowPages !== 1) return await readInRow(array.parity, page, buffer, attempt)
    const slot = array.slots[attempt]
    if (!(array.members & (1 << attempt)) || !(array.bank.alive & (1 << slot))) {
        if (!holdsRow(array, attempt, page)) return false
    }
    await array.bank.read(slot, page, buffer)
    return true
}

export async function programPage(array: ElementArray, page: number, buffer: Buffer): Promise<void> {
    if (array.rowPages !== 1) await programInRow(array.parity, page, buffer)
    else await array.bank.program(array.writeMask, page, buffer)
    const mask = array.writeMask
    if ((array.bank.alive & mask) !== mask) await noteLoss(array)
}

/** Page of the log that a position holds in a row; -1 = the row's parity. */
export function pageAt(array: ElementArray, position: number, row: number): number {
    if (array.rowPages === 1) return row
    const elements = array.elements
    const column = (position + elements + elements - 1 - (row % elements)) % elements
    return column === elements - 1 ? -1 : row * array.rowPages + column
}

/** Reads what a position holds in a row, or its header, as the buffer is. @returns false when its element does not count for the row */
export async function readAt(array: ElementArray, position: number, row: number, buffer: Buffer): Promise<boolean> {
    if (!holdsRow(array, position, row)) return false
    await array.bank.read(array.slots[position], row, buffer)
    return true
}

/** Makes what a position should hold in a row from the others. @returns false when one of them does not count */
export async function makePage(array: ElementArray, position: number, row: number, buffer: Buffer): Promise<boolean> {
    if (array.rowPages === 1) return await readAt(array, 1 - position, row, buffer)
    return await array.parity.make(position, row, buffer)
}

/** Reads an element page of one position. @returns false when its element does not answer */
export async function readReserved(
    array: ElementArray,
    position: number,
    page: number,
    buffer: Buffer,
): Promise<boolean> {
    if (!isReadable(array, position)) return false
    await array.bank.read(array.slots[position], page, buffer)
    return true
}

/** Whether an element is in the position that answers and is not left out. */
export function isReadable(array: ElementArray, position: number): boolean {
    const slot = array.slots[position]
    if (slot < 0) return false
    if (!(array.bank.alive & (1 << slot))) return false
    return (array.members & (1 << position)) !== 0 || position === array.joining
}

/** Takes the elements of `lost` positions out for good: they are recorded as fallen behind, together or, when what is left is not enough, not at all. */
export async function dropElements(array: ElementArray, lost: number): Promise<void> {
    if (!lost) return
    let joining = array.joining
    if (joining >= 0)
        if (lost & (1 << joining)) {
            joining = -1
            array.heir = -1
        } else if (array.heir < 0)
            // what joins is made from it: better no service for a while than a record that it is gone
            throw new Error("no element answers")
    array.use(array.members & ~lost, joining)
    if (joining < 0) array.away.fillAt(0, array.away.length, 0)
    if (!isEnough(array)) throw new Error("no element answers")
    if (array.recorder) await array.recorder.writeAnchor()
}

/** Bit mask of positions that have no element which holds everything. */
export function deadIn(array: ElementArray): number {
    return ((1 << array.elements) - 1) & ~array.members
}

async function noteLoss(elementArray: ElementArray): Promise<void> {
    const alive = elementArray.bank.alive
    const heir = elementArray.heir
    if (heir >= 0)
        if (!(alive & (1 << heir))) {
            elementArray.heir = -1
            elementArray.away.fillAt(0, elementArray.away.length, 0)
            elementArray.use(elementArray.members, -1)
        }
    let lost = 0
    for (let i = 0; i < elementArray.elements; i++) {
        const slot = elementArray.slots[i]
        if (slot < 0) continue
        if (alive & (1 << slot)) continue
        if (elementArray.members & (1 << i) || elementArray.joining === i) lost |= 1 << i
    }
    await dropElements(elementArray, lost)
}
