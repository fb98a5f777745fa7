// Reads a file's bytes in order, remembering the extent it is in so that the tree is asked once per extent and not once per page; but
// no longer than until the next commit, which may have moved the extent. Those of a snapshot stay where they are as long as it is there.

import { atBody, bodyBytes } from "./page"
import { ioError, isDirectory, notFound, ok } from "./status"
import { typeDirectory } from "./directory"
import { commitOfSnapshot, enterSnapshot, leaveSnapshot } from "./snapshots"
import { readBlock, commitNumber } from "./log"
import { Volume } from "./volume"

const damaged = -2

export class Reader {
    size: number
    object: number
    volume: Volume
    /** 0 = the volume itself; and the commit it is of. */
    snapshot: number
    snapshotCommit: number
    buffer: Buffer
    /** Block in the buffer, or -1. */
    block: number
    // the extent: pages left of it from the block after, as of a commit
    nextBlock: number
    nextPage: number
    left: number
    commit: number

    /** @param buffer a page buffer of its own */
    constructor(buffer: Buffer) {
        this.buffer = buffer
        this.size = 0
    }
}

/** @returns ok, notFound, isDirectory or ioError */
export async function openFile(reader: Reader, volume: Volume, object: number, snapshot: number): Promise<number> {
    reader.volume = volume
    reader.object = object
    reader.block = -1
    reader.left = 0
    reader.snapshot = snapshot
    if (snapshot === 0) return await load(reader)
    const tree = volume.tree
    reader.snapshotCommit = await enterSnapshot(tree, snapshot)
    if (reader.snapshotCommit === 0) return notFound
    let status = ioError
    try {
        status = await load(reader)
    } catch (e) {
        console.log("! snapshot " + e)
    }
    leaveSnapshot(tree, volume.log)
    return status
}

/**
 * Copies `bytes` bytes of the file from `offset` to `out` at `at`; they must lie within the file.
 * @returns ok, or ioError when no copy of a page is good, or notFound when the file is gone
 */
export async function readFile(
    reader: Reader,
    offset: number,
    bytes: number,
    out: Buffer,
    at: number,
): Promise<number> {
    while (bytes > 0) {
        const block = (offset / bodyBytes) | 0
        const within = offset - block * bodyBytes
        if (block !== reader.block) {
            reader.block = -1
            const volume = reader.volume
            const commit = commitNumber(volume.log)
            let page = reader.nextPage
            if (reader.left <= 0 || block !== reader.nextBlock || commit !== reader.commit) {
                if (reader.snapshot === 0) {
                    page = await volume.pageOf(reader.object, block)
                    if (page < 0) return notFound
                    reader.left = volume.extentLeft
                } else {
                    page = await pageInSnapshot(reader, block)
                    if (page < 0) return page === damaged ? ioError : notFound
                }
                reader.commit = commit
            }
            reader.left--
            reader.nextBlock = block + 1
            reader.nextPage = page + 1
            if (!(await readBlock(volume.log, page, reader.object, block, reader.buffer))) return ioError
            reader.block = block
        }
        const n = bytes < bodyBytes - within ? bytes : bodyBytes - within
        out.blitAt(at, reader.buffer, atBody + within, n)
        offset += n
        at += n
        bytes -= n
    }
    return ok
}

async function load(reader: Reader): Promise<number> {
    const volume = reader.volume
    const object = reader.object
    if (!(await volume.directory.load(object))) return notFound
    if (volume.directory.inode[0] === typeDirectory) return isDirectory
    reader.size = volume.directory.inode.getAt(4, "u32")
    return ok
}

/** Page of a block, `left` set; -1 when the snapshot is gone, or `damaged`. */
async function pageInSnapshot(reader: Reader, block: number): Promise<number> {
    const volume = reader.volume
    const tree = volume.tree
    // a commit since may have removed the snapshot, but not moved what it holds
    if (reader.left > 0)
        if (block === reader.nextBlock)
            return (await commitOfSnapshot(tree, reader.snapshot)) === reader.snapshotCommit ? reader.nextPage : -1
    const commit = await enterSnapshot(tree, reader.snapshot)
    if (commit === 0) return -1
    let page = -1
    try {
        if (commit === reader.snapshotCommit) page = await volume.pageOf(reader.object, block)
        reader.left = volume.extentLeft
    } catch (e) {
        console.log("! snapshot " + e)
        page = damaged
    }
    leaveSnapshot(tree, volume.log)
    return page
}
