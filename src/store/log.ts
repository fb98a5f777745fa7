// The log: pages appended one after the other in segments that were erased whole, ended by roots.
//
// Promises:
// - The state of a volume is its last valid root; what came after it and is not data of an upload is as if never written.
// - A segment is entered only right after a root was settled, and only if that root refers to nothing in it.
// - A page is never programmed twice between two erases, not even one whose programming a power cut may have begun.
//
// Crash order of a commit: 1 nodes, 2 usage pages (when their deltas no longer fit the root), 3 settle, 4 root, 5 settle.
// Crash order of entering a segment: 1 commit, 2 erase the segment, 3 settle, 4 anchor, 5 settle, 6 first page.
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
    headerBufferBytes,
    noPage,
    pageBufferBytes,
    pageIsGood,
    sealPage,
    typeData,
    typeRoot,
    typeUsage,
} from "./page"

/** Pages kept free at the end of a segment: the nodes one commit may write, its usage pages, its root, and torn pages of mounts. */
export const reservePages = 44
/** Data pages after a root; a mount reads the headers of at most this many (and a few torn ones). */
export const tailPagesMax = 120

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
    live: number
    freeSegments: number
    anchors: Anchors
    serial: number
    /** Pages since the last root, the next one included. */
    since: number
    rootPage: number
    private usage: Buffer
    private changed: number[]
    private scratch: Buffer
    private erased: number
    private tailStart: number
    private tailEnd: number
    /** Told before a segment's pages are erased, so that caches forget them. */
    onErase: (firstPage: number, pages: number) => void

    /** @param usage 2 bytes per segment, zeroed; @param scratch a page buffer that is free while a method of this runs */
    constructor(array: MirrorArray, root: Buffer, usage: Buffer, scratch: Buffer) {
        this.array = array
        this.root = root
        this.usage = usage
        this.scratch = scratch
        this.segments = (array.pages / array.segmentPages) | 0
        this.anchors = new Anchors(array, scratch)
        this.changed = []
        this.erased = 0
        this.live = 0
        this.freeSegments = 0
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

    // --- appending

    /** Pages that may still be appended to this segment before `reservePages` is touched. */
    room(): number {
        return this.array.segmentPages - this.next - reservePages
    }

    /**
     * Appends the page in `buffer`, whose body is ready. Durable after `settle`.
     * @returns the page's number
     */
    async append(buffer: Buffer, type: number, length: number, owner: number, block: number): Promise<number> {
        const page = this.segment * this.array.segmentPages + this.next
        buffer.setAt(atType, "u32", type | (length << 8) | (this.since << 16))
        buffer.setAt(atSerial, "u32", this.serial)
        buffer.setAt(atOwner, "u32", owner)
        buffer.setAt(atBlock, "u32", block)
        sealPage(buffer, page)
        this.next++
        this.serial++
        this.since++
        await this.array.program(page, buffer)
        return page
    }

    /** Counts pages as referenced (by > 0) or as no longer so. */
    account(page: number, by: number): void {
        const segment = (page / this.array.segmentPages) | 0
        const was = this.usage.getAt(segment * 2, "u16")
        const is = was + by
        this.usage.setAt(segment * 2, "u16", is)
        this.live += by
        if (was === 0) this.freeSegments--
        else if (is === 0) this.freeSegments++
        const changed = this.changed
        for (let i = 0; i < changed.length; i++) if (changed[i] === segment) return
        changed.push(segment)
    }

    /** Steps 2 to 5 of a commit; the nodes are appended already and `setTree` says where. */
    async commitRoot(): Promise<void> {
        if (this.changed.length > deltaCountMax) await this.writeUsage()
        const root = this.root
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
    }

    private async writeUsage(): Promise<void> {
        const scratch = this.scratch
        let start = noPage
        for (let first = 0; first < this.segments; first += usagePerPage) {
            scratch.fillAt(0, pageBufferBytes, 0)
            scratch.blitAt(atBody, this.usage, first * 2, bodyBytes)
            const page = await this.append(scratch, typeUsage, 0, 0, first)
            if (start === noPage) start = page
        }
        this.root.setAt(atUsageStart, "u32", start)
        this.changed = []
    }

    /** Makes the commit that must precede `enterSegment` carry the usage pages, so that the segment left behind can be reused. */
    async commitAndMoveOn(): Promise<boolean> {
        await this.writeUsage()
        await this.commitRoot()
        return await this.enterSegment()
    }

    /** Right after a commit. @returns false when no segment is free */
    async enterSegment(): Promise<boolean> {
        const segment = this.findFree()
        if (segment === 0) return false
        if (this.erased !== segment) await this.eraseSegment(segment)
        await this.array.settle()
        this.segment = segment
        this.next = 0
        this.since = 1
        this.erased = 0
        await this.writeAnchor()
        return true
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

    /** A segment that holds nothing of the last root, after the present one. 0 = none. */
    private findFree(): number {
        if (this.erased && this.usage.getAt(this.erased * 2, "u16") === 0) return this.erased
        const segments = this.segments
        const usage = this.usage
        const usageStart = this.root.getAt(atUsageStart, "u32")
        const kept = usageStart === noPage ? 0 : (usageStart / this.array.segmentPages) | 0
        const rootSegment = (this.rootPage / this.array.segmentPages) | 0
        let segment = this.segment
        for (let i = 1; i < segments; i++) {
            if (++segment >= segments) segment = 1
            if (segment === this.segment || segment === kept || segment === rootSegment) continue
            if (usage.getAt(segment * 2, "u16") === 0) return segment
        }
        return 0
    }

    private async writeAnchor(): Promise<void> {
        await this.anchors.append(this.epoch, this.segment, this.next, this.rootPage, this.serial)
    }

    // --- mounting

    /** Writes the first root into segment 1 and the first anchor. The reserved segment and segment 1 are erased. */
    async format(): Promise<void> {
        this.root.fillAt(0, pageBufferBytes, 0)
        this.root.setAt(atTree, "u32", noPage)
        this.root.setAt(atUsageStart, "u32", noPage)
        // 1 is the root directory, 2 and 3 are lists of the store's own (files.ts); 4 to 15 are kept for later ones
        this.root.setAt(atNextObject, "u32", 16)
        this.usage.fillAt(0, this.usage.length, 0)
        this.changed = []
        this.live = 0
        this.epoch = 0
        this.serial = 1
        this.segment = 1
        this.next = 0
        this.since = 0
        this.erased = 0
        this.freeSegments = this.segments - 1
        this.rootPage = noPage
        await this.commitRoot()
        this.anchors.begin()
        await this.writeAnchor()
    }

    /** Finds the last root and reads it and the usage. @returns false when no anchor, or what it leads to, can be read */
    async open(): Promise<boolean> {
        if (!(await this.anchors.findNewest())) return false
        const segmentPages = this.array.segmentPages
        this.segment = this.anchors.segment
        const start = this.anchors.start
        const base = this.segment * segmentPages
        const end = base + (await this.findEnd(base, start, segmentPages))
        // the last good page tells where the newest root is; without one it is the anchor's
        let rootPage = this.anchors.root
        for (let page = end - 1; page >= base + start && page >= end - 2; page--) {
            if (!(await this.readPage(page, this.scratch))) continue
            const since = this.scratch.getAt(atSince, "u16")
            if (since <= page - base) rootPage = page - since
            break
        }
        if (!(await this.readPage(rootPage, this.root)) || this.root[atType] !== typeRoot) return false
        this.rootPage = rootPage
        this.live = this.root.getAt(atLive, "u32")
        this.tailStart = ((rootPage / segmentPages) | 0) === this.segment ? rootPage + 1 : base
        this.tailEnd = end
        // a page whose programming was cut may read as blank: it is left alone
        this.next = end - base < segmentPages ? end - base + 1 : segmentPages
        this.since = base + this.next - this.tailStart + 1
        this.serial = this.root.getAt(atSerial, "u32") + this.since
        this.erased = 0
        return await this.readUsage()
    }

    /** Tells of each data page after the last root, in their order. */
    async readTail(visit: TailVisitor): Promise<void> {
        const scratch = this.scratch
        for (let page = this.tailStart; page < this.tailEnd; page++) {
            if ((await this.readPage(page, scratch)) && scratch[atType] === typeData)
                visit(page, scratch.getAt(atOwner, "u32"), scratch.getAt(atBlock, "u32"), scratch[atLength], scratch)
        }
    }

    /** Becomes the array's controller: raises the epoch. Until then a mount has changed nothing. */
    async takeControl(): Promise<void> {
        this.epoch = this.anchors.epoch + 1
        await this.writeAnchor()
    }

    /** First page of start..end that was never programmed. */
    private async findEnd(base: number, start: number, end: number): Promise<number> {
        const header = this.anchors.header
        while (start < end) {
            const middle = (start + end) >> 1
            if (await this.isBlank(base + middle, header)) end = middle
            else start = middle + 1
        }
        return start
    }

    private async isBlank(page: number, header: Buffer): Promise<boolean> {
        const copies = this.array.copies
        for (let attempt = 0; attempt < copies; attempt++) {
            if (!(await this.array.read(page, header, attempt))) continue
            for (let i = 4; i < headerBufferBytes; i += 4) if (header.getAt(i, "i32") !== -1) return false
        }
        return true
    }

    private async readUsage(): Promise<boolean> {
        const usage = this.usage
        const root = this.root
        usage.fillAt(0, usage.length, 0)
        this.changed = []
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
        for (let i = 1; i < this.segments; i++) if (usage.getAt(i * 2, "u16") === 0) free++
        this.freeSegments = free
        return true
    }
}
