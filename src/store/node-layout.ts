// The inside of a tree node, as it lies on flash (docs/FORMAT.md, "Node"): keys in order from the front of the body, values from its end
// down. These change one node and know of no other.

import { atBody, bodyBytes, pageBufferBytes } from "./page"

export const atCount = atBody
/** Where in the body the lowest value begins. */
export const atHeap = atBody + 1
export const atKeys = atBody + 2
export const keyBytes = 10

/** Nothing here waits, so one does for all, and it is free while a page is read. */
export const scratch = Buffer.alloc(pageBufferBytes)

export function insertEntry(
    node: Buffer,
    index: number,
    object: number,
    sub: number,
    value: Buffer,
    from: number,
    bytes: number,
): void {
    const count = node[atCount]
    const at = atKeys + index * keyBytes
    const above = (count - index) * keyBytes
    if (above > 0) {
        scratch.blitAt(0, node, at, above)
        node.blitAt(at + keyBytes, scratch, 0, above)
    }
    const heap = node[atHeap] - bytes
    node.blitAt(atBody + heap, value, from, bytes)
    node.setAt(at, "u32", object)
    node.setAt(at + 4, "u32", sub)
    node[at + 8] = heap
    node[at + 9] = bytes
    node[atHeap] = heap
    node[atCount] = count + 1
}

export function removeEntry(node: Buffer, index: number): void {
    const count = node[atCount] - 1
    let at = atKeys + index * keyBytes
    const place = node[at + 8]
    const bytes = node[at + 9]
    const heap = node[atHeap]
    if (place > heap) {
        scratch.blitAt(0, node, atBody + heap, place - heap)
        node.blitAt(atBody + heap + bytes, scratch, 0, place - heap)
    }
    if (index < count) {
        scratch.blitAt(0, node, at + keyBytes, (count - index) * keyBytes)
        node.blitAt(at, scratch, 0, (count - index) * keyBytes)
    }
    at = atKeys + 8
    for (let i = 0; i < count; i++) {
        if (node[at] < place) node[at] += bytes
        at += keyBytes
    }
    node[atHeap] = heap + bytes
    node[atCount] = count
}

/** Appends the entries of a node to its left neighbour. */
export function moveEntries(from: Buffer, left: Buffer): void {
    const count = from[atCount]
    let at = atKeys
    for (let i = 0; i < count; i++) {
        const object = from.getAt(at, "u32")
        insertEntry(left, left[atCount], object, from.getAt(at + 4, "u32"), from, atBody + from[at + 8], from[at + 9])
        at += keyBytes
    }
}

/** Moves the entries from `cut` on to an empty node. */
export function cutNode(node: Buffer, upper: Buffer, cut: number): void {
    const count = node[atCount]
    scratch.blitAt(0, node, 0, pageBufferBytes)
    upper.blitAt(atKeys, scratch, atKeys + cut * keyBytes, (count - cut) * keyBytes)
    layValues(upper, count - cut, scratch)
    layValues(node, cut, scratch)
}

/** Lays out anew the values of a node whose keys still have their places in `source`. */
function layValues(node: Buffer, count: number, source: Buffer): void {
    let heap = bodyBytes
    let at = atKeys + 8
    for (let i = 0; i < count; i++) {
        const bytes = node[at + 1]
        heap -= bytes
        node.blitAt(atBody + heap, source, atBody + node[at], bytes)
        node[at] = heap
        at += keyBytes
    }
    node[atHeap] = heap
    node[atCount] = count
}
