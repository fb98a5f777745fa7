// What can be asked of a volume without changing it. Answers are written into the caller's buffer, docs/PROTOCOL.md "query".

import { commitNumber } from "./log"
import { firstEntry, loadDirectory, loadEntry } from "./directory"
import { bodyBytes } from "./page"
import { findProperties } from "./properties"
import { enterSnapshot, leaveSnapshot, listSnapshots } from "./snapshots"
import { badName, badRequest, notFound, ok } from "./status"
import { Volume, freePages } from "./volume"
import { deadIn } from "../array/array"

const attributeBytes = 18
const entryHeadBytes = 5
export const queryLookup = 1
export const queryGetattr = 2
export const queryReaddir = 3
export const queryStatfs = 4
export const queryUpload = 5
export const queryNode = 6
export const queryArray = 7
export const querySnapshots = 8
export const queryProperties = 9
export const queryEvents = 10
export const queryMemory = 11
export const queryElements = 12

// a `query` frame
export const atSnapshot = 10
const atObject = 12
const atPath = 16

/** In the count of a page of a directory: there is no more. */
const lastPage = 0x80

export class Queries {
    /** Bytes of the answer. */
    bytes: number
    volume: Volume

    constructor(volume: Volume) {
        this.volume = volume
        this.bytes = 0
    }
}

/**
 * Answers a question about files, in the volume or in the snapshot the frame names.
 * @param frame at least 16 bytes; what is behind `bytes` is 0
 */
export async function askVolume(
    queries: Queries,
    op: number,
    frame: Buffer,
    bytes: number,
    out: Buffer,
    at: number,
): Promise<number> {
    const snapshot = frame.getAt(atSnapshot, "u16")
    const tree = queries.volume.tree
    if (snapshot)
        if ((await enterSnapshot(tree, snapshot)) === 0) {
            // of a path no name was found
            out[at] = 0
            queries.bytes = 1
            return notFound
        }
    let status = ok
    let failed: unknown
    try {
        status = await answer(queries, op, frame, bytes, out, at)
    } catch (e) {
        failed = e
    }
    if (snapshot) leaveSnapshot(tree, queries.volume.log)
    if (failed) throw failed
    return status
}

export async function getattr(queries: Queries, object: number, out: Buffer, at: number): Promise<number> {
    if (!(await queries.volume.directory.load(object))) return notFound
    writeAttributes(queries, out, at, object)
    queries.bytes = attributeBytes
    return ok
}

/** Walks `bytes` bytes of path from `from`, names joined by slashes. */
export async function lookupPath(
    queries: Queries,
    object: number,
    path: Buffer,
    from: number,
    bytes: number,
    out: Buffer,
    at: number,
): Promise<number> {
    const directory = queries.volume.directory
    const end = from + bytes
    let parent = 0
    let key = 0
    let found = 0
    queries.bytes = 1
    while (from < end) {
        let slash = path.indexOf(0x2f, from, end)
        if (slash < 0 || slash > end) slash = end
        out[at] = found
        let status = await loadDirectory(directory, object)
        if (status === ok) status = await directory.lookup(object, path, from, slash - from)
        if (status !== ok) return status
        if (directory.object === 0) return notFound
        parent = object
        key = directory.key
        object = directory.object
        found++
        from = slash + 1
        // a name must follow a slash
        if (slash === end - 1) return badName
    }
    if (!(await directory.load(object))) return notFound
    writeAttributes(queries, out, at, object)
    out.setAt(at + attributeBytes, "u32", parent)
    out.setAt(at + attributeBytes + 4, "u32", key)
    queries.bytes = attributeBytes + 8
    return ok
}

/**
 * Lists entries after `cookie`, as many as fit `room` bytes.
 * @param room at least 224: one entry with the longest name
 */
export async function readdir(
    queries: Queries,
    object: number,
    cookie: number,
    out: Buffer,
    at: number,
    room: number,
): Promise<number> {
    const directory = queries.volume.directory
    const tree = queries.volume.tree
    const status = await loadDirectory(directory, object)
    if (status !== ok) return status
    let count = 0
    let used = 1
    let last = lastPage
    let key = cookie < firstEntry ? firstEntry : cookie + 1
    while ((await tree.seek(object, key)) && tree.object === object) {
        const bytes = tree.valueBytes - entryHeadBytes
        const need = 4 + attributeBytes + 1 + bytes
        if (used + need > room) {
            last = 0
            break
        }
        loadEntry(directory)
        key = directory.key
        const child = directory.object
        out.setAt(at + used, "u32", key)
        out[at + used + 4 + attributeBytes] = bytes
        out.blitAt(at + used + 5 + attributeBytes, tree.leaf, tree.valueAt + entryHeadBytes, bytes)
        if (!(await directory.load(child))) directory.setInode(directory.type, 0, 0, 0, 0, object)
        writeAttributes(queries, out, at + used + 4, child)
        used += need
        count++
        key++
    }
    out[at] = count | last
    queries.bytes = used
    return ok
}

export async function askSnapshots(queries: Queries, cookie: number, out: Buffer, at: number): Promise<number> {
    const volume = queries.volume
    queries.bytes = await listSnapshots(volume.tree, volume.log, cookie, out, at, out.length - at)
    return ok
}

export function statfs(queries: Queries, out: Buffer, at: number): number {
    const volume = queries.volume
    const log = volume.log
    out.setAt(at, "u32", (log.segments - 1) * volume.array.segmentPages * bodyBytes)
    out.setAt(at + 4, "u32", freePages(volume) * bodyBytes)
    out.setAt(at + 8, "u16", bodyBytes)
    out[at + 10] = volume.array.elements
    let dead = 0
    for (let mask = deadIn(volume.array); mask; mask >>= 1) dead += mask & 1
    out[at + 11] = dead
    out.setAt(at + 12, "u32", log.epoch)
    out.setAt(at + 16, "u32", commitNumber(log))
    out.setAt(at + 22, "u16", volume.repair.damaged)
    queries.bytes = 20
    return ok
}

async function answer(
    queries: Queries,
    op: number,
    frame: Buffer,
    bytes: number,
    out: Buffer,
    at: number,
): Promise<number> {
    const object = frame.getAt(atObject, "u32")
    if (op === queryLookup) return await lookupPath(queries, object, frame, atPath, bytes - atPath, out, at)
    if (op === queryGetattr) return await getattr(queries, object, out, at)
    if (op === queryReaddir) return await readdir(queries, object, frame.getAt(atPath, "u32"), out, at, out.length - at)
    if (op === queryProperties) return await properties(queries, object, out, at)
    return badRequest
}

/** Writes the attributes of the inode last loaded. */
function writeAttributes(queries: Queries, out: Buffer, at: number, object: number): void {
    const inode = queries.volume.directory.inode
    out.blitAt(at, inode, 0, 2)
    out.setAt(at + 2, "u32", object)
    out.blitAt(at + 6, inode, 4, 12)
}

async function properties(queries: Queries, object: number, out: Buffer, at: number): Promise<number> {
    const volume = queries.volume
    if (!(await volume.directory.load(object))) return notFound
    const bytes = await findProperties(volume.tree, object)
    if (bytes > 0) out.blitAt(at, volume.tree.leaf, volume.tree.valueAt, bytes)
    queries.bytes = bytes
    return ok
}
