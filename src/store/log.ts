// The log: pages appended one after the other in segments that were erased whole, ended by roots.
//
// Promises:
// - The state of a volume is its last valid root, and the pages of open uploads after it (the tail); all else is as if never written.
// - A segment is erased only when neither the last root nor the tail refers to anything in it. Usage pages and the last root count
//   as referred to.
// - A page is never programmed twice between two erases, not even one whose programming a power cut may have begun.
// - A segment may be entered at any time: its anchor says where the last root is and what of the tail lies before it.
//
// Crash order of a commit: 1 nodes, 2 usage pages (when their deltas no longer fit the root), 3 settle, 4 root, 5 settle.
// Crash order of entering a segment: 1 erase it, 2 settle, 3 anchor, 4 settle, 5 first page.
// Crash order of a mount: 1 read the newest anchor and the last root, 2 anchor with epoch + 1, 3 settle, 4 go on.

import { MirrorArray } from "../array/mirror"
import { Anchors } from "./anchors"
import {
    atBlock,
    atBody,
    atLength,
    atOwner,
    atSerial,
    atSince,
    atType,
    bodyBytes,
    noPage,
    pageBufferBytes,
    pageIsBlank,
    pageIsGood,
    sealPage,
    typeData,
    typeRoot,
    typeUsage,
} from "./page"

// offsets in a root's body, as offsets in the page buffer (docs/FORMAT.md, "Root")
const atCommit = atBody
const atEpoch = atBody + 4
const atTree = atBody + 8
const atHeight = atBody + 12
const atDeltaCount = atBody + 13
const atNextObject = atBody + 16
const atUsageStart = atBody + 20
const atLive = atBody + 24
const atDeltas = atBody + 136
const deltaCountMax = 25
const usagePerPage = 118
/** A bit for each segment there may be. */
export const pinBytesMax = 32

/** Told of a data page of the log's tail; `buffer` holds it during the call. */
export type TailVisitor = (page: number, object: number, block: number, bytes: number, buffer: Buffer) => void

export class Log {
    array: MirrorArray
    /** The last root; also the buffer the next one is built in. */
    root: Buffer
    epoch: number
    segment: number
    /** Index in the segment of the page to be programmed next. */
    next: number
    segments: number
    /** Pages referred to, the root and usage pages included. */
    live: number
    /** Segments nothing refers to, the present one left out. */
    freeSegments: number
    /** Bit s: a snapshot keeps segment s, which is neither erased nor counted as free. */
    pins: Buffer
    anchors: Anchors
    serial: number
    /** Pages from the last root to the next page; from before the segment's first page while it has no root. */
    since: number
    rootPage: number
    /** Segments entered since the counter was last set to 0. */
    entered: number
    /** The last good page of the log when `open` found it on some of the elements only, else noPage. */
    weakPage: number
    private usage: Buffer
    /** Segments whose usage is not what the usage pages say; and the one added or asked for last. */
    private changed: number[]
    private changedLast: number
    /** Segments that became free since the last root, which still refers to them. */
    private freed: number[]
    private scratch: Buffer
    private erased: number
    // the tail outside the present segment, as the anchor has it
    private rootTail: number
    private between: number
    private betweenTail: number
    private tailBefore: number
    /** Told before a segment's pages are erased, so that caches forget them. */
    onErase: (firstPage: number, pages: number) => void

    /** @param usage 2 bytes per segment; @param scratch a page buffer that is free while a method of this runs */
    constructor(array: MirrorArray, root: Buffer, usage: Buffer, scratch: Buffer) {
        this.array = array
        this.root = root
        this.usage = usage
        this.scratch = scratch
        this.segments = 0
        this.anchors = new Anchors(array, scratch)
        this.changed = []
        this.changedLast = 0
        this.freed = []
        this.erased = 0
        this.live = 0
        this.freeSegments = 0
        this.pins = Buffer.alloc(pinBytesMax)
        this.weakPage = noPage
        this.entered = 0
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
            if ((await this.array.read(page, buffer, attempt)) && pageIsGood(buffer, page)) return true
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
    left(): number {
        return this.array.segmentPages - this.next
    }

    /** Segments that may be entered now. */
    available(): number {
        return this.freeSegments - this.freed.length
    }

    /** Pages a mount would read behind the last root. */
    tailPages(): number {
        return this.since - 1 + this.tailBefore
    }

    /** Whether one more data page can be appended as things are: the tail short, room here, and `segments` left for others. */
    takesData(tailMax: number, segments: number): boolean {
        return (
            this.next < this.array.segmentPages &&
            this.since + this.tailBefore <= tailMax &&
            this.between === 0 &&
            this.freeSegments - this.freed.length >= segments
        )
    }

    /** Whether the tail lies in as many segments as an anchor can name: a commit must precede further data. */
    tailIsFull(): boolean {
        return this.between !== 0
    }

    /** Pages that end a commit. */
    closingPages(): number {
        return (((this.segments + usagePerPage - 1) / usagePerPage) | 0) + 1
    }

    /** Makes sure that this segment has `pages` left, entering the next one when it has not. */
    async ensure(pages: number): Promise<void> {
        if (this.next + pages > this.array.segmentPages) await this.enterSegment()
    }

    usageOf(segment: number): number {
        return this.usage.getAt(segment * 2, "u16")
    }

    /** Whether a snapshot keeps what is in a segment. */
    isPinned(segment: number): boolean {
        return (this.pins[segment >> 3] & (1 << (segment & 7))) !== 0
    }

    /** Counts the free segments anew, right after a commit or a mount: `pins` changed. */
    recount(): void {
        const usage = this.usage
        const pins = this.pins
        let free = 0
        // flat: a mount runs it when there are snapshots
        for (let segment = 1; segment < this.segments; segment++)
            if (usage.getAt(segment << 1, "u16") === 0 && (pins[segment >> 3] & (1 << (segment & 7))) === 0) free++
        if (this.usageOf(this.segment) === 0 && !this.isPinned(this.segment)) free--
        this.freeSegments = free
    }

    hasPins(): boolean {
        for (let i = 0; i < pinBytesMax; i += 4) if (this.pins.getAt(i, "i32") !== 0) return true
        return false
    }

    /** Pages that are not in use and cannot be used while the snapshots stay. */
    pinnedPages(): number {
        const pins = this.pins
        let pages = 0
        for (let i = 0; i < pinBytesMax; i++) {
            const byte = pins[i]
            if (byte === 0) continue
            for (let bit = 0; bit < 8; bit++) {
                const segment = i * 8 + bit
                if (byte & (1 << bit) && segment !== this.segment)
                    pages += this.array.segmentPages - this.usage.getAt(segment << 1, "u16")
            }
        }
        return pages
    }

    /** Counts pages as referred to (by > 0) or as no longer so. */
    account(page: number, by: number): void {
        const segment = (page / this.array.segmentPages) | 0
        const was = this.usage.getAt(segment * 2, "u16")
        const is = was + by
        if (is < 0 || is > this.array.segmentPages) throw new Error("usage of segment " + segment + ": " + is)
        this.usage.setAt(segment * 2, "u16", is)
        this.live += by
        if (was === 0) {
            if (segment !== this.segment && !this.isPinned(segment)) this.freeSegments--
        } else if (is === 0 && !this.isPinned(segment)) {
            if (segment !== this.segment) this.freeSegments++
            this.freed.push(segment)
        }
        if (segment === this.changedLast) return
        this.changedLast = segment
        if (this.changed.indexOf(segment) < 0) this.changed.push(segment)
    }

    // --- appending

    /**
     * Appends the page in `buffer`, whose body is ready. Durable after `settle`. `ensure` made room.
     * @returns the page's number
     */
    async append(buffer: Buffer, type: number, length: number, owner: number, block: number): Promise<number> {
        const next = this.next
        const segmentPages = this.array.segmentPages
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
        const next = this.next
        const array = this.array
        const segment = this.segment
        if (next >= array.segmentPages) throw new Error("segment full")
        const page = segment * array.segmentPages + next
        const serial = this.serial
        const since = this.since
        const usage = this.usage
        const at = segment << 1
        usage.setAt(at, "u16", usage.getAt(at, "u16") + 1)
        this.live++
        if (segment !== this.changedLast) {
            this.changedLast = segment
            if (this.changed.indexOf(segment) < 0) this.changed.push(segment)
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
        if (this.changed.length > deltaCountMax) await this.writeUsage()
        root.setAt(atCommit, "u32", this.commitNumber() + 1)
        root.setAt(atEpoch, "u32", this.epoch)
        root.setAt(atLive, "u32", this.live)
        const changed = this.changed
        root[atDeltaCount] = changed.length
        for (let i = 0; i < changed.length; i++) {
            root.setAt(atDeltas + i * 4, "u16", changed[i])
            root.setAt(atDeltas + i * 4 + 2, "u16", this.usage.getAt(changed[i] * 2, "u16"))
        }
        await this.array.settle()
        this.since = 0
        this.rootPage = await this.append(root, typeRoot, 0, 0, 0)
        await this.array.settle()
        this.clearTail()
        this.freed = []
    }

    /** Whether the last usage pages lie in `segment`. */
    hasUsage(segment: number): boolean {
        const start = this.root.getAt(atUsageStart, "u32")
        return start !== noPage && ((start / this.array.segmentPages) | 0) === segment
    }

    /** Writes the usage of all segments anew, in this segment; a root must follow. */
    async writeUsage(): Promise<void> {
        const scratch = this.scratch
        const count = this.closingPages() - 1
        await this.ensure(count + 1)
        const old = this.root.getAt(atUsageStart, "u32")
        this.account(this.segment * this.array.segmentPages, count)
        if (old !== noPage) this.account(old, -count)
        let start = noPage
        for (let first = 0; first < this.segments; first += usagePerPage) {
            scratch.fillAt(0, pageBufferBytes, 0)
            scratch.blitAt(atBody, this.usage, first * 2, bodyBytes)
            const page = await this.append(scratch, typeUsage, 0, 0, first)
            if (start === noPage) start = page
        }
        this.root.setAt(atUsageStart, "u32", start)
        this.changed = []
        this.changedLast = 0
    }

    // --- segments

    /** Goes on in a free segment. Not to be called when none is `available`. */
    private async enterSegment(): Promise<void> {
        const segment = this.findFree()
        if (segment === 0) throw new Error("no free segment")
        if (this.erased !== segment) await this.eraseSegment(segment)
        await this.array.settle()
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
        this.entered++
        this.freeSegments--
        if (this.usage.getAt(left * 2, "u16") === 0 && !this.isPinned(left)) this.freeSegments++
        await this.writeAnchor()
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
        const first = segment * this.array.segmentPages
        if (this.onErase) this.onErase(first, this.array.segmentPages)
        await this.array.erase(first, this.array.segmentPages)
    }

    /** A segment that neither the last root nor the tail refers to, after the present one: so all wear alike. 0 = none. */
    private findFree(): number {
        if (this.erased) return this.erased
        const segments = this.segments
        const usage = this.usage
        const rootSegment = (this.rootPage / this.array.segmentPages) | 0
        let segment = this.segment
        for (let i = 1; i < segments; i++) {
            if (++segment >= segments) segment = 1
            if (usage.getAt(segment * 2, "u16") !== 0 || this.isPinned(segment)) continue
            if (segment === this.segment || segment === this.between || segment === rootSegment) continue
            if (this.freed.indexOf(segment) < 0) return segment
        }
        return 0
    }

    /** Records where the log is, and who holds it. */
    async writeAnchor(): Promise<void> {
        const anchors = this.anchors
        anchors.epoch = this.epoch
        anchors.segment = this.segment
        anchors.start = this.next
        anchors.root = this.rootPage
        anchors.serial = this.serial
        anchors.rootTail = this.rootTail
        anchors.between = this.between
        anchors.betweenTail = this.betweenTail
        anchors.members = this.array.members
        await anchors.append()
    }

    // --- mounting

    private measure(): void {
        const segments = (this.array.pages / this.array.segmentPages) | 0
        this.segments = segments * 2 < this.usage.length ? segments : this.usage.length >> 1
    }

    /** Writes the first root into segment 1 and the first anchor. The reserved segment and segment 1 are erased. */
    async format(arrayId: number): Promise<void> {
        this.measure()
        this.root.fillAt(0, pageBufferBytes, 0)
        this.root.setAt(atTree, "u32", noPage)
        this.root.setAt(atUsageStart, "u32", noPage)
        // 1 is the root directory, 2 and 3 are lists of the store's own (directory.ts); 4 to 15 are kept for later ones
        this.root.setAt(atNextObject, "u32", 16)
        this.usage.fillAt(0, this.usage.length, 0)
        this.changed = []
        this.changedLast = 0
        this.freed = []
        this.live = 0
        this.epoch = 0
        this.serial = 1
        this.segment = 1
        this.next = 0
        this.since = 0
        this.erased = 0
        this.freeSegments = this.segments - 2
        this.rootPage = noPage
        this.clearTail()
        await this.commitRoot()
        this.anchors.begin(arrayId)
        await this.writeAnchor()
    }

    /** Finds the last root and reads it and the usage. @returns false when no anchor, or what it leads to, can be read */
    async open(): Promise<boolean> {
        this.measure()
        const anchors = this.anchors
        if (!(await anchors.findNewest())) return false
        const segmentPages = this.array.segmentPages
        this.segment = anchors.segment
        this.rootPage = anchors.root
        this.rootTail = anchors.rootTail
        this.between = anchors.between
        this.betweenTail = anchors.betweenTail
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
        // a page whose programming was cut may read as blank: it is left alone
        this.next = end < segmentPages ? end + 1 : end
        if (rootSegment === this.segment) {
            this.clearTail()
            this.since = base + this.next - root
        } else {
            this.since = this.next + 1
            const between = this.between * segmentPages
            if (last === noPage && between) last = await this.lastGood(between, between + this.betweenTail)
            if (last === noPage)
                last = await this.lastGood(root, this.rootTail ? rootSegment * segmentPages + this.rootTail : root + 1)
            this.tailBefore =
                this.betweenTail + (this.rootTail ? rootSegment * segmentPages + this.rootTail - root - 1 : 0)
        }
        this.weakPage = last !== noPage && (await this.isWeak(last)) ? last : noPage
        this.serial = anchors.serial + this.next - anchors.start
        this.erased = 0
        return await this.loadRoot()
    }

    /** Reads the last root, dropping what was changed since in RAM. */
    async loadRoot(): Promise<boolean> {
        if (!(await this.readPage(this.rootPage, this.root)) || this.root[atType] !== typeRoot) return false
        this.live = this.root.getAt(atLive, "u32")
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
            if ((await this.readPage(page, scratch)) && scratch[atType] === typeData)
                visit(page, scratch.getAt(atOwner, "u32"), scratch.getAt(atBlock, "u32"), scratch[atLength], scratch)
        }
    }

    /** Becomes the array's controller: raises the epoch. Until then a mount has changed nothing. */
    async takeControl(): Promise<void> {
        this.epoch = this.anchors.epoch + 1
        await this.writeAnchor()
    }

    /** First index of start..end that was never programmed. */
    private async findEnd(base: number, start: number, end: number): Promise<number> {
        while (start < end) {
            const middle = (start + end) >> 1
            if (await this.isBlank(base + middle)) end = middle
            else start = middle + 1
        }
        return start
    }

    private async isBlank(page: number): Promise<boolean> {
        const header = this.anchors.header
        for (let attempt = 0; attempt < this.array.copies; attempt++) {
            if ((await this.array.read(page, header, attempt)) && !pageIsBlank(header)) return false
        }
        return true
    }

    /** The last page of first..end-1 of which a copy is good, loaded into `scratch`; noPage when there is none. */
    private async lastGood(first: number, end: number): Promise<number> {
        for (let page = end - 1; page >= first; page--) if (await this.readPage(page, this.scratch)) return page
        return noPage
    }

    /** Whether a copy of a page is not good: it was not settled, or is damaged. */
    private async isWeak(page: number): Promise<boolean> {
        for (let attempt = 0; attempt < this.array.copies; attempt++) {
            if ((await this.array.read(page, this.scratch, attempt)) && !pageIsGood(this.scratch, page)) return true
        }
        return false
    }

    private async readUsage(): Promise<boolean> {
        const usage = this.usage
        const root = this.root
        usage.fillAt(0, usage.length, 0)
        this.changed = []
        this.changedLast = 0
        this.freed = []
        const start = root.getAt(atUsageStart, "u32")
        if (start !== noPage) {
            let page = start
            for (let first = 0; first < this.segments; first += usagePerPage) {
                if (!(await this.readPage(page++, this.scratch)) || this.scratch[atType] !== typeUsage) return false
                usage.blitAt(first * 2, this.scratch, atBody, bodyBytes)
            }
        }
        const count = root[atDeltaCount]
        for (let i = 0; i < count; i++) {
            const segment = root.getAt(atDeltas + i * 4, "u16")
            usage.setAt(segment * 2, "u16", root.getAt(atDeltas + i * 4 + 2, "u16"))
            this.changed.push(segment)
        }
        let free = 0
        // two at a time: a mount is what a failover waits for
        const segments = this.segments
        for (let i = 0; i < segments; i += 2) {
            const both = usage.getAt(i << 1, "i32")
            if (both === 0) free += 2
            else if ((both & 0xffff) === 0 || both >>> 16 === 0) free++
        }
        // neither the reserved segment nor the present one can be entered
        free--
        if (this.usageOf(this.segment) === 0) free--
        this.freeSegments = free
        return true
    }
}
