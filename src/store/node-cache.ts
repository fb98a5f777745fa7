// The tree nodes held in RAM: allocated once, shared by all volumes of a node. A slot holds a page as it is, ready to be programmed.

import { buffers, zeros } from "../lists"
import { pageBufferBytes } from "./page"

/** Slots: what most operations change, and a path besides. With fewer than 22 the tree of a full volume is written in more pages than are kept for that. */
export const cacheSlots = 23
const hintMask = 255

export class NodeCache {
    buffers: Buffer[]
    /** Page and volume of each slot's node: page + volume * 2^25; -1 = empty, -2 = dirty. */
    tags: number[]
    used: number[]
    clock: number
    dirtyCount: number
    slots: number
    hints: Buffer

    constructor(slots: number = cacheSlots) {
        this.slots = slots
        this.buffers = buffers(slots, pageBufferBytes)
        this.used = zeros(slots)
        this.tags = zeros(slots)
        for (let i = 0; i < slots; i++) this.tags[i] = -1
        this.hints = Buffer.alloc(hintMask + 1)
        this.clock = 0
        this.dirtyCount = 0
    }

    /** Forgets nodes of `volume` with a page in first..first+pages-1. */
    forget(volume: number, first: number, pages: number): void {
        const low = volume * 0x2000000 + first
        for (let i = 0; i < this.slots; i++) {
            const tag = this.tags[i]
            if (tag >= low) if (tag < low + pages) this.tags[i] = -1
        }
    }
}

/** @returns the slot that holds `tag`, or -1 */
export function findSlot(cache: NodeCache, tag: number): number {
    const slot = cache.hints[tag & hintMask]
    if (slot < cache.slots)
        if (cache.tags[slot] === tag) {
            cache.used[slot] = ++cache.clock
            return slot
        }
    return -1
}

export function remember(cache: NodeCache, slot: number, tag: number): void {
    cache.tags[slot] = tag
    cache.hints[tag & hintMask] = slot
}

/** Empties the slot used longest ago that is not dirty. */
export function freeSlot(cache: NodeCache): number {
    const used = cache.used
    const tags = cache.tags
    let best = -1
    let oldest = 0
    for (let i = 0; i < cache.slots; i++) {
        if (tags[i] === -2) continue
        if (best < 0 || used[i] < oldest) {
            best = i
            oldest = used[i]
        }
    }
    // `put` and `remove` begin with enough slots that are not dirty
    if (best < 0) throw new Error("node cache full")
    tags[best] = -1
    used[best] = ++cache.clock
    return best
}

export function dropDirty(cache: NodeCache): void {
    for (let i = 0; i < cache.slots; i++) if (cache.tags[i] === -2) cache.tags[i] = -1
    cache.dirtyCount = 0
}
