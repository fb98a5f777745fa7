// An array of two (or more) elements that hold the same bytes.
//
// Promises:
// - What was `settle`d before is whole on every member; a member that fails leaves, and the loss is recorded on the array
//   (`onLoss`) before `program` or `settle` returns, so that it is never read again as if it had kept up.
// - `program` returns before the chips are done, so that the next page is prepared meanwhile; what was programmed before it is settled.
// - A logical page is the page of that number on every element, and is programmed once after its segment was erased.

import { NorBank, elementPageBytes } from "../flash/nor"

export class MirrorArray {
    bank: NorBank
    elements: number
    /** Logical pages of the array, the reserved first segment included. */
    pages: number
    segmentPages: number
    /** Ways to read one page: attempt 0, 1, … of `read`. */
    copies: number
    /** Elements, as bits, that hold all that was settled. */
    members: number
    /** Records that `members` became fewer. */
    onLoss: () => Promise<void>

    /** @param elementBytes 0 when it is not known yet: `identify` finds it */
    constructor(bank: NorBank, elements: number, elementBytes: number, segmentPages: number) {
        this.bank = bank
        this.elements = elements
        this.segmentPages = segmentPages
        this.pages = (elementBytes / elementPageBytes) | 0
        this.copies = elements
        this.members = 0
    }

    /** Asks the elements who they are, and waits for what a former controller left running. @returns false when none answers */
    async identify(): Promise<boolean> {
        this.onLoss = undefined
        this.members = await this.bank.identify(this.elements)
        this.pages = 0
        for (let i = 0; i < this.elements; i++) {
            const pages = this.bank.pages[i]
            if (pages && (this.pages === 0 || pages < this.pages)) this.pages = pages
        }
        return this.members !== 0
    }

    /** Takes elements of `mask` that answered, and were left out, in again. */
    admit(mask: number): void {
        this.bank.alive |= mask
        this.members = this.bank.alive
    }

    /** From now on only elements of `mask` are read and written. */
    use(mask: number): void {
        this.bank.alive &= mask
        this.members = this.bank.alive
    }

    /**
     * Reads the first `buffer.length - 4` bytes of a page to offset 4 of `buffer`.
     * @param attempt which of the `copies` to read
     * @returns false when that copy's element is dead
     */
    async read(page: number, buffer: Buffer, attempt: number): Promise<boolean> {
        if (!(this.bank.alive & (1 << attempt))) return false
        await this.bank.read(attempt, page, buffer)
        return true
    }

    async program(page: number, buffer: Buffer): Promise<void> {
        const bank = this.bank
        await bank.program(bank.alive, page, buffer)
        if (bank.alive !== this.members) await this.noteLoss()
    }

    /** Programs a page of the reserved segment of one element only. */
    async programOne(element: number, page: number, buffer: Buffer): Promise<void> {
        await this.bank.program(1 << element, page, buffer)
    }

    /** Erases pages of the reserved segment of one element only. */
    async eraseOne(element: number, firstPage: number, pages: number): Promise<void> {
        await this.bank.erase(1 << element, firstPage, pages)
    }

    async erase(firstPage: number, pages: number): Promise<void> {
        await this.bank.erase(this.bank.alive, firstPage, pages)
    }

    async settle(): Promise<void> {
        await this.bank.settle(-1)
        if (this.bank.alive !== this.members) await this.noteLoss()
    }

    private async noteLoss(): Promise<void> {
        this.members = this.bank.alive
        if (this.members === 0) throw new Error("no element answers")
        if (this.onLoss) await this.onLoss()
    }

    /** Bit mask of elements that do not answer, or are behind the others. */
    dead(): number {
        return ((1 << this.elements) - 1) & ~this.bank.alive
    }
}
