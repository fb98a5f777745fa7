// An array of two (or more) elements that hold the same bytes.
//
// A logical page is the page of that number on every element. `program` returns before the chips are done, so that the next
// page is prepared meanwhile; only `settle` makes pages durable. A page is programmed once after its segment was erased.

import { NorBank, elementPageBytes } from "../flash/nor"

export class MirrorArray {
    bank: NorBank
    elements: number
    /** Logical pages of the array, the reserved first segment included. */
    pages: number
    segmentPages: number
    /** Ways to read one page: attempt 0, 1, … of `read`. */
    copies: number

    constructor(bank: NorBank, elements: number, elementBytes: number, segmentPages: number) {
        this.bank = bank
        this.elements = elements
        this.segmentPages = segmentPages
        this.pages = (elementBytes / elementPageBytes) | 0
        this.copies = elements
    }

    /**
     * Reads the first `buffer.length - 4` bytes of a page to offset 4 of `buffer`.
     * @param attempt which of the `copies` to read
     * @returns false when that copy's element is dead
     */
    async read(page: number, buffer: Buffer, attempt: number): Promise<boolean> {
        if (!(this.bank.alive & (1 << attempt))) return false
        await this.bank.read(attempt, page * elementPageBytes, buffer)
        return true
    }

    async program(page: number, buffer: Buffer): Promise<void> {
        await this.bank.program(this.bank.alive, page * elementPageBytes, buffer)
    }

    /** Reads a page of the reserved segment of one element. @returns false when the element is dead */
    async readOne(element: number, page: number, buffer: Buffer): Promise<boolean> {
        return await this.read(page, buffer, element)
    }

    /** Programs a page of the reserved segment of one element only. */
    async programOne(element: number, page: number, buffer: Buffer): Promise<void> {
        await this.bank.program(1 << element, page * elementPageBytes, buffer)
    }

    async erase(firstPage: number, pages: number): Promise<void> {
        await this.bank.erase(this.bank.alive, firstPage * elementPageBytes, pages * elementPageBytes)
    }

    async settle(): Promise<void> {
        await this.bank.settle()
    }

    /** Bit mask of elements that do not answer. */
    dead(): number {
        return ((1 << this.elements) - 1) & ~this.bank.alive
    }
}
