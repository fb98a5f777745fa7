// What a node finds at its selects, whether or not the volume is served, and how it reads it at another clock: for those who build a board.
//
// Promise: an element that is read amiss at another clock is in use as before, and nothing else is read at that clock.

import { slotsMax } from "../flash/bank"
import { spiHz } from "../config"
import { describeArray } from "../store/array-figures"
import { sealFrame } from "./frame"
import { Hosted } from "./hosted"

/** Slower than cards are started, the worker would stand still; faster than boards can, the runtime might refuse. */
const askedHzMin = 400000
const askedHzMax = 80000000
/** Reads until an element is at rest again; each clocks a tenth of a card's block at least. */
const againMax = 12

/**
 * @param hz reads the label of the element in `slot` at this clock, if it is within bounds
 * @returns bytes: as `array`, then the digest of what was read
 */
export async function tellElements(
    hosted: Hosted,
    setClock: (hz: number) => void,
    hz: number,
    slot: number,
    out: Buffer,
    at: number,
): Promise<number> {
    const repair = hosted.volume.repair
    const bytes = describeArray(repair, out, at)
    let digest = 0
    if (hosted.serving)
        if (slot < slotsMax)
            if (hz >= askedHzMin)
                if (hz <= askedHzMax) {
                    const bank = repair.array.bank
                    const page = repair.buffer
                    const alive = bank.alive
                    // what it is at, and which half of a large chip it is at, is a matter of the usual clock
                    await bank.read(slot, 0, page)
                    sealFrame(page, 0)
                    const usual = page.getAt(0, "i32")
                    setClock(hz)
                    await bank.read(slot, 0, page)
                    setClock(spiHz)
                    sealFrame(page, 0)
                    digest = page.getAt(0, "i32")
                    // a card that took the command and was not understood may have its block still to send
                    for (let i = 0; i < againMax; i++) {
                        bank.alive = alive
                        await bank.read(slot, 0, page)
                        sealFrame(page, 0)
                        if (page.getAt(0, "i32") === usual) break
                    }
                    bank.alive = alive
                }
    out.setAt(at + bytes, "i32", digest)
    return bytes + 4
}
