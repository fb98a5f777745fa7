// A volume: the file tree on one array, and what it takes to keep it through any power cut.
//
// Promises:
// - Every change is one commit: the root is the last page programmed. Between two operations nothing is half done.
// - `mount` reads a bounded number of pages, whatever the volume holds, and changes nothing before it takes control.
// - After an exception in the middle of an operation `recover` brings back the state before it.
// - All buffers are allocated when the object is made. One operation at a time runs on all the volumes that share a cache.
//
// Crash order of formatting: 1 erase the reserved segment and segment 1, 2 root, 3 anchor, 4 labels. No label: not formatted.
// Crash order of mounting: 1 anchor with epoch + 1, 2 labels a cut left out, 3 the log's last page again when only some elements have
// it, 4 commit.

import { MirrorArray } from "../array/mirror"
import { platform } from "../platform"
import { Cleaner } from "./cleaner"
import {
    Directory,
    flagDropped,
    flagUpload,
    orphanList,
    rootDirectory,
    typeDirectory,
    typeFile,
    uploadList,
} from "./directory"
import { Labels } from "./label"
import { Log } from "./log"
import { bodyBytes, noPage } from "./page"
import { dropProperties } from "./properties"
import { storeResult } from "./sessions"
import { loadPins } from "./snapshots"
import { badRequest } from "./status"
import { NodeCache } from "./node-cache"
import { Tree } from "./tree"
import { Upload } from "./upload"

export const uploadsMax = 4
/** Data pages after a root: a mount reads at most this many, and a few torn ones. */
const tailPagesMax = 96
/** Free segments that only operations which give space back, and the cleaner, may use. */
const keptSegments = 3
/** A ring of two sectors of anchors beside the labels; and segments beyond those kept. */
const segmentPagesMin = 48
const segmentsMin = 8
/** Pages one operation writes, at most. */
const operationPagesMax = 64
/** The same, of removing a snapshot. */
const removalPagesMax = 32
/** Extents of a dropped file given back in one commit. */
const extentsPerCommit = 8
/** Steps of reclaiming one operation may have to wait for when space is short. */
const reclaimStepsMax = 40
/** With fewer free segments than this the cleaner works while the node is idle. */
const cleanBelow = 8

export class Volume {
    number: number
    mounted: boolean
    log: Log
    tree: Tree
    directory: Directory
    uploads: Upload[]
    array: MirrorArray
    /** Whether `reclaim` may have work. */
    orphans: boolean
    /** Blocks that follow each other from the one `pageOf` found, itself included. */
    extentLeft: number
    private cache: NodeCache
    private scratch: Buffer
    private labels: Labels
    private cleaner: Cleaner
    private weakUpload: Upload

    /** @param usage at least 2 bytes per segment; @param scratch a page buffer that is free between calls */
    constructor(number: number, array: MirrorArray, cache: NodeCache, root: Buffer, usage: Buffer, scratch: Buffer) {
        this.number = number
        this.array = array
        this.cache = cache
        this.scratch = scratch
        this.mounted = false
        const log = new Log(array, root, usage, scratch)
        this.log = log
        log.onErase = (first, pages) => cache.forget(number, first, pages)
        this.tree = new Tree(cache, log, number)
        this.directory = new Directory(this.tree)
        this.labels = new Labels(array, scratch, number)
        this.uploads = []
        for (let i = 0; i < uploadsMax; i++) this.uploads.push(new Upload())
        this.cleaner = new Cleaner(log, this.tree, this.uploads, scratch)
        this.orphans = false
        this.extentLeft = 0
    }

    // --- mounting

    /**
     * Makes the volume usable by this node, formatting blank elements first. Identifies the elements itself.
     * @returns false when the array cannot be read, or is not this volume's
     */
    async mount(): Promise<boolean> {
        this.mounted = false
        this.cache.forget(this.number, 0, 0x2000000)
        if (!(await this.array.identify())) return false
        if (!(await this.labels.inspect())) return false
        if (this.labels.labelled === 0 && !(await this.format())) return false
        const log = this.log
        const answering = this.array.members
        log.anchors.arrayId = this.labels.arrayId
        if (!(await this.openMembers(answering))) return false
        await this.restore()
        await log.takeControl()
        this.array.onLoss = async () => {
            await log.writeAnchor()
        }
        await this.labels.write()
        await this.labels.leaveOut(answering & ~this.array.members)
        if (this.weakUpload) {
            await log.ensure(1)
            await this.weakUpload.appendWeak(log)
        }
        if (log.weakPage !== noPage || this.hasRuns()) await this.commit()
        this.orphans = true
        this.mounted = true
        return true
    }

    /** Brings back the last commit and the uploads' tail, after an exception in an operation. @returns false when they cannot be read */
    async recover(): Promise<boolean> {
        this.mounted = false
        this.cache.forget(this.number, 0, 0x2000000)
        await this.array.settle()
        if (!(await this.log.loadRoot())) return false
        // a page that was to be programmed may be blank: a mount must not take it for the log's end
        await this.log.writeAnchor()
        await this.restore()
        if (this.hasRuns()) await this.commit()
        this.orphans = true
        this.mounted = true
        return true
    }

    /** Opens the log from the elements that have kept up, and leaves the others out. */
    private async openMembers(answering: number): Promise<boolean> {
        const array = this.array
        const log = this.log
        array.use(this.labels.labelled)
        if (!(await log.open())) return false
        let members = this.labels.labelled & log.anchors.members
        for (let element = 0; element < array.elements; element++) {
            const bit = 1 << element
            if (answering & log.anchors.members & ~this.labels.labelled & bit && (await log.anchors.isOn(element)))
                members |= bit
        }
        // only elements that were left behind: what they hold is older than what was acknowledged
        if (members === 0) return false
        if (members === this.labels.labelled) return true
        array.admit(members)
        array.use(members)
        return await log.open()
    }

    /** @returns false when the elements are not blank, or too small */
    private async format(): Promise<boolean> {
        const array = this.array
        if (array.segmentPages < segmentPagesMin || array.pages < array.segmentPages * segmentsMin) return false
        // a cut while formatting leaves no label and no more than the empty root directory
        this.log.anchors.arrayId = 0
        if ((await this.log.open()) && this.log.commitNumber() > 2) return false
        await array.erase(0, array.segmentPages * 2)
        await array.settle()
        await this.log.format(this.labels.choose())
        this.tree.load()
        this.directory.setInode(typeDirectory, 0, 0, 0, 1, rootDirectory)
        await this.directory.store(rootDirectory)
        for (let i = 0; i < uploadsMax; i++) this.uploads[i].object = 0
        await this.commit()
        await this.labels.write()
        return true
    }

    /** Takes the tree from the log's root, and the open uploads from the tree and the tail. */
    private async restore(): Promise<void> {
        this.cleaner.begin()
        this.tree.load()
        await loadPins(this.tree, this.log)
        await this.findUploads()
        this.weakUpload = undefined
        const self = this
        await this.log.readTail((page, object, block, bytes, buffer) => {
            const upload = self.uploadOf(object)
            if (!upload) return
            const isWeak = page === self.log.weakPage
            if (isWeak) self.weakUpload = upload
            upload.recover(self.log, page, block, bytes, buffer, isWeak)
        })
    }

    private async findUploads(): Promise<void> {
        const tree = this.tree
        const uploads = this.uploads
        const now = platform.now()
        // an upload keeps its slot
        const before: number[] = []
        for (let i = 0; i < uploadsMax; i++) {
            before.push(uploads[i].object)
            uploads[i].object = 0
        }
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
            let slot = before.indexOf(object)
            if (slot < 0) slot = 0
            while (uploads[slot].object) slot = (slot + 1) % uploadsMax
            uploads[slot].resume(object, session, size, page, this.scratch, now)
            found++
        }
    }

    hasRuns(): boolean {
        for (let i = 0; i < uploadsMax; i++) if (this.uploads[i].object && this.uploads[i].hasRuns()) return true
        return false
    }

    /** Page of a block as the tree has it. @returns -1 when the file has no such block */
    async pageOf(object: number, block: number): Promise<number> {
        const tree = this.tree
        if (!(await tree.findAtMost(object, block + 1)) || tree.object !== object || tree.sub === 0) return -1
        const offset = block + 1 - tree.sub
        const left = tree.leaf.getAt(tree.valueAt + 4, "u16") - offset
        if (left <= 0) return -1
        this.extentLeft = left
        return tree.leaf.getAt(tree.valueAt, "u32") + offset
    }

    // --- committing

    changeNumber(): number {
        return this.log.commitNumber() + 1
    }

    /** Ends an operation: everything it changed becomes real, or nothing. What uploads appended becomes part of the tree. */
    async commit(): Promise<void> {
        for (let i = 0; i < uploadsMax; i++) {
            const upload = this.uploads[i]
            if (!upload.object || !upload.hasRuns()) continue
            await upload.putExtents(this.tree, this.log)
            this.directory.setInode(typeFile, flagUpload, upload.appended(), 0, 0, 0)
            await this.directory.store(upload.object)
        }
        await this.tree.flush()
        await this.log.commitRoot()
        for (let i = 0; i < uploadsMax; i++) if (this.uploads[i].object) this.uploads[i].settled()
        if (this.log.available() < cleanBelow || this.log.entered >= this.log.segments) this.orphans = true
    }

    /** Makes what uploads appended part of the tree, and the log's tail empty. */
    async checkpoint(): Promise<void> {
        await this.commit()
    }

    /** Ends an operation asked for by a session: its result is stored by the same commit. */
    async commitResult(session: number, sequence: number, status: number, value: number): Promise<void> {
        storeResult(this.log.root, session, sequence, status, value)
        await this.commit()
    }

    // --- space

    /** Gets room for one operation. @returns false when the volume is full */
    async prepare(givesBack: boolean): Promise<boolean> {
        const log = this.log
        if (log.available() < keptSegments) await this.makeSpace()
        if (givesBack) return log.available() > 0 || log.left() >= operationPagesMax
        return log.available() >= keptSegments
    }

    /**
     * Whether so little is left that only removing a snapshot can help: what any other request writes would be lost to it, since what
     * snapshots pin gives nothing back.
     */
    isHeldBySnapshots(): boolean {
        return this.log.available() <= 1 && this.log.hasPins()
    }

    /** Whether removing a snapshot has the room it needs. */
    takesRemoval(): boolean {
        return this.log.available() > 0 || this.log.left() >= removalPagesMax
    }

    /** Whether a snapshot may be made: what it pins cannot be emptied any more, so there must be segments to go on with. */
    takesSnapshot(): boolean {
        return this.log.available() >= keptSegments + 2
    }

    /** Gets room for one data page. @returns false when the volume is full */
    async prepareData(upload: Upload): Promise<boolean> {
        const log = this.log
        if (log.takesData(tailPagesMax, keptSegments) && !upload.wantsCheckpoint()) return true
        if (log.available() < keptSegments) {
            await this.makeSpace()
            if (log.available() < keptSegments) return false
        }
        if (log.tailPages() >= tailPagesMax || log.tailIsFull() || upload.wantsCheckpoint()) await this.commit()
        if (log.next === this.array.segmentPages) {
            await log.ensure(1)
            if (log.tailIsFull()) await this.commit()
            await log.ensure(1)
        }
        return true
    }

    /** Data pages that can still be taken, as near as can be told; for the figures a host sees. */
    freePages(): number {
        const log = this.log
        const pages = (log.segments - 2 - keptSegments) * this.array.segmentPages - log.live - log.pinnedPages()
        return pages > 0 ? pages : 0
    }

    private async makeSpace(): Promise<void> {
        for (let i = 0; i < reclaimStepsMax && this.log.available() < keptSegments; i++)
            if (!(await this.reclaimStep())) {
                // looking through all segments for nothing took long, and the next block will ask again: a program must rest now and then
                await platform.sleep(1)
                return
            }
    }

    /** One bounded step of giving back the pages of dropped objects, or of emptying segments. Called while the node is idle. */
    async reclaim(): Promise<void> {
        if (!(await this.reclaimStep())) this.orphans = false
    }

    /** @returns false when there was nothing to do */
    private async reclaimStep(): Promise<boolean> {
        const tree = this.tree
        const log = this.log
        if (log.available() === 0 && log.left() < operationPagesMax) return false
        if ((await tree.seek(orphanList, 1)) && tree.object === orphanList) {
            const object = tree.sub
            if (await this.shrink(object, extentsPerCommit)) {
                await tree.remove(object, 0)
                await tree.remove(orphanList, object)
            }
        } else {
            if (log.available() === 0) return false
            if (log.entered >= log.segments && log.available() >= keptSegments) {
                // once in a round of the log a segment at random takes its turn, full as it may be
                log.entered = 0
                this.cleaner.refresh(1 + (platform.random() % (log.segments - 1)))
            }
            if (log.available() >= cleanBelow && !this.cleaner.isBusy()) return false
            if (this.hasRuns()) await this.commit()
            if (!(await this.cleaner.step())) return false
        }
        await this.commit()
        return true
    }

    // --- the array: placeholders until rebuild and scrub are merged

    async beginRebuild(_position: number, _slot: number, _flags: number): Promise<number> {
        return badRequest
    }

    setScrub(_rowsPerSecond: number): number {
        return badRequest
    }

    describeArray(_out: Buffer, _at: number): number {
        return 0
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
        await dropProperties(this.tree, object)
        if (await this.shrink(object, 2)) {
            await this.tree.remove(object, 0)
            return
        }
        if (await this.directory.loadAny(object)) {
            this.directory.inode[1] = flagDropped
            await this.directory.store(object)
        }
        await this.tree.put(orphanList, object, Buffer.alloc(1), 0, 1)
        this.orphans = true
    }
}
