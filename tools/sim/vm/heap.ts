// Reads the program's heap from outside: what lives in it and what is free. It changes nothing, and costs the program nothing.
//
// The collector moves nothing, so what counts is not only how much is free but in what pieces (docs/decisions/0016).

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

/**
 * Bytes of the largest piece that a collection at this moment would leave free. Found as the collector does, but for words that only look
 * like a pointer, of which it would keep less. The program must run.
 */
export function largestPiece(u32: Uint32Array, ctx: number): number {
    const gc = u32[(ctx + ctxLayout.gc) >> 2]
    const chunk = u32[(gc + gcLayout.firstChunk) >> 2]
    const start = chunk + gcLayout.chunkHeaderBytes
    const end = u32[(chunk + gcLayout.chunkEnd) >> 2]
    const tagOf = (block: number) => u32[block >> 2] >>> 24
    const bytesOf = (block: number) => (u32[block >> 2] & 0xffffff) * 4
    const isBlock = new Uint8Array((end - start) >> 2)
    const isAlive = new Uint8Array(isBlock.length)
    for (let p = start; p < end; p += bytesOf(p)) isBlock[(p - start) >> 2] = 1
    const found: number[] = []
    /** Of a block, or of what is behind its header. */
    const mark = (pointer: number) => {
        if (pointer < start || pointer > end || pointer & 3) return
        for (const block of [pointer, pointer - 4]) {
            if (block < start || !isBlock[(block - start) >> 2] || isAlive[(block - start) >> 2]) continue
            if ((tagOf(block) & gcLayout.tagMask) === gcLayout.tagFree) continue
            isAlive[(block - start) >> 2] = 1
            found.push(block)
        }
    }
    for (let at = ctx; at < ctx + ctxLayout.bytes; at += 4) mark(u32[at >> 2])
    for (let p = start; p < end; p += bytesOf(p)) if (tagOf(p) & gcLayout.tagPinned) mark(p)
    for (let block = found.pop(); block !== undefined; block = found.pop()) {
        const tag = tagOf(block) & gcLayout.tagMask
        if (tag === gcLayout.tagBuffer) mark(u32[(block + gcLayout.bufferAttached) >> 2])
        else if (tag !== gcLayout.tagString && tag !== gcLayout.tagLongString)
            for (let at = block + 4; at < block + bytesOf(block); at += 4) mark(u32[at >> 2])
    }
    let largest = 0
    let piece = 0
    for (let p = start; p < end; p += bytesOf(p)) {
        piece = isAlive[(p - start) >> 2] ? 0 : piece + bytesOf(p)
        if (piece > largest) largest = piece
    }
    return largest
}
