// Segments of the log: entering the next one, and erasing it before it is needed.
//
// Crash order of entering a segment: 1 erase it, 2 settle, see that it was done, 3 anchor, 4 settle, 5 first page. Until the anchor is there, a
// mount finds the log where it was.

import { forgetPages } from "./node-cache"
import { dropElements, eraseOnAll, isWritten, mark, pageAt } from "../array/array"
import { isSectorFull } from "./anchors"
import { Log, available, leaveClosedRow, roomIn } from "./log"
import { pageIsGood } from "./page"
import { chooseFree, noteEntered, noteErased } from "./usage"

/** One row at least in each of a chip's smallest erases (16), and of every position's pages. */
const rowsApart = 13

/** Makes sure that the present segment has `pages` left, entering the next one when it has not. */
export async function ensure(log: Log, pages: number): Promise<void> {
    if (roomIn(log) < pages) await enterSegment(log)
}

/** Goes on in another segment, so that nothing more is added to the present one. @returns false when none is free */
export async function changeSegment(log: Log): Promise<boolean> {
    if (available(log) === 0) return false
    await enterSegment(log)
    return true
}

/** Erases the segment that will be entered next, ahead of need, or the sector of the next anchor. The chips are busy for a while after. */
export async function eraseAhead(log: Log): Promise<boolean> {
    if (await openSector(log)) return true
    if (log.erased) return false
    const segment = findFree(log)
    if (segment === 0) return false
    await eraseSegment(log, segment)
    log.erased = segment
    return true
}

/** Goes on in a free segment. Not to be called when none is `available`. */
async function enterSegment(log: Log): Promise<void> {
    const segment = findFree(log)
    if (segment === 0) throw new Error("no free segment")
    if (log.erased !== segment) await eraseSegment(log, segment)
    await log.array.settle()
    if (await deafIn(log, segment)) {
        // a line may have been bad for a moment
        await eraseSegment(log, segment)
        await log.array.settle()
        // all of them: none heard it
        await dropElements(log.array, await deafIn(log, segment))
    }
    mark(log.array.away, segment, false)
    leaveClosedRow(log)
    const left = log.segment
    if (((log.rootPage / log.array.segmentPages) | 0) === left) {
        if (log.since > 1) log.rootTail = log.next
    } else if (log.between === 0) {
        log.between = left
        log.betweenTail = log.next
    }
    log.tailBefore += log.since - 1
    log.segment = segment
    log.next = 0
    log.since = 1
    log.erased = 0
    mark(log.anchors.unlooked, left, true)
    log.hasLeft = true
    noteEntered(log.usage, segment)
    await log.writeAnchor()
    await openSector(log)
}

/** Writes another anchor when the next one would have to wait for an erase: it may be that of a takeover. @returns whether it did */
async function openSector(log: Log): Promise<boolean> {
    if (!isSectorFull(log.anchors)) return false
    await log.writeAnchor()
    return true
}

/**
 * An element that was told to erase a segment and still has pages of it is to be a member no more: they would be good pages, and old ones. What
 * a bad block leaves is none.
 * @returns their positions, as bits
 */
async function deafIn(log: Log, segment: number): Promise<number> {
    const array = log.array
    const scratch = log.scratch
    const first = segment * array.segmentRows
    const end = first + array.segmentRows
    let deaf = 0
    for (let i = 0; i < array.elements; i++)
        for (let row = first; row < end && !(deaf & (1 << i)) && isWritten(array, array.slots[i]); row += rowsApart) {
            let at = row
            let page = pageAt(array, i, at)
            // its parity page tells nothing, and the next row's is another's
            if (page < 0) if (++at < end) page = pageAt(array, i, at)
            for (let tries = 2; page >= 0 && tries > 0;) {
                await array.bank.read(array.slots[i], at, scratch)
                if (!pageIsGood(scratch, page)) break
                if (--tries === 0) deaf |= 1 << i
            }
        }
    return deaf
}

async function eraseSegment(log: Log, segment: number): Promise<void> {
    const segmentPages = log.array.segmentPages
    forgetPages(log.cache, log.number, segment * segmentPages, segmentPages)
    noteErased(log.usage, segment)
    await eraseOnAll(log.array, segment)
}

/** A segment that neither the last root, a snapshot nor the tail refers to. 0 = none. */
function findFree(log: Log): number {
    if (log.erased) return log.erased
    return chooseFree(log.usage, log.between, (log.rootPage / log.array.segmentPages) | 0)
}
