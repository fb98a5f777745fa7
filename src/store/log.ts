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
// Crash order of entering a segment: 1 erase it, 2 settle, 3 anchor, 4 settle, 5 first page.
// Crash order of a mount: 1 read the newest anchor and the last root, 2 anchor with epoch + 1, 3 settle, 4 go on.

import { ElementArray } from "../array/array"
import { Anchors } from "./anchors"
import {
    atBlock,
    atBody,
    atLength,
    atOwner,
    atSerial,
    atSince,
    atType,
    noPage,
    pageBufferBytes,
    pageIsBlank,
    pageIsGood,
    sealPage,
    typeData,
    typeRoot,
    typeUsage,
} from "./page"
import { badIn } from "./redundancy"
import { Usage, usagePerPage } from "./usage"

// offsets in a root's body, as offsets in the page buffer (docs/FORMAT.md, "Root")
const atCommit = atBody
const atEpoch = atBody + 4
const atTree = atBody + 8
const atHeight = atBody + 12
const atNextObject = atBody + 16
const atUsageStart = atBody + 20
const atLive = atBody + 24
const atWearBase = atBody + 28

/** Told of a data page of the log's tail; `buffer` holds it during the call. */
export type TailVisitor = (page: number, object: number, block: number, bytes: number, buffer: Buffer) => void

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
    /** The log's last row when an element lacks something of it, else -1: what is good of it must be appended again. */
    weakRow: number
    /** The segment left last, until somebody looked after it; 0 = none. */
    left: number
    private scratch: Buffer
    /** The segment that is erased already and will be entered next, or 0. */
    erased: number
    // the tail outside the present segment, as the anchor has it
    private rootTail: number
    /** Not 0: the tail lies in as many segments as an anchor can name, and a commit must precede further data. */
    between: number
    private betweenTail: number
    private tailBefore: number
    /** Told before a segment's pages are erased, so that caches forget them. */
    onErase: (firstPage: number, pages: number) => void

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
        this.left = 0
        this.clearTail()
    }

    private clearTail(): void {
        this.rootTail = 0
        this.between = 0
        this.betweenTail = 0
        this.tailBefore = 0
    }

    // --- reading

    /** Reads and verifies a page. Tries each copy. @returns false when no copy is good */
    async readPage(page: number, buffer: Buffer): Promise<boolean> {
        const copies = this.array.copies
        for (let attempt = 0; attempt < copies; attempt++) {
            if (await this.array.read(page, buffer, attempt)) if (pageIsGood(buffer, page)) return true
        }
        return false
    }

    treePage(): number {
        return this.root.getAt(atTree, "u32")
    }
    treeHeight(): number {
        return this.root[atHeight]
    }
    setTree(page: number, height: number): void {
        this.root.setAt(atTree, "u32", page)
        this.root[atHeight] = height
    }
    commitNumber(): number {
        return this.root.getAt(atCommit, "u32")
    }
    /** A number no object of this volume had before. */
    takeObject(): number {
        const object = this.root.getAt(atNextObject, "u32")
        this.root.setAt(atNextObject, "u32", object + 1)
        return object
    }

    // --- space

    /** Pages left in this segment. */
    room(): number {
        this.leaveClosedRow()
        return this.array.segmentPages - this.next
    }

    /** Pages a mount would read behind the last root. */
    tailPages(): number {
        return this.since - 1 + this.tailBefore
    }

    /** Whether one more data page can be appended as things are: the tail short, room here, and `segments` left for others. */
    takesData(tailMax: number, segments: number): boolean {
        if (this.array.rowPages !== 1) this.leaveClosedRow()
        return (
            this.next < this.array.segmentPages &&
            this.since + this.tailBefore <= tailMax &&
            this.between === 0 &&
            this.usage.available() >= segments
        )
    }

    /** Pages that end a commit, at most: usage pages, the rest of a row, and a row for the root. */
    closingPages(): number {
        return this.usagePages() + 2 * this.array.rowPages - 1
    }

    private usagePages(): number {
        return ((this.segments + usagePerPage - 1) / usagePerPage) | 0
    }

    /** Makes sure that this segment has `pages` left, entering the next one when it has not. */
    async ensure(pages: number): Promise<void> {
        if (this.room() < pages) await this.enterSegment()
    }

    /** What is left of a row that was ended stays blank. */
    private leaveClosedRow(): void {
        const rowPages = this.array.rowPages
        const column = this.next % rowPages
        if (column === 0) return
        const page = this.segment * this.array.segmentPages + this.next
        if (((page / rowPages) | 0) !== this.array.closedRow) return
        this.next += rowPages - column
        this.since += rowPages - column
    }

    /** Counts pages as referred to (by > 0) or as no longer so. */
    account(page: number, by: number): void {
        const segmentPages = this.array.segmentPages
        this.usage.account((page / segmentPages) | 0, by, segmentPages)
    }

    // --- appending

    /**
     * Appends the page in `buffer`, whose body is ready. Durable after `settle`. `ensure` made room.
     * @returns the page's number
     */
    async append(buffer: Buffer, type: number, length: number, owner: number, block: number): Promise<number> {
        const segmentPages = this.array.segmentPages
        if (this.array.rowPages !== 1) this.leaveClosedRow()
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
        await this.array.program(page, buffer)
        return page
    }

    /** `append` of a data page, which is counted as referred to. Flat, not built on the other: it runs for each page written. */
    async appendData(buffer: Buffer, length: number, object: number, block: number): Promise<number> {
        const array = this.array
        if (array.rowPages !== 1) this.leaveClosedRow()
        const next = this.next
        const segment = this.segment
        if (next >= array.segmentPages) throw new Error("segment full")
        const page = segment * array.segmentPages + next
        const serial = this.serial
        const since = this.since
        const usage = this.usage
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
        this.next = next + 1
        this.serial = serial + 1
        this.since = since + 1
        await array.program(page, buffer)
        return page
    }

    /** Steps 2 to 5 of a commit; the nodes are appended already and `setTree` says where. */
    async commitRoot(): Promise<void> {
        await this.ensure(this.closingPages())
        const root = this.root
        const old = this.rootPage
        const segmentPages = this.array.segmentPages
        if (old === noPage) this.account(this.segment * segmentPages, 1)
        else if (((old / segmentPages) | 0) !== this.segment) {
            this.account(this.segment * segmentPages, 1)
            this.account(old, -1)
        }
        const usage = this.usage
        if (usage.wantsPages()) await this.writeUsage()
        root.setAt(atCommit, "u32", this.commitNumber() + 1)
        root.setAt(atEpoch, "u32", this.epoch)
        root.setAt(atLive, "u32", usage.live)
        root.setAt(atWearBase, "u32", usage.wearBase)
        usage.putDeltas(root)
        await this.array.settle()
        this.leaveClosedRow()
        this.since = 0
        this.rootPage = await this.append(root, typeRoot, 0, 0, 0)
        await this.array.settle()
        this.clearTail()
        usage.committed()
    }

    /** Whether the last usage pages lie in `segment`. */
    hasUsage(segment: number): boolean {
        const start = this.root.getAt(atUsageStart, "u32")
        return start !== noPage && ((start / this.array.segmentPages) | 0) === segment
    }

    /** Writes the usage of all segments anew, in this segment; a root must follow. */
    async writeUsage(): Promise<void> {
        const scratch = this.scratch
        const count = this.usagePages()
        await this.ensure(this.closingPages())
        const old = this.root.getAt(atUsageStart, "u32")
        this.account(this.segment * this.array.segmentPages, count)
        if (old !== noPage) this.account(old, -count)
        let start = noPage
        for (let first = 0; first < this.segments; first += usagePerPage) {
            scratch.fillAt(0, pageBufferBytes, 0)
            this.usage.fillPage(scratch, first)
            const page = await this.append(scratch, typeUsage, 0, 0, first)
            if (start === noPage) start = page
        }
        this.root.setAt(atUsageStart, "u32", start)
        this.usage.written()
    }

    // --- segments

    /** Goes on in a free segment. Not to be called when none is `available`. */
    private async enterSegment(): Promise<void> {
        const segment = this.findFree()
        if (segment === 0) throw new Error("no free segment")
        if (this.erased !== segment) await this.eraseSegment(segment)
        await this.array.settle()
        this.array.setAway(segment, false)
        this.leaveClosedRow()
        const left = this.segment
        if (((this.rootPage / this.array.segmentPages) | 0) === left) {
            if (this.since > 1) this.rootTail = this.next
        } else if (this.between === 0) {
            this.between = left
            this.betweenTail = this.next
        }
        this.tailBefore += this.since - 1
        this.segment = segment
        this.next = 0
        this.since = 1
        this.erased = 0
        this.left = left
        this.usage.enter(segment)
        await this.writeAnchor()
    }

    /** Goes on in another segment, so that nothing more is added to the present one. @returns false when none is free */
    async changeSegment(): Promise<boolean> {
        if (this.usage.available() === 0) return false
        await this.enterSegment()
        return true
    }

    /** Whether a segment holds pages a mount looks for. */
    holds(segment: number): boolean {
        if (this.usage.holds(segment)) return true
        if (segment === this.between) return true
        return segment === this.segment || segment === ((this.rootPage / this.array.segmentPages) | 0)
    }

    /** Erases the segment that will be entered next, ahead of need. The chips are busy for a while after. */
    async eraseAhead(): Promise<boolean> {
        if (this.erased) return false
        const segment = this.findFree()
        if (segment === 0) return false
        await this.eraseSegment(segment)
        this.erased = segment
        return true
    }

    private async eraseSegment(segment: number): Promise<void> {
        const segmentPages = this.array.segmentPages
        if (this.onErase) this.onErase(segment * segmentPages, segmentPages)
        this.usage.erased(segment)
        await this.array.eraseSegment(segment)
    }

    /** A segment that neither the last root, a snapshot nor the tail refers to. 0 = none. */
    private findFree(): number {
        if (this.erased) return this.erased
        return this.usage.choose(this.between, (this.rootPage / this.array.segmentPages) | 0)
    }

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
        await anchors.append()
    }

    // --- mounting

    /** How many segments there is room for in RAM. */
    segmentsMax(): number {
        return this.usage.counts.length >> 1
    }

    private measure(): void {
        const segments = (this.array.pages / this.array.segmentPages) | 0
        this.segments = segments < this.segmentsMax() ? segments : this.segmentsMax()
        this.usage.segments = this.segments
    }

    /** Writes the first root into segment 1 and the first anchor. The reserved segment and segment 1 are erased. */
    async format(arrayId: number): Promise<void> {
        this.measure()
        this.root.fillAt(0, pageBufferBytes, 0)
        this.root.setAt(atTree, "u32", noPage)
        this.root.setAt(atUsageStart, "u32", noPage)
        // 1 is the root directory, 2 and 3 are lists of the store's own (directory.ts); 4 to 15 are kept for later ones
        this.root.setAt(atNextObject, "u32", 16)
        this.usage.clear()
        this.usage.current = 1
        this.usage.freeSegments = this.segments - 2
        this.epoch = 0
        this.serial = 1
        this.segment = 1
        this.next = 0
        this.since = 0
        this.erased = 0
        this.rootPage = noPage
        this.clearTail()
        await this.commitRoot()
        this.anchors.begin(arrayId)
        await this.writeAnchor()
    }

    /** Finds the last root from the newest anchor, and reads it and the usage. @returns false when they cannot be read */
    async open(): Promise<boolean> {
        this.measure()
        const anchors = this.anchors
        const segmentPages = this.array.segmentPages
        this.segment = anchors.segment
        this.rootPage = anchors.root
        this.rootTail = anchors.rootTail
        this.between = anchors.between
        this.betweenTail = anchors.betweenTail
        const rowPages = this.array.rowPages
        const base = this.segment * segmentPages
        const end = await this.findEnd(base, anchors.start, segmentPages)
        // the last good page tells where the newest root is; in a segment without one it is the anchor's
        let last = await this.lastGood(base, base + end)
        if (last !== noPage) {
            const since = this.scratch.getAt(atSince, "u16")
            if (since <= last - base) this.rootPage = last - since
        }
        const root = this.rootPage
        const rootSegment = (root / segmentPages) | 0
        // a row whose programming was cut may read as blank: it is left alone
        this.next = end < segmentPages ? end + rowPages : end
        if (rootSegment === this.segment) {
            this.clearTail()
            this.since = base + this.next - root
        } else {
            this.since = this.next + 1
            const between = this.between * segmentPages
            if (last === noPage) if (between) last = await this.lastGood(between, between + this.betweenTail)
            if (last === noPage)
                last = await this.lastGood(root, this.rootTail ? rootSegment * segmentPages + this.rootTail : root + 1)
            this.tailBefore =
                this.betweenTail + (this.rootTail ? rootSegment * segmentPages + this.rootTail - root - 1 : 0)
        }
        const row = last === noPage ? -1 : (last / rowPages) | 0
        this.weakRow = row >= 0 && (await badIn(this.array, row, this.scratch)) ? row : -1
        this.serial = anchors.serial + this.next - anchors.start
        this.erased = 0
        return await this.loadRoot()
    }

    /** Reads the last root, dropping what was changed since in RAM. */
    async loadRoot(): Promise<boolean> {
        if (!(await this.readPage(this.rootPage, this.root))) return false
        if (this.root[atType] !== typeRoot) return false
        this.usage.live = this.root.getAt(atLive, "u32")
        this.usage.wearBase = this.root.getAt(atWearBase, "u32")
        this.usage.current = this.segment
        return await this.readUsage()
    }

    /** Tells of each data page after the last root, in their order. */
    async readTail(visit: TailVisitor): Promise<void> {
        const segmentPages = this.array.segmentPages
        const base = this.segment * segmentPages
        const rootBase = this.rootPage - (this.rootPage % segmentPages)
        if (rootBase === base) {
            await this.readPages(this.rootPage + 1, base + this.next, visit)
            return
        }
        await this.readPages(this.rootPage + 1, rootBase + this.rootTail, visit)
        const between = this.between * segmentPages
        if (between) await this.readPages(between, between + this.betweenTail, visit)
        await this.readPages(base, base + this.next, visit)
    }

    private async readPages(page: number, end: number, visit: TailVisitor): Promise<void> {
        const scratch = this.scratch
        for (; page < end; page++) {
            if (await this.readPage(page, scratch))
                if (scratch[atType] === typeData)
                    visit(
                        page,
                        scratch.getAt(atOwner, "u32"),
                        scratch.getAt(atBlock, "u32"),
                        scratch[atLength],
                        scratch,
                    )
        }
    }

    /** Becomes the array's controller: raises the epoch. Until then a mount has changed nothing. */
    async takeControl(): Promise<void> {
        this.epoch = this.anchors.epoch + 1
        await this.anchors.checkSector()
        await this.writeAnchor()
    }

    /** Index of the first row of start..end of which nothing was ever programmed; all three are multiples of a row. */
    private async findEnd(base: number, start: number, end: number): Promise<number> {
        const rowPages = this.array.rowPages
        const row = (base / rowPages) | 0
        let low = (start / rowPages) | 0
        let high = (end / rowPages) | 0
        while (low < high) {
            const middle = (low + high) >> 1
            if (await this.rowIsBegun(row + middle)) low = middle + 1
            else high = middle
        }
        return low * rowPages
    }

    private async rowIsBegun(row: number): Promise<boolean> {
        const header = this.anchors.header
        for (let i = 0; i < this.array.elements; i++)
            if (await this.array.readAt(i, row, header)) if (!pageIsBlank(header)) return true
        return false
    }

    /** The last page of first..end-1 of which a copy is good, loaded into `scratch`; noPage when there is none. */
    private async lastGood(first: number, end: number): Promise<number> {
        for (let page = end - 1; page >= first; page--) if (await this.readPage(page, this.scratch)) return page
        return noPage
    }

    private async readUsage(): Promise<boolean> {
        const usage = this.usage
        const root = this.root
        usage.counts.fillAt(0, usage.counts.length, 0)
        usage.wear.fillAt(0, usage.wear.length, 0)
        usage.forget()
        const start = root.getAt(atUsageStart, "u32")
        if (start !== noPage) {
            let page = start
            for (let first = 0; first < this.segments; first += usagePerPage) {
                if (!(await this.readPage(page++, this.scratch))) return false
                if (this.scratch[atType] !== typeUsage) return false
                usage.loadPage(this.scratch, first)
            }
        }
        usage.takeDeltas(root)
        usage.recount()
        return true
    }
}
