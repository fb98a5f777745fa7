// One copy-on-write B+tree holds everything a volume knows: inodes, directory entries, extents. docs/FORMAT.md, "Node".
//
// Keys are two u32 (object, sub); values are 1 to 205 bytes. Nodes are pages; a changed node lives in the cache until `flush`
// appends it, children before parents, and only the root that follows makes the change real. Between two operations of a
// volume nothing in the cache is changed ("dirty"), so whatever goes wrong within one is undone by reading the root again.
//
// RAM: the cache's slots, allocated once and shared by all volumes of a node, of which one at a time may be in an operation. An
// operation that changes more nodes than there are slots appends some of them early; nobody knows of them before the root.

import { zeros } from "../lists"
import { Log } from "./log"
import { NodeCache } from "./node-cache"
import { atCount, atHeap, atKeys, cutNode, insertEntry, keyBytes, moveEntries, removeEntry } from "./node-layout"
import { atBody, atLength, atType, bodyBytes, noPage, pageBufferBytes, typeNode } from "./page"

const levelsMax = 10
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

    private cache: NodeCache
    private log: Log
    /** The cache's tag of this volume's page 0. */
    private firstTag: number
    /** Root node: page, or dirtyMark + slot, or noPage. */
    private top: number
    private height: number
    // the path of the last descent, root first
    private slots: number[]
    private places: number[]
    private depth: number

    constructor(cache: NodeCache, log: Log, volume: number) {
        this.cache = cache
        this.log = log
        this.firstTag = volume * 0x2000000
        this.slots = zeros(levelsMax)
        this.places = zeros(levelsMax)
        this.depth = 0
        this.top = noPage
        this.height = 0
    }

    /** Begins from the log's root; drops what was changed and not flushed. */
    load(): void {
        this.cache.dropDirty()
        this.top = this.log.treePage()
        this.height = this.log.treeHeight()
    }

    /** Shows the tree below another top node, an earlier one: to be read only, between two operations. */
    view(page: number, height: number): void {
        this.top = page
        this.height = height
    }

    // --- reading

    /** Positions at the key. @returns whether it exists */
    async find(object: number, sub: number): Promise<boolean> {
        if (this.top === noPage) return false
        const at = await this.descend(object, sub)
        return this.settleAt(at) && this.object === object && this.sub === sub
    }

    /** Positions at the first key that is not less. @returns false when there is none */
    async seek(object: number, sub: number): Promise<boolean> {
        if (this.top === noPage) return false
        const at = await this.descend(object, sub)
        if (this.settleAt(at)) return true
        return await this.otherLeaf(1)
    }

    /** Positions at the key after the present position; nothing else of the tree may have been called since. */
    async next(): Promise<boolean> {
        if (this.settleAt(this.places[this.depth] + 1)) return true
        // from the top: nodes of the path may have left the cache on a long walk
        return await this.seek(this.object, this.sub + 1)
    }

    /** Positions at the last key that is not greater. @returns false when there is none */
    async findAtMost(object: number, sub: number): Promise<boolean> {
        if (await this.find(object, sub)) return true
        if (this.top === noPage) return false
        if (this.settleAt(this.places[this.depth] - 1)) return true
        return await this.otherLeaf(-1)
    }

    private settleAt(index: number): boolean {
        const leaf = this.leaf
        this.places[this.depth] = index
        if (index < 0) return false
        if (index >= leaf[atCount]) return false
        const at = atKeys + index * keyBytes
        this.object = leaf.getAt(at, "u32")
        this.sub = leaf.getAt(at + 4, "u32")
        this.valueAt = atBody + leaf[at + 8]
        this.valueBytes = leaf[at + 9]
        return true
    }

    /** Right after a descent: goes to the last entry of the leaf before (step -1) or the first of the leaf after (step 1). */
    private async otherLeaf(step: number): Promise<boolean> {
        const buffers = this.cache.buffers
        const places = this.places
        let d = this.depth - 1
        while (d >= 0) {
            const place = places[d] + step
            if (place >= 0) if (place < buffers[this.slots[d]][atCount]) break
            d--
        }
        if (d < 0) return false
        places[d] += step
        while (d < this.depth) {
            const node = buffers[this.slots[d]]
            const slot = await this.nodeSlot(node.getAt(atBody + node[atKeys + places[d] * keyBytes + 8], "u32"))
            d++
            this.slots[d] = slot
            places[d] = step > 0 ? 0 : buffers[slot][atCount] - 1
        }
        this.leaf = buffers[this.slots[d]]
        return this.settleAt(places[d])
    }

    /** Slot of a node, read if need be. */
    private async nodeSlot(child: number): Promise<number> {
        const cache = this.cache
        if (child >= dirtyMark) {
            const slot = child - dirtyMark
            cache.used[slot] = ++cache.clock
            return slot
        }
        const tag = this.firstTag + child
        let slot = cache.find(tag)
        if (slot >= 0) return slot
        slot = cache.take()
        const buffer = cache.buffers[slot]
        if (!(await this.log.readPage(child, buffer)) || buffer[atType] !== typeNode)
            throw new Error("node " + child + " cannot be read")
        cache.remember(slot, tag)
        return slot
    }

    /** Walks to the leaf where the key belongs. @returns index of the first entry there that is not less */
    private async descend(object: number, sub: number): Promise<number> {
        const cache = this.cache
        let slot = await this.nodeSlot(this.top)
        let d = 0
        for (;;) {
            const node = cache.buffers[slot]
            this.slots[d] = slot
            let low = 0
            let high = node[atCount]
            while (low < high) {
                const middle = (low + high) >> 1
                const at = atKeys + middle * keyBytes
                const o = node.getAt(at, "u32")
                if (o < object || (o === object && node.getAt(at + 4, "u32") < sub)) low = middle + 1
                else high = middle
            }
            if (d === this.height) {
                this.depth = d
                this.leaf = node
                this.places[d] = low
                return low
            }
            // the child whose first key is not greater
            if (low === node[atCount]) low--
            else if (low > 0) {
                const at = atKeys + low * keyBytes
                if (node.getAt(at, "u32") !== object || node.getAt(at + 4, "u32") !== sub) low--
            }
            this.places[d] = low
            slot = await this.nodeSlot(node.getAt(atBody + node[atKeys + low * keyBytes + 8], "u32"))
            d++
        }
    }

    // --- changing

    /** Makes the nodes of the last descent's path changeable. */
    private dirtyPath(): void {
        const cache = this.cache
        for (let d = 0; d <= this.depth; d++) {
            const slot = this.slots[d]
            if (cache.tags[slot] === -2) continue
            this.log.account(cache.tags[slot] - this.firstTag, -1)
            cache.tags[slot] = -2
            cache.dirtyCount++
            // the pointer to it, as the root or in its parent
            if (d === 0) this.top = dirtyMark + slot
            else {
                const parent = cache.buffers[this.slots[d - 1]]
                parent.setAt(atBody + parent[atKeys + this.places[d - 1] * keyBytes + 8], "u32", dirtyMark + slot)
            }
        }
    }

    private newNode(level: number): number {
        const cache = this.cache
        const slot = cache.take()
        const buffer = cache.buffers[slot]
        buffer.fillAt(0, pageBufferBytes, 0)
        buffer[atHeap] = bodyBytes
        buffer[atLength] = level
        cache.tags[slot] = -2
        cache.dirtyCount++
        return slot
    }

    /** Inserts the key, or gives an existing one a new value: `bytes` bytes of `value` from `from`. */
    async put(object: number, sub: number, value: Buffer, from: number, bytes: number): Promise<void> {
        await this.makeRoom()
        for (;;) {
            if (this.top === noPage) {
                this.top = dirtyMark + this.newNode(0)
                this.height = 0
            }
            const exists = await this.find(object, sub)
            this.dirtyPath()
            if (!exists) this.lowerSeparators(object, sub)
            const node = this.leaf
            if (exists) {
                if (this.valueBytes === bytes) {
                    node.blitAt(this.valueAt, value, from, bytes)
                    return
                }
                removeEntry(node, this.places[this.depth])
            }
            if (this.insert(this.depth, this.places[this.depth], object, sub, value, from, bytes)) return
        }
    }

    /** A key below all others of a subtree goes into its first leaf: the separators above must not be greater. */
    private lowerSeparators(object: number, sub: number): void {
        for (let d = 0; d < this.depth; d++) {
            if (this.places[d] !== 0) continue
            const node = this.cache.buffers[this.slots[d]]
            const o = node.getAt(atKeys, "u32")
            if (o > object || (o === object && node.getAt(atKeys + 4, "u32") > sub)) {
                node.setAt(atKeys, "u32", object)
                node.setAt(atKeys + 4, "u32", sub)
            }
        }
    }

    /** Keeps as many slots clean as one change may need: a path, its neighbours, and a split at every level. */
    private async makeRoom(): Promise<void> {
        const cache = this.cache
        const most = cache.slots - this.height * 2 - 6
        if (cache.dirtyCount <= most) return
        // leaves alone: what is above them will change again
        await this.flushTop(false)
        if (cache.dirtyCount > most - 3) await this.flush()
    }

    /** Removes the key. @returns whether it existed */
    async remove(object: number, sub: number): Promise<boolean> {
        await this.makeRoom()
        if (!(await this.find(object, sub))) return false
        this.dirtyPath()
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
            } else if (d === 0 || usedBytes(node) >= sparseBytes || !(await this.merge(d))) break
            d--
        }
        await this.lowerRoot()
        return true
    }

    /**
     * Merges the path's node of depth d with a neighbour under the same parent.
     * @returns true when one of the two is empty now and its entry in the parent, at `places[d - 1]`, is to be removed
     */
    private async merge(d: number): Promise<boolean> {
        const cache = this.cache
        const parent = cache.buffers[this.slots[d - 1]]
        const node = cache.buffers[this.slots[d]]
        const place = this.places[d - 1]
        for (let step = -1; step <= 1; step += 2) {
            const beside = place + step
            if (beside < 0) continue
            if (beside >= parent[atCount]) continue
            const slot = await this.nodeSlot(parent.getAt(atBody + parent[atKeys + beside * keyBytes + 8], "u32"))
            const neighbour = cache.buffers[slot]
            if (usedBytes(neighbour) + usedBytes(node) > bodyBytes - 2) continue
            if (cache.tags[slot] !== -2) {
                this.log.account(cache.tags[slot] - this.firstTag, -1)
                cache.tags[slot] = -2
                cache.dirtyCount++
            }
            // the left one stays, the right one goes
            const right = step < 0 ? place : beside
            const leftSlot = step < 0 ? slot : this.slots[d]
            const rightSlot = step < 0 ? this.slots[d] : slot
            moveEntries(cache.buffers[rightSlot], cache.buffers[leftSlot])
            cache.tags[rightSlot] = -1
            cache.dirtyCount--
            parent.setAt(atBody + parent[atKeys + (right - 1) * keyBytes + 8], "u32", dirtyMark + leftSlot)
            this.places[d - 1] = right
            return true
        }
        return false
    }

    /** While the root has one child only, that child becomes the root. */
    private async lowerRoot(): Promise<void> {
        const cache = this.cache
        while (this.height > 0) {
            const slot = await this.nodeSlot(this.top)
            const node = cache.buffers[slot]
            if (node[atCount] > 1) return
            const child = node.getAt(atBody + node[atKeys + 8], "u32")
            if (cache.tags[slot] === -2) cache.dirtyCount--
            else this.log.account(this.top, -1)
            cache.tags[slot] = -1
            this.top = child
            this.height--
        }
    }

    /**
     * Inserts an entry into the path's node of depth d. Where there is no room the node is split, and its upper part linked.
     * @returns false when the node was split and still has no room: descend and insert again
     */
    private insert(
        d: number,
        index: number,
        object: number,
        sub: number,
        value: Buffer,
        from: number,
        bytes: number,
    ): boolean {
        const buffers = this.cache.buffers
        const node = buffers[this.slots[d]]
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
        const upperSlot = this.newNode(node[atLength])
        const upper = buffers[upperSlot]
        cutNode(node, upper, cut)
        if (separatorIsEntry) this.link(d, upperSlot, object, sub)
        else this.link(d, upperSlot, upper.getAt(atKeys, "u32"), upper.getAt(atKeys + 4, "u32"))
        if (!fits) return false
        insertEntry(intoUpper ? upper : node, intoUpper ? index - cut : index, object, sub, value, from, bytes)
        return true
    }

    /** Enters a new right neighbour of the path's node of depth d into the parent. Keys of nodes always fit after one split. */
    private link(d: number, slot: number, object: number, sub: number): void {
        // its own buffer: linking may split the parent, which links in turn
        const pointer = Buffer.alloc(4)
        if (d === 0) {
            const old = this.slots[0]
            const rootSlot = this.newNode(this.cache.buffers[old][atLength] + 1)
            pointer.setAt(0, "u32", dirtyMark + old)
            insertEntry(this.cache.buffers[rootSlot], 0, 0, 0, pointer, 0, 4)
            pointer.setAt(0, "u32", dirtyMark + slot)
            insertEntry(this.cache.buffers[rootSlot], 1, object, sub, pointer, 0, 4)
            this.top = dirtyMark + rootSlot
            this.height++
            return
        }
        pointer.setAt(0, "u32", dirtyMark + slot)
        this.insert(d - 1, this.places[d - 1] + 1, object, sub, pointer, 0, 4)
    }

    // --- making changes durable

    /** Appends the changed nodes, children first, and tells the log where the tree now is. The root that follows commits it. */
    async flush(): Promise<void> {
        await this.flushTop(true)
        this.log.setTree(this.top, this.height)
    }

    private async flushTop(isWhole: boolean): Promise<void> {
        if (this.top !== noPage)
            if (this.top >= dirtyMark) {
                await this.log.ensure(this.cache.dirtyCount + this.log.closingPages())
                this.top = await this.flushNode(this.top - dirtyMark, isWhole)
            }
    }

    /** Makes the node of that level that has the key changeable, so that `flush` moves it. @returns false when `page` is not that node */
    async moveNode(page: number, level: number, object: number, sub: number): Promise<boolean> {
        if (this.top === noPage) return false
        if (level > this.height) return false
        await this.makeRoom()
        await this.descend(object, sub)
        const depth = this.height - level
        if (this.cache.tags[this.slots[depth]] !== this.firstTag + page) return false
        this.depth = depth
        this.dirtyPath()
        return true
    }

    private async flushNode(slot: number, isWhole: boolean): Promise<number> {
        const cache = this.cache
        const node = cache.buffers[slot]
        const level = node[atLength]
        if (level > 0) {
            const count = node[atCount]
            for (let i = 0; i < count; i++) {
                const at = atBody + node[atKeys + i * keyBytes + 8]
                const child = node.getAt(at, "u32")
                if (child >= dirtyMark) node.setAt(at, "u32", await this.flushNode(child - dirtyMark, isWhole))
            }
            if (!isWhole) return slot + dirtyMark
        }
        const page = await this.log.append(node, typeNode, level, 0, 0)
        this.log.account(page, 1)
        cache.dirtyCount--
        cache.remember(slot, this.firstTag + page)
        return page
    }
}

function usedBytes(node: Buffer): number {
    return bodyBytes - node[atHeap] + node[atCount] * keyBytes
}
