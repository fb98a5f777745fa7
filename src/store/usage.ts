// How many pages of each segment are in use, how often each was erased, which of them snapshots pin: what the log needs to choose the
// next one. docs/FORMAT.md, "Usage".
//
// Promises: a segment in use, pinned, or still referred to by the last root is never chosen; the one erased least is, so that all wear
// alike, and one that has rested too long is named (`cold`) so that what lies in it can be moved.
//
// RAM: 3 bytes a segment, and what changed since the usage pages were written.

import { isMarked } from "../array/array"
import { atBody, atDeltaCount, atDeltas } from "./page"

const deltaCountMax = 20
const deltaBytes = 5
export const usagePerPage = 78
/** Usage of a segment that an element cannot hold. */
export const retired = 0xffff
/** A segment in use that was erased so much less often than the one chosen is to be emptied. */
const wearSpreadMax = 2
const wearMax = 250
const rebaseBy = 125

export class Usage {
    segments: number
    /** Pages in use, those of retired segments aside. */
    live: number
    /** Segments that hold nothing and are not pinned, the present one left out. */
    freeSegments: number
    /** The log's present segment. */
    current: number
    /** Bit s % 8 of byte s / 8: a snapshot needs segment s. */
    pins: Buffer
    counts: Buffer
    wear: Buffer
    wearBase: number
    /** Segments that are not used any more. */
    retiredCount: number
    /** A segment in use that has rested too long, or 0. */
    cold: number
    /** Segments that are not as the usage pages say; and the one added or asked for last. */
    changed: number[]
    changedLast: number
    /** The usage pages must be written again, whatever `changed` says. */
    isRebased: boolean
    /** Segments that became free since the last root, which still refers to them. */
    freed: number[]

    /** @param counts 2 bytes for each segment there may be */
    constructor(counts: Buffer) {
        this.counts = counts
        this.wear = Buffer.alloc(counts.length >> 1)
        this.pins = Buffer.alloc(counts.length >> 4)
        this.segments = 0
        clearUsage(this)
    }
}

export function clearUsage(usage: Usage): void {
    usage.counts.fillAt(0, usage.counts.length, 0)
    usage.wear.fillAt(0, usage.wear.length, 0)
    usage.wearBase = 0
    usage.live = 0
    usage.cold = 0
    forgetChanges(usage)
}

/** Nothing changed yet. */
export function forgetChanges(usage: Usage): void {
    noteWritten(usage)
    usage.freed = []
}

/** The usage pages say all. */
export function noteWritten(usage: Usage): void {
    usage.changed = []
    usage.changedLast = 0
    usage.isRebased = false
}

/** Counts pages of a segment as in use (by > 0) or as no longer so. */
export function countPages(usage: Usage, segment: number, by: number, segmentPages: number): void {
    const was = usage.counts.getAt(segment * 2, "u16")
    const is = was + by
    if (is < 0 || is > segmentPages) throw new Error("usage of segment " + segment)
    usage.counts.setAt(segment * 2, "u16", is)
    usage.live += by
    if (was === 0) {
        if (segment !== usage.current) if (!isPinned(usage, segment)) usage.freeSegments--
    } else if (is === 0)
        if (!isPinned(usage, segment)) {
            if (segment !== usage.current) usage.freeSegments++
            usage.freed.push(segment)
        }
    touch(usage, segment)
}

/** The log leaves its present segment for another, a free one. */
export function noteEntered(usage: Usage, segment: number): void {
    const left = usage.current
    usage.current = segment
    usage.freeSegments--
    if (pagesIn(usage, left) === 0) if (!isPinned(usage, left)) usage.freeSegments++
}

/** A segment was erased. */
export function noteErased(usage: Usage, segment: number): void {
    if (usage.wear[segment] >= wearMax) rebase(usage)
    usage.wear[segment] += 1
    touch(usage, segment)
}

/** An empty segment is not to be used any more. */
export function retire(usage: Usage, segment: number): void {
    usage.counts.setAt(segment * 2, "u16", retired)
    touch(usage, segment)
    recount(usage)
}

/** Counts the free segments anew, after a mount or a change of the pins. */
export function recount(usage: Usage): void {
    const counts = usage.counts
    const end = usage.segments << 1
    const isPinning = hasPins(usage)
    let free = 0
    usage.retiredCount = 0
    // flat, and what most segments are first: a failover waits for usage
    for (let at = 2; at < end; at += 2) {
        const count = counts.getAt(at, "u16")
        if (count) {
            if (count === retired) usage.retiredCount++
        } else if (!isPinning) free++
        else if (!isMarked(usage.pins, at >> 1)) free++
    }
    if (pagesIn(usage, usage.current) === 0) if (!isPinned(usage, usage.current)) free--
    usage.freeSegments = free
}

/** Pages in use in a segment, or `retired`. */
export function pagesIn(usage: Usage, segment: number): number {
    return usage.counts.getAt(segment * 2, "u16")
}

export function isUsed(usage: Usage, segment: number): boolean {
    const count = pagesIn(usage, segment)
    return count !== 0 && count !== retired
}

export function isPinned(usage: Usage, segment: number): boolean {
    return isMarked(usage.pins, segment)
}

/** Whether it holds anything that a mount may look for: all but free and retired segments. */
export function holds(usage: Usage, segment: number): boolean {
    return isUsed(usage, segment) || isPinned(usage, segment)
}

/** Whether it holds pages that may be moved elsewhere to gain it. */
export function isMovable(usage: Usage, segment: number): boolean {
    return isUsed(usage, segment) && !isPinned(usage, segment)
}

export function hasPins(usage: Usage): boolean {
    for (let i = 0; i < usage.pins.length; i += 4) if (usage.pins.getAt(i, "i32") !== 0) return true
    return false
}

/** Whether the root has no room for what changed. */
export function wantsPages(usage: Usage): boolean {
    return usage.isRebased || usage.changed.length > deltaCountMax
}

export function takeDeltas(usage: Usage, root: Buffer): void {
    const count = root[atDeltaCount]
    let at = atDeltas
    for (let i = 0; i < count; i++) {
        const segment = root.getAt(at, "u16")
        usage.counts.setAt(segment * 2, "u16", root.getAt(at + 2, "u16"))
        usage.wear[segment] = root[at + 4]
        usage.changed.push(segment)
        at += deltaBytes
    }
}

export function putDeltas(usage: Usage, root: Buffer): void {
    const changed = usage.changed
    root[atDeltaCount] = changed.length
    let at = atDeltas
    for (let i = 0; i < changed.length; i++) {
        const segment = changed[i]
        root.setAt(at, "u16", segment)
        root.setAt(at + 2, "u16", pagesIn(usage, segment))
        root[at + 4] = usage.wear[segment]
        at += deltaBytes
    }
}

export function loadUsagePage(usage: Usage, page: Buffer, first: number): void {
    const n = usage.segments - first < usagePerPage ? usage.segments - first : usagePerPage
    usage.counts.blitAt(first * 2, page, atBody, n * 2)
    usage.wear.blitAt(first, page, atBody + usagePerPage * 2, n)
}

/** Writes the body of the usage page that begins with segment `first`. */
export function fillUsagePage(usage: Usage, page: Buffer, first: number): void {
    const n = usage.segments - first < usagePerPage ? usage.segments - first : usagePerPage
    page.blitAt(atBody, usage.counts, first * 2, n * 2)
    page.blitAt(atBody + usagePerPage * 2, usage.wear, first, n)
}

/**
 * Chooses a segment to be entered, other than the three named; the one erased least, and of equals the next after the present one.
 * @returns 0 when there is none
 */
export function chooseFree(usage: Usage, between: number, rootSegment: number): number {
    const segments = usage.segments
    const counts = usage.counts
    const wear = usage.wear
    const pins = usage.pins
    const current = usage.current
    let best = 0
    let bestWear = 256
    let rested = 0
    let restedWear = 256
    let segment = current
    for (let i = 1; i < segments; i++) {
        if (++segment >= segments) segment = 1
        const worn = wear[segment]
        if (counts.getAt(segment << 1, "u16") !== 0) {
            if (worn < restedWear)
                if (segment !== current) {
                    if (isMovable(usage, segment)) {
                        restedWear = worn
                        rested = segment
                    }
                }
        } else if (worn < bestWear)
            if (segment !== between)
                if (segment !== rootSegment)
                    if (segment !== current) {
                        if (!isMarked(pins, segment))
                            if (usage.freed.indexOf(segment) < 0) {
                                bestWear = worn
                                best = segment
                            }
                    }
    }
    usage.cold = best && restedWear + wearSpreadMax < bestWear ? rested : 0
    return best
}

function touch(usage: Usage, segment: number): void {
    if (segment === usage.changedLast) return
    usage.changedLast = segment
    if (usage.changed.indexOf(segment) < 0) usage.changed.push(segment)
}

/** Takes half of what may be counted off all: levelling keeps them nearer to each other than that. */
function rebase(usage: Usage): void {
    const wear = usage.wear
    for (let i = 1; i < usage.segments; i++) wear[i] = wear[i] > rebaseBy ? wear[i] - rebaseBy : 0
    usage.wearBase += rebaseBy
    usage.isRebased = true
}
