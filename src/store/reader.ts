// Reads a file's bytes in order, remembering the extent it is in so that the tree is asked once per extent and not once per page; but
// no longer than until the next commit, which may have moved the extent.

import { atBody, atBlock, atOwner, bodyBytes } from "./page"
import { ioError, isDirectory, notFound, ok } from "./status"
import { typeDirectory } from "./directory"
import { Volume } from "./volume"

export class Reader {
    size: number
    private object: number
    private volume: Volume
    private buffer: Buffer
    /** Block in the buffer, or -1. */
    private block: number
    // the extent: pages left of it from the block after, as of a commit
    private nextBlock: number
    private nextPage: number
    private left: number
    private commit: number

    /** @param buffer a page buffer of its own */
    constructor(buffer: Buffer) {
        this.buffer = buffer
        this.size = 0
    }

    /** @returns ok, notFound or isDirectory */
    async open(volume: Volume, object: number): Promise<number> {
        this.volume = volume
        this.object = object
        this.block = -1
        this.left = 0
        if (!(await volume.directory.load(object))) return notFound
        if (volume.directory.inode[0] === typeDirectory) return isDirectory
        this.size = volume.directory.inode.getAt(4, "u32")
        return ok
    }

    /**
     * Copies `bytes` bytes of the file from `offset` to `out` at `at`; they must lie within the file.
     * @returns ok, or ioError when no copy of a page is good, or notFound when the file is gone
     */
    async read(offset: number, bytes: number, out: Buffer, at: number): Promise<number> {
        while (bytes > 0) {
            const block = (offset / bodyBytes) | 0
            const within = offset - block * bodyBytes
            if (block !== this.block) {
                this.block = -1
                const volume = this.volume
                const commit = volume.log.commitNumber()
                let page = this.nextPage
                if (this.left <= 0 || block !== this.nextBlock || commit !== this.commit) {
                    page = await volume.pageOf(this.object, block)
                    if (page < 0) return notFound
                    this.left = volume.extentLeft
                    this.commit = commit
                }
                this.left--
                this.nextBlock = block + 1
                this.nextPage = page + 1
                if (
                    !(await volume.log.readPage(page, this.buffer)) ||
                    this.buffer.getAt(atOwner, "u32") !== this.object ||
                    this.buffer.getAt(atBlock, "u32") !== block
                )
                    return ioError
                this.block = block
            }
            const n = bytes < bodyBytes - within ? bytes : bodyBytes - within
            out.blitAt(at, this.buffer, atBody + within, n)
            offset += n
            at += n
            bytes -= n
        }
        return ok
    }
}
