// The log: pages appended one after the other in segments that were erased whole, ended by roots.
//
// Promises:
// - The state of a volume is its last valid root, and the pages of open uploads after it (the tail); all else is as if never written.
// - A segment is erased only when neither the last root nor the tail refers to anything in it. Usage pages and the last root count
//   as referred to.
// - A page is never programmed twice between two erases, not even one whose programming a power cut may have begun.
// - A root is the only page of its row, and is programmed when all before it is settled.
// - A segment may be entered at any time: its anchor says where the last root is and what of the tail lies before it.
//
// Crash order of a commit: 1 nodes, 2 usage pages (when their deltas no longer fit the root), 3 settle, 4 root, 5 settle.
// Crash order of entering a segment: 1 erase it, 2 settle, see that it was done, 3 anchor, 4 settle, 5 first page.
// Crash order of a mount: 1 read the newest anchor and the last root, 2 anchor with epoch + 1, 3 settle, 4 go on.

import { ElementArray, dropElements, isWritten, pageAt, mark, readCopy, programPage, eraseOnAll } from "../array/array"
import { platform } from "../platform"
import { NodeCache } from "./node-cache"
import { Anchors, beginRing, appendAnchor, checkSector, isSectorFull } from "./anchors"
import {
    atBlock,
    atBody,
    atOwner,
    atSerial,
    atType,
    noPage,
    pageBufferBytes,
    pageIsGood,
    sealPage,
    typeData,
    typeRoot,
} from "./page"
import {
    Usage,
    chooseFree,
    clearUsage,
    countPages,
    holds,
    noteEntered,
    noteErased,
    putDeltas,
    wantsPages,
} from "./usage"
import { closingPages, readUsage, writeUsage } from "./usage-pages"

/** What reads wrong for a moment is waited for so long. */
const readAgainMs = 100
/** How often a mount waits for a page that reads wrong, before it takes control and after it: together longer than any glitch. */
const waitsMax = 6
/** One row at least in each of a chip's smallest erases (16), and of every position's pages. */
const rowsApart = 13

// offsets in a root's body, as offsets in the page buffer (docs/FORMAT.md, "Root")
const atCommit = atBody
const atEpoch = atBody + 4
export const atTree = atBody + 8
export const atHeight = atBody + 12
const atNextObject = atBody + 16
export const atUsageStart = atBody + 20
const atLive = atBody + 24
const atWearBase = atBody + 28

export class Log {
    array: ElementArray
    /** The last root; also the buffer the next one is built in. */
    root: Buffer
    epoch: number
    segment: number
    /** Index in the segment of the page to be programmed next. */
    next: number
    segments: number
    usage: Usage
    anchors: Anchors
    serial: number
    /** Pages from the last root to the next page; from before the segment's first page while it has no root. */
    since: number
    rootPage: number
    /** The last good page a mount found in the segment, or noPage. */
    lastFound: number
    /** The first row of the tail of which an element lacks something, else -1: what is good of it, and of those after it, must be appended again. */
    weakRow: number
    /** Every row from the last root on is whole, but for the last: no power was cut since. */
    isTailWhole: boolean
    /** The last root is on too few elements, and nothing was answered since. */
    isRootWeak: boolean
    /** How often the mount under way may still wait for a page that reads wrong. */
    waits: number
    /** The row that was waited for in vain. */
    waitedRow: number
    /** The last row of which `open` found a good page. */
    lastRow: number
    /** Some segments may be marked in the anchors' `unlooked`. */
    hasLeft: boolean
    scratch: Buffer
    /** The segment that is erased already and will be entered next, or 0. */
    erased: number
    // the tail outside the present segment, as the anchor has it
    rootTail: number
    /** Not 0: the tail lies in as many segments as an anchor can name, and a commit must precede further data. */
    between: number
    betweenTail: number
    tailBefore: number
    /** Forgets a segment's pages before they are erased; and this volume's number in it. */
    cache: NodeCache
    number: number

    /** @param usage 2 bytes per segment; @param scratch a page buffer that is free while a method of this runs */
    constructor(array: ElementArray, root: Buffer, usage: Buffer, scratch: Buffer) {
        this.array = array
        this.root = root
        this.usage = new Usage(usage)
        this.scratch = scratch
        this.segments = 0
        this.anchors = new Anchors(array, scratch)
        this.erased = 0
        this.weakRow = -1
        this.lastRow = -1
        this.isTailWhole = false
        beginWaits(this)
        this.isRootWeak = false
        this.hasLeft = false
        clearTail(this)
    }

    // --- reading

    /** Reads and verifies a page. Tries each copy. @returns false when no copy is good */
    async readPage(page: number, buffer: Buffer): Promise<boolean> {
        const copies = this.array.copies
        for (let attempt = 0; attempt < copies; attempt++) {
            if (await readCopy(this.array, page, buffer, attempt)) if (pageIsGood(buffer, page)) return true
        }
        return false
    }

    // --- appending

    /**
     * Appends the page in `buffer`, whose body is ready. Durable after `settle`. `ensure` made room.
     * @returns the page's number
     */
    async append(buffer: Buffer, type: number, length: number, owner: number, block: number): Promise<number> {
        const segmentPages = this.array.segmentPages
        if (this.array.rowPages !== 1) leaveClosedRow(this)
        const next = this.next
        if (next >= segmentPages) throw new Error("segment full")
        const page = this.segment * segmentPages + next
        const serial = this.serial
        const since = this.since
        buffer.setAt(atType, "u32", type | (length << 8) | (since << 16))
        buffer.setAt(atSerial, "u32", serial)
        buffer.setAt(atOwner, "u32", owner)
        buffer.setAt(atBlock, "u32", block)
        sealPage(buffer, page)
        this.next = next + 1
        this.serial = serial + 1
        this.since = since + 1
        await programPage(this.array, page, buffer)
        return page
    }

    /** Steps 2 to 5 of a commit; the nodes are appended already and the tree says where in the root. */
    async commitRoot(): Promise<void> {
        await ensure(this, closingPages(this))
        const root = this.root
        const old = this.rootPage
        const segmentPages = this.array.segmentPages
        if (old === noPage) account(this, this.segment * segmentPages, 1)
        else if (((old / segmentPages) | 0) !== this.segment) {
            account(this, this.segment * segmentPages, 1)
            account(this, old, -1)
        }
        const usage = this.usage
        if (wantsPages(usage)) await writeUsage(this)
        root.setAt(atCommit, "u32", commitNumber(this) + 1)
        root.setAt(atEpoch, "u32", this.epoch)
        root.setAt(atLive, "u32", usage.live)
        root.setAt(atWearBase, "u32", usage.wearBase)
        putDeltas(usage, root)
        await this.array.settle()
        leaveClosedRow(this)
        this.since = 0
        this.rootPage = await this.append(root, typeRoot, 0, 0, 0)
        await this.array.settle()
        clearTail(this)
        this.isTailWhole = true
        this.isRootWeak = false
        // what became free before this root is free now
        usage.freed = []
    }

    // --- segments

    /** Records where the log is, and who holds it. */
    async writeAnchor(): Promise<void> {
        const anchors = this.anchors
        anchors.epoch = this.epoch
        anchors.segment = this.segment
        // a loss may be noticed in the middle of a row
        const column = this.next % this.array.rowPages
        anchors.start = this.next - column
        anchors.root = this.rootPage
        anchors.serial = this.serial - column
        anchors.rootTail = this.rootTail
        anchors.between = this.between
        anchors.betweenTail = this.betweenTail
        anchors.isTailWhole = this.isTailWhole
        anchors.isRootWeak = this.isRootWeak
        await appendAnchor(anchors)
    }
}

export function commitNumber(log: Log): number {
    return log.root.getAt(atCommit, "u32")
}

/** Pages left in the present segment. */
export function roomIn(log: Log): number {
    leaveClosedRow(log)
    return log.array.segmentPages - log.next
}

/** Makes sure that the present segment has `pages` left, entering the next one when it has not. */
export async function ensure(log: Log, pages: number): Promise<void> {
    if (roomIn(log) < pages) await enterSegment(log)
}

/** Counts pages as referred to (by > 0) or as no longer so. */
export function account(log: Log, page: number, by: number): void {
    const segmentPages = log.array.segmentPages
    countPages(log.usage, (page / segmentPages) | 0, by, segmentPages)
}

export function treePage(log: Log): number {
    return log.root.getAt(atTree, "u32")
}

export function treeHeight(log: Log): number {
    return log.root[atHeight]
}

/** A number no object of this volume had before. */
export function takeObject(log: Log): number {
    const object = log.root.getAt(atNextObject, "u32")
    log.root.setAt(atNextObject, "u32", object + 1)
    return object
}

/** `append` of a data page, which is counted as referred to. Flat, not built on the other: it runs for each page written. */
export async function appendData(
    log: Log,
    buffer: Buffer,
    length: number,
    object: number,
    block: number,
): Promise<number> {
    const array = log.array
    if (array.rowPages !== 1) leaveClosedRow(log)
    const next = log.next
    const segment = log.segment
    if (next >= array.segmentPages) throw new Error("segment full")
    const page = segment * array.segmentPages + next
    const serial = log.serial
    const since = log.since
    const usage = log.usage
    const counts = usage.counts
    const at = segment << 1
    counts.setAt(at, "u16", counts.getAt(at, "u16") + 1)
    usage.live++
    if (segment !== usage.changedLast) {
        usage.changedLast = segment
        if (usage.changed.indexOf(segment) < 0) usage.changed.push(segment)
    }
    buffer.setAt(atType, "u32", typeData | (length << 8) | (since << 16))
    buffer.setAt(atSerial, "u32", serial)
    buffer.setAt(atOwner, "u32", object)
    buffer.setAt(atBlock, "u32", block)
    sealPage(buffer, page)
    log.next = next + 1
    log.serial = serial + 1
    log.since = since + 1
    await programPage(array, page, buffer)
    return page
}

/** Goes on in another segment, so that nothing more is added to the present one. @returns false when none is free */
export async function changeSegment(log: Log): Promise<boolean> {
    if (available(log) === 0) return false
    await enterSegment(log)
    return true
}

/** Segments that may be entered now. */
export function available(log: Log): number {
    const usage = log.usage
    return usage.freeSegments - usage.freed.length
}

/** Whether a segment holds pages a mount looks for. */
export function holdsNeeded(log: Log, segment: number): boolean {
    if (holds(log.usage, segment)) return true
    if (segment === log.between) return true
    return segment === log.segment || segment === ((log.rootPage / log.array.segmentPages) | 0)
}

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

export function clearTail(log: Log): void {
    log.rootTail = 0
    log.between = 0
    log.betweenTail = 0
    log.tailBefore = 0
}

/** What is left of a row that was ended stays blank. */
function leaveClosedRow(log: Log): void {
    const rowPages = log.array.rowPages
    const column = log.next % rowPages
    if (column === 0) return
    const page = log.segment * log.array.segmentPages + log.next
    if (((page / rowPages) | 0) !== log.array.closedRow) return
    log.next += rowPages - column
    log.since += rowPages - column
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
    log.cache.forget(log.number, segment * segmentPages, segmentPages)
    noteErased(log.usage, segment)
    await eraseOnAll(log.array, segment)
}

/** A segment that neither the last root, a snapshot nor the tail refers to. 0 = none. */
function findFree(log: Log): number {
    if (log.erased) return log.erased
    return chooseFree(log.usage, log.between, (log.rootPage / log.array.segmentPages) | 0)
}

export function measure(log: Log): void {
    const segments = (log.array.pages / log.array.segmentPages) | 0
    log.segments = segments < segmentsMaxOf(log) ? segments : segmentsMaxOf(log)
    log.usage.segments = log.segments
}

/** Pages a mount would read behind the last root. */
export function tailPages(log: Log): number {
    return log.since - 1 + log.tailBefore
}

/** How many segments there is room for in RAM. */
export function segmentsMaxOf(log: Log): number {
    return log.usage.counts.length >> 1
}

/** Writes the first root into segment 1 and the first anchor. The reserved segment and segment 1 are erased. */
export async function formatLog(log: Log, arrayId: number): Promise<void> {
    measure(log)
    log.root.fillAt(0, pageBufferBytes, 0)
    log.root.setAt(atTree, "u32", noPage)
    log.root.setAt(atUsageStart, "u32", noPage)
    // 1 is the root directory, 2 and 3 are lists of the store's own (directory.ts); 4 to 15 are kept for later ones
    log.root.setAt(atNextObject, "u32", 16)
    clearUsage(log.usage)
    log.usage.current = 1
    log.usage.freeSegments = log.segments - 2
    log.epoch = 0
    log.serial = 1
    log.segment = 1
    log.next = 0
    log.since = 0
    log.erased = 0
    log.rootPage = noPage
    clearTail(log)
    await log.commitRoot()
    beginRing(log.anchors, arrayId)
    await log.writeAnchor()
}

/** Reads the last root, dropping what was changed since in RAM. */
export async function loadRoot(log: Log): Promise<boolean> {
    if (!(await log.readPage(log.rootPage, log.root))) return false
    if (log.root[atType] !== typeRoot) return false
    log.usage.live = log.root.getAt(atLive, "u32")
    log.usage.wearBase = log.root.getAt(atWearBase, "u32")
    log.usage.current = log.segment
    return await readUsage(log)
}

/** Becomes the array's controller: raises the epoch. Until then a mount has changed nothing. */
export async function takeControl(log: Log): Promise<void> {
    log.epoch = log.anchors.epoch + 1
    log.isTailWhole = false
    log.isRootWeak = log.weakRow === ((log.rootPage / log.array.rowPages) | 0)
    checkSector(log.anchors)
    await log.writeAnchor()
}

/** Whether one more data page can be appended as things are: the tail short, room here, and `segments` left for others. */
export function takesData(log: Log, tailMax: number, segments: number): boolean {
    if (log.array.rowPages !== 1) leaveClosedRow(log)
    if (log.next >= log.array.segmentPages) return false
    if (log.since + log.tailBefore > tailMax) return false
    if (log.between !== 0) return false
    const usage = log.usage
    return usage.freeSegments - usage.freed.length >= segments
}
