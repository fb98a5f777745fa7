// Builds arrays as the format says a store may leave them, from docs/FORMAT.md alone: a test's own small store, that writes each tree anew.

import { ArrayBytes, body, makePage, none, sha, type PageFields, type Shape } from "./image-pages"

type Extent = [page: number, count: number]
interface Item {
    object: number
    sub: number
    value: Buffer
}

const retired = 0xffff

export class ImageBuilder {
    readonly array: ArrayBytes
    epoch = 1
    commits = 0
    nextObject = 16
    sessions: [session: number, sequence: number, value: number, status: number][] = []
    rootPage = none
    tree = none
    height = 0
    inUse = 0
    readonly usage: number[]
    readonly wear: number[]
    /** The log's present segment, and the next index. */
    segment = 0
    index = 0
    private serial = 7
    private readonly items = new Map<string, Item>()
    private readonly uploads = new Map<number, number>()
    private readonly pins = new Map<number, Buffer>()
    /** Segments that hold something no root names yet. */
    private readonly dirty = new Set<number>()
    private row: Buffer[] = []
    private usagePages = none
    private counted: { usage: number; wear: number }[]
    private tails: { segment: number; below: number }[] = []

    constructor(shape: Shape) {
        this.array = new ArrayBytes(shape)
        this.usage = new Array<number>(shape.segments).fill(0)
        this.wear = new Array<number>(shape.segments).fill(0)
        this.counted = this.usage.map(() => ({ usage: 0, wear: 0 }))
        this.array.erase(1)
        this.segment = 1
        this.writeRoot()
        this.anchor()
        this.put(1, 0, this.inode(2, 0, 0, 1))
        this.commit()
        for (let position = 0; position < shape.elements; position++) this.array.writeLabel(position, this.epoch)
    }

    get images(): Buffer[] {
        return this.array.elements
    }

    // objects

    put(object: number, sub: number, value: Buffer): void {
        this.items.set(`${object}.${sub}`, { object, sub, value })
    }

    delete(object: number, sub: number): void {
        this.items.delete(`${object}.${sub}`)
    }

    inode(type: number, flags: number, size: number, parent: number): Buffer {
        const value = Buffer.alloc(20)
        value[0] = type
        value[1] = flags
        value.writeUInt32LE(size, 4)
        value.writeUInt32LE(1_700_000_000 + this.nextObject, 8)
        value.writeUInt32LE(this.nextObject, 12)
        value.writeUInt32LE(parent, 16)
        return value
    }

    enter(directory: number, name: string, object: number, type: number): void {
        const bytes = Buffer.from(name)
        const hash = sha(bytes).readUInt32LE(0) & 0x7fffff || 1
        let sub = hash * 256
        while (this.items.has(`${directory}.${sub}`)) sub++
        const value = Buffer.alloc(5 + bytes.length)
        value.writeUInt32LE(object, 0)
        value[4] = type
        bytes.copy(value, 5)
        this.put(directory, sub, value)
    }

    mkdir(directory: number, name: string): number {
        const object = this.nextObject++
        this.put(object, 0, this.inode(2, 0, 0, directory))
        this.enter(directory, name, object, 2)
        return object
    }

    writeFile(directory: number, name: string, bytes: Uint8Array): number {
        const object = this.nextObject++
        this.put(object, 0, this.inode(1, 0, bytes.length, directory))
        this.putBlocks(object, 0, bytes)
        this.enter(directory, name, object, 1)
        return object
    }

    /** The entry is gone, the object's first extent given back. */
    drop(object: number): void {
        for (const [key, { sub, value }] of this.items)
            if (value.length > 5 && sub >= 256 && value.readUInt32LE(0) === object) this.items.delete(key)
        const inode = this.items.get(`${object}.0`)!.value
        inode[1] = 2
        const extents = this.extentsOf(object)
        if (extents.length > 1) this.delete(object, extents[0].sub)
        this.put(3, object, Buffer.from([0]))
    }

    /** An upload that holds `bytes` in the tree with the next commit. */
    openUpload(session: number, bytes: Uint8Array): number {
        const object = this.nextObject++
        this.put(object, 0, this.inode(1, 1, bytes.length, 0))
        this.putBlocks(object, 0, bytes)
        const value = Buffer.alloc(4)
        value.writeUInt32LE(session, 0)
        this.put(2, object, value)
        this.uploads.set(object, bytes.length)
        return object
    }

    /** More of an upload, not in the tree: the tail. */
    addTail(object: number, bytes: Uint8Array): void {
        const held = this.uploads.get(object)!
        const first = Math.floor(held / body)
        for (let at = 0; at < bytes.length; at += body) {
            const block = first + at / body
            const length = Math.min(body, bytes.length - at)
            this.append({ type: 1, length, owner: object, block, body: bytes.subarray(at, at + length) })
            this.uploads.set(object, Math.max(held, block * body + length))
        }
        this.endRow()
    }

    setProperties(object: number, properties: Record<string, string>): void {
        const parts = Object.entries(properties).flatMap(([name, value]) => [
            Buffer.from([Buffer.byteLength(name)]),
            Buffer.from(name),
            Buffer.from([Buffer.byteLength(value)]),
            Buffer.from(value),
        ])
        this.put(5, object, Buffer.concat(parts))
        const inode = this.items.get(`${object}.0`)
        if (inode) inode.value[1] |= 4
    }

    /** Of the last root. */
    snapshot(number: number, name: string): void {
        const pins = Buffer.alloc(Math.ceil(this.array.segments / 8))
        this.usage.forEach((usage, segment) => {
            if (usage > 0 && usage !== retired) pins[segment >> 3] |= 1 << (segment & 7)
        })
        const head = Buffer.alloc(20)
        head.writeUInt32LE(this.commits, 0)
        head.writeUInt32LE(this.tree, 4)
        head[8] = this.height
        head[9] = pins.length
        head.writeUInt32LE(1_700_000_000, 12)
        head.writeUInt32LE(this.inUse, 16)
        this.pins.set(number, pins)
        this.put(4, number, Buffer.concat([head, pins, Buffer.from(name)]))
        this.commit()
    }

    /** A free segment, never to be used again. */
    retire(segment: number): void {
        this.usage[segment] = retired
    }

    // the log

    append(fields: PageFields): number {
        if (this.index === this.array.S) this.enterSegment()
        const { array, index } = this
        const page = this.segment * array.S + index
        const hasRoot = this.rootPage !== none && Math.floor(this.rootPage / array.S) === this.segment
        const since = fields.type === 3 ? 0 : hasRoot ? page - this.rootPage : retired
        this.serial += 1 + (page % 5 === 0 ? 3 : 0)
        const bytes = makePage(page, { ...fields, since, serial: this.serial })
        array.writeLog(page, bytes)
        this.dirty.add(this.segment)
        this.row.push(bytes)
        this.index++
        if (this.index % array.D === 0) this.endRow()
        return page
    }

    endRow(): void {
        if (this.row.length === 0) return
        const { D, S, R } = this.array
        this.index = Math.ceil(this.index / D) * D
        this.array.writeParity(this.segment * R + this.index / D - 1, this.row)
        this.row = []
        if (this.index > S) throw new Error("row over the end")
    }

    enterSegment(): void {
        this.endRow()
        const { array } = this
        const rootSegment = Math.floor(this.rootPage / array.S)
        if (this.uploads.size > 0 && this.segment !== rootSegment && this.tails.length > 1)
            throw new Error("too much tail without a commit")
        if (this.uploads.size > 0) this.tails.push({ segment: this.segment, below: this.index })
        let next = this.segment
        do next = (next % (array.segments - 1)) + 1
        while (!this.isFree(next) && next !== this.segment)
        if (next === this.segment) throw new Error("no free segment")
        array.erase(next)
        this.wear[next]++
        this.segment = next
        this.index = 0
        this.anchor()
    }

    anchor(): void {
        const rootSegment = Math.floor(this.rootPage / this.array.S)
        const rootTail = this.tails.find(({ segment }) => segment === rootSegment)
        const between = this.tails.find(({ segment }) => segment !== rootSegment)
        this.array.writeAnchor({
            epoch: this.epoch,
            segment: this.segment,
            start: this.index,
            root: this.rootPage,
            serial: this.serial + 1,
            rootTail: rootTail?.below ?? 0,
            between: between?.segment ?? 0,
            betweenTail: between?.below ?? 0,
        })
    }

    mount(): void {
        this.epoch++
        this.anchor()
        this.commit()
    }

    private isFree(segment: number): boolean {
        const isPinned = [...this.pins.values()].some(pins => pins[segment >> 3] & (1 << (segment & 7)))
        return this.usage[segment] === 0 && !isPinned && !this.dirty.has(segment)
    }

    private putBlocks(object: number, firstBlock: number, bytes: Uint8Array): void {
        let extent: { block: number; page: number; count: number } | undefined
        for (let at = 0; at < bytes.length; at += body) {
            const block = firstBlock + at / body
            const length = Math.min(body, bytes.length - at)
            const page = this.append({ type: 1, length, owner: object, block, body: bytes.subarray(at, at + length) })
            const isNext = extent && page === extent.page + extent.count && page % this.array.S !== 0
            if (extent && isNext) extent.count++
            else extent = { block, page, count: 1 }
            const value = Buffer.alloc(6)
            value.writeUInt32LE(extent.page, 0)
            value.writeUInt16LE(extent.count, 4)
            this.put(object, extent.block + 1, value)
        }
    }

    private extentsOf(object: number): Item[] {
        return [...this.items.values()].filter(
            item => item.object === object && item.sub > 0 && item.value.length === 6,
        )
    }

    // commits

    commit(): void {
        this.endRow()
        const sorted = [...this.items.values()].sort((a, b) => a.object - b.object || a.sub - b.sub)
        const used: Extent[] = []
        for (const item of sorted) {
            const type = this.items.get(`${item.object}.0`)?.value[0]
            if (item.object >= 16 && item.sub > 0 && type === 1)
                used.push([item.value.readUInt32LE(0), item.value.readUInt16LE(4)])
        }
        let level = 0
        let children = sorted
        for (;;) {
            const parents: Item[] = []
            for (const group of groupsOf(children)) {
                const page = this.append({ type: 2, length: level, body: nodeBody(group) })
                used.push([page, 1])
                const value = Buffer.alloc(4)
                value.writeUInt32LE(page, 0)
                const isFirst = parents.length === 0
                parents.push({ object: isFirst ? 0 : group[0].object, sub: isFirst ? 0 : group[0].sub, value })
            }
            if (parents.length === 1) {
                this.tree = parents[0].value.readUInt32LE(0)
                this.height = level
                break
            }
            children = parents
            level++
        }
        this.writeRoot(used)
    }

    private writeRoot(used: Extent[] = []): void {
        const { array } = this
        const { S, D, segments } = array
        const usagePageCount = Math.ceil(segments / 78)
        if (S - this.index < usagePageCount + 2 * D) this.enterSegment()
        const next = this.segment * S + this.index
        const rootFrom = (page: number) => Math.ceil(page / D) * D
        const count = (usageAt: number, root: number) => {
            this.usage.forEach((usage, segment) => usage !== retired && (this.usage[segment] = 0))
            const pages: Extent[] = [...used, [root, 1]]
            if (usageAt !== none) pages.push([usageAt, usagePageCount])
            for (const [page, length] of pages) {
                const segment = Math.floor(page / S)
                if (this.usage[segment] !== retired) this.usage[segment] += length
            }
        }
        count(this.usagePages, rootFrom(next))
        if (this.changed().length > 20) {
            this.usagePages = next
            count(next, rootFrom(next + usagePageCount))
            this.counted = this.usage.map((usage, segment) => ({ usage, wear: this.wear[segment] }))
            for (let i = 0; i < usagePageCount; i++)
                this.append({ type: 6, block: 78 * i, body: this.usageBody(78 * i) })
            // a delta that says once more what the usage page says, and one that replaces it
            this.counted[1] = { usage: -1, wear: 0 }
        }
        this.endRow()
        this.inUse = this.usage.reduce((sum, usage) => sum + (usage === retired ? 0 : usage), 0)
        this.commits++
        const isFirst = this.commits === 1
        if (isFirst) this.tree = none
        const rootPage = this.append({ type: 3, body: this.rootBody() })
        this.endRow()
        this.rootPage = rootPage
        this.tails = []
        this.dirty.clear()
        this.dirty.add(this.segment)
    }

    private changed(): number[] {
        return [...this.usage.keys()].filter(
            segment =>
                this.usage[segment] !== this.counted[segment].usage ||
                this.wear[segment] !== this.counted[segment].wear,
        )
    }

    private usageBody(first: number): Buffer {
        const bytes = Buffer.alloc(body)
        for (let i = 0; i < 78 && first + i < this.usage.length; i++) {
            bytes.writeUInt16LE(this.usage[first + i], 2 * i)
            bytes[2 * 78 + i] = this.wear[first + i]
        }
        return bytes
    }

    private rootBody(): Buffer {
        const bytes = Buffer.alloc(body)
        const deltas = this.changed()
        bytes.writeUInt32LE(this.commits, 0)
        bytes.writeUInt32LE(this.epoch, 4)
        bytes.writeUInt32LE(this.tree, 8)
        bytes[12] = this.height
        bytes[13] = deltas.length
        bytes.writeUInt32LE(this.nextObject, 16)
        bytes.writeUInt32LE(this.usagePages, 20)
        bytes.writeUInt32LE(this.inUse, 24)
        bytes.writeUInt32LE(1, 28)
        this.sessions.forEach(([session, sequence, value, status], i) => {
            bytes.writeUInt32LE(session, 32 + 12 * i)
            bytes.writeUInt32LE(sequence, 36 + 12 * i)
            bytes.writeUInt32LE(value, 40 + 12 * i)
            bytes[128 + i] = status
        })
        deltas.forEach((segment, i) => {
            bytes.writeUInt16LE(segment, 136 + 5 * i)
            bytes.writeUInt16LE(this.usage[segment], 138 + 5 * i)
            bytes[140 + 5 * i] = this.wear[segment]
        })
        return bytes
    }
}

/** As many as fit into a node, now and then fewer. */
function groupsOf(items: Item[]): Item[][] {
    const groups: Item[][] = []
    let room = 0
    for (const item of items) {
        const bytes = 10 + item.value.length
        if (bytes > room) {
            groups.push([])
            room = groups.length % 4 === 0 ? 140 : 234
            if (bytes > room) room = 234
        }
        groups[groups.length - 1].push(item)
        room -= bytes
    }
    return groups
}

function nodeBody(items: Item[]): Buffer {
    const bytes = Buffer.alloc(body)
    // between keys and heap is nothing meaningful
    bytes.fill(0xee, 2)
    let heap = body
    items.forEach(({ object, sub, value }, i) => {
        heap -= value.length
        value.copy(bytes, heap)
        bytes.writeUInt32LE(object, 2 + 10 * i)
        bytes.writeUInt32LE(sub, 6 + 10 * i)
        bytes[10 + 10 * i] = heap
        bytes[11 + 10 * i] = value.length
    })
    bytes[0] = items.length
    bytes[1] = heap
    return bytes
}
