// An open upload: a file being written that has no name yet. Its bytes are appended to the log as they come, each page saying which
// block of which object it is, so that a mount finds what came after the last root.
//
// Promises: `durable` never names a byte that a power cut can lose; bytes are taken strictly in order; a page the tree refers to is
// counted as used until the tree no longer does.

import { Log, appendData, account } from "./log"
import { bodyBytes, atBody, noPage, pageBufferBytes } from "./page"
import { Tree } from "./tree"

/** Pages of a row with parity, at most. */
const rowPagesMax = 5
/** Runs of contiguous pages held in RAM; one more asks for a checkpoint. */
const runsMax = 12

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
    buffer: Buffer
    /** Bytes of block `blocks` held in the buffer. */
    fill: number
    /** Page that holds the first `partialBytes` of block `blocks`, or noPage. */
    partialPage: number
    partialBytes: number
    /** Page the tree has for a block that was not whole at the last commit, or noPage. */
    listedPage: number
    runBlocks: number[]
    runPages: number[]
    runCounts: number[]
    /** The page that would lengthen the last run. */
    runNext: number
    extent: Buffer

    constructor() {
        this.object = 0
        this.buffer = Buffer.alloc(pageBufferBytes)
        this.extent = Buffer.alloc(6)
    }
}

/** Whether there is anything a commit would make known to the tree. */
export function uploadHasRuns(upload: Upload): boolean {
    return upload.runPages.length > 0 || upload.partialPage !== upload.listedPage
}

/** After the array settled: all that was appended is durable. */
export function settleUpload(upload: Upload): void {
    const bytes = appended(upload)
    if (bytes > upload.durable) upload.durable = bytes
}

// --- recovery

/**
 * Begins from what the last checkpoint knew.
 * @param size bytes in the tree; @param page a buffer with the last page when `size` is not whole blocks
 */
export function resumeUpload(
    upload: Upload,
    object: number,
    session: number,
    size: number,
    partialPage: number,
    page: Buffer,
    nowMs: number,
): void {
    beginUpload(upload, object, session, nowMs)
    upload.blocks = (size / bodyBytes) | 0
    upload.fill = size - upload.blocks * bodyBytes
    if (upload.fill > 0) {
        upload.partialPage = partialPage
        upload.listedPage = partialPage
        upload.partialBytes = upload.fill
        upload.buffer.blitAt(0, page, 0, pageBufferBytes)
    }
    upload.durable = size
}

/** `count` data pages of an upload found in the log's tail. */
export function recoverPages(
    upload: Upload,
    log: Log,
    page: number,
    block: number,
    bytes: number,
    count: number,
    buffer: Buffer,
): void {
    if (count > 1)
        if (block !== upload.blocks) {
            for (let i = 0; i < count; i++) recoverPages(upload, log, page + i, block + i, bytes, 1, undefined)
            return
        }
    if (!takeAgain(upload, log, block, bytes, buffer)) return
    account(log, page, count)
    if (bytes === bodyBytes) addRun(upload, log, page, count)
    else {
        leavePartial(upload, log)
        upload.partialPage = page
        upload.partialBytes = bytes
    }
    settleUpload(upload)
}

/** Whether runs are to be put into the tree before more is appended. */
export function wantsCheckpoint(upload: Upload): boolean {
    return upload.runPages.length >= runsMax
}

/** Takes the bytes of a page of the tail, which is then to be counted or appended again. @returns false when it brings nothing new */
export function takeAgain(upload: Upload, log: Log, block: number, bytes: number, buffer: Buffer): boolean {
    // the whole block again: an earlier mount found it weak. What is held of the next one stays
    if (block === upload.blocks - 1)
        if (bytes === bodyBytes)
            if (upload.partialBytes === 0) if (upload.runPages.length > 0) dropLastBlock(upload, log)
    if (block !== upload.blocks) return false
    if (bytes < upload.partialBytes) return false
    if (buffer) upload.buffer.blitAt(0, buffer, 0, pageBufferBytes)
    upload.fill = bytes
    return true
}

/** Puts the extents of what was appended since the last commit into the tree. */
export async function putExtents(upload: Upload, tree: Tree, log: Log): Promise<void> {
    const listed = upload.listedPage
    for (let i = 0; i < upload.runPages.length; i++)
        await putExtent(upload, tree, upload.runBlocks[i], upload.runPages[i], upload.runCounts[i])
    if (upload.partialPage !== noPage)
        if (upload.partialPage !== listed) await putExtent(upload, tree, upload.blocks, upload.partialPage, 1)
    // its extent began at the first block of what was put: it is overwritten
    if (listed !== noPage) if (listed !== upload.partialPage) account(log, listed, -1)
    upload.listedPage = upload.partialPage
    upload.runBlocks = []
    upload.runPages = []
    upload.runNext = noPage
    upload.runCounts = []
}

/** Bytes in pages that were appended. */
export function appended(upload: Upload): number {
    return upload.blocks * bodyBytes + upload.partialBytes
}

/** Whether an open upload appended a page, whether a commit told the tree of it or not. */
export function isPartOf(upload: Upload, page: number): boolean {
    if (!upload.object) return false
    for (let i = 0; i < upload.runPages.length; i++)
        if (page >= upload.runPages[i]) if (page < upload.runPages[i] + upload.runCounts[i]) return true
    return page === upload.partialPage
}

/** Pages of this upload that the tree knows of were moved. */
export function uploadMoved(upload: Upload, from: number, count: number, to: number): void {
    const listed = upload.listedPage
    if (listed === noPage) return
    if (listed < from) return
    if (listed >= from + count) return
    upload.listedPage = listed - from + to
    if (upload.partialPage === listed) upload.partialPage = upload.listedPage
}

/** Appends what `takeAgain` took. */
export async function appendUploadAgain(upload: Upload, log: Log): Promise<void> {
    if (upload.fill === bodyBytes) await appendFull(upload, log)
    else await appendPartial(upload, log)
}

export function beginUpload(upload: Upload, object: number, session: number, nowMs: number): void {
    upload.object = object
    upload.session = session
    // a page that is not full carries nothing of another file
    upload.buffer.fillAt(0, pageBufferBytes, 0)
    upload.durable = 0
    upload.usedMs = nowMs
    upload.blocks = 0
    upload.fill = 0
    upload.partialPage = noPage
    upload.partialBytes = 0
    upload.listedPage = noPage
    upload.runBlocks = []
    upload.runPages = []
    upload.runNext = noPage
    upload.runCounts = []
}

/**
 * Takes what is new of a `write` frame, data from `head` on at byte `offset` of the file, as far as it fills the page.
 * @returns where in the frame the rest begins, `bytes` when there is none; or -1 when nothing in it is next: a gap, or bytes taken before
 */
export function acceptBlock(upload: Upload, frame: Buffer, head: number, bytes: number, offset: number): number {
    const fill = upload.fill
    const at = head + upload.blocks * bodyBytes + fill - offset
    if (at < head || at >= bytes) return -1
    let n = bodyBytes - fill
    if (bytes - at < n) n = bytes - at
    upload.buffer.blitAt(atBody + fill, frame, at, n)
    upload.fill = fill + n
    return at + n
}

/** Takes as many of `bytes` bytes of `data` from `at` as fill the page. @returns how many */
export function takeBytes(upload: Upload, data: Buffer, at: number, bytes: number): number {
    const room = bodyBytes - upload.fill
    const n = bytes < room ? bytes : room
    upload.buffer.blitAt(atBody + upload.fill, data, at, n)
    upload.fill += n
    return n
}

/** Gives back the pages the tree does not know of, when the upload is abandoned. */
export function releaseUpload(upload: Upload, log: Log): void {
    for (let i = 0; i < upload.runPages.length; i++) account(log, upload.runPages[i], -upload.runCounts[i])
    leavePartial(upload, log)
    upload.object = 0
}

export async function appendFull(upload: Upload, log: Log): Promise<void> {
    const block = upload.blocks
    const page = await appendData(log, upload.buffer, bodyBytes, upload.object, block)
    addRun(upload, log, page, 1)
    // the log's order of programs: what was appended before this page's row is settled by now
    if (log.array.rowPages === 1) {
        const durable = block * bodyBytes
        if (upload.durable < durable) upload.durable = durable
    } else settledBelow(upload, page - (page % log.array.rowPages))
}

/** Appends the page that is not full yet, so that its bytes become durable; it is appended again when more comes. */
export async function appendPartial(upload: Upload, log: Log): Promise<void> {
    if (upload.fill === 0) return
    if (upload.partialBytes === upload.fill) return
    const bytes = upload.fill
    const page = await appendData(log, upload.buffer, bytes, upload.object, upload.blocks)
    leavePartial(upload, log)
    upload.partialPage = page
    upload.partialBytes = bytes
}

/** Bytes taken so far, durable or not. */
export function takenBytes(upload: Upload): number {
    return upload.blocks * bodyBytes + upload.fill
}

/** All pages of the log before one are durable; those of this upload behind it are the last of its runs. */
function settledBelow(upload: Upload, page: number): void {
    let block = upload.blocks
    for (let i = upload.runPages.length - 1; i >= 0; i--) {
        const first = upload.runPages[i]
        const end = first + upload.runCounts[i]
        // of an earlier segment, or an earlier row
        if (first > page + rowPagesMax) break
        if (end <= page) break
        block = upload.runBlocks[i] + (first < page ? page - first : 0)
    }
    const durable = block * bodyBytes
    if (upload.durable < durable) upload.durable = durable
}

function addRun(upload: Upload, log: Log, page: number, count: number): void {
    const block = upload.blocks
    if (upload.partialPage !== noPage) leavePartial(upload, log)
    // a run stays within its segment
    if (page === upload.runNext && page % log.array.segmentPages !== 0) {
        const counts = upload.runCounts
        const last = counts.length - 1
        counts[last] = counts[last] + count
    } else {
        upload.runBlocks.push(block)
        upload.runPages.push(page)
        upload.runCounts.push(count)
    }
    upload.runNext = page + count
    upload.blocks = block + count
    upload.fill = 0
}

/** The partial page is superseded; one the tree refers to is given back when the tree is changed. */
export function leavePartial(upload: Upload, log: Log): void {
    if (upload.partialPage !== noPage)
        if (upload.partialPage !== upload.listedPage) account(log, upload.partialPage, -1)
    upload.partialPage = noPage
    upload.partialBytes = 0
}

async function putExtent(upload: Upload, tree: Tree, block: number, page: number, count: number): Promise<void> {
    upload.extent.setAt(0, "u32", page)
    upload.extent.setAt(4, "u16", count)
    await tree.put(upload.object, block + 1, upload.extent, 0, 6)
}

function dropLastBlock(upload: Upload, log: Log): void {
    const last = upload.runPages.length - 1
    const count = upload.runCounts[last] - 1
    account(log, upload.runPages[last] + count, -1)
    upload.runCounts[last] = count
    if (count === 0) {
        upload.runBlocks.pop()
        upload.runPages.pop()
        upload.runCounts.pop()
    }
    upload.runNext = noPage
    upload.blocks--
}
