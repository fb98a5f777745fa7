// SPI-NOR elements on one bus, driven several at once where their commands are the same.
//
// Promises: never sends a command to a chip that may still be busy; every wait is bounded, and an element that does not become
// ready or does not identify itself is reported, not retried for ever. A power cut may leave the page being programmed, or
// the sector being erased, with any mixture of old and new bits; all that was `settle`d before is whole.

import { platform } from "../platform"

/** One SPI transfer to the elements of `mask` (bit n = element n of this array), all their selects low from start to end. */
export interface ElementPort {
    transfer(mask: number, tx: Buffer, rx: Buffer): Promise<void>
}

// W25Q128JV §8.1.2, instruction set table 1
const cmdProgram = 0x02
const cmdRead = 0x03
const cmdReadStatus = 0x05
const cmdWriteEnable = 0x06
const cmdEraseSector = 0x20
const cmdErase32K = 0x52
const cmdErase64K = 0xd8
const cmdJedecId = 0x9f
const cmdRelease = 0xab

const sectorBytes = 4096

// W25Q128JV §9.6: 64 KB block erase up to 2 s, page program up to 3 ms
const settleMsMax = 3000
/** Polls before the waiting fiber starts to sleep between them: a page program is over by then, an erase is not. */
const eagerPollsMax = 6
/** A line that nobody drives reads as ones; no part has all of its status bits set. So often in a row, and the element is gone. */
const silentStatus = 0xff
const silentPollsMax = 3

/** Bytes of a page buffer: four for a command and its address, then the page. */
export const pageBufferBytes = 260
export const elementPageBytes = 256

export class NorBank {
    /** Elements that answer; an element leaves it when it fails. */
    alive: number
    private busy: number
    private port: ElementPort
    private one: Buffer
    private oneIn: Buffer
    private two: Buffer
    private twoIn: Buffer
    private four: Buffer
    private fourIn: Buffer
    private head: Buffer
    private pageOut: Buffer
    private pageIn: Buffer

    constructor(port: ElementPort, pageOut: Buffer, pageIn: Buffer) {
        this.port = port
        this.alive = 0
        this.busy = 0
        this.one = Buffer.alloc(1)
        this.oneIn = Buffer.alloc(1)
        this.two = Buffer.alloc(2)
        this.twoIn = Buffer.alloc(2)
        this.four = Buffer.alloc(4)
        this.fourIn = Buffer.alloc(4)
        this.head = Buffer.alloc(24)
        this.pageOut = pageOut
        this.pageIn = pageIn
    }

    /**
     * Asks elements 0..count-1 who they are and waits for whatever a former controller left running in them.
     * @returns bytes of the smallest that answered; 0 if none did
     */
    async identify(count: number): Promise<number> {
        this.alive = 0
        this.busy = 0
        let bytes = 0
        for (let i = 0; i < count; i++) {
            const mask = 1 << i
            this.alive |= mask
            this.busy = mask
            await this.settle()
            if (!(this.alive & mask)) continue
            this.one[0] = cmdRelease
            await this.port.transfer(mask, this.one, this.oneIn)
            this.four.setAt(0, "u32", cmdJedecId)
            await this.port.transfer(mask, this.four, this.fourIn)
            // JEDEC JEP106 manufacturer in byte 1; byte 3 is log2 of the capacity (W25Q128JV §8.1.1)
            const log2 = this.fourIn[3]
            if (this.fourIn[1] === 0xff || this.fourIn[1] === 0 || log2 < 16 || log2 > 24) {
                this.alive &= ~mask
                continue
            }
            const size = 1 << log2
            if (bytes === 0 || size < bytes) bytes = size
        }
        return bytes
    }

    /** Reads `buffer.length - 4` bytes of one element into `buffer` from offset 4; its first four bytes are overwritten. */
    async read(element: number, address: number, buffer: Buffer): Promise<void> {
        if (this.busy) await this.settle()
        const n = buffer.length
        const tx = n === pageBufferBytes ? this.pageOut : n === 24 ? this.head : Buffer.alloc(n)
        tx.setAt(0, "i32", cmdRead | (((address >> 16) & 0xff) << 8) | ((address & 0xff00) << 8) | (address << 24))
        await this.port.transfer(1 << element, tx, buffer)
    }

    /** Begins to program the page in `buffer` (from offset 4) into every element of `mask`; `settle` waits for its end. */
    async program(mask: number, address: number, buffer: Buffer): Promise<void> {
        if (this.busy) await this.settle()
        mask &= this.alive
        const port = this.port
        const one = this.one
        one[0] = cmdWriteEnable
        await port.transfer(mask, one, this.oneIn)
        buffer.setAt(0, "u32", cmdProgram | (((address >> 16) & 0xff) << 8) | ((address & 0xff00) << 8))
        // before the transfer: should it fail, the chips may have begun nevertheless
        this.busy = mask
        await port.transfer(mask, buffer, this.pageIn)
    }

    /** Erases `bytes` (a multiple of 4 KB) from `address` of every element of `mask`; returns when the last erase has begun. */
    async erase(mask: number, address: number, bytes: number): Promise<void> {
        mask &= this.alive
        const end = address + bytes
        while (address < end) {
            let step = sectorBytes
            let cmd = cmdEraseSector
            if (!(address & 0xffff) && end - address >= 0x10000) {
                step = 0x10000
                cmd = cmdErase64K
            } else if (!(address & 0x7fff) && end - address >= 0x8000) {
                step = 0x8000
                cmd = cmdErase32K
            }
            if (this.busy) await this.settle()
            this.one[0] = cmdWriteEnable
            await this.port.transfer(mask, this.one, this.oneIn)
            this.four.setAt(0, "u32", cmd | (((address >> 16) & 0xff) << 8) | ((address & 0xff00) << 8))
            this.busy = mask
            await this.port.transfer(mask, this.four, this.fourIn)
            address += step
        }
    }

    /** Waits until no element is busy. One that is gone, or stays busy beyond the datasheet's longest time, leaves `alive`. */
    async settle(): Promise<void> {
        const two = this.two
        const twoIn = this.twoIn
        const port = this.port
        two[0] = cmdReadStatus
        if (this.busy === 3) {
            // a mirror's page, mostly done by now: flat, as it comes with every page
            await port.transfer(1, two, twoIn)
            if (!(twoIn[1] & 1)) {
                this.busy = 2
                await port.transfer(2, two, twoIn)
                if (!(twoIn[1] & 1)) {
                    this.busy = 0
                    return
                }
            }
        }
        let element = 0
        let polls = 0
        let silent = 0
        let deadline = 0
        while (this.busy) {
            const mask = 1 << element
            if (!(this.busy & mask)) {
                element++
                continue
            }
            await port.transfer(mask, two, twoIn)
            if (!(twoIn[1] & 1)) {
                this.busy &= ~mask
                continue
            }
            if (twoIn[1] !== silentStatus) silent = 0
            else if (++silent >= silentPollsMax) {
                this.alive &= ~mask
                this.busy &= ~mask
                silent = 0
                continue
            }
            if (++polls <= eagerPollsMax) continue
            const now = platform.now()
            if (deadline === 0) deadline = now + settleMsMax
            if (now > deadline) {
                this.alive &= ~mask
                this.busy &= ~mask
            } else await platform.sleep(1)
        }
    }
}
