// SPI-NOR elements on one bus, driven several at once where their commands are the same.
//
// Promises: never sends a command to a chip that may still be busy; every wait is bounded, and an element that does not become
// ready or does not identify itself is reported, not retried for ever; what is silent for a moment only is none that is gone. Chips say nothing
// of what they did not hear, or heard wrong, so each page is read back: from one of those that were given it, while they hear the same. A page
// that is lost is an error of `settle`, and of what settles. A power cut may leave the page being programmed, or
// the sector being erased, with any mixture of old and new bits; all that was `settle`d before is whole. So may a change of control: what a chip
// is still busy with when it is identified is broken off, because an erase of the lost node would hold up its partner for up to 2 s.
//
// Chips of different sizes may sit side by side. All take three address bytes; in one above 16 MB the extended address register has
// the fourth. It is volatile, but the array keeps its power when a node dies, so `identify` writes it to a known value.

import { PageView, platform } from "../platform"
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
const cmdReadExtended = 0xc8
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
/** A line that nobody drives reads as ones; no part has all of its status bits set. So often in a row, and there is no element. */
const silentStatus = 0xff
const silentPollsMax = 3
/** And so long, and one that was there is gone. */
const silentMsMax = 25
const reachTriesMax = 3

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
    isLetGo: boolean
    busy: number
    /** Chips, as bits, whose extended address register is 1. */
    far: number
    port: ElementPort
    private pageOut: Buffer
    private pageIn: Buffer
    pages: number[]
    ids: number[]
    strideBytes: number
    missesMax: number
    inUse: number
    /** The page programmed last, and as what it and the one read back are compared. */
    private kept: Buffer
    private keptView: PageView
    private inView: PageView
    private keptPage: number
    /** Chips, as bits, that were given it, until it is read back. */
    private unread: number
    /** Chips, as bits, that lack the page of this number: in a row with parity each has another one. */
    private missed: number
    private missedPage: number

    constructor(port: ElementPort, pageOut: Buffer, pageIn: Buffer) {
        this.alive = 0
        this.isLetGo = false
        this.busy = 0
        this.far = 0
        this.port = port
        this.pageOut = pageOut
        this.pageIn = pageIn
        this.missesMax = 1
        this.inUse = 0
        this.kept = Buffer.alloc(pageBufferBytes)
        this.keptView = platform.view(this.kept)
        this.inView = platform.view(pageIn)
        this.keptPage = 0
        this.unread = 0
        this.missed = 0
        this.missedPage = -1
        this.pages = [0, 0, 0, 0, 0, 0]
        this.ids = [0, 0, 0, 0, 0, 0]
        this.strideBytes = 256
    }

    async identify(slots: number): Promise<number> {
        this.alive = 0
        this.busy = 0
        this.far = 0
        this.unread = 0
        this.missed = 0
        this.inUse = 0
        for (let slot = 0; slot < this.pages.length; slot++) {
            this.pages[slot] = 0
            this.ids[slot] = 0
            if (this.isLetGo) throw new Error("no element answers")
            if (slot < slots) await probe(this, slot)
        }
        if (this.isLetGo) this.alive = 0
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

    async program(mask: number, page: number, buffer: Buffer, isCopy?: boolean): Promise<void> {
        const pending = (this.busy & mask) | this.unread
        if (pending) await this.settle(pending)
        mask &= this.alive
        if (page >= nearPages || this.far) await reach(this, mask, page)
        const port = this.port
        one[0] = cmdWriteEnable
        await port.transfer(mask, one, oneIn)
        buffer.setAt(0, "u32", cmdProgram | (page & 0xff00) | ((page & 0xff) << 16))
        // before the transfer: should it fail, the chips may have begun nevertheless
        this.busy |= mask
        await port.transfer(mask, buffer, this.pageIn)
        if (isCopy) return
        this.kept.blitAt(0, buffer, 0, pageBufferBytes)
        this.keptPage = page
        this.unread = mask
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
        let rest = busy & (mask | this.unread)
        if (rest === 3) {
            // a mirror's page, mostly done by now: flat and with few locals, as it comes with every page
            const port = this.port
            two[0] = cmdReadStatus
            await port.transfer(1, two, twoIn)
            if (!(twoIn[1] & 1)) {
                await port.transfer(2, two, twoIn)
                if (!(twoIn[1] & 1)) {
                    this.busy = busy & ~3
                    rest = 0
                }
            }
        }
        if (rest) await poll(this, rest)
        if (this.unread) await this.readBack()
        // one lacks its page, and another one of the row is gone
        if (this.missed)
            if (this.missedPage === this.keptPage)
                if (this.inUse & ~this.alive & ~this.missed) throw new Error("page not taken")
    }

    /** Reads the page programmed last from the first chip that has it. Throws when it is lost. */
    private async readBack(): Promise<void> {
        let rest = this.unread & this.alive
        this.unread = 0
        if (rest === 0) return
        const page = this.keptPage
        const pageOut = this.pageOut
        const asked = rest
        let tries = 0
        let slot = 0
        if (page >= nearPages || this.far) await reach(this, rest, page)
        while (rest) {
            const bit = 1 << slot
            if (rest & bit) {
                pageOut.setAt(0, "u32", cmdRead | (page & 0xff00) | ((page & 0xff) << 16))
                await this.port.transfer(bit, pageOut, this.pageIn)
                if (platform.isSame(this.inView, this.keptView)) return
                // an element may read wrong once
                if (++tries < 2) continue
                tries = 0
                rest &= ~bit
            }
            slot++
        }
        // the same one again: that was before an erase
        let missed = asked
        if (page === this.missedPage) if (!(this.missed & missed)) missed |= this.missed
        this.missedPage = page
        this.missed = missed
        if (missed & (missed - 1) || this.missesMax === 0) throw new Error("page not taken")
        // another one that goes now takes the row with it
        two[0] = cmdReadStatus
        for (slot = 0; slot < this.pages.length; slot++)
            if (this.alive & ~missed & (1 << slot)) {
                await this.port.transfer(1 << slot, two, twoIn)
                if (twoIn[1] === silentStatus) throw new Error("page not taken")
            }
    }
}

async function probe(bank: NorBank, slot: number): Promise<void> {
    const mask = 1 << slot
    bank.alive |= mask
    bank.busy = mask
    const port = bank.port
    two[0] = cmdReadStatus
    for (let polls = 0; polls === 0 || twoIn[1] === silentStatus; polls++) {
        if (polls === silentPollsMax) {
            bank.alive &= ~mask
            bank.busy = 0
            return
        }
        await port.transfer(mask, two, twoIn)
    }
    if (twoIn[1] & 1) {
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
    let deadline = 0
    let silentFrom = -1
    let gone = 0
    two[0] = cmdReadStatus
    while (wanted) {
        const bit = 1 << slot
        if (!(wanted & bit)) {
            slot++
            silentFrom = -1
            continue
        }
        await port.transfer(bit, two, twoIn)
        if (twoIn[1] & 1) {
            if (twoIn[1] !== silentStatus) silentFrom = -1
            if (++polls <= eagerPollsMax) continue
            const now = platform.now()
            if (deadline === 0) deadline = now + settleMsMax
            if (silentFrom < 0 && twoIn[1] === silentStatus) silentFrom = now
            if (now <= deadline && (silentFrom < 0 || now - silentFrom <= silentMsMax)) {
                await platform.sleep(1)
                continue
            }
            if (silentFrom >= 0) gone |= bit
            bank.alive &= ~bit
        }
        bank.busy &= ~bit
        wanted &= ~bit
    }
    if (!gone) return
    // one that answers again, or others that do not either: the line was bad, and what they did meanwhile is not known. Twice, as it may be
    // whole again in between
    for (slot = 2 * bank.pages.length; --slot >= 0;) {
        const bit = 1 << (slot % bank.pages.length)
        if (!((bank.alive | gone) & bit)) continue
        await port.transfer(bit, two, twoIn)
        if ((twoIn[1] === silentStatus) !== ((gone & bit) !== 0)) throw new Error("no element answers")
    }
}

/** Sets the extended address register of chips of `mask`, none of them busy, for `page` where it has another value. */
async function reach(bank: NorBank, mask: number, page: number): Promise<void> {
    const value = page >= nearPages ? 1 : 0
    let change = value ? mask & ~bank.far : mask & bank.far
    const port = bank.port
    // a chip that did not hear it would do what comes to the other half
    for (let tries = 0; change; tries++) {
        if (tries === reachTriesMax) throw new Error("no element answers")
        one[0] = cmdWriteEnable
        await port.transfer(change, one, oneIn)
        two[0] = cmdWriteExtended
        two[1] = value
        await port.transfer(change, two, twoIn)
        two[0] = cmdReadExtended
        for (let slot = 0; change >> slot; slot++) {
            const bit = 1 << slot
            if (!(change & bit)) continue
            await port.transfer(bit, two, twoIn)
            if (twoIn[1] !== value) continue
            change &= ~bit
            if (value) bank.far |= bit
            else bank.far &= ~bit
        }
    }
}
