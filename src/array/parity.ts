// Rows with rotating parity: the page's own element is programmed at once, the parity is kept in RAM until the row ends.
//
// Promises: a row's element pages are programmed once each, when all rows before are settled; the parity page last. Until then the row
// can be read with one element gone, the parity coming from RAM.

import { pageBufferBytes } from "../flash/bank"
import { ElementArray, readAt, targets } from "./array"

// In a page buffer. A page that has 0xff for its type counts as zeros, and so does a parity page that is blank (docs/FORMAT.md); one
// that is not never begins with 0xffffffff, but for one row in four billion, which then reads as damaged when an element is missing.
const atCheck = 4
const atType = 8

export class Parity {
    array: ElementArray
    private scratch: Buffer
    /** The XOR of the open row's pages; made when an array with parity is first used. */
    total: Buffer
    /** The open row, or -1. */
    row: number

    /** @param scratch a page buffer that is free while a page is read */
    constructor(array: ElementArray, scratch: Buffer) {
        this.array = array
        this.scratch = scratch
        this.row = -1
    }

    /** XORs what all other positions hold into `buffer`. @returns false when one of them does not count */
    async make(position: number, row: number, buffer: Buffer): Promise<boolean> {
        const array = this.array
        const elements = array.elements
        const parity = row % elements
        buffer.fillAt(4, pageBufferBytes - 4, 0)
        for (let i = 0; i < elements; i++) {
            if (i === position) continue
            if (i === parity)
                if (row === this.row) {
                    addPage(buffer, this.total)
                    continue
                }
            if (!(await readAt(array, i, row, this.scratch))) return false
            if (this.scratch[atType] !== 0xff || (i === parity && this.scratch.getAt(atCheck, "i32") !== -1))
                addPage(buffer, this.scratch)
        }
        return true
    }
}

/** The row that is open stays without parity. @returns it, or -1 */
export function abandonRow(parity: Parity): number {
    const row = parity.row
    if (row >= 0) parity.array.closedRow = row
    parity.row = -1
    return row
}

/** An empty sum of pages; not while a row is open. */
export function emptySum(parity: Parity): Buffer {
    if (!parity.total) parity.total = Buffer.alloc(pageBufferBytes)
    parity.total.fillAt(0, pageBufferBytes, 0)
    return parity.total
}

export async function readInRow(parity: Parity, page: number, buffer: Buffer, attempt: number): Promise<boolean> {
    const array = parity.array
    const row = (page / array.rowPages) | 0
    const position = (row + 1 + page - row * array.rowPages) % array.elements
    if (attempt === 0) return await readAt(array, position, row, buffer)
    return await parity.make(position, row, buffer)
}

/** Programs a page; the first of a row waits until all rows before are settled, the last ends the row. */
export async function programInRow(parity: Parity, page: number, buffer: Buffer): Promise<void> {
    const array = parity.array
    const rowPages = array.rowPages
    const row = (page / rowPages) | 0
    const column = page - row * rowPages
    if (row !== parity.row) {
        if (parity.row >= 0) await closeRow(parity)
        // a loss noticed now is recorded in a buffer that may be this one
        const total = emptySum(parity)
        total.blitAt(0, buffer, 0, pageBufferBytes)
        await array.finish()
        buffer.blitAt(0, total, 0, pageBufferBytes)
        parity.row = row
    } else addPage(parity.total, buffer)
    // the sum first: whatever becomes of the program, the row can be read
    const mask = targets(array, (row + 1 + column) % array.elements)
    if (mask) await array.bank.program(mask, row, buffer)
    if (column === rowPages - 1) await closeRow(parity)
}

/** Ends the open row: programs its parity. */
export async function closeRow(parity: Parity): Promise<void> {
    const row = parity.row
    if (row < 0) return
    const array = parity.array
    const mask = targets(array, row % array.elements)
    if (mask) await array.bank.program(mask, row, parity.total)
    array.closedRow = row
    parity.row = -1
}

/** XORs the page in `b` into `a`. Flat: it runs for each page written. */
export function addPage(a: Buffer, b: Buffer): void {
    for (let i = 4; i < pageBufferBytes; i += 16) {
        a.setAt(i, "i32", a.getAt(i, "i32") ^ b.getAt(i, "i32"))
        a.setAt(i + 4, "i32", a.getAt(i + 4, "i32") ^ b.getAt(i + 4, "i32"))
        a.setAt(i + 8, "i32", a.getAt(i + 8, "i32") ^ b.getAt(i + 8, "i32"))
        a.setAt(i + 12, "i32", a.getAt(i + 12, "i32") ^ b.getAt(i + 12, "i32"))
    }
}
