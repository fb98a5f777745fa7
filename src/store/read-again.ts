// Reading what may read wrong for a moment: a page that should be good, and was not, is read once more when a glitch of the line is over.

import { readCopy } from "../array/array"
import { platform } from "../platform"
import { Log } from "./log"
import { atBlock, atOwner, pageIsGood } from "./page"

/** What reads wrong for a moment is waited for so long. */
export const readAgainMs = 100
/** How often a mount waits for a page that reads wrong, before it takes control and after it: together longer than any glitch. */
const waitsMax = 6

/** `readPage` of a block of a file: an element that did not take what was written there has a good page of before. */
export async function readBlock(
    log: Log,
    page: number,
    object: number,
    block: number,
    buffer: Buffer,
): Promise<boolean> {
    const copies = log.array.copies
    for (let attempt = 0; attempt < 2 * copies; attempt++) {
        // all may read wrong for a moment
        if (attempt === copies) await platform.sleep(readAgainMs)
        if (await readCopy(log.array, page, buffer, attempt % copies))
            if (pageIsGood(buffer, page))
                if (buffer.getAt(atOwner, "u32") === object) if (buffer.getAt(atBlock, "u32") === block) return true
    }
    return false
}

/** What a mount waits for is bounded. */
export function beginWaits(log: Log): void {
    log.waits = waitsMax
    log.waitedRow = -1
}

/** Reads a page that should be good, and was not, once more a little later. A mount waits a bounded time in all: what is not there is not waited for on and on. */
export async function readAgain(log: Log, page: number, buffer: Buffer): Promise<boolean> {
    if (log.waits === 0) return false
    log.waits--
    await platform.sleep(readAgainMs)
    return await log.readPage(page, buffer)
}
