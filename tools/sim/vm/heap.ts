// Reads the program's heap from outside: what lives in it and what is free. It changes nothing, and costs the program nothing.

import { ctxLayout, gcLayout } from "./vm-layout"

export interface HeapUse {
    totalBytes: number
    usedBytes: number
    /** In use but for what was allocated since the last collection, most of which is dead: what is alive, nearly. */
    liveBytes: number
    freeBytes: number
    largestFreeBytes: number
    objects: number
}

/** Walks the blocks of the one chunk: each starts with a word `tag << 24 | words`. */
export function heapUse(u32: Uint32Array, ctx: number): HeapUse | undefined {
    const gc = u32[(ctx + ctxLayout.gc) >> 2]
    const chunk = u32[(gc + gcLayout.firstChunk) >> 2]
    // a program that has just ended in a panic has no heap
    if (chunk !== gc + gcLayout.bytes) return undefined
    const end = u32[(chunk + gcLayout.chunkEnd) >> 2]
    const use: HeapUse = {
        totalBytes: end - chunk - gcLayout.chunkHeaderBytes,
        usedBytes: 0,
        liveBytes: 0,
        freeBytes: 0,
        largestFreeBytes: 0,
        objects: 0,
    }
    for (let p = chunk + gcLayout.chunkHeaderBytes; p < end;) {
        const head = u32[p >> 2]
        const bytes = (head & 0xffffff) * 4
        if (bytes === 0) throw new Error("a block of no length in the program's heap")
        if (((head >>> 24) & gcLayout.tagMask) === gcLayout.tagFree) {
            use.freeBytes += bytes
            if (bytes > use.largestFreeBytes) use.largestFreeBytes = bytes
        } else {
            use.usedBytes += bytes
            use.objects++
        }
        p += bytes
    }
    // gc_alloc.c counts what is allocated from one collection to the next
    use.liveBytes = use.usedBytes - 4 * u32[(gc + gcLayout.wordsSinceGc) >> 2]
    return use
}
