// Rows with rotating parity: the page's own element is programmed at once, the parity is kept in RAM until the row ends.
//
// Promises: a row's element pages are programmed once each, when all rows before are settled; the parity page last. Until then the row
// can be read with one element gone, the parity coming from RAM.

import { pageBufferBytes } from "../flash/bank"
import { ElementArray } from "./array"

// In a page buffer. A page that has 0xff for its type counts as zeros, and so does a parity page that is blank (docs/FORMAT.md); one
// that is not never begins with 0xffffffff, but for one row in four billion, which then reads as damaged when an element is missing.
const atCheck = 4
const atType = 8

export class Parity {
    private array: ElementArray
    private scratch: Buffer
    /** The XOR of the open row's pages; made when an array with parity is first used. */
    private total: Buffer
    /** The open row, or -1. */
    private row: number

    /** @param scratch a page buffer that is free while a page is read */
    constructor(array: ElementArray, scratch: Buffer) {
        this.array = array
        this.scratch = scratch
        this.row = -1
    }

    /** The row that is open stays without parity. @returns it, or -1 */
    abandon(): number {
        const row = this.row
        if (row >= 0) this.array.closedRow = row
        this.row = -1
        return row
    }

    /** An empty sum of pages; not while a row is open. */
    sum(): Buffer {
        if (!this.total) this.total = Buffer.alloc(pageBufferBytes)
        this.total.fillAt(0, pageBufferBytes, 0)
        return this.total
    }

    async read(page: number, buffer: Buffer, attempt: number): Promise<boolean> {
        const array = this.array
        const row = (page / array.rowPages) | 0
        const position = (row + 1 + page - row * array.rowPages) % array.elements
        if (attempt === 0) return await array.readAt(position, row, buffer)
        return await this.make(position, row, buffer)
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
            if (!(await array.readAt(i, row, this.scratch))) return false
            if (this.scratch[atType] !== 0xff || (i === parity && this.scratch.getAt(atCheck, "i32") !== -1))
                addPage(buffer, this.scratch)
        }
        return true
    }

    /** Programs a page; the first of a row waits until all rows before are settled, the last ends the row. */
    async program(page: number, buffer: Buffer): Promise<void> {
        const array = this.array
        const rowPages = array.rowPages
        const row = (page / rowPages) | 0
        const column = page - row * rowPages
        if (row !== this.row) {
            if (this.row >= 0) await this.close()
            // a loss noticed now is recorded in a buffer that may be this one
            const total = this.sum()
            total.blitAt(0, buffer, 0, pageBufferBytes)
            await array.finish()
            buffer.blitAt(0, total, 0, pageBufferBytes)
            this.row = row
        } else addPage(this.total, buffer)
        // the sum first: whatever becomes of the program, the row can be read
        const slot = array.slots[(row + 1 + column) % array.elements]
        if (array.writes(slot)) await array.bank.program(1 << slot, row, buffer)
        if (column === rowPages - 1) await this.close()
    }

    /** Ends the open row: programs its parity. */
    async close(): Promise<void> {
        const row = this.row
        if (row < 0) return
        const array = this.array
        const slot = array.slots[row % array.elements]
        if (array.writes(slot)) await array.bank.program(1 << slot, row, this.total)
        array.closedRow = row
        this.row = -1
    }
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
