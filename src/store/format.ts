// Makes an array new: the first root, anchor and labels on elements that hold nothing.
//
// Promises:
// - An array is made new only of elements that read as blank, twice.
// - A cut leaves what the next mount makes new again.
//
// Crash order of formatting: 1 erase the reserved segment and segment 1, 2 root, 3 anchor, 4 labels. No label: not formatted.

import { eraseOnAll } from "../array/array"
import { slotsMax } from "../flash/bank"
import { pageIsBlank } from "../flash/blank"
import { platform } from "../platform"
import { rootDirectory, typeDirectory } from "./directory"
import { adopt, chooseId, lookAt, slotForeign, writeLabels } from "./label"
import { formatLog, segmentsMaxOf, commitNumber } from "./log"
import { openLog } from "./tail"
import { uploadsMax, Volume } from "./volume"

/** A ring of two sectors of anchors beside the labels; and segments beyond those kept. */
const segmentRowsMin = 48
const segmentsMin = 8
/** What a page can say of the distance to its root, and an anchor of a place in a segment. */
const segmentPagesMax = 32768
/** Between the two looks before an array is made new. */
const secondLookMs = 100

/** @returns false when the elements are not blank, too few, or too small */
export async function formatArray(volume: Volume, alive: number): Promise<boolean> {
    const array = volume.array
    const log = volume.log
    const bank = array.bank
    let elements = 0
    let rows = 0x7fffffff
    for (let slot = 0; slot < slotsMax && alive & (1 << slot); slot++) {
        array.slots[slot] = slot
        elements++
        if (bank.pages[slot] < rows) rows = bank.pages[slot]
    }
    // a gap: an element that should be there does not answer
    if (elements < 2) return false
    if (alive !== (1 << elements) - 1) return false
    array.shape(elements, rows, volume.newSegmentRows)
    let segmentRows = volume.newSegmentRows
    while (rows > segmentRows * segmentsMaxOf(log)) segmentRows *= 2
    while (segmentRows * array.rowPages > segmentPagesMax) segmentRows = segmentRows >> 1
    if (rows > segmentRows * segmentsMaxOf(log)) rows = segmentRows * segmentsMaxOf(log)
    if (segmentRows < segmentRowsMin) return false
    if (rows < segmentRows * segmentsMin) return false
    array.shape(elements, rows, segmentRows)
    array.use(alive, -1)
    if (!(await isNew(volume, alive))) return false
    // what is wrong for a moment is not wrong twice
    await platform.sleep(secondLookMs)
    if ((await bank.identify(slotsMax)) !== alive) return false
    if (!(await isNew(volume, alive))) return false
    // a line that reads as ones reads as blank
    if ((await bank.identify(slotsMax)) !== alive) return false
    await eraseOnAll(array, 0)
    await eraseOnAll(array, 1)
    await array.settle()
    await formatLog(log, chooseId(volume.labels))
    volume.tree.load()
    volume.directory.setInode(typeDirectory, 0, 0, 0, 1, rootDirectory)
    await volume.directory.store(rootDirectory)
    for (let i = 0; i < uploadsMax; i++) volume.uploads[i].object = 0
    await volume.commit()
    for (let slot = 0; slot < elements; slot++) adopt(volume.labels, slot, slot, 0)
    await writeLabels(volume.labels, log.anchors.generations, log.epoch)
    return true
}

/**
 * Whether nothing was ever stored on the elements but what a cut while formatting leaves: no label, and no more than the empty root directory.
 * An array that cannot be read looks like none; but then what was never written does not read as blank.
 */
async function isNew(volume: Volume, alive: number): Promise<boolean> {
    const array = volume.array
    const labels = volume.labels
    const log = volume.log
    for (let slot = 0; slot < array.elements; slot++) {
        await lookAt(labels, slot)
        // formatting writes to the first two segments
        for (let page = array.rows - 1; page > 2 * array.segmentRows; page = page >> 1) {
            await array.bank.read(slot, page, volume.scratch)
            if (pageIsBlank(volume.scratch)) continue
            labels.states[slot] = slotForeign
            return false
        }
    }
    if (labels.held) return false
    log.anchors.arrayId = 0
    if (!(await log.anchors.findNewest())) return true
    array.use(alive, -1)
    array.away.fillAt(0, array.away.length, 0)
    return (await openLog(log)) && commitNumber(log) <= 2
}
