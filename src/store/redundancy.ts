// Looks whether the elements of an array hold what they should, row by row: for the mount, which must not build on a row that a power cut
// left unfinished, and for the scrub.

import { ElementArray, pageAt, readAt } from "../array/array"
import { addPage, emptySum } from "../array/parity"
import { pageIsBlank } from "../flash/blank"
import { atCheck, atSerial, atType, pageBufferBytes, pageIsGood } from "./page"

/**
 * @param buffer a page buffer, overwritten
 * @returns positions, as bits, whose element counts for the row and does not hold what the others say it should; of a row with parity
 * that does not add up though all its pages are good, the parity's. No row may be open.
 */
export async function badIn(array: ElementArray, row: number, buffer: Buffer): Promise<number> {
    return array.rowPages === 1 ? await badCopies(array, row, buffer) : await badParity(array, row, buffer)
}

/**
 * Whether a page of a whole row never held anything, as far as headers tell: it is blank, and the sum of the others lacks nothing. A row of which
 * all is blank, or zero, was not read right: it would not be one of the log's.
 * @param header what was read of the page; overwritten
 */
export async function isUnused(array: ElementArray, page: number, header: Buffer): Promise<boolean> {
    if (array.rowPages === 1) return false
    if (!pageIsBlank(header)) return false
    const row = (page / array.rowPages) | 0
    const elements = array.elements
    let sum = 0
    let seen = 0
    for (let i = 0; i < elements; i++) {
        if (pageAt(array, i, row) === page) continue
        if (!(await readAt(array, i, row, header))) return false
        const check = header.getAt(atCheck, "i32")
        if (header[atType] === 0xff) if (check === -1 || i !== row % elements) continue
        seen |= check
        sum ^= check
    }
    return seen !== 0 && sum === 0
}

async function badCopies(array: ElementArray, row: number, buffer: Buffer): Promise<number> {
    let good = 0
    let bad = 0
    let newest = 0
    for (let i = 0; i < 2; i++) {
        if (!(await readAt(array, i, row, buffer))) continue
        if (!pageIsGood(buffer, row)) {
            bad |= 1 << i
            continue
        }
        // two good pages that differ: one was not erased and programmed when the other was
        const serial = buffer.getAt(atSerial, "u32")
        if (good) if (serial !== newest) bad |= serial > newest ? good : 1 << i
        newest = serial
        good |= 1 << i
    }
    return good & ~bad ? bad : 0
}

async function badParity(array: ElementArray, row: number, buffer: Buffer): Promise<number> {
    const sum = emptySum(array.parity)
    const elements = array.elements
    const parity = row % elements
    let bad = 0
    let blank = 0
    let missing = -1
    for (let i = 0; i < elements; i++) {
        if (!(await readAt(array, i, row, buffer))) {
            missing = i
            continue
        }
        if (pageIsBlank(buffer)) {
            if (i !== parity) blank |= 1 << i
            continue
        }
        if (i === parity || buffer[atType] !== 0xff) addPage(sum, buffer)
        if (i !== parity) if (!pageIsGood(buffer, pageAt(array, i, row))) bad |= 1 << i
    }
    if (missing < 0) {
        if (bad || isZero(sum)) return bad
        // what reads as blank may be a page that its element did not take: then it is what is left
        for (let i = 0; i < elements; i++)
            if (blank & (1 << i)) if (pageIsGood(sum, pageAt(array, i, row))) return 1 << i
        return 1 << parity
    }
    // what is left is what the missing one held
    if (missing !== parity) if (!isZero(sum)) if (!pageIsGood(sum, pageAt(array, missing, row))) bad |= 1 << missing
    return bad
}

function isZero(buffer: Buffer): boolean {
    for (let i = 4; i < pageBufferBytes; i += 4) if (buffer.getAt(i, "i32") !== 0) return false
    return true
}
