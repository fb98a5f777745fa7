// What can be asked of a volume without changing it. Answers are written into the caller's buffer, docs/PROTOCOL.md "query".

import { firstEntry } from "./directory"
import { bodyBytes } from "./page"
import { badName, notFound, ok } from "./status"
import { Volume } from "./volume"

const attributeBytes = 18
const entryHeadBytes = 5
/** In the count of a page of a directory: there is no more. */
const lastPage = 0x80

export class Queries {
    /** Bytes of the answer. */
    bytes: number
    private volume: Volume

    constructor(volume: Volume) {
        this.volume = volume
        this.bytes = 0
    }

    /** Writes the attributes of the inode last loaded. */
    private writeAttributes(out: Buffer, at: number, object: number): void {
        const inode = this.volume.directory.inode
        out.blitAt(at, inode, 0, 2)
        out.setAt(at + 2, "u32", object)
        out.blitAt(at + 6, inode, 4, 12)
    }

    async getattr(object: number, out: Buffer, at: number): Promise<number> {
        if (!(await this.volume.directory.load(object))) return notFound
        this.writeAttributes(out, at, object)
        this.bytes = attributeBytes
        return ok
    }

    /** Walks `bytes` bytes of path from `from`, names joined by slashes. */
    async lookup(object: number, path: Buffer, from: number, bytes: number, out: Buffer, at: number): Promise<number> {
        const directory = this.volume.directory
        const end = from + bytes
        let parent = 0
        let key = 0
        let found = 0
        this.bytes = 1
        while (from < end) {
            let slash = path.indexOf(0x2f, from, end)
            if (slash < 0 || slash > end) slash = end
            out[at] = found
            let status = await directory.loadDirectory(object)
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
        this.writeAttributes(out, at, object)
        out.setAt(at + attributeBytes, "u32", parent)
        out.setAt(at + attributeBytes + 4, "u32", key)
        this.bytes = attributeBytes + 8
        return ok
    }

    /**
     * Lists entries after `cookie`, as many as fit `room` bytes.
     * @param room at least 224: one entry with the longest name
     */
    async readdir(object: number, cookie: number, out: Buffer, at: number, room: number): Promise<number> {
        const directory = this.volume.directory
        const tree = this.volume.tree
        const status = await directory.loadDirectory(object)
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
            directory.loadEntry()
            key = directory.key
            const child = directory.object
            out.setAt(at + used, "u32", key)
            out[at + used + 4 + attributeBytes] = bytes
            out.blitAt(at + used + 5 + attributeBytes, tree.leaf, tree.valueAt + entryHeadBytes, bytes)
            if (!(await directory.load(child))) directory.setInode(directory.type, 0, 0, 0, 0, object)
            this.writeAttributes(out, at + used + 4, child)
            used += need
            count++
            key++
        }
        out[at] = count | last
        this.bytes = used
        return ok
    }

    statfs(out: Buffer, at: number): number {
        const volume = this.volume
        const log = volume.log
        out.setAt(at, "u32", (log.segments - 1) * volume.array.segmentPages * bodyBytes)
        out.setAt(at + 4, "u32", volume.freePages() * bodyBytes)
        out.setAt(at + 8, "u16", bodyBytes)
        out[at + 10] = volume.array.elements
        let dead = 0
        for (let mask = volume.array.dead(); mask; mask >>= 1) dead += mask & 1
        out[at + 11] = dead
        out.setAt(at + 12, "u32", log.epoch)
        out.setAt(at + 16, "u32", log.commitNumber())
        this.bytes = 20
        return ok
    }
}
