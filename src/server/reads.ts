// Files being read: at most four at once, a frame of each in turn, so that one long read does not keep others waiting.

import { pageBufferBytes } from "../store/page"
import { Reader, openFile, readFile } from "../store/reader"
import { ok } from "../store/status"
import { frameBytesMax, sealFrame } from "./frame"
import { Hosted } from "./hosted"

const readsMax = 4
const dataBytes = 224
const headBytes = 12

class Read {
    /** -1 = this slot is free. */
    tag = -1
    hosted: Hosted
    object = 0
    snapshot = 0
    offset = 0
    end = 0
    /** What is to be told before the read ends. */
    status = ok
    opened = false
}

export class Reads {
    reads: Read[]
    readers: Reader[]
    turn: number
    active: number

    constructor() {
        this.reads = []
        this.readers = []
        for (let i = 0; i < readsMax; i++) {
            this.reads.push(new Read())
            this.readers.push(new Reader(Buffer.alloc(pageBufferBytes)))
        }
        this.turn = 0
        this.active = 0
    }
}

/** A `read` frame. A refusal is told by the next frame of its tag. */
export function beginRead(reads: Reads, hosted: Hosted, frame: Buffer, status: number): void {
    const tag = frame[5]
    // the highest byte is the snapshot's number; not masked out of a u32, which is no integer of the runtime's above 2^31
    const length = frame.getAt(16, "u16") + (frame[18] << 16)
    let slot = -1
    for (let i = 0; i < readsMax; i++) {
        const read = reads.reads[i]
        if (read.tag === tag)
            if (read.hosted === hosted) {
                slot = i
                break
            }
        if (read.tag < 0) slot = i
    }
    // no slot: the host hears nothing now, and its next try finds one
    if (slot < 0) return
    const read = reads.reads[slot]
    if (read.tag >= 0) reads.active--
    read.tag = -1
    if (length === 0) return
    read.tag = tag
    read.hosted = hosted
    read.object = frame.getAt(8, "u32")
    read.snapshot = frame[19]
    read.offset = frame.getAt(12, "u32")
    read.end = read.offset + (length > 65536 ? 65536 : length)
    read.status = status
    read.opened = false
    reads.active++
}

/** Ends every read of a volume this node no longer serves. */
export function dropReads(reads: Reads, hosted: Hosted): void {
    for (let i = 0; i < readsMax; i++) {
        const read = reads.reads[i]
        if (read.tag >= 0)
            if (read.hosted === hosted) {
                read.tag = -1
                reads.active--
            }
    }
}

/** The next frame of the next read; undefined when there is none, or it has just ended. */
export async function nextData(reads: Reads, flags: number): Promise<Buffer> {
    for (let i = 0; i < readsMax; i++) {
        reads.turn = (reads.turn + 1) % readsMax
        const read = reads.reads[reads.turn]
        if (read.tag >= 0) return await frameOf(reads, read, reads.readers[reads.turn], flags)
    }
    return undefined
}

async function frameOf(reads: Reads, read: Read, reader: Reader, flags: number): Promise<Buffer> {
    let bytes = 0
    let status = read.status
    const tag = read.tag
    const volume = read.hosted.volume
    if (status === ok)
        if (!read.opened) {
            status = await openFile(reader, volume, read.object, read.snapshot)
            read.opened = true
        }
    const frame = Buffer.alloc(frameBytesMax)
    const offset = read.offset
    if (status === ok)
        if (offset < reader.size) {
            bytes = reader.size - offset
            if (bytes > read.end - offset) bytes = read.end - offset
            if (bytes > dataBytes) bytes = dataBytes
            status = await readFile(reader, offset, bytes, frame, headBytes)
            if (status !== ok) bytes = 0
        }
    // the volume may have been let go meanwhile, and its reads with it
    if (read.tag !== tag) return undefined
    read.offset = offset + bytes
    frame[4] = volume.number
    frame[5] = tag
    frame[6] = status
    frame[7] = flags
    frame.setAt(8, "u32", offset)
    if (bytes === 0 || read.offset >= read.end || status !== ok) {
        read.tag = -1
        reads.active--
    }
    if (bytes === dataBytes) {
        sealFrame(frame, read.object)
        return frame
    }
    const short = Buffer.alloc(headBytes + bytes)
    short.blitAt(0, frame, 0, headBytes + bytes)
    sealFrame(short, read.object)
    return short
}
