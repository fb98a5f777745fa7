// SPI-NOR elements on one bus, driven several at once where their commands are the same.
//
// Promises: never sends a command to a chip that may still be busy; every wait is bounded, and an element that does not become
// ready or does not identify itself is reported, not retried for ever. A power cut may leave the page being programmed, or
// the sector being erased, with any mixture of old and new bits; all that was `settle`d before is whole. So may a change of control: what a chip
// is still busy with when it is identified is broken off, because an erase of the lost node would hold up its partner for up to 2 s.
//
// Chips of different sizes may sit side by side. All take three address bytes; in one above 16 MB the extended address register has
// the fourth. It is volatile, but the array keeps its power when a node dies, so `identify` writes it to a known value.

import { platform } from "../platform"
import { elementPageBytes, ElementBank, ElementPort, pageBufferBytes, pageHeadBytes } from "./bank"

// W25Q128JV §8.1.2, instruction set table 1
const cmdProgram = 0x02
const cmdRead = 0x03
const cmdReadStatus = 0x05
const cmdWriteEnable = 0x06
const cmdEraseSector = 0x20
const cmdErase32K = 0x52
const cmdErase64K = 0xd8
const cmdEnableReset = 0x66
const cmdReset = 0x99
const cmdJedecId = 0x9f
const cmdRelease = 0xab
// W25Q256JV §8.1.2
const cmdWriteExtended = 0xc5
const cmdLeave4Byte = 0xe9

const sectorPages = 16
/** Read at once where only their heads are looked at. */
const runPages = 4
/** Pages that three address bytes reach. */
const nearPages = 0x10000
/** log2 of the smallest and the largest chip's bytes: 64 KB, which nobody sells but tests use, and the 32 MB of a W25Q256. */
const log2Min = 16
const log2Max = 25

// W25Q128JV §9.6, W25Q256JV §9.6: 64 KB block erase up to 2 s, page program up to 3 ms
const settleMsMax = 3000
/** Polls before the waiting fiber starts to sleep between them: a page program is over by then, an erase is not. */
const eagerPollsMax = 6
/** A line that nobody drives reads as ones; no part has all of its status bits set. So often in a row, and the element is gone. */
const silentStatus = 0xff
const silentPollsMax = 3

// shared by the banks, as the wires are
const one = Buffer.alloc(1)
const oneIn = Buffer.alloc(1)
const two = Buffer.alloc(2)
const twoIn = Buffer.alloc(2)
const four = Buffer.alloc(4)
const fourIn = Buffer.alloc(4)
const head = Buffer.alloc(pageHeadBytes)
/** Held from the start: in a heap that has run for a while there is no such piece. */
const run = Buffer.alloc((runPages - 1) * elementPageBytes + pageHeadBytes)

export class NorBank implements ElementBank {
    alive: number
    busy: number
    /** Chips, as bits, whose extended address register is 1. */
    far: number
    port: ElementPort
    private pageOut: Buffer
    private pageIn: Buffer
    pages: number[]
    ids: number[]
    strideBytes: number

    constructor(port: ElementPort, pageOut: Buffer, pageIn: Buffer) {
        this.alive = 0
        this.busy = 0
        this.far = 0
        this.port = port
        this.pageOut = pageOut
        this.pageIn = pageIn
        this.pages = [0, 0, 0, 0, 0, 0]
        this.ids = [0, 0, 0, 0, 0, 0]
        this.strideBytes = 256
    }

    async identify(slots: number): Promise<number> {
        this.alive = 0
        this.busy = 0
        this.far = 0
        for (let slot = 0; slot < this.pages.length; slot++) {
            this.pages[slot] = 0
            this.ids[slot] = 0
            if (slot < slots) await probe(this, slot)
        }
        return this.alive
    }

    async read(slot: number, page: number, buffer: Buffer): Promise<void> {
        const mask = 1 << slot
        if (this.busy & mask) await this.settle(mask)
        if (page >= nearPages || this.far) await reach(this, mask, page)
        const n = buffer.length
        // whatever follows the address is ignored
        const tx = n === pageBufferBytes ? this.pageOut : n === pageHeadBytes ? head : buffer
        tx.setAt(0, "u32", cmdRead | (page & 0xff00) | ((page & 0xff) << 16))
        await this.port.transfer(mask, tx, buffer)
    }

    /** In runs: a transfer costs as much as two hundred bytes in it. */
    async lastWritten(slot: number, page: number, end: number): Promise<number> {
        while (end - 1 > page) {
            end -= runPages
            await this.read(slot, end, run)
            let i = runPages
            while (--i >= 0) {
                const at = i * elementPageBytes + 4
                const ones = run.getAt(at, "i32") & run.getAt(at + 4, "i32") & run.getAt(at + 8, "i32")
                if ((ones & run.getAt(at + 12, "i32") & run.getAt(at + 16, "i32")) !== -1)
                    return end + i > page ? end + i : page
            }
        }
        return page
    }

    async program(mask: number, page: number, buffer: Buffer): Promise<void> {
        if (this.busy & mask) await this.settle(mask)
        mask &= this.alive
        if (page >= nearPages || this.far) await reach(this, mask, page)
        const port = this.port
        one[0] = cmdWriteEnable
        await port.transfer(mask, one, oneIn)
        buffer.setAt(0, "u32", cmdProgram | (page & 0xff00) | ((page & 0xff) << 16))
        // before the transfer: should it fail, the chips may have begun nevertheless
        this.busy |= mask
        await port.transfer(mask, buffer, this.pageIn)
    }

    /** Whole sectors of 4 KB; returns when the last erase has begun. */
    async erase(mask: number, firstPage: number, pages: number): Promise<void> {
        const end = firstPage + pages
        let page = firstPage
        while (page < end) {
            let step = sectorPages
            let cmd = cmdEraseSector
            if (!(page & 0xff) && end - page >= 0x100) {
                step = 0x100
                cmd = cmdErase64K
            } else if (!(page & 0x7f))
                if (end - page >= 0x80) {
                    step = 0x80
                    cmd = cmdErase32K
                }
            if (this.busy & mask) await this.settle(mask)
            mask &= this.alive
            if (page >= nearPages || this.far) await reach(this, mask, page)
            one[0] = cmdWriteEnable
            await this.port.transfer(mask, one, oneIn)
            four.setAt(0, "u32", cmd | (page & 0xff00) | ((page & 0xff) << 16))
            this.busy |= mask
            await this.port.transfer(mask, four, fourIn)
            page += step
        }
    }

    /** One that is gone, or stays busy beyond the datasheet's longest time, leaves `alive`. */
    async settle(mask: number): Promise<void> {
        const busy = this.busy
        if ((busy & mask) === 3) {
            // a mirror's page, mostly done by now: flat and with few locals, as it comes with every page
            const port = this.port
            two[0] = cmdReadStatus
            await port.transfer(1, two, twoIn)
            if (!(twoIn[1] & 1)) {
                await port.transfer(2, two, twoIn)
                if (!(twoIn[1] & 1)) {
                    this.busy = busy & ~3
                    return
                }
            }
        }
        await poll(this, busy & mask)
    }
}

async function probe(bank: NorBank, slot: number): Promise<void> {
    const mask = 1 << slot
    bank.alive |= mask
    bank.busy = mask
    const port = bank.port
    two[0] = cmdReadStatus
    await port.transfer(mask, two, twoIn)
    if (twoIn[1] & 1)
        if (twoIn[1] !== silentStatus) {
            one[0] = cmdEnableReset
            await port.transfer(mask, one, oneIn)
            one[0] = cmdReset
            await port.transfer(mask, one, oneIn)
            // it hears nothing for 30 us (W25Q128JV §9.6, tRST)
            await platform.sleep(1)
        }
    await bank.settle(mask)
    if (!(bank.alive & mask)) return
    one[0] = cmdRelease
    await bank.port.transfer(mask, one, oneIn)
    // JEDEC JEP106 manufacturer in byte 1; byte 3 is log2 of the capacity (W25Q128JV §8.1.1)
    four.setAt(0, "u32", cmdJedecId)
    await bank.port.transfer(mask, four, fourIn)
    const log2 = fourIn[3]
    const id = (fourIn[1] << 16) | (fourIn[2] << 8) | log2
    if (fourIn[1] === 0xff || fourIn[1] === 0 || log2 < log2Min || log2 > log2Max) {
        bank.alive &= ~mask
        return
    }
    bank.pages[slot] = 1 << (log2 - 8)
    bank.ids[slot] = id
    if (bank.pages[slot] <= nearPages) return
    one[0] = cmdLeave4Byte
    await bank.port.transfer(mask, one, oneIn)
    // only now: leaving the mode sets the register in a W25Q256FV (Linux, drivers/mtd/spi-nor/winbond.c)
    bank.far |= mask
    await reach(bank, mask, 0)
}

async function poll(bank: NorBank, wanted: number): Promise<void> {
    const port = bank.port
    let slot = 0
    let polls = 0
    let silent = 0
    let deadline = 0
    two[0] = cmdReadStatus
    while (wanted) {
        const bit = 1 << slot
        if (!(wanted & bit)) {
            slot++
            silent = 0
            continue
        }
        await port.transfer(bit, two, twoIn)
        if (twoIn[1] & 1) {
            if (twoIn[1] !== silentStatus) silent = 0
            else silent++
            if (silent < silentPollsMax) {
                if (++polls <= eagerPollsMax) continue
                const now = platform.now()
                if (deadline === 0) deadline = now + settleMsMax
                if (now <= deadline) {
                    await platform.sleep(1)
                    continue
                }
            }
            bank.alive &= ~bit
        }
        bank.busy &= ~bit
        wanted &= ~bit
    }
}

/** Sets the extended address register of chips of `mask`, none of them busy, for `page` where it has another value. */
async function reach(bank: NorBank, mask: number, page: number): Promise<void> {
    const value = page >= nearPages ? 1 : 0
    const change = value ? mask & ~bank.far : mask & bank.far
    if (!change) return
    one[0] = cmdWriteEnable
    await bank.port.transfer(change, one, oneIn)
    two[0] = cmdWriteExtended
    two[1] = value
    await bank.port.transfer(change, two, twoIn)
    if (value) bank.far |= change
    else bank.far &= ~change
}
