// Commands and answers of SD cards in SPI mode, one card at a time. Sections are those of the SD Physical Layer Simplified
// Specification, version 4.10.
//
// Promises: every wait is bounded, and sleeps after a few eager looks; a command is never begun while its card is busy. Between
// `enter` and `leave` the card is selected, and after `leave` it has let go of the line: other elements share it.

import { platform } from "../platform"
import { CardPort } from "./bank"
import { crc7 } from "./sd-crc"

// A command's first byte, and above it that byte's CRC-7 (tables 7-3, 7-4)
export const cmdGoIdle = 0x6440
export const cmdCondition = 0x2c48
export const cmdCsd = 0x2549
export const cmdCid = 0x3e4a
export const cmdStop = 0x084c
export const cmdStatus = 0x014d
export const cmdReadBlock = 0x7451
export const cmdWriteBlock = 0x3558
export const cmdWriteBlocks = 0x3c59
export const cmdEraseFirst = 0x5660
export const cmdEraseLast = 0x5f61
export const cmdErase = 0x6066
export const cmdInitialise = 0x1769
export const cmdApp = 0x7077
export const cmdOcr = 0x157a
export const cmdCheckCrc = 0x1c7b

/** R1, 7.3.2.1; a card that is there never answers `noAnswer`. */
export const r1Idle = 0x01
const r1Crc = 0x08
export const noAnswer = 0xff

// 7.3.3.2
const tokenBlock = 0xfe
const tokenStop = 0xfd

/** A command, up to eight bytes until its answer (7.5, NCR), the longest answer of five, and one of quiet (NRC). */
const chunkBytes = 20
const answerAt = 7
const answerAtMax = 14
const repeatsMax = 3
const eagerPollsMax = 6
/** 4.6.2.1, for registers as well */
const readMsMax = 100

let out: Buffer
let idle: Buffer
/** What came with the last exchange of a chunk. */
export let chunk: Buffer
/** Where in it R1 was, or the token. */
export let at = 0

/** Nodes without cards do not pay for these. */
export function allocateLink(): void {
    if (chunk) return
    out = Buffer.alloc(chunkBytes)
    idle = Buffer.alloc(chunkBytes)
    chunk = Buffer.alloc(chunkBytes)
    out.fillAt(0, chunkBytes, 0xff)
    idle.fillAt(0, chunkBytes, 0xff)
}

export async function leave(port: CardPort, mask: number): Promise<void> {
    port.deselect(mask)
    // 7.5: a card lets go of the line within 8 clocks of its select's rise
    await port.exchange(idle, chunk)
}

/** The card is selected and not busy. @returns R1 */
export async function command(port: CardPort, cmd: number, argument: number): Promise<number> {
    out.setAt(
        0,
        "i32",
        (cmd & 0xff) | ((argument >>> 16) & 0xff00) | (argument & 0xff0000) | ((argument & 0xff00) << 16),
    )
    out[4] = argument & 0xff
    out[5] = (crc7(cmd >> 8, argument) << 1) | 1
    for (let i = 0; i < repeatsMax; i++) {
        await port.exchange(out, chunk)
        at = answerAt
        while (at <= answerAtMax && chunk[at] & 0x80) at++
        // a command that did not arrive whole was not taken: again
        if (at <= answerAtMax && !(chunk[at] & r1Crc)) return chunk[at]
    }
    return noAnswer
}

/** Ends a multiple write (7.3.3.2). The selected card, ready for a block, is busy afterwards. */
export async function stopWrite(port: CardPort): Promise<void> {
    out.fillAt(0, chunkBytes, 0xff)
    out[1] = tokenStop
    await port.exchange(out, chunk)
}

/** Waits until the selected card's line is high. A card that is gone looks ready, too: its next answer will be missing. */
export async function waitReady(port: CardPort, msMax: number): Promise<boolean> {
    let polls = 0
    let deadline = 0
    while (true) {
        await port.exchange(idle, chunk)
        if (chunk[chunkBytes - 1] === 0xff) return true
        if (++polls <= eagerPollsMax) continue
        const now = platform.now()
        if (deadline === 0) deadline = now + msMax
        if (now > deadline) return false
        await platform.sleep(1)
    }
}

/** Waits for the token of a block of data, whose first bytes may stand behind it in `chunk`. @returns the token; 0 = none came */
async function waitToken(port: CardPort): Promise<number> {
    let polls = 0
    let deadline = 0
    at++
    while (true) {
        while (at < chunkBytes) {
            if (chunk[at] !== 0xff) return chunk[at]
            at++
        }
        if (++polls > eagerPollsMax) {
            const now = platform.now()
            if (deadline === 0) deadline = now + readMsMax
            if (now > deadline) return 0
            await platform.sleep(1)
        }
        await port.exchange(idle, chunk)
        at = 0
    }
}

/** How a read ended: with data, with an error that the card reports, or not at all. */
export const readWhole = 0
export const readError = 1
export const readNothing = 2

/**
 * Reads the data that `cmd` sends, a block or a register, and keeps what fits behind the first four bytes of `buffer`. The data's CRC-16 is not computed: it
 * would take longer than all the rest, and each page carries a check of its own from end to end.
 * @param ones a page buffer, which is filled with ones
 * @param scratch another
 */
export async function readData(
    port: CardPort,
    mask: number,
    cmd: number,
    argument: number,
    buffer: Buffer,
    ones: Buffer,
    scratch: Buffer,
): Promise<number> {
    port.select(mask)
    const answer = await command(port, cmd, argument)
    const token = answer === 0 ? await waitToken(port) : 0
    if (token === tokenBlock) {
        const wanted = buffer.length - 4
        let early = chunkBytes - 1 - at
        if (early > wanted) early = wanted
        if (early) buffer.blitAt(4, chunk, at + 1, early)
        ones.fillAt(0, ones.length, 0xff)
        // clocks beyond the block do nothing: whole buffers, as a transfer's two must be of one length
        await port.exchange(ones, scratch)
        if (wanted > early) buffer.blitAt(4 + early, scratch, 0, wanted - early)
        if (cmd === cmdReadBlock) await port.exchange(ones, scratch)
    } else if (token) {
        // an error token; the status is cleared by reading it
        await command(port, cmdStatus, 0)
    }
    await leave(port, mask)
    return token === tokenBlock ? readWhole : token || (answer !== noAnswer && answer) ? readError : readNothing
}
