// Brings SD cards from whatever state they are in to ready, with their CRC checks on.
//
// A card keeps its power when the node that drove it dies: it may be busy, in the middle of a block either way, or due to get one. So it is
// clocked for longer than a block, which ends either; a block that is filled up so has a wrong CRC and is not written. Then CMD12, and if the
// card still takes no command, CMD0 and all of the initialisation.

import { platform } from "../platform"
import { CardPort } from "./bank"
import {
    at,
    chunk,
    cmdApp,
    cmdCheckCrc,
    cmdCondition,
    cmdGoIdle,
    cmdInitialise,
    cmdOcr,
    cmdStatus,
    cmdStop,
    command,
    leave,
    noAnswer,
    r1Idle,
    readData,
    readWhole,
    stopWrite,
    waitReady,
} from "./sd-link"

/** 7.2.1: HCS, we know high capacity */
const highCapacity = 0x40000000
/** 4.3.13: 2.7 to 3.6 V, and a pattern that comes back */
const condition = 0x1aa
/** 4.2.3 */
const initialiseMsMax = 1000
const initialisePauseMs = 2
const goIdleTriesMax = 4

export const cardAbsent = 0
export const cardStarting = 1
export const cardReady = 2

/** Until it is ready for a command, or beginning to initialise itself. All within `busyMsMax` and a few answers. */
export async function wakeCard(
    port: CardPort,
    mask: number,
    ones: Buffer,
    scratch: Buffer,
    busyMsMax: number,
): Promise<number> {
    // clears what a former controller left unread
    if ((await endBlock(port, mask, ones, scratch, busyMsMax)) < 0) return cardAbsent
    port.select(mask)
    const state = (await waitReady(port, busyMsMax)) ? await answerOf(port) : cardAbsent
    await leave(port, mask)
    return state
}

/**
 * Ends the block or the write that a card may be in the middle of, or due to get.
 * @returns the errors since it was last asked for (R2, 7.3.2.3), none when it does not answer; -1 when it stays busy
 */
export async function endBlock(
    port: CardPort,
    mask: number,
    ones: Buffer,
    scratch: Buffer,
    busyMsMax: number,
): Promise<number> {
    let errors = -1
    ones.fillAt(0, ones.length, 0xff)
    port.select(mask)
    for (let i = 0; i < 3; i++) await port.exchange(ones, scratch)
    if (await waitReady(port, busyMsMax)) {
        await stopWrite(port)
        await leave(port, mask)
        port.select(mask)
        if (await waitReady(port, busyMsMax)) {
            await command(port, cmdStop, 0)
            if (await waitReady(port, busyMsMax))
                errors = (await command(port, cmdStatus, 0)) === noAnswer ? 0 : chunk[at + 1]
        }
    }
    await leave(port, mask)
    return errors
}

async function answerOf(port: CardPort): Promise<number> {
    if ((await command(port, cmdCheckCrc, 1)) === 0) return cardReady
    let tries = 0
    while ((await command(port, cmdGoIdle, 0)) !== r1Idle) if (++tries >= goIdleTriesMax) return cardAbsent
    // one that does not know CMD8 is of version 1, of standard capacity
    if ((await command(port, cmdCondition, condition)) !== r1Idle) return cardAbsent
    if (chunk[at + 3] !== 0x01 || chunk[at + 4] !== 0xaa) return cardAbsent
    if ((await command(port, cmdCheckCrc, 1)) !== r1Idle) return cardAbsent
    await initialise(port)
    return cardStarting
}

/** The first begins it, each tells whether it is done. */
async function initialise(port: CardPort): Promise<number> {
    await command(port, cmdApp, 0)
    return await command(port, cmdInitialise, highCapacity)
}

/** Waits for the end of what `wakeCard` began. */
export async function finishStart(port: CardPort, mask: number): Promise<boolean> {
    const deadline = platform.now() + initialiseMsMax
    let answer = r1Idle
    while (answer === r1Idle && platform.now() <= deadline) {
        port.select(mask)
        answer = await initialise(port)
        await leave(port, mask)
        if (answer === r1Idle) await platform.sleep(initialisePauseMs)
    }
    return answer === 0
}

/** Whether the card is addressed by block, as SDHC and SDXC are (OCR, 5.1: power up status and CCS). */
export async function hasHighCapacity(port: CardPort, mask: number): Promise<boolean> {
    port.select(mask)
    const answer = await command(port, cmdOcr, 0)
    const ocr = chunk[at + 1]
    await leave(port, mask)
    return answer === 0 && (ocr & 0xc0) === 0xc0
}

/** Asks for a register of 16 bytes, to offset 4 of `register`. */
export async function readRegister(
    port: CardPort,
    mask: number,
    cmd: number,
    register: Buffer,
    ones: Buffer,
    scratch: Buffer,
): Promise<boolean> {
    return (await readData(port, mask, cmd, 0, register, ones, scratch)) === readWhole
}
