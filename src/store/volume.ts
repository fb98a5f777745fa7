// A volume: the file tree on one array, and what it takes to keep it through any power cut.
//
// Promises:
// - Every change is one commit: the root is the last page programmed. Between two operations nothing is half done.
// - `mount` reads a bounded number of pages, whatever the volume holds, and changes nothing before it takes control.
// - All buffers are allocated when the object is made.
//
// Crash order of formatting: 1 erase the reserved segment and segment 1, 2 root, 3 anchor, 4 labels. No label: not formatted.

import { MirrorArray } from "../array/mirror"
import { platform } from "../platform"
import { Directory, flagUpload, orphanList, rootDirectory, typeDirectory, typeFile, uploadList } from "./directory"
import { isFormatted, writeLabels } from "./label"
import { Log } from "./log"
import { bodyBytes } from "./page"
import { storeResult } from "./sessions"
import { NodeCache, Tree } from "./tree"
import { Upload } from "./upload"

export const uploadsMax = 4
/** Data pages after a root: a mount reads at most this many, and a few torn ones. */
const tailPagesMax = 120
/** Segments that only operations which give space back may use. */
const keptSegments = 2
/** Extents of a dropped file given back in one commit. */
const extentsPerCommit = 8
/** Tree nodes a checkpoint may write for one upload, and pages a few cut mounts may leave unused. */
const nodesPerUpload = 7
const tornPagesMax = 8

export class Volume {
    number: number
    mounted: boolean
    log: Log
    tree: Tree
    directory: Directory
    uploads: Upload[]
    array: MirrorArray
    /** Whether objects wait in the orphan list. */
    orphans: boolean
    private cache: NodeCache
    private scratch: Buffer

    /** @param usage at least 2 bytes per segment; @param scratch a page buffer that is free between calls */
    constructor(number: number, array: MirrorArray, cache: NodeCache, root: Buffer, usage: Buffer, scratch: Buffer) {
        this.number = number
        this.array = array
        this.cache = cache
        this.scratch = scratch
        this.mounted = false
        this.log = new Log(array, root, usage, scratch)
        this.log.onErase = (first, pages) => cache.forget(number, first, pages)
        this.tree = new Tree(cache, this.log, number)
        this.directory = new Directory(this.tree)
        this.uploads = []
        for (let i = 0; i < uploadsMax; i++) this.uploads.push(new Upload())
        this.orphans = false
    }

    // --- mounting

    /**
     * Makes the volume usable by this node, formatting blank elements first.
     * @returns false when the array cannot be read
     */
    async mount(): Promise<boolean> {
        this.mounted = false
        this.cache.forget(this.number, 0, 0x2000000)
        const formatted = await isFormatted(this.array, this.scratch)
        if (formatted < 0) return false
        // a cut while formatting leaves no label and no more than the empty root directory
        if (formatted === 0) {
            if ((await this.log.open()) && this.log.commitNumber() > 2) return false
            await this.format()
        }
        if (!(await this.log.open())) return false
        this.tree.load()
        await this.findUploads()
        const self = this
        await this.log.readTail((page, object, block, bytes, buffer) => {
            const upload = self.uploadOf(object)
            if (upload) upload.recover(self.log, page, block, bytes, buffer)
        })
        await this.log.takeControl()
        let dirty = false
        for (let i = 0; i < uploadsMax; i++) if (this.uploads[i].object && this.uploads[i].hasRuns()) dirty = true
        if (dirty) await this.checkpoint()
        this.orphans = (await this.tree.seek(orphanList, 1)) && this.tree.object === orphanList
        this.mounted = true
        return true
    }

    private async format(): Promise<void> {
        const array = this.array
        await array.erase(0, array.segmentPages * 2)
        await array.settle()
        await this.log.format()
        this.tree.load()
        this.directory.setInode(typeDirectory, 0, 0, 0, 1, rootDirectory)
        await this.directory.store(rootDirectory)
        await this.commit()
        await writeLabels(array, this.scratch, this.number)
    }

    private async findUploads(): Promise<void> {
        const tree = this.tree
        const now = platform.now()
        for (let i = 0; i < uploadsMax; i++) this.uploads[i].object = 0
        let found = 0
        let sub = 1
        while (found < uploadsMax && (await tree.seek(uploadList, sub)) && tree.object === uploadList) {
            const object = tree.sub
            const session = tree.leaf.getAt(tree.valueAt, "u32")
            sub = object + 1
            if (!(await this.directory.loadAny(object))) continue
            const size = this.directory.inode.getAt(4, "u32")
            let page = 0
            const block = (size / bodyBytes) | 0
            if (block * bodyBytes !== size) {
                page = await this.pageOf(object, block)
                if (page < 0 || !(await this.log.readPage(page, this.scratch))) throw new Error("upload " + object)
            }
            this.uploads[found++].resume(object, session, size, page, this.scratch, now)
        }
    }

    /** Page of a block as the tree has it. @returns -1 when the file has no such block */
    async pageOf(object: number, block: number): Promise<number> {
        const tree = this.tree
        if (!(await tree.findAtMost(object, block + 1)) || tree.object !== object || tree.sub === 0) return -1
        const offset = block + 1 - tree.sub
        if (offset >= tree.leaf.getAt(tree.valueAt + 4, "u16")) return -1
        return tree.leaf.getAt(tree.valueAt, "u32") + offset
    }

    // --- committing

    changeNumber(): number {
        return this.log.commitNumber() + 1
    }

    /** Ends an operation: everything it changed becomes real, or nothing. */
    async commit(): Promise<void> {
        await this.tree.flush()
        await this.log.commitRoot()
    }

    /** Ends an operation asked for by a session: its result is stored by the same commit. */
    async commitResult(session: number, sequence: number, status: number, value: number): Promise<void> {
        storeResult(this.log.root, session, sequence, status, value)
        await this.commit()
    }

    /** Gets room for one operation in the present segment. @returns false when the volume is full */
    async prepare(givesBack: boolean): Promise<boolean> {
        const free = this.log.freeSegments
        if (this.log.room() >= 0) return givesBack || free >= keptSegments
        if (free < (givesBack ? 1 : keptSegments + 1)) return false
        return await this.moveOn()
    }

    /** Whether data can be taken; for the figures a host sees. */
    freePages(): number {
        const segments = this.log.freeSegments - keptSegments
        const room = this.log.room()
        const pages = segments * this.array.segmentPages + (room > 0 ? room : 0)
        return pages > 0 ? pages : 0
    }

    private checkpointPages(): number {
        let uploads = 0
        for (let i = 0; i < uploadsMax; i++) if (this.uploads[i].object) uploads++
        return uploads * nodesPerUpload + 8 + tornPagesMax
    }

    /** Gets room for one data page. @returns false when the volume is full */
    async prepareData(upload: Upload): Promise<boolean> {
        const log = this.log
        const left = this.array.segmentPages - log.next
        if (left <= this.checkpointPages()) {
            if (log.freeSegments < keptSegments + 1) return false
            return await this.moveOn()
        }
        if (log.since > tailPagesMax || upload.wantsCheckpoint()) await this.checkpoint()
        return true
    }

    /** Makes open uploads known to the tree, and the log's tail empty. */
    async checkpoint(): Promise<void> {
        await this.putUploads()
        await this.commit()
    }

    private async putUploads(): Promise<void> {
        for (let i = 0; i < uploadsMax; i++) {
            const upload = this.uploads[i]
            if (!upload.object || !upload.hasRuns()) continue
            await this.array.settle()
            upload.settled()
            await upload.putExtents(this.tree)
            this.directory.setInode(typeFile, flagUpload, upload.durable, 0, 0, 0)
            await this.directory.store(upload.object)
        }
    }

    private async moveOn(): Promise<boolean> {
        await this.putUploads()
        await this.tree.flush()
        return await this.log.commitAndMoveOn()
    }

    // --- uploads

    uploadOf(object: number): Upload {
        for (let i = 0; i < uploadsMax; i++) if (this.uploads[i].object === object) return this.uploads[i]
        return undefined
    }

    uploadOfHandle(handle: number): Upload {
        for (let i = 0; i < uploadsMax; i++) {
            const object = this.uploads[i].object
            if (object && object % 0x10000 === handle) return this.uploads[i]
        }
        return undefined
    }

    // --- giving space back

    /** Takes extents of `object` out of the tree, at most `max`. @returns true when none is left */
    async shrink(object: number, max: number): Promise<boolean> {
        const tree = this.tree
        for (let i = 0; i < max; i++) {
            if (!(await tree.seek(object, 1)) || tree.object !== object) return true
            const page = tree.leaf.getAt(tree.valueAt, "u32")
            const count = tree.leaf.getAt(tree.valueAt + 4, "u16")
            this.log.account(page, -count)
            await tree.remove(object, tree.sub)
        }
        return !((await tree.seek(object, 1)) && tree.object === object)
    }

    /** Drops an object no entry leads to any more: at once when it is small, else the rest is left for `reclaim`. */
    async drop(object: number): Promise<void> {
        if (await this.shrink(object, 2)) {
            await this.tree.remove(object, 0)
            return
        }
        await this.tree.put(orphanList, object, Buffer.alloc(1), 0, 1)
        this.orphans = true
    }

    /** One bounded step of giving back the pages of dropped objects. Called while the node is idle, or space is short. */
    async reclaim(): Promise<void> {
        const tree = this.tree
        if (!(await tree.seek(orphanList, 1)) || tree.object !== orphanList) {
            this.orphans = false
            return
        }
        const object = tree.sub
        if (!(await this.prepare(true))) return
        if (await this.shrink(object, extentsPerCommit)) {
            await tree.remove(object, 0)
            await tree.remove(orphanList, object)
        }
        await this.commit()
    }
}
