// A volume: the file tree on one array, and what it takes to keep it through any power cut.
//
// Promises:
// - Every change is one commit: the root is the last page programmed. Between two operations nothing is half done.
// - `mount` reads a bounded number of pages, whatever the volume holds, and changes nothing before it takes control;
//   what it could not read for a moment it does not take for never written.
// - After an exception in the middle of an operation `mount` brings back the state before it.
// - All buffers are allocated when the object is made. One operation at a time runs on all the volumes that share a cache.
//
// Crash order of mounting: 1 anchor with epoch + 1, 2 labels a cut left out, 3 what is good of the log's rows from the first on of which an
// element lacks something again, 4 settle; served from here on, 5 commit: at once when that row was the last root's, else by the next operation
// or when the node is idle. Until then a mount begins with that row once more.

import { hasPins } from "./usage"
import { ElementArray, deadIn, isEnough } from "../array/array"
import { slotsMax } from "../flash/bank"
import { platform } from "../platform"
import { isNewest, isOn } from "./anchors"
import { Cleaner, isStuck, refreshSegment, wideSegmentPages } from "./cleaner"
import { Directory, flagDropped, flagUpload, orphanList, typeFile } from "./directory"
import { formatArray } from "./format"
import { Labels, adopt, hasMissed, idOf, inspectLabels, isOwn, leaveOut, settleOn, writeLabels } from "./label"
import { Log, available, tailPages, takeControl, takesData, account, commitNumber, ensure, roomIn } from "./log"
import { dropProperties } from "./properties"
import { Repair, beginRepair } from "./repair"
import { noteSettled, restore, secure } from "./restore"
import { storeResult } from "./sessions"
import { NodeCache } from "./node-cache"
import { pagesKept } from "./snapshots"
import { isStillLast, openLog } from "./tail"
import { levelsMax, Tree } from "./tree"
import { Upload, appended, putExtents, uploadHasRuns, wantsCheckpoint } from "./upload"

export const uploadsMax = 4
/** Data pages after a root: a mount reads at most this many, and a few torn ones. */
const tailPagesMax = 192
/** Free segments that only operations which give space back, and the cleaner, may use. */
export const keptSegments = 3
/** Looks at an array that does not read twice alike, one soon after the other; then the mount is refused. */
const looksMax = 8
const lookAgainMs = 20
/** An element that is missing is asked for once more so much later. */
const silentMs = 100
/** Pages one operation writes, at most. */
const operationPagesMax = 64
/** Extents of a dropped file given back in one commit. */
const extentsPerCommit = 8
/** Steps of reclaiming one operation may have to wait for when space is short; and for how long it begins another. */
const reclaimStepsMax = 6
const reclaimMsMax = 2700
/** With fewer free segments than this the cleaner works while the node is idle. */
const cleanBelow = 8
/** And with fewer than this a step or more before each operation, where segments are so large that many operations fit into one. */
const cleanAtOnceBelow = 6
/** Data pages after which it does so in a file that is being written. */
const paceTailMax = 32

export class Volume {
    number: number
    /** Told in a mount when the volume is this node's, and its uploads known, while a row may still be appended again. */
    onControl: () => void
    mounted: boolean
    /** Whether the last look at the array was refused because it did not read twice alike. */
    isDoubtful: boolean
    /** The last object to be given back whose list of pages could not be read, or 0: those before it were given back, or not to be read either. */
    lost: number
    /** What the next `hello` must carry. No other one has it: each raises it, and takes a commit, of which a mount begins with the number. */
    challenge: number
    log: Log
    tree: Tree
    directory: Directory
    uploads: Upload[]
    array: ElementArray
    /** Whether `reclaim` may have work. */
    orphans: boolean
    /** A mount found a tail, or wrote rows of it again, and no commit came since: until then the next mount has to look at all of it again. */
    isRestored: boolean
    /** Blocks that follow each other from the one `pageOf` found, itself included. */
    extentLeft: number
    labels: Labels
    repair: Repair
    cleaner: Cleaner
    /** Rows of a segment in an array that is made new, if that makes no more segments than there is room for. */
    newSegmentRows: number
    cache: NodeCache
    scratch: Buffer

    /**
     * @param newSegmentRows rows of a segment in an array that is made new, at least; @param usage 2 bytes for each segment there may be;
     * @param scratch a page buffer that is free between calls
     */
    constructor(
        number: number,
        array: ElementArray,
        newSegmentRows: number,
        cache: NodeCache,
        root: Buffer,
        usage: Buffer,
        scratch: Buffer,
    ) {
        this.number = number
        this.array = array
        this.newSegmentRows = newSegmentRows
        this.cache = cache
        this.scratch = scratch
        this.mounted = false
        this.isDoubtful = false
        this.lost = 0
        const log = new Log(array, root, usage, scratch)
        this.log = log
        log.cache = cache
        log.number = number
        this.tree = new Tree(cache, log, number)
        this.directory = new Directory(this.tree)
        this.labels = new Labels(array, scratch, number)
        this.uploads = []
        for (let i = 0; i < uploadsMax; i++) this.uploads.push(new Upload())
        this.cleaner = new Cleaner(log, this.tree, this.uploads, scratch)
        this.repair = new Repair(this, scratch)
        this.orphans = false
        this.isRestored = false
        this.extentLeft = 0
    }

    // --- mounting

    /**
     * Makes the volume usable by this node, formatting blank elements first. Identifies the elements itself.
     * @returns false when the array cannot be read, or is not this volume's
     */
    async mount(): Promise<boolean> {
        const labels = this.labels
        const log = this.log
        this.mounted = false
        this.array.bank.isLetGo = false
        for (let looks = looksMax; !(await find(this));) {
            if (!this.isDoubtful) return false
            if (--looks === 0) return false
            await platform.sleep(lookAgainMs)
        }
        this.challenge = commitNumber(log)
        // one that is lost while control is taken is recorded as well
        this.array.recorder = log
        this.repair.seen = log.anchors.sequence
        await takeControl(log)
        await writeLabels(labels, log.anchors.generations, log.epoch)
        await leaveOut(labels, log.epoch)
        beginRepair(this.repair)
        // a root that may still be lost is not built on
        if (!log.isRootWeak) if (this.onControl) this.onControl()
        await secure(this)
        return true
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

    /** Ends an operation: everything it changed becomes real, or nothing. What uploads appended becomes part of the tree. */
    async commit(): Promise<void> {
        for (let i = 0; i < uploadsMax; i++) {
            const upload = this.uploads[i]
            if (!upload.object) continue
            if (!uploadHasRuns(upload)) continue
            await putExtents(upload, this.tree, this.log)
            this.directory.setInode(typeFile, flagUpload, appended(upload), 0, 0, 0)
            await this.directory.store(upload.object)
        }
        await this.tree.flush(levelsMax)
        await this.log.commitRoot()
        this.isRestored = false
        noteSettled(this)
        if (available(this.log) < cleanBelow || this.log.usage.cold) this.orphans = true
    }

    // --- space

    /** Gets room for one data page. @returns false when the volume is full */
    async prepareData(upload: Upload): Promise<boolean> {
        const log = this.log
        const tailMax = available(log) < cleanBelow ? paceTailMax : tailPagesMax
        if (takesData(log, tailMax, keptSegments)) if (!wantsCheckpoint(upload)) return true
        if (!(await makeSpace(this))) return false
        if (tailPages(log) >= tailMax || log.between !== 0 || wantsCheckpoint(upload)) await this.commit()
        if (roomIn(log) === 0) {
            await ensure(log, 1)
            if (log.between !== 0) await this.commit()
            await ensure(log, 1)
        }
        return true
    }

    /** The commit a mount left, or one bounded step of giving back the pages of dropped objects, or of emptying segments. Called while the node is idle. */
    async reclaim(): Promise<void> {
        if (this.isRestored) await this.commit()
        else if (!(await reclaimStep(this))) this.orphans = false
    }

    // --- giving space back

    /** Drops an object no entry leads to any more: at once when it is small, else the rest is left for `reclaim`. */
    async drop(object: number): Promise<void> {
        await dropProperties(this.tree, object)
        if (await shrink(this, object, 2)) {
            await this.tree.remove(object, 0)
            return
        }
        if (await this.directory.loadAny(object)) {
            this.directory.inode[1] = flagDropped
            await this.directory.store(object)
        }
        await this.tree.put(orphanList, object, Buffer.alloc(1), 0, 1)
        if (object <= this.lost) this.lost = object - 1
        this.orphans = true
    }
}

/** Takes extents of `object` out of the tree, at most `max`. @returns true when none is left */
export async function shrink(volume: Volume, object: number, max: number): Promise<boolean> {
    const tree = volume.tree
    for (let i = 0; i < max; i++) {
        if (!(await tree.seek(object, 1))) return true
        if (tree.object !== object) return true
        const page = tree.leaf.getAt(tree.valueAt, "u32")
        const count = tree.leaf.getAt(tree.valueAt + 4, "u16")
        account(volume.log, page, -count)
        await tree.remove(object, tree.sub)
    }
    return !((await tree.seek(object, 1)) && tree.object === object)
}

/**
 * Whether so little is left that only removing a snapshot can help: what any other request writes would be lost to it, since what
 * snapshots pin gives nothing back.
 */
export function isHeldBySnapshots(volume: Volume): boolean {
    return available(volume.log) <= 1 && hasPins(volume.log.usage)
}

/** Ends an operation asked for by a session: its result is stored by the same commit. */
export async function commitResult(
    volume: Volume,
    session: number,
    sequence: number,
    status: number,
    value: number,
): Promise<void> {
    storeResult(volume.log.root, session, sequence, status, value)
    await volume.commit()
}

/** The open upload of an object, or undefined. */
export function uploadOf(volume: Volume, object: number): Upload {
    for (let i = 0; i < uploadsMax; i++) if (volume.uploads[i].object === object) return volume.uploads[i]
    return undefined
}

export function uploadOfHandle(volume: Volume, handle: number): Upload {
    for (let i = 0; i < uploadsMax; i++) {
        const object = volume.uploads[i].object
        if (object) if (object % 0x10000 === handle) return volume.uploads[i]
    }
    return undefined
}

/** Gets room for one operation. @returns false when the volume is full */
export async function prepare(volume: Volume, givesBack: boolean): Promise<boolean> {
    const log = volume.log
    const hasSpace = await makeSpace(volume)
    if (givesBack) return available(log) > 0 || roomIn(log) >= operationPagesMax
    return hasSpace
}

/**
 * Finds the array, its last root and what is behind it, formatting blank elements first; nothing else is written.
 * @returns false when the array cannot be read, or is not this volume's; `isDoubtful` when it read otherwise a moment later
 */
async function find(volume: Volume): Promise<boolean> {
    volume.isDoubtful = false
    volume.cache.forget(volume.number, 0, 0x2000000)
    const array = volume.array
    const labels = volume.labels
    const log = volume.log
    const alive = await array.identify()
    if (alive === 0) return false
    if (!(await inspectLabels(labels))) return false
    if (labels.arrayId === 0) if (!(await formatArray(volume, alive))) return false
    log.anchors.arrayId = labels.arrayId
    if (!(await log.anchors.findNewest())) return false
    if (!(await takeMembers(volume))) return false
    if (!isEnough(array)) return false
    if (!(await openLog(log))) return false
    await restore(volume)
    // nothing is written to what was not read right
    volume.isDoubtful = true
    if (deadIn(array)) {
        // one that was silent for a moment is not left out
        await platform.sleep(silentMs)
        if ((await array.bank.identify(slotsMax)) !== alive) return false
    }
    if (await hasMissed(labels)) return false
    if (!(await isNewest(log.anchors))) return false
    return await isStillLast(log)
}

/** Uses the elements that the newest anchor names, and the newest anchor that these have. @returns false when there are none */
async function takeMembers(volume: Volume): Promise<boolean> {
    const array = volume.array
    const labels = volume.labels
    const anchors = volume.log.anchors
    for (let tries = 3; tries > 0; tries--) {
        let positions = settleOn(labels, anchors.generations)
        let isChanged = labels.moved
        for (let slot = 0; slot < array.elements; slot++) {
            const bit = 1 << slot
            if (!(array.bank.alive & bit)) continue
            if (isOwn(labels, slot)) continue
            if (positions & bit) continue
            if (!(anchors.members & bit)) continue
            if (idOf(labels, slot) !== 0) continue
            if (!(await isOn(anchors, slot, slot, anchors.sequence))) continue
            adopt(labels, slot, slot, anchors.generations[slot])
            positions |= bit
            isChanged = true
        }
        const joining = anchors.joining
        const joins = joining >= 0 && (positions & (1 << joining)) !== 0
        if (!joins) array.away.fillAt(0, array.away.length, 0)
        array.use(positions & anchors.members, joins ? joining : -1)
        if (!isChanged) return array.members !== 0 || joins
        // one that was not asked for its anchors may hold a newer one
        if (!(await anchors.findNewest())) return false
    }
    return false
}

/** The fewer free segments there are the more of the work that can wait each operation waits for. @returns false when the volume is full */
async function makeSpace(volume: Volume): Promise<boolean> {
    if (volume.orphans)
        if (!isRoomy(volume)) {
            const untilMs = platform.now() + reclaimMsMax
            for (let i = 0; i < reclaimStepsMax; i++) {
                await volume.reclaim()
                if (!volume.orphans) {
                    // looking through all segments for nothing took long: a program must rest now and then
                    await platform.sleep(1)
                    break
                }
                if (freePages(volume) > 0 || platform.now() >= untilMs) break
            }
        }
    return freePages(volume) > 0
}

/** Data pages that can still be taken, as near as can be told; for the figures a host sees. */
export function freePages(volume: Volume): number {
    const log = volume.log
    const usage = log.usage
    if (available(log) < keptSegments) return 0
    const segments = log.segments - 2 - keptSegments - usage.retiredCount
    const pages = ((segments * volume.array.segmentPages * 3) >> 2) - usage.live - pagesKept(log, usage.pins)
    return pages > 0 ? pages : 0
}

/** One bounded step of moving all that is in use out of a segment. @returns false when something in it cannot be moved */
export async function emptySegment(volume: Volume, segment: number): Promise<boolean> {
    if (hasRuns(volume)) await volume.commit()
    const cleaner = volume.cleaner
    if (cleaner.victim !== segment) cleaner.victim = 0
    refreshSegment(cleaner, segment)
    const moved = await cleaner.step()
    await volume.commit()
    return moved && !isStuck(cleaner, segment)
}

/** Whether an open upload has appended something that the tree does not know. */
export function hasRuns(volume: Volume): boolean {
    const uploads = volume.uploads
    for (let i = 0; i < uploadsMax; i++) if (uploads[i].object) if (uploadHasRuns(uploads[i])) return true
    return false
}

/** Whether there is so much room that giving back may wait until nobody waits. The operation's own commit is the one that a mount left, too. */
export function isRoomy(volume: Volume): boolean {
    const free = available(volume.log)
    if (volume.array.segmentPages < wideSegmentPages) return volume.isRestored && free >= cleanBelow
    return free >= cleanAtOnceBelow && freePages(volume) > 0
}

/** @returns false when there was nothing to do */
async function reclaimStep(volume: Volume): Promise<boolean> {
    const tree = volume.tree
    const log = volume.log
    const cleaner = volume.cleaner
    if (available(log) === 0) if (roomIn(log) < operationPagesMax) return false
    const lost = volume.lost
    if ((await tree.seek(orphanList, lost + 1)) && tree.object === orphanList) {
        const object = tree.sub
        // when its list cannot be read, the next time begins with what comes behind it
        volume.lost = object
        if (await shrink(volume, object, extentsPerCommit)) {
            await tree.remove(object, 0)
            await tree.remove(orphanList, object)
        }
        volume.lost = lost
    } else {
        if (available(log) === 0) return false
        // what rests in it gives way, full as it may be, so that it takes its turn in the wear; after what is being emptied
        if (log.usage.cold)
            if (!cleaner.victim && available(log) > keptSegments) {
                refreshSegment(cleaner, log.usage.cold)
                log.usage.cold = 0
            }
        if (available(log) >= cleanBelow) if (!cleaner.victim) return false
        if (hasRuns(volume)) await volume.commit()
        const room = log.usage.freeSegments * log.array.segmentPages - log.next
        if (!(await cleaner.step())) return false
        await volume.commit()
        cleaner.gained += log.usage.freeSegments * log.array.segmentPages - log.next - room
        return true
    }
    await volume.commit()
    return true
}
