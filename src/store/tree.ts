// One copy-on-write B+tree holds everything a volume knows: inodes, directory entries, extents. docs/FORMAT.md, "Node".
//
// Keys are two u32 (object, sub); values are 1 to 205 bytes. Nodes are pages; a changed node lives in the cache until `flush`
// appends it, children before parents, and only the root that follows makes the change real. Between two operations of a
// volume nothing in the cache is changed ("dirty"), so whatever goes wrong within one is undone by reading the root again.
//
// RAM: the cache's slots, allocated once and shared by all volumes of a node, of which one at a time may be in an operation. An
// operation that changes more nodes than there are slots appends some of them early; nobody knows of them before the root.

import { atHeight, atTree, Log, treePage, treeHeight, account, ensure } from "./log"
import { NodeCache, findSlot, remember, freeSlot, dropDirty } from "./node-cache"
import { atCount, atHeap, atKeys, cutNode, insertEntry, keyBytes, moveEntries, removeEntry } from "./node-layout"
import { atBody, atLength, atType, bodyBytes, noPage, pageBufferBytes, typeNode } from "./page"

export const levelsMax = 10
/** A node with less in it is merged with a neighbour, if both fit one node. */
const sparseBytes = 78

/** Child pointers at and above this name a slot of the cache, not a page. */
const dirtyMark = 0x40000000

export class Tree {
    /** Where `find`, `seek` and `next` stopped: the leaf's buffer and where its value is. */
    leaf: Buffer
    object: number
    sub: number
    valueAt: number
    valueBytes: number

    cache: NodeCache
    log: Log
    /** The cache's tag of this volume's page 0. */
    firstTag: number
    /** Root node: page, or dirtyMark + slot, or noPage. */
    top: number
    height: number
    // the path of the last descent, root first
    slots: Buffer
    places: Buffer
    depth: number

    constructor(cache: NodeCache, log: Log, volume: number) {
        this.cache = cache
        this.log = log
        this.firstTag = volume * 0x2000000
        this.slots = Buffer.alloc(levelsMax)
        this.places = Buffer.alloc(levelsMax)
        this.depth = 0
        this.top = noPage
        this.height = 0
    }

    /** Begins from the log's root; drops what was changed and not flushed. */
    load(): void {
        dropDirty(this.cache)
        this.top = treePage(this.log)
        this.height = treeHeight(this.log)
    }

    // --- reading

    /** Positions at the first key that is not less. @returns false when there is none */
    async seek(object: number, sub: number): Promise<boolean> {
        if (this.top === noPage) return false
        const at = await descend(this, object, sub)
        if (settleAt(this, at)) return true
        return await otherLeaf(this, 1)
    }

    /** Positions at the last key that is not greater. @returns false when there is none */
    async findAtMost(object: number, sub: number): Promise<boolean> {
        if (await findKey(this, object, sub)) return true
        if (this.top === noPage) return false
        if (settleAt(this, this.places[this.depth] - 1)) return true
        return await otherLeaf(this, -1)
    }

    // --- changing

    /** Inserts the key, or gives an existing one a new value: `bytes` bytes of `value` from `from`. */
    async put(object: number, sub: number, value: Buffer, from: number, bytes: number): Promise<void> {
        await makeRoom(this)
        for (;;) {
            if (this.top === noPage) {
                this.top = dirtyMark + newNode(this, 0)
                this.height = 0
            }
            const exists = await findKey(this, object, sub)
            dirtyPath(this)
            if (!exists) lowerSeparators(this, object, sub)
            const node = this.leaf
            if (exists) {
                if (this.valueBytes === bytes) {
                    node.blitAt(this.valueAt, value, from, bytes)
                    return
                }
                removeEntry(node, this.places[this.depth])
            }
            if (insert(this, this.depth, this.places[this.depth], object, sub, value, from, bytes)) return
        }
    }

    /** Removes the key. @returns whether it existed */
    async remove(object: number, sub: number): Promise<boolean> {
        await makeRoom(this)
        if (!(await findKey(this, object, sub))) return false
        dirtyPath(this)
        const cache = this.cache
        let d = this.depth
        for (;;) {
            const slot = this.slots[d]
            const node = cache.buffers[slot]
            removeEntry(node, this.places[d])
            if (node[atCount] === 0) {
                cache.tags[slot] = -1
                cache.dirtyCount--
                if (d === 0) {
                    this.top = noPage
                    this.height = 0
                    return true
                }
            } else if (d === 0 || usedBytes(node) >= sparseBytes || !(await merge(this, d))) break
            d--
        }
        await lowerRoot(this)
        return true
    }

    // --- making changes durable

    /**
     * Appends the changed nodes of levels up to one, children first, and tells the log where the tree now is. The root that follows commits it.
     * @param upTo `levelsMax` before a root
     */
    async flush(upTo: number): Promise<void> {
        if (this.top !== noPage) if (this.top >= dirtyMark) this.top = await flushNode(this, this.top - dirtyMark, upTo)
        const root = this.log.root
        root.setAt(atTree, "u32", this.top)
        root[atHeight] = this.height
    }
}

/** Whether `page` is the node of that level that has the key. */
export async function isNode(tree: Tree, page: number, level: number, object: number, sub: number): Promise<boolean> {
    if (tree.top === noPage) return false
    if (level > tree.height) return false
    await descend(tree, object, sub)
    return tree.cache.tags[tree.slots[tree.height - level]] === tree.firstTag + page
}

/** Makes the node of that level that has the key changeable, so that `flush` moves it. @returns false when `page` is not that node */
export async function moveNode(tree: Tree, page: number, level: number, object: number, sub: number): Promise<boolean> {
    await makeRoom(tree)
    if (!(await isNode(tree, page, level, object, sub))) return false
    tree.depth = tree.height - level
    dirtyPath(tree)
    return true
}

/** Shows the tree below another top node, an earlier one: to be read only, between two operations. */
export function viewTree(tree: Tree, page: number, height: number): void {
    tree.top = page
    tree.height = height
}

/** Positions at the key. @returns whether it exists */
export async function findKey(tree: Tree, object: number, sub: number): Promise<boolean> {
    if (tree.top === noPage) return false
    const at = await descend(tree, object, sub)
    return settleAt(tree, at) && tree.object === object && tree.sub === sub
}

/** Positions at the key after the present position; nothing else of the tree may have been called since. */
export async function nextKey(tree: Tree): Promise<boolean> {
    if (settleAt(tree, tree.places[tree.depth] + 1)) return true
    // from the top: nodes of the path may have left the cache on a long walk
    return await tree.seek(tree.object, tree.sub + 1)
}

function settleAt(tree: Tree, index: number): boolean {
    const leaf = tree.leaf
    if (index < 0) return false
    tree.places[tree.depth] = index
    if (index >= leaf[atCount]) return false
    const at = atKeys + index * keyBytes
    tree.object = leaf.getAt(at, "u32")
    tree.sub = leaf.getAt(at + 4, "u32")
    tree.valueAt = atBody + leaf[at + 8]
    tree.valueBytes = leaf[at + 9]
    return true
}

/** Right after a descent: goes to the last entry of the leaf before (step -1) or the first of the leaf after (step 1). */
async function otherLeaf(tree: Tree, step: number): Promise<boolean> {
    const buffers = tree.cache.buffers
    const places = tree.places
    let d = tree.depth - 1
    while (d >= 0) {
        const place = places[d] + step
        if (place >= 0) if (place < buffers[tree.slots[d]][atCount]) break
        d--
    }
    if (d < 0) return false
    places[d] += step
    while (d < tree.depth) {
        const node = buffers[tree.slots[d]]
        const slot = await nodeSlot(tree, node.getAt(atBody + node[atKeys + places[d] * keyBytes + 8], "u32"))
        d++
        tree.slots[d] = slot
        places[d] = step > 0 ? 0 : buffers[slot][atCount] - 1
    }
    tree.leaf = buffers[tree.slots[d]]
    return settleAt(tree, places[d])
}

/** Slot of a node, read if need be. */
async function nodeSlot(tree: Tree, child: number): Promise<number> {
    const cache = tree.cache
    if (child >= dirtyMark) {
        const slot = child - dirtyMark
        cache.used[slot] = ++cache.clock
        return slot
    }
    const tag = tree.firstTag + child
    let slot = findSlot(cache, tag)
    if (slot >= 0) return slot
    slot = freeSlot(cache)
    const buffer = cache.buffers[slot]
    if (!(await tree.log.readPage(child, buffer)) || buffer[atType] !== typeNode) throw new Error("no node " + child)
    remember(cache, slot, tag)
    return slot
}

/** Walks to the leaf where the key belongs. @returns index of the first entry there that is not less */
async function descend(tree: Tree, object: number, sub: number): Promise<number> {
    const cache = tree.cache
    let slot = await nodeSlot(tree, tree.top)
    let d = 0
    for (;;) {
        const node = cache.buffers[slot]
        tree.slots[d] = slot
        let low = 0
        let high = node[atCount]
        while (low < high) {
            const middle = (low + high) >> 1
            const at = atKeys + middle * keyBytes
            const o = node.getAt(at, "u32")
            if (o < object || (o === object && node.getAt(at + 4, "u32") < sub)) low = middle + 1
            else high = middle
        }
        if (d === tree.height) {
            tree.depth = d
            tree.leaf = node
            tree.places[d] = low
            return low
        }
        // the child whose first key is not greater
        if (low === node[atCount]) low--
        else if (low > 0) {
            const at = atKeys + low * keyBytes
            if (node.getAt(at, "u32") !== object || node.getAt(at + 4, "u32") !== sub) low--
        }
        tree.places[d] = low
        slot = await nodeSlot(tree, node.getAt(atBody + node[atKeys + low * keyBytes + 8], "u32"))
        d++
    }
}

/** Makes the nodes of the last descent's path changeable. */
function dirtyPath(tree: Tree): void {
    const cache = tree.cache
    for (let d = 0; d <= tree.depth; d++) {
        const slot = tree.slots[d]
        if (cache.tags[slot] === -2) continue
        account(tree.log, cache.tags[slot] - tree.firstTag, -1)
        cache.tags[slot] = -2
        cache.dirtyCount++
        // the pointer to it, as the root or in its parent
        if (d === 0) tree.top = dirtyMark + slot
        else {
            const parent = cache.buffers[tree.slots[d - 1]]
            parent.setAt(atBody + parent[atKeys + tree.places[d - 1] * keyBytes + 8], "u32", dirtyMark + slot)
        }
    }
}

function newNode(tree: Tree, level: number): number {
    const cache = tree.cache
    const slot = freeSlot(cache)
    const buffer = cache.buffers[slot]
    buffer.fillAt(0, pageBufferBytes, 0)
    buffer[atHeap] = bodyBytes
    buffer[atLength] = level
    cache.tags[slot] = -2
    cache.dirtyCount++
    return slot
}

/** A key below all others of a subtree goes into its first leaf: the separators above must not be greater. */
function lowerSeparators(tree: Tree, object: number, sub: number): void {
    for (let d = 0; d < tree.depth; d++) {
        if (tree.places[d] !== 0) continue
        const node = tree.cache.buffers[tree.slots[d]]
        const o = node.getAt(atKeys, "u32")
        if (o > object || (o === object && node.getAt(atKeys + 4, "u32") > sub)) {
            node.setAt(atKeys, "u32", object)
            node.setAt(atKeys + 4, "u32", sub)
        }
    }
}

/** Keeps as many slots clean as one change may need: a path, its neighbours, and a split at every level. */
async function makeRoom(tree: Tree): Promise<void> {
    const most = tree.cache.slots - tree.height * 2 - 6
    if (tree.cache.dirtyCount > most) {
        // leaves first: what is above them will change again
        await tree.flush(0)
        if (tree.cache.dirtyCount > most - 3) await tree.flush(levelsMax)
    }
}

/**
 * Merges the path's node of depth d with a neighbour under the same parent.
 * @returns true when one of the two is empty now and its entry in the parent, at `places[d - 1]`, is to be removed
 */
async function merge(tree: Tree, d: number): Promise<boolean> {
    const cache = tree.cache
    const parent = cache.buffers[tree.slots[d - 1]]
    const node = cache.buffers[tree.slots[d]]
    const place = tree.places[d - 1]
    for (let step = -1; step <= 1; step += 2) {
        const beside = place + step
        if (beside < 0) continue
        if (beside >= parent[atCount]) continue
        const slot = await nodeSlot(tree, parent.getAt(atBody + parent[atKeys + beside * keyBytes + 8], "u32"))
        const neighbour = cache.buffers[slot]
        if (usedBytes(neighbour) + usedBytes(node) > bodyBytes - 2) continue
        if (cache.tags[slot] !== -2) {
            account(tree.log, cache.tags[slot] - tree.firstTag, -1)
            cache.tags[slot] = -2
            cache.dirtyCount++
        }
        // the left one stays, the right one goes
        const right = step < 0 ? place : beside
        const leftSlot = step < 0 ? slot : tree.slots[d]
        const rightSlot = step < 0 ? tree.slots[d] : slot
        moveEntries(cache.buffers[rightSlot], cache.buffers[leftSlot])
        cache.tags[rightSlot] = -1
        cache.dirtyCount--
        parent.setAt(atBody + parent[atKeys + (right - 1) * keyBytes + 8], "u32", dirtyMark + leftSlot)
        tree.places[d - 1] = right
        return true
    }
    return false
}

/** While the root has one child only, that child becomes the root. */
async function lowerRoot(tree: Tree): Promise<void> {
    const cache = tree.cache
    while (tree.height > 0) {
        const slot = await nodeSlot(tree, tree.top)
        const node = cache.buffers[slot]
        if (node[atCount] > 1) return
        const child = node.getAt(atBody + node[atKeys + 8], "u32")
        if (cache.tags[slot] === -2) cache.dirtyCount--
        else account(tree.log, tree.top, -1)
        cache.tags[slot] = -1
        tree.top = child
        tree.height--
    }
}

/**
 * Inserts an entry into the path's node of depth d. Where there is no room the node is split, and its upper part linked.
 * @returns false when the node was split and still has no room: descend and insert again
 */
function insert(
    tree: Tree,
    d: number,
    index: number,
    object: number,
    sub: number,
    value: Buffer,
    from: number,
    bytes: number,
): boolean {
    const buffers = tree.cache.buffers
    const node = buffers[tree.slots[d]]
    const entry = keyBytes + bytes
    const count = node[atCount]
    if (node[atHeap] - 2 - count * keyBytes >= entry) {
        insertEntry(node, index, object, sub, value, from, bytes)
        return true
    }
    // cut where both parts are about equal, unless the entry does not fit its part: then cut at the entry
    const total = bodyBytes - node[atHeap] + count * keyBytes
    let cut = 0
    let low = 0
    while (low * 2 < total) low += keyBytes + node[atKeys + cut++ * keyBytes + 9]
    // keys that come in rising order fill their nodes whole
    if (index === count) cut = count
    let intoUpper = index > cut
    let fits = (intoUpper ? total - low : low) + entry <= bodyBytes - 2
    let separatorIsEntry = false
    if (!fits || cut === count) {
        cut = index
        low = 0
        for (let i = 0; i < cut; i++) low += keyBytes + node[atKeys + i * keyBytes + 9]
        intoUpper = low + entry > bodyBytes - 2
        fits = !intoUpper || total - low + entry <= bodyBytes - 2
        separatorIsEntry = intoUpper && fits
    }
    const upperSlot = newNode(tree, node[atLength])
    const upper = buffers[upperSlot]
    cutNode(node, upper, cut)
    if (separatorIsEntry) link(tree, d, upperSlot, object, sub)
    else link(tree, d, upperSlot, upper.getAt(atKeys, "u32"), upper.getAt(atKeys + 4, "u32"))
    if (!fits) return false
    insertEntry(intoUpper ? upper : node, intoUpper ? index - cut : index, object, sub, value, from, bytes)
    return true
}

/** Enters a new right neighbour of the path's node of depth d into the parent. Keys of nodes always fit after one split. */
function link(tree: Tree, d: number, slot: number, object: number, sub: number): void {
    // its own buffer: linking may split the parent, which links in turn
    const pointer = Buffer.alloc(4)
    if (d === 0) {
        const old = tree.slots[0]
        const rootSlot = newNode(tree, tree.cache.buffers[old][atLength] + 1)
        pointer.setAt(0, "u32", dirtyMark + old)
        insertEntry(tree.cache.buffers[rootSlot], 0, 0, 0, pointer, 0, 4)
        pointer.setAt(0, "u32", dirtyMark + slot)
        insertEntry(tree.cache.buffers[rootSlot], 1, object, sub, pointer, 0, 4)
        tree.top = dirtyMark + rootSlot
        tree.height++
        return
    }
    pointer.setAt(0, "u32", dirtyMark + slot)
    insert(tree, d - 1, tree.places[d - 1] + 1, object, sub, pointer, 0, 4)
}

async function flushNode(tree: Tree, slot: number, upTo: number): Promise<number> {
    const cache = tree.cache
    const node = cache.buffers[slot]
    const level = node[atLength]
    if (level > 0) {
        const count = node[atCount]
        for (let i = 0; i < count; i++) {
            const at = atBody + node[atKeys + i * keyBytes + 8]
            const child = node.getAt(at, "u32")
            if (child >= dirtyMark) node.setAt(at, "u32", await flushNode(tree, child - dirtyMark, upTo))
        }
    }
    if (level > upTo) return slot + dirtyMark
    await ensure(tree.log, 1)
    const page = await tree.log.append(node, typeNode, level, 0, 0)
    account(tree.log, page, 1)
    cache.dirtyCount--
    remember(cache, slot, tree.firstTag + page)
    return page
}

function usedBytes(node: Buffer): number {
    return bodyBytes - node[atHeap] + node[atCount] * keyBytes
}
