// Empties the segment with the fewest pages in use by appending those pages anew, so that it can be erased: what was deleted piecemeal
// becomes whole free segments again.
//
// Promises: a step is bounded; it changes nothing before the commit that the caller ends it with. Pages are found from their own
// headers, and are in use exactly when the tree leads back to them: nothing is scanned but the segment itself.

import { isMovable, isPinned, pagesIn } from "./usage"
import { Log, available, readBlock, account, ensure, roomIn } from "./log"
import { hasUsage, writeUsage } from "./usage-pages"
import { atBlock, atBody, atLength, atOwner, atType, typeData, typeNode, typeUsage } from "./page"
import { Tree, moveNode } from "./tree"
import { Upload, uploadMoved } from "./upload"

/** Pages appended, and pages looked at, in one step. */
const movesMax = 48
const looksMax = 256
/** A segment of so many pages holds what many operations write: one free segment less is no hurry. */
export const wideSegmentPages = 256
/** Moved in a step when somebody waits for its end; and of one extent, which is not taken apart further for that. */
const waitedForMax = 4
const extentMin = 16
/** Emptying segments with more of their pages in use, of 256, gains nothing; with fewer it surely does. */
const mostMax = 224
const mostMin = 128

export class Cleaner {
    log: Log
    tree: Tree
    uploads: Upload[]
    scratch: Buffer
    extent: Buffer
    /** Segment being emptied (0 = none) and the index of the page to look at next. */
    victim: number
    cursor: number
    /** Segments, as bits, that could not be emptied since the mount: a page of theirs cannot be read. */
    stuck: Buffer
    /** Pages in use when the victim was taken, 0 when it was named; and the room that was gained since. */
    begunAt: number
    gained: number
    /** With so much of a segment in use, of 256, emptying it gains something, as far as is known; and the pages live when that was found. */
    most: number
    mostLive: number
    /** How many commands wait, and changes of control. */
    waiting: { count: number }
    jobs: number[]
    /** What is moved now is needed: who waits has to. */
    isUrgent: boolean

    constructor(log: Log, tree: Tree, uploads: Upload[], scratch: Buffer) {
        this.log = log
        this.tree = tree
        this.uploads = uploads
        this.scratch = scratch
        this.extent = Buffer.alloc(6)
        this.stuck = Buffer.alloc(log.usage.counts.length >> 4)
        this.waiting = { count: 0 }
        this.jobs = []
        this.isUrgent = true
        beginCleaner(this)
    }

    /** All that is in use must be known to the tree. A commit must follow. @returns false when there is nothing to gain */
    async step(): Promise<boolean> {
        const log = this.log
        let victim = this.victim
        if (!victim || victim === log.segment || !isMovable(log.usage, victim)) pick(this)
        victim = this.victim
        if (!victim) return false
        const segmentPages = log.array.segmentPages
        const scratch = this.scratch
        let moves = 0
        let looks = 0
        const free = available(log)
        // the fewer free segments there are, the more at a time
        let max = free < 7 ? (10 - free) << 4 : movesMax
        const isWide = segmentPages >= wideSegmentPages
        if (isWide) if (free === 4 || free === 5) max = (6 - free) << 4
        this.isUrgent = !isWide || free < 6
        while (moves < max && looks < looksMax && this.cursor < segmentPages && pagesIn(log.usage, victim) > 0) {
            if (moves >= waitedForMax) if (isAwaited(this)) break
            const page = victim * segmentPages + this.cursor
            this.cursor++
            looks++
            if (!(await log.readPage(page, scratch))) continue
            const type = scratch[atType]
            if (type === typeData) {
                const count = await moveData(
                    this,
                    page,
                    scratch.getAt(atOwner, "u32"),
                    scratch.getAt(atBlock, "u32"),
                    isWide ? max : movesMax,
                )
                moves += count
                if (count > 1) this.cursor += count - 1
            } else if (type === typeNode) {
                const at = atBody + 2
                if (
                    await moveNode(
                        this.tree,
                        page,
                        scratch[atLength],
                        scratch.getAt(at, "u32"),
                        scratch.getAt(at + 4, "u32"),
                    )
                )
                    moves++
            } else if (type === typeUsage)
                if (hasUsage(log, victim)) {
                    await writeUsage(log)
                    moves++
                }
        }
        // the root page itself moves with the commit
        if (this.cursor >= segmentPages) {
            let left = pagesIn(log.usage, victim)
            if (((log.rootPage / segmentPages) | 0) === victim) left--
            if (left > 0) {
                const at = victim >> 3
                this.stuck[at] = this.stuck[at] | (1 << (victim & 7))
            }
            this.victim = 0
        }
        return true
    }
}

/** After a mount: nothing is known of what cannot be emptied, or gains. */
export function beginCleaner(cleaner: Cleaner): void {
    cleaner.victim = 0
    cleaner.stuck.fillAt(0, cleaner.stuck.length, 0)
    cleaner.begunAt = 0
    cleaner.most = mostMax
    cleaner.mostLive = 0
}

/** The fewest pages in use, if so few that emptying it gains space; with few segments left, if it surely does. */
function pick(cleaner: Cleaner): void {
    const log = cleaner.log
    const segmentPages = log.array.segmentPages
    const free = available(log)
    const live = log.usage.live
    let most = cleaner.most
    if (cleaner.begunAt)
        most = cleaner.gained << 4 > segmentPages ? most + 8 : ((cleaner.begunAt << 8) / segmentPages) | 0
    // what was deleted since may have made it worth while
    if (live < cleaner.mostLive) most += (128 * (cleaner.mostLive - live)) / segmentPages
    cleaner.mostLive = live
    if (most > mostMax) most = mostMax
    if (most < mostMin) most = mostMin
    cleaner.most = most
    // while there are others only the best; with the last but one what surely gains
    let part = (10 - free) << 5
    if (free < 3) {
        part = mostMin
        if (free === 2) if (most > 176) part = most - 48
    }
    if (part > most) part = most
    let least = (segmentPages * part) >> 8
    cleaner.victim = 0
    cleaner.cursor = 0
    cleaner.gained = 0
    cleaner.begunAt = 0
    for (let segment = 1; segment < log.segments; segment++) {
        const usage = pagesIn(log.usage, segment)
        if (usage === 0) continue
        if (usage >= least) continue
        if (segment === log.segment) continue
        if (isStuck(cleaner, segment)) continue
        if (isPinned(log.usage, segment)) continue
        least = usage
        cleaner.victim = segment
        cleaner.begunAt = least
    }
    if (free === 3) if (!cleaner.victim) cleaner.most = most + 8
}

/** Moves what rests in a segment, whatever its use, so that it takes its turn in the wear. */
export function refreshSegment(cleaner: Cleaner, segment: number): void {
    if (cleaner.victim) return
    if (segment === cleaner.log.segment) return
    if (!isMovable(cleaner.log.usage, segment)) return
    cleaner.victim = segment
    cleaner.cursor = 0
    cleaner.begunAt = 0
}

export function isStuck(cleaner: Cleaner, segment: number): boolean {
    return (cleaner.stuck[segment >> 3] & (1 << (segment & 7))) !== 0
}

/** Whether somebody waits for the end of a step. */
function isAwaited(cleaner: Cleaner): boolean {
    return !cleaner.isUrgent && cleaner.waiting.count + cleaner.jobs.length > 0
}

/**
 * Moves a block, and those that follow it in its extent, `most` in all. Extents that come to lie together become one: else the parts into
 * which steps and segments' ends take them would only ever grow in number. @returns how many
 */
async function moveData(cleaner: Cleaner, page: number, object: number, block: number, most: number): Promise<number> {
    const log = cleaner.log
    const tree = cleaner.tree
    const scratch = cleaner.scratch
    if (!(await tree.findAtMost(object, block + 1))) return 0
    if (tree.object !== object) return 0
    if (tree.sub === 0) return 0
    const sub = tree.sub
    const first = tree.leaf.getAt(tree.valueAt, "u32")
    const count = tree.leaf.getAt(tree.valueAt + 4, "u16")
    const offset = block + 1 - sub
    if (offset >= count) return 0
    if (first + offset !== page) return 0
    let max = count - offset
    if (max > movesMax) max = movesMax
    if (max > most) max = most
    // what lies together stays together, for the price of a segment's last pages while there are others: each part costs a node when it is moved again
    await ensure(log, max << 3 < log.array.segmentPages && available(log) > 2 ? max : 1)
    if (max > roomIn(log)) max = roomIn(log)
    const to = log.segment * log.array.segmentPages + log.next
    let moved = 0
    while (moved < max) {
        if (moved >= extentMin) if (isAwaited(cleaner)) break
        // an element that did not take it has a good page of before
        if (!(await readBlock(log, page + moved, object, block + moved, scratch))) break
        await log.append(scratch, typeData, scratch[atLength], object, block + moved)
        moved++
    }
    if (moved === 0) return 0
    account(log, to, moved)
    account(log, page, -moved)
    let key = sub + offset
    let start = to
    let length = moved
    let isOpen = false
    for (let i = 0; i < cleaner.uploads.length; i++)
        if (cleaner.uploads[i].object === object) {
            uploadMoved(cleaner.uploads[i], page, moved, to)
            isOpen = true
        }
    if (offset > 0) await putExtent(cleaner, object, sub, first, offset)
    // one with what was moved just before; not of an upload, which overwrites its last extent by its key
    else if (!isOpen && (await tree.findAtMost(object, block)))
        if (tree.object === object && tree.sub > 0) {
            const before = tree.leaf.getAt(tree.valueAt, "u32")
            const pages = tree.leaf.getAt(tree.valueAt + 4, "u16")
            if (before + pages === to && tree.sub + pages === sub && to % log.array.segmentPages > 0) {
                key = tree.sub
                start = before
                length += pages
                await tree.remove(object, sub)
            }
        }
    await putExtent(cleaner, object, key, start, length)
    if (offset + moved < count)
        await putExtent(cleaner, object, sub + offset + moved, page + moved, count - offset - moved)
    return moved
}

async function putExtent(cleaner: Cleaner, object: number, sub: number, page: number, count: number): Promise<void> {
    cleaner.extent.setAt(0, "u32", page)
    cleaner.extent.setAt(4, "u16", count)
    await cleaner.tree.put(object, sub, cleaner.extent, 0, 6)
}
