// SDHC and SDXC cards in SPI mode, the other kind of element. Sections are those of the SD Physical Layer Simplified Specification, 4.10.
//
// Promises, beyond those of bank.ts:
// - page n is the first half of block n, the other half is zeros: writing one page never rewrites another;
// - before a page is begun on a card the one before has been written there: cards keep the order of pages. Whether all were written well
//   is asked when they are settled, as a card remembers its errors until then. Not so with `inRuns`, see there;
// - commands and data go with their CRCs, and the cards check them: a bit that tips on a wire never writes, least of all elsewhere;
// - a page that cannot be read comes as bytes that are no page, and not blank.

import { spiHz } from "../config"
import { platform } from "../platform"
import { CardPort, ElementBank, probeHz } from "./bank"
import { pageIsBlank } from "./blank"
import { crc16OfBlock } from "./sd-crc"
import {
    allocateLink,
    at,
    chunk,
    cmdCid,
    cmdCsd,
    cmdErase,
    cmdEraseFirst,
    cmdEraseLast,
    cmdReadBlock,
    cmdStatus,
    cmdWriteBlock,
    cmdWriteBlocks,
    command,
    leave,
    noAnswer,
    readData,
    readNothing,
    readWhole,
    stopWrite,
    waitReady,
} from "./sd-link"
import { cardReady, cardStarting, endBlock, finishStart, hasHighCapacity, readRegister, wakeCard } from "./sd-start"

/** 4 GB of the card, half of each block used; numbers of pages stay far from what a sign would change. */
const pagesMax = 0x800000

// 4.6.2.2: a write is done within 250, of SDXC within 500; an erase takes up to 250 for each allocation unit. Those of real cards are of
// 512 KB and more, so 2 MB at once take 1,000; the least that can be told is 16 KB, for which a segment of the smallest arrays takes 2,000.
// More at once would not, less takes a large array's segment of 16 MB too long: each command may wait for a whole unit
const writeMsMax = 500
const erasePagesMax = 4096
const eraseMsMax = 2000

// 7.3.3.1
const responseMask = 0x1f
const responseAccepted = 0x05
/** Page buffers begin a block with it: ones, then the token FEh (7.3.3.2) as fourth byte. As i32: a larger number is not wrapped. */
const lead = -0x01000001
/** The same with FCh, the token of a multiple write. */
const leadInRun = -0x03000001
/** What is silent for a moment only is not gone. */
const triesMax = 3
const silentMs = 12
/** What an unreadable page is filled with. */
const unreadable = 0x5a

/** What goes behind a page: zeros, CRC, and ones while the answer comes. */
let tail: Buffer
const crcAt = 256
const responseAt = 258
const tailBytes = 260
/** Registers, behind four bytes. */
let register: Buffer
/** What a page is read through that goes to `pageIn` itself, as one does from which another is made. */
let through: Buffer

export class SdBank implements ElementBank {
    alive: number
    isLetGo: boolean
    busy: number
    port: CardPort
    pageOut: Buffer
    pageIn: Buffer
    pages: number[]
    ids: number[]
    strideBytes: number
    // of no use here: cards say whether they took a page
    missesMax: number
    inUse: number
    /**
     * Pages that follow each other go as one multiple write, which the next `settle`, `read`, `erase` or other page ends. A card writes its
     * flash in larger steps then, and wears less. Until they are settled a power cut may take any of them, not only the last.
     */
    inRuns: boolean
    /** Cards, as bits, that expect the page after their last, or the end of a multiple write. */
    open: number
    private nextPages: number[]

    constructor(port: CardPort, pageOut: Buffer, pageIn: Buffer) {
        this.alive = 0
        this.isLetGo = false
        this.busy = 0
        this.port = port
        this.pageOut = pageOut
        this.pageIn = pageIn
        this.pages = [0, 0, 0, 0, 0, 0]
        this.ids = [0, 0, 0, 0, 0, 0]
        this.strideBytes = 512
        this.missesMax = 1
        this.inUse = 0
        this.inRuns = false
        this.open = 0
        this.nextPages = [0, 0, 0, 0, 0, 0]
    }

    async identify(slots: number): Promise<number> {
        const pages = this.pages
        const ids = this.ids
        const port = this.port
        allocateLink()
        this.alive = 0
        this.busy = 0
        this.open = 0
        for (let slot = 0; slot < pages.length; slot++) {
            pages[slot] = 0
            ids[slot] = 0
        }
        port.setClock(probeHz)
        let failed: unknown
        try {
            let starting = 0
            let ready = 0
            // 6.4.1: at least 74 clocks with no card selected
            await leave(port, 0)
            for (let slot = 0; slot < slots; slot++) {
                if (this.isLetGo) throw new Error("no element answers")
                const mask = 1 << slot
                const state = await wakeCard(port, mask, this.pageOut, this.pageIn, eraseMsMax)
                if (state === cardStarting) starting |= mask
                if (state === cardReady) ready |= mask
            }
            // all of them initialise themselves at the same time
            for (let slot = 0; slot < slots; slot++)
                if (starting & (1 << slot) && (await finishStart(port, 1 << slot))) ready |= 1 << slot
            for (let slot = 0; slot < slots; slot++) if (ready & (1 << slot)) await learn(this, slot)
        } catch (e) {
            failed = e
        }
        port.setClock(spiHz)
        if (failed) throw failed
        if (this.isLetGo) this.alive = 0
        return this.alive
    }

    async read(slot: number, page: number, buffer: Buffer): Promise<void> {
        const mask = 1 << slot
        if (this.busy & mask) await this.settle(mask)
        const scratch = buffer === this.pageIn ? through : this.pageIn
        let outcome = readNothing
        let tries = 0
        while (outcome === readNothing && this.alive & mask) {
            if (tries) await wakeAgain(this, mask)
            outcome = await readData(this.port, mask, cmdReadBlock, page, buffer, this.pageOut, scratch)
            if (outcome === readNothing) if (++tries === triesMax) this.alive &= ~mask
        }
        if (outcome !== readWhole) buffer.fillAt(4, buffer.length - 4, unreadable)
    }

    async lastWritten(slot: number, page: number, end: number, head: Buffer): Promise<number> {
        while (--end > page) {
            await this.read(slot, end, head)
            if (!pageIsBlank(head)) break
        }
        return end
    }

    async program(mask: number, page: number, buffer: Buffer): Promise<void> {
        let rest = mask & this.alive
        if (rest === 0) return
        // while the cards are still busy
        const crc = crc16OfBlock(buffer)
        tail[crcAt] = crc >> 8
        tail[crcAt + 1] = crc & 0xff
        tail.setAt(responseAt, "u16", 0xffff)
        let slot = 0
        while (rest) {
            const bit = 1 << slot++
            if (!(rest & bit)) continue
            rest &= ~bit
            if (this.open & bit && !(this.inRuns && page === this.nextPages[slot - 1])) await this.settle(bit)
            this.nextPages[slot - 1] = page + 1
            if (this.alive & bit && (await writeCard(this, bit, page, buffer))) continue
            this.busy &= ~bit
            this.open &= ~bit
            this.alive &= ~bit
        }
    }

    async erase(mask: number, firstPage: number, pages: number): Promise<void> {
        const port = this.port
        const end = firstPage + pages
        for (let first = firstPage; first < end; first += erasePagesMax) {
            const last = end - first > erasePagesMax ? first + erasePagesMax - 1 : end - 1
            await this.settle(mask)
            for (let slot = 0; slot < this.pages.length; slot++) {
                const bit = 1 << slot
                if (!(mask & this.alive & bit)) continue
                this.busy |= bit
                let answer = noAnswer
                for (let tries = 0; answer !== 0 && tries < triesMax; tries++) {
                    if (tries) await wakeAgain(this, bit)
                    port.select(bit)
                    answer = await command(port, cmdEraseFirst, first)
                    if (answer === 0) answer = await command(port, cmdEraseLast, last)
                    if (answer === 0) answer = await command(port, cmdErase, 0)
                    await leave(port, bit)
                }
                if (answer === 0) continue
                this.busy &= ~bit
                this.alive &= ~bit
            }
            await finishWrites(this, mask, eraseMsMax)
        }
    }

    async settle(mask: number): Promise<void> {
        if (this.busy & mask) await finishWrites(this, mask, writeMsMax)
    }
}

async function learn(bank: SdBank, slot: number): Promise<void> {
    const port = bank.port
    const pageOut = bank.pageOut
    const pageIn = bank.pageIn
    const mask = 1 << slot
    if (!tail) {
        tail = Buffer.alloc(tailBytes)
        register = Buffer.alloc(20)
        through = Buffer.alloc(tailBytes)
    }
    if (!(await hasHighCapacity(port, mask))) return
    if (!(await readRegister(port, mask, cmdCid, register, pageOut, pageIn))) return
    const id = (register[4] << 16) | (register[5] << 8) | register[6]
    if (!(await readRegister(port, mask, cmdCsd, register, pageOut, pageIn))) return
    // CSD version 2.0, 5.3.3: C_SIZE, 22 bits, in units of 512 KB
    if (register[4] >> 6 !== 1) return
    const units = (((register[11] & 0x3f) << 16) | (register[12] << 8) | register[13]) + 1
    bank.pages[slot] = units >= pagesMax / 1024 ? pagesMax : units * 1024
    bank.ids[slot] = id
    bank.alive |= mask
}

/** A moment later, whatever the card was in the middle of; one of which a write failed before leaves. */
async function wakeAgain(bank: SdBank, mask: number): Promise<void> {
    await platform.sleep(silentMs)
    if ((await endBlock(bank.port, mask, bank.pageOut, bank.pageIn, eraseMsMax)) > 0) bank.alive &= ~mask
    bank.open &= ~mask
}

async function writeCard(bank: SdBank, mask: number, page: number, buffer: Buffer): Promise<boolean> {
    const port = bank.port
    const pageIn = bank.pageIn
    // each exchange costs more than its bytes: one select for the wait and the write, no status in between
    for (let i = 0; i < triesMax; i++) {
        if (i) await wakeAgain(bank, mask)
        if (!(bank.alive & mask)) return false
        let response = 0
        port.select(mask)
        if (!(bank.busy & mask) || (await waitReady(port, writeMsMax))) {
            bank.busy |= mask
            let answer = 0
            if (!(bank.open & mask)) {
                answer = await command(port, bank.inRuns ? cmdWriteBlocks : cmdWriteBlock, page)
                if (bank.inRuns && answer === 0) bank.open |= mask
            }
            if (answer === 0) {
                buffer.setAt(0, "i32", bank.open & mask ? leadInRun : lead)
                await port.exchange(buffer, pageIn)
                await port.exchange(tail, pageIn)
                response = pageIn[responseAt] & responseMask
                // 7.2.4: after a block that was not taken a multiple write can only be ended
                if (response !== responseAccepted && bank.open & mask && (await waitReady(port, writeMsMax))) {
                    await stopWrite(port)
                    bank.open &= ~mask
                }
            }
        } else i = triesMax
        await leave(port, mask)
        if (response === responseAccepted) return true
    }
    return false
}

/** A card that is busy for longer, is gone, or says that its write failed, leaves: the page it was given is gone. */
async function finishWrites(bank: SdBank, mask: number, msMax: number): Promise<void> {
    const port = bank.port
    let rest = bank.busy & mask
    let slot = 0
    let tries = 0
    while (rest) {
        const bit = 1 << slot
        if (!(rest & bit)) {
            slot++
            tries = 0
            continue
        }
        port.select(bit)
        let isGood = await waitReady(port, msMax)
        if (isGood && bank.open & bit) {
            await stopWrite(port)
            isGood = await waitReady(port, msMax)
        }
        bank.open &= ~bit
        // R2, 7.3.2.3: the second byte's errors are those since it was last asked for
        let answer = 0
        if (isGood) {
            answer = await command(port, cmdStatus, 0)
            isGood = answer === 0 && chunk[at + 1] === 0
        }
        await leave(port, bit)
        if (answer === noAnswer)
            if (++tries < triesMax) {
                await wakeAgain(bank, bit)
                continue
            }
        rest &= ~bit
        bank.busy &= ~bit
        if (!isGood) bank.alive &= ~bit
    }
}
