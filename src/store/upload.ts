// An open upload: a file being written that has no name yet. Its bytes are appended to the log as they come, each page saying which
// block of which object it is, so that a mount finds what came after the last root.
//
// Promises: `durable` never names a byte that a power cut can lose; bytes are taken strictly in order.

import { Log } from "./log"
import { bodyBytes, atBody, noPage, pageBufferBytes, typeData } from "./page"
import { Tree } from "./tree"

/** Runs of contiguous pages held in RAM; one more asks for a checkpoint. */
const runsMax = 6

export class Upload {
    /** 0 = this slot is free. */
    object: number
    session: number
    /** Bytes that are settled on the array. */
    durable: number
    /** When a host last wrote to it, ms of this node. */
    usedMs: number
    /** Whole blocks appended. */
    blocks: number
    private buffer: Buffer
    /** Bytes of block `blocks` held in the buffer. */
    private fill: number
    /** Page that holds the first `partialBytes` of block `blocks`, or noPage. */
    private partialPage: number
    private partialBytes: number
    private runBlocks: number[]
    private runPages: number[]
    private runCounts: number[]
    private extent: Buffer

    constructor() {
        this.object = 0
        this.buffer = Buffer.alloc(pageBufferBytes)
        this.extent = Buffer.alloc(6)
    }

    begin(object: number, session: number, nowMs: number): void {
        this.object = object
        this.session = session
        this.durable = 0
        this.usedMs = nowMs
        this.blocks = 0
        this.fill = 0
        this.partialPage = noPage
        this.partialBytes = 0
        this.runBlocks = []
        this.runPages = []
        this.runCounts = []
    }

    /** Bytes taken so far, durable or not. */
    bytes(): number {
        return this.blocks * bodyBytes + this.fill
    }

    /** Whether runs are to be put into the tree before more is appended. */
    wantsCheckpoint(): boolean {
        return this.runPages.length >= runsMax
    }

    /** Whether there is anything a checkpoint would make known to the tree. */
    hasRuns(): boolean {
        return this.runPages.length > 0 || this.partialPage !== noPage
    }

    /** Takes as many of `bytes` bytes of `data` from `at` as fill the page. @returns how many */
    take(data: Buffer, at: number, bytes: number): number {
        const room = bodyBytes - this.fill
        const n = bytes < room ? bytes : room
        this.buffer.blitAt(atBody + this.fill, data, at, n)
        this.fill += n
        return n
    }

    isPageFull(): boolean {
        return this.fill === bodyBytes
    }

    async appendFull(log: Log): Promise<void> {
        const page = await log.append(this.buffer, typeData, bodyBytes, this.object, this.blocks)
        // the log's order of programs: what was appended before is settled by now
        if (this.durable < this.blocks * bodyBytes) this.durable = this.blocks * bodyBytes
        log.account(page, 1)
        this.addRun(log, page)
    }

    private addRun(log: Log, page: number): void {
        const block = this.blocks
        if (this.partialPage !== noPage) {
            log.account(this.partialPage, -1)
            this.partialPage = noPage
            this.partialBytes = 0
        }
        const last = this.runPages.length - 1
        if (
            last >= 0 &&
            this.runPages[last] + this.runCounts[last] === page &&
            this.runBlocks[last] + this.runCounts[last] === block &&
            page % log.array.segmentPages !== 0
        )
            this.runCounts[last]++
        else {
            this.runBlocks.push(block)
            this.runPages.push(page)
            this.runCounts.push(1)
        }
        this.blocks = block + 1
        this.fill = 0
    }

    /** Appends the page that is not full yet, so that its bytes become durable; it is appended again when more comes. */
    async appendPartial(log: Log): Promise<void> {
        if (this.fill === 0 || this.partialBytes === this.fill) return
        const bytes = this.fill
        const page = await log.append(this.buffer, typeData, bytes, this.object, this.blocks)
        log.account(page, 1)
        if (this.partialPage !== noPage) log.account(this.partialPage, -1)
        this.partialPage = page
        this.partialBytes = bytes
    }

    /** After the array settled: all that was appended is durable. */
    settled(): void {
        const bytes = this.blocks * bodyBytes + this.partialBytes
        if (bytes > this.durable) this.durable = bytes
    }

    /** Puts the extents of what was appended since the last checkpoint into the tree. */
    async putExtents(tree: Tree): Promise<void> {
        for (let i = 0; i < this.runPages.length; i++)
            await this.putExtent(tree, this.runBlocks[i], this.runPages[i], this.runCounts[i])
        if (this.partialPage !== noPage) await this.putExtent(tree, this.blocks, this.partialPage, 1)
        this.runBlocks = []
        this.runPages = []
        this.runCounts = []
    }

    private async putExtent(tree: Tree, block: number, page: number, count: number): Promise<void> {
        this.extent.setAt(0, "u32", page)
        this.extent.setAt(4, "u16", count)
        await tree.put(this.object, block + 1, this.extent, 0, 6)
    }

    /** Gives back the pages the tree does not know of, when the upload is abandoned. */
    release(log: Log): void {
        for (let i = 0; i < this.runPages.length; i++) log.account(this.runPages[i], -this.runCounts[i])
        this.object = 0
    }

    // --- recovery

    /**
     * Begins from what the last checkpoint knew.
     * @param size bytes in the tree; @param page a buffer with the last page when `size` is not whole blocks
     */
    resume(object: number, session: number, size: number, partialPage: number, page: Buffer, nowMs: number): void {
        this.begin(object, session, nowMs)
        this.blocks = (size / bodyBytes) | 0
        this.fill = size - this.blocks * bodyBytes
        if (this.fill > 0) {
            this.partialPage = partialPage
            this.partialBytes = this.fill
            this.buffer.blitAt(0, page, 0, pageBufferBytes)
        }
        this.durable = size
    }

    /** A data page of this upload found in the log's tail. */
    recover(log: Log, page: number, block: number, bytes: number, buffer: Buffer): void {
        if (block !== this.blocks) return
        log.account(page, 1)
        if (bytes === bodyBytes) this.addRun(log, page)
        else {
            this.buffer.blitAt(0, buffer, 0, pageBufferBytes)
            if (this.partialPage !== noPage) log.account(this.partialPage, -1)
            this.partialPage = page
            this.partialBytes = bytes
            this.fill = bytes
        }
        this.settled()
    }
}
