// What a mount finds of the log: its end, its last root, and the tail of data pages behind it (docs/FORMAT.md, "Mounting").
//
// Promises: nothing is changed. Reads are bounded by the rows of a segment and of the tail, and of a tail that was written without a power
// cut in between a mount reads little more than headers: a failover waits for it. It rests in each loop: a transfer is a rest, but there is none
// while nobody answers.

import { readAt, readCopy } from "../array/array"
import { platform } from "../platform"
import { pageIsBlank } from "../flash/blank"
import { Log, beginWaits, clearTail, loadRoot, measure, readAgain } from "./log"
import { atBlock, atLength, atOwner, atSerial, atSince, atType, bodyBytes, noPage, typeData } from "./page"
import { badIn, isUnused } from "./redundancy"

/** Type and length of a page that holds a whole block. */
const wholeBlock = typeData | (bodyBytes << 8)

/** Told of `count` data pages of the log's tail, the blocks from `block` on; `buffer` holds one that is not a whole block. */
export type TailVisitor = (
    page: number,
    object: number,
    block: number,
    bytes: number,
    count: number,
    buffer: Buffer,
) => void

/** Finds the last root from the newest anchor, and reads it and the usage. @returns false when they cannot be read */
export async function openLog(log: Log): Promise<boolean> {
    measure(log)
    beginWaits(log)
    const anchors = log.anchors
    const segmentPages = log.array.segmentPages
    log.segment = anchors.segment
    log.rootPage = anchors.root
    log.rootTail = anchors.rootTail
    log.between = anchors.between
    log.betweenTail = anchors.betweenTail
    const rowPages = log.array.rowPages
    const base = log.segment * segmentPages
    const end = await findEnd(log, base, anchors.start, segmentPages)
    // the last good page tells where the newest root is; in a segment without one it is the anchor's
    let last = await lastGood(log, base, base + end, base + anchors.start)
    log.lastFound = last
    if (last !== noPage) {
        const since = log.scratch.getAt(atSince, "u16")
        if (since <= last - base) log.rootPage = last - since
    }
    const root = log.rootPage
    const rootSegment = (root / segmentPages) | 0
    const between = log.between * segmentPages
    // a row whose programming was cut may read as blank: it is left alone
    log.next = end < segmentPages ? end + rowPages : end
    if (rootSegment === log.segment) {
        clearTail(log)
        log.since = base + log.next - root
    } else {
        log.since = log.next + 1
        if (last === noPage) if (between) last = await lastGood(log, between, between + log.betweenTail, noPage)
        if (last === noPage)
            last = await lastGood(
                log,
                root,
                log.rootTail ? rootSegment * segmentPages + log.rootTail : root + 1,
                noPage,
            )
        log.tailBefore = log.betweenTail + (log.rootTail ? rootSegment * segmentPages + log.rootTail - root - 1 : 0)
    }
    const row = last === noPage ? -1 : (last / rowPages) | 0
    log.lastRow = row
    // written since the newest anchor, the root says that there was no mount since
    log.isTailWhole = anchors.isTailWhole
    if (log.rootPage >= base + anchors.start) if (rootSegment === log.segment) log.isTailWhole = true
    log.weakRow = -1
    if (log.isTailWhole) {
        if (row >= 0) await findWeak(log, row * rowPages, row * rowPages)
    } else {
        // a mount was cut before it had appended a weak row again: that row is not the last any more, and may be in a segment left since
        const rootBase = rootSegment * segmentPages
        if (log.lastFound !== noPage) await findWeak(log, rootBase === base ? root : base, log.lastFound)
        if (rootBase !== base) {
            if (between) await findWeak(log, between, between + log.betweenTail - 1)
            await findWeak(log, root, log.rootTail ? rootBase + log.rootTail - 1 : root)
        }
    }
    log.serial = anchors.serial + log.next - anchors.start
    log.erased = 0
    log.hasLeft = true
    if (await loadRoot(log)) return true
    // a mount found it weak and had not written it again, or said anything, when the element that had it went: the one before is the last
    if (!anchors.isRootWeak) return false
    if (root !== anchors.root) return false
    if (await readAgain(log, root, log.scratch)) return await loadRoot(log)
    const rootBase = root - (root % segmentPages)
    const before = await lastGood(log, rootBase, root, noPage)
    if (before === noPage) return false
    const back = root - before + log.scratch.getAt(atSince, "u16")
    if (back > root - rootBase) return false
    log.rootPage = root - back
    if (rootBase === base) log.since += back
    else {
        if (log.rootTail === 0) log.rootTail = root - rootBase
        log.tailBefore += back
    }
    log.isTailWhole = false
    return await loadRoot(log)
}

/** Whether a mount would still find the same end of the log: what cannot be read for a moment looks as if it had never been written. */
export async function isStillLast(log: Log): Promise<boolean> {
    const rowPages = log.array.rowPages
    const base = log.segment * log.array.segmentPages
    const first = base + log.anchors.start
    let end = base + log.next
    // before the row that is left alone
    const row = ((end / rowPages) | 0) - 2
    if (row * rowPages >= first) if (!(await rowIsBegun(log, row))) return false
    // what nobody missed is not appended again
    if (log.weakRow < 0) if (log.lastRow >= 0) if (await badIn(log.array, log.lastRow, log.scratch)) return false
    // pages that are not there take long to be looked for
    if (!(await rowIsBegun(log, row + 1))) end -= rowPages
    return (await lastGood(log, base, end, first)) === log.lastFound
}

/** Tells of each data page after the last root, in their order; of none from `weakRow` on. */
export async function readTail(log: Log, visit: TailVisitor): Promise<void> {
    const segmentPages = log.array.segmentPages
    const base = log.segment * segmentPages
    const rootBase = log.rootPage - (log.rootPage % segmentPages)
    // a root is the only page of its row
    let page = log.rootPage - (log.rootPage % log.array.rowPages) + log.array.rowPages
    if (rootBase !== base) {
        if (await readPages(log, rootBase, page, rootBase + log.rootTail, visit)) return
        page = base
        const between = log.between * segmentPages
        if (between) if (await readPages(log, between, between, between + log.betweenTail, visit)) return
    }
    await readPages(log, base, page, base + log.next, visit)
}

/** Pages page..end-1 of the segment that begins with `first`. @returns whether `weakRow` ended it: what comes after is to be appended again */
async function readPages(log: Log, first: number, page: number, end: number, visit: TailVisitor): Promise<boolean> {
    const scratch = log.scratch
    const segmentPages = log.array.segmentPages
    // up to here rows are whole, if the tail is: the last one was looked at
    let whole = first + segmentPages
    if (first === log.segment * segmentPages) {
        const lastEnd = (log.lastRow + 1) * log.array.rowPages
        // nothing is good behind it
        if (lastEnd < end) end = lastEnd
        whole = end
    }
    if (!log.isTailWhole) whole = 0
    const before = log.rootPage < first || log.rootPage > page ? first - 1 : log.rootPage
    const weak = log.weakRow * log.array.rowPages
    const isWeak = weak >= first && weak < first + segmentPages
    if (isWeak) if (weak < end) end = weak
    if (end < whole) whole = end
    for (; page < end; page++) {
        if (!(await readTailPage(log, page, scratch))) continue
        if (scratch[atType] !== typeData) continue
        const object = scratch.getAt(atOwner, "u32")
        const block = scratch.getAt(atBlock, "u32")
        const bytes = scratch[atLength]
        let far = 0
        if (bytes === bodyBytes) {
            // blocks come in order, so when as many of them as pages lie between two pages they are all there is between: a failover waits
            // for this. Headers alone may have a wrong bit, and say that a page is another file's
            const most = whole - 1 - page
            let next = most > 0 ? 1 : 0
            while (next > far && (await isBlock(log, page + next, before, object, block + next))) {
                far = next
                next = far << 2
                if (next > most) next = most
            }
            if (far)
                if (
                    !(await log.readPage(page + far, scratch)) ||
                    scratch.getAt(atOwner, "u32") !== object ||
                    scratch.getAt(atBlock, "u32") !== block + far
                )
                    far = 0
        }
        visit(page, object, block, bytes, far + 1, bytes === bodyBytes ? undefined : scratch)
        page += far
    }
    return isWeak
}

/** Reads a page of the tail, once more when it is not good: a glitch of the line must not take what was acknowledged. @returns false when nothing good is in it */
export async function readTailPage(log: Log, page: number, buffer: Buffer): Promise<boolean> {
    if ((page & 31) === 0) await platform.sleep(1)
    // rows that were ended early are many where a host writes a little at a time
    const header = log.anchors.header
    if (await readCopy(log.array, page, header, 0)) if (await isUnused(log.array, page, header)) return false
    if (await log.readPage(page, buffer)) return true
    // a row that a mount left alone is waited for once
    const row = (page / log.array.rowPages) | 0
    if (row === log.waitedRow) return false
    if (await readAgain(log, page, buffer)) return true
    log.waitedRow = row
    return false
}

/** Reads a page's header. @returns whether it is that of a whole block, so far from the last root */
async function readBlockHeader(log: Log, page: number, since: number): Promise<boolean> {
    const header = log.anchors.header
    if (!(await readCopy(log.array, page, header, 0))) return false
    return header.getAt(atType, "i32") === (wholeBlock | (since << 16))
}

/** Whether a page's header is that of a whole block of a file. */
async function isBlock(log: Log, page: number, before: number, object: number, block: number): Promise<boolean> {
    if (!(await readBlockHeader(log, page, page - before))) return false
    const header = log.anchors.header
    return header.getAt(atOwner, "u32") === object && header.getAt(atBlock, "u32") === block
}

/** Looks through the rows of pages first..last, the last one first, for one of which an element lacks something: the first such row is `weakRow`. */
async function findWeak(log: Log, first: number, last: number): Promise<void> {
    const rowPages = log.array.rowPages
    first = (first / rowPages) | 0
    for (let row = (last / rowPages) | 0; row >= first; row--) {
        if ((row & 31) === 0) await platform.sleep(1)
        if (await badIn(log.array, row, log.scratch)) log.weakRow = row
    }
}

/** Index of the first row of start..end of which nothing was ever programmed; all three are multiples of a row. */
async function findEnd(log: Log, base: number, start: number, end: number): Promise<number> {
    const rowPages = log.array.rowPages
    const row = (base / rowPages) | 0
    let low = (start / rowPages) | 0
    let high = (end / rowPages) | 0
    while (low < high) {
        const middle = (low + high) >> 1
        if (await rowIsBegun(log, row + middle)) low = middle + 1
        else high = middle
    }
    return low * rowPages
}

async function rowIsBegun(log: Log, row: number): Promise<boolean> {
    const header = log.anchors.header
    for (let i = 0; i < log.array.elements; i++)
        if (await readAt(log.array, i, row, header)) if (!pageIsBlank(header)) return true
    return false
}

/**
 * The last page of first..end-1 of which a copy is good, loaded into `scratch`; noPage when there is none. From `start` on those that were
 * there before the anchor are not the log's: an element did not take the erase.
 */
async function lastGood(log: Log, first: number, end: number, start: number): Promise<number> {
    for (let page = end - 1; page >= first; page--) {
        if ((page & 31) === 0) await platform.sleep(1)
        if (await log.readPage(page, log.scratch))
            if (page < start || log.scratch.getAt(atSerial, "u32") >= log.anchors.serial) return page
    }
    return noPage
}
