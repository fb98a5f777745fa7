// What must hold of a volume between two operations, looked up on the chips themselves. Only where the last root is, and what open
// uploads hold in RAM, is asked of the mounted volume.

import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { propertiesOf, readSnapshot, snapshotRecord, type SnapshotRecord } from "./snapshot-checker"
import { isMarked } from "../../src/array/array"
import { isPinned, pagesIn } from "../../src/store/usage"
import type { StoreBench } from "./store-bench"

const pageBytes = 256
const bodyAt = 20

export interface CheckedFile {
    object: number
    type: number
    flags: number
    size: number
    mtime: number
    parent: number
}

export interface Found {
    object: number
    type: number
    mtime: number
    content: Buffer
}

export interface Figures {
    /** By path, without the root directory. */
    tree: Map<string, Found>
    /** Bytes the tree has of each open upload. */
    held: Map<number, Buffer>
    nodes: number
    height: number
    dataPages: number
    objects: number
    entries: number
    uploads: number
    orphans: number
    leafFill: number
    /** By name: what each snapshot holds. */
    snapshots: Map<string, Map<string, Buffer | "directory">>
    /** By object. */
    properties: Map<number, Map<string, string>>
    /** Pages in use, and what by; and those of files, directories and nodes in snapshots. */
    used: Map<number, string>
    usedBySnapshots: Set<number>
}

interface Entry {
    object: number
    sub: number
    value: Buffer
}

/** A page of the log from its own element, or made from the others; undefined when it is good in neither way. */
export function goodPage(bench: StoreBench, page: number): Buffer | undefined {
    const { array } = bench.volume
    const n = array.elements
    const d = n > 2 ? n - 1 : 1
    const row = Math.floor(page / d)
    const at = (position: number) => {
        const away = position === array.joining && isMarked(array.away, Math.floor(row / array.segmentRows))
        const isIn = array.members & (1 << position) || (position === array.joining && !away)
        if (!isIn || !(array.bank.alive & (1 << array.slots[position]))) return undefined
        return Buffer.from(bench.elements[array.slots[position]].peek(row * bench.strideBytes, pageBytes))
    }
    const own = d === 1 ? 0 : (row + 1 + (page % d)) % n
    const bytes = at(own)
    if (bytes && pageIsGood(bytes, page)) return bytes
    const made = Buffer.alloc(pageBytes)
    for (let position = 0; position < n; position++) {
        if (position === own) continue
        const other = at(position)
        if (!other) return undefined
        if (d > 1 && position !== row % n && other[4] === 0xff) continue
        for (let i = 0; i < pageBytes; i++) made[i] ^= other[i]
    }
    return pageIsGood(made, page) ? made : undefined
}

/** Pages that were good, as checks of volumes that are nearly the same see them again and again. */
const known = new Map<number, Buffer>()
const knownMax = 32_768

export function pageIsGood(bytes: Buffer, page: number): boolean {
    if (known.get(page)?.equals(bytes)) return true
    const hashed = Buffer.alloc(260)
    hashed.writeUInt32LE(page, 0)
    bytes.copy(hashed, 8, 4)
    if (createHash("sha256").update(hashed).digest().compare(bytes, 0, 4, 0, 4) !== 0) return false
    if (known.size >= knownMax) known.clear()
    known.set(page, Buffer.from(bytes))
    return true
}

export function checkVolume(bench: StoreBench): Figures {
    const { volume } = bench
    const { log } = volume
    const segmentPages = volume.array.segmentPages
    const segments = log.segments
    const used = new Map<number, string>()
    const perSegment = new Array<number>(segments).fill(0)
    const use = (page: number, by: string) => {
        assert.ok(page >= segmentPages && page < segments * segmentPages, `${by}: page ${page} is outside the log`)
        assert.ok(!used.has(page), `page ${page} belongs to ${by} and to ${used.get(page)}`)
        used.set(page, by)
        perSegment[Math.floor(page / segmentPages)]++
    }
    const read = (page: number, by: string): Buffer => {
        const bytes = goodPage(bench, page)
        assert.ok(bytes, `${by}: page ${page} is not good on any element`)
        return bytes
    }

    const root = read(log.rootPage, "the root")
    assert.equal(root[4], 3, "type of the root")
    use(log.rootPage, "the root")
    const body = root.subarray(bodyAt)
    assert.ok(body.equals(log.root.subarray(24, 260)), "the root in RAM is not the one on flash")
    const treePage = body.readUInt32LE(8)
    const height = body[12]
    const nextObject = body.readUInt32LE(16)
    const usageStart = body.readUInt32LE(20)
    checkSessions(body)

    // --- the tree
    const entries: Entry[] = []
    const figures: Figures = {
        tree: new Map(),
        held: new Map(),
        nodes: 0,
        height,
        dataPages: 0,
        objects: 0,
        entries: 0,
        uploads: 0,
        orphans: 0,
        leafFill: 0,
        snapshots: new Map(),
        properties: new Map(),
        used,
        usedBySnapshots: new Set(),
    }
    let leafBytes = 0
    let leaves = 0
    const below = (a: [number, number], b: [number, number]) => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1])
    const walk = (page: number, level: number, low: [number, number], high: [number, number]) => {
        const name = `node ${page}`
        const bytes = read(page, name)
        use(page, name)
        figures.nodes++
        assert.equal(bytes[4], 2, `${name}: type`)
        assert.equal(bytes[5], level, `${name}: level`)
        const b = bytes.subarray(bodyAt)
        const count = b[0]
        const heap = b[1]
        assert.ok(count > 0, `${name} is empty`)
        assert.ok(2 + count * 10 <= heap, `${name}: keys run into values`)
        const map = new Uint8Array(236)
        const keys: [number, number][] = []
        for (let i = 0; i < count; i++) {
            const at = 2 + i * 10
            const offset = b[at + 8]
            const length = b[at + 9]
            assert.ok(offset >= heap && offset + length <= 236 && length > 0, `${name}: value ${i} outside the heap`)
            for (let k = offset; k < offset + length; k++) {
                assert.equal(map[k], 0, `${name}: values overlap`)
                map[k] = 1
            }
            keys.push([b.readUInt32LE(at), b.readUInt32LE(at + 4)])
            if (i > 0) assert.ok(below(keys[i - 1], keys[i]), `${name}: keys out of order`)
        }
        assert.equal(
            map.reduce((a, c) => a + c, 0),
            236 - heap,
            `${name}: holes in the heap`,
        )
        if (level === 0) {
            leaves++
            leafBytes += 236 - heap + count * 10
        }
        for (let i = 0; i < count; i++) {
            const at = 2 + i * 10
            const value = b.subarray(b[at + 8], b[at + 8] + b[at + 9])
            if (level === 0) {
                assert.ok(
                    !below(keys[i], low) && below(keys[i], high),
                    `${name}: key ${keys[i]} outside its parent's bounds`,
                )
                entries.push({ object: keys[i][0], sub: keys[i][1], value: Buffer.from(value) })
            } else {
                assert.equal(value.length, 4, `${name}: pointer`)
                assert.ok(!below(keys[i], low) && below(keys[i], high), `${name}: separator outside its bounds`)
                walk(value.readUInt32LE(0), level - 1, keys[i], i + 1 < count ? keys[i + 1] : high)
            }
        }
    }
    if (treePage !== 0xffffffff) walk(treePage, height, [0, 0], [0x100000000, 0])
    figures.leafFill = leaves ? leafBytes / leaves / 234 : 0
    for (let i = 1; i < entries.length; i++)
        assert.ok(
            below([entries[i - 1].object, entries[i - 1].sub], [entries[i].object, entries[i].sub]),
            "leaves out of order",
        )

    // --- objects
    const inodes = new Map<number, CheckedFile>()
    const referred = new Map<number, string>()
    const refer = (object: number, by: string) => {
        assert.ok(!referred.has(object), `object ${object} is in ${by} and in ${referred.get(object)}`)
        referred.set(object, by)
    }
    for (const { object, sub, value } of entries) {
        if (sub !== 0) continue
        assert.ok(object === 1 || (object >= 16 && object < nextObject), `inode of object ${object}`)
        assert.equal(value.length, 20, `inode of ${object}`)
        inodes.set(object, {
            object,
            type: value[0],
            flags: value[1],
            size: value.readUInt32LE(4),
            mtime: value.readUInt32LE(8),
            parent: value.readUInt32LE(16),
        })
    }
    figures.objects = inodes.size
    assert.equal(inodes.get(1)?.type, 2, "the root directory")
    const names = new Set<string>()
    const records: SnapshotRecord[] = []
    const blocks = new Map<number, number>()
    const contents = new Map<number, Buffer[]>()
    const children: { directory: number; name: string; object: number }[] = []
    for (const { object, sub, value } of entries) {
        if (sub === 0) continue
        if (object === 2) {
            const inode = inodes.get(sub)
            assert.ok(inode && inode.type === 1 && inode.flags === 1, `upload ${sub} has no upload's inode`)
            refer(sub, "the upload list")
            figures.uploads++
            continue
        }
        if (object === 3) {
            const inode = inodes.get(sub)
            assert.ok(inode && inode.flags === 2, `dropped object ${sub} has no such inode`)
            refer(sub, "the orphan list")
            figures.orphans++
            continue
        }
        if (object === 4) {
            const record = snapshotRecord(sub, value)
            records.push(record)
            assert.ok(!figures.snapshots.has(record.name), `snapshot ${record.name} is there twice`)
            figures.snapshots.set(
                record.name,
                readSnapshot(record, segmentPages, page => {
                    figures.usedBySnapshots.add(page)
                    return read(page, `snapshot ${record.name}`)
                }),
            )
            continue
        }
        if (object === 5) {
            assert.equal(inodes.get(sub)?.flags, 4, `properties of ${sub}, which is not there or does not say so`)
            figures.properties.set(sub, propertiesOf(value))
            continue
        }
        const inode = inodes.get(object)
        assert.ok(inode, `object ${object} has no inode`)
        if (inode.type === 2) {
            figures.entries++
            const child = value.readUInt32LE(0)
            const name = value.subarray(5)
            const hash = createHash("sha256").update(name).digest().readUInt32LE(0) & 0x7fffff || 1
            assert.equal(Math.floor(sub / 256), hash, `key of an entry of directory ${object}`)
            const found = inodes.get(child)
            assert.ok(found, `an entry of directory ${object} leads to ${child}, which is not there`)
            assert.equal(found.type, value[4], `type of ${child}`)
            assert.equal(found.parent, object, `parent of ${child}`)
            assert.equal(found.flags & ~4, 0, `flags of ${child}`)
            refer(child, `directory ${object}`)
            const full = `${object}/${name.toString("latin1")}`
            assert.ok(!names.has(full), `${full} is there twice`)
            names.add(full)
            children.push({ directory: object, name: name.toString("utf8"), object: child })
            continue
        }
        const page = value.readUInt32LE(0)
        const count = value.readUInt16LE(4)
        let block = blocks.get(object) ?? 0
        if (inode.flags !== 2) assert.equal(sub - 1, block, `extents of ${object} do not follow each other`)
        block = sub - 1
        assert.ok(count > 0, `extent of ${object}`)
        assert.equal(
            Math.floor(page / segmentPages),
            Math.floor((page + count - 1) / segmentPages),
            "extent over segments",
        )
        for (let i = 0; i < count; i++, block++) {
            use(page + i, `block ${block} of ${object}`)
            figures.dataPages++
            if (!contents.has(object)) contents.set(object, [])
            const data = read(page + i, `block ${block} of ${object}`)
            assert.equal(data[4], 1, `block ${block} of ${object}: type`)
            assert.equal(data.readUInt32LE(12), object, `block ${block} of ${object}: owner`)
            assert.equal(data.readUInt32LE(16), block, `block ${block} of ${object}: number`)
            contents.get(object)!.push(data.subarray(bodyAt, bodyAt + data[5]))
            assert.equal(data[5], Math.min(236, inode.size - block * 236), `block ${block} of ${object}: bytes`)
        }
        blocks.set(object, block)
    }
    for (const inode of inodes.values()) {
        if (inode.flags & 4) assert.ok(figures.properties.has(inode.object), `${inode.object} has no properties`)
        if (inode.object === 1) continue
        assert.ok(referred.has(inode.object), `object ${inode.object} is not in any directory or list`)
        if (inode.type === 2) assert.equal(inode.size, 0)
        else if (inode.flags !== 2)
            assert.equal(blocks.get(inode.object) ?? 0, Math.ceil(inode.size / 236), `blocks of ${inode.object}`)
    }

    const content = (object: number) => Buffer.concat(contents.get(object) ?? [])
    const list = (directory: number, path: string) => {
        for (const child of children) {
            if (child.directory !== directory) continue
            const inode = inodes.get(child.object)!
            const at = path + child.name
            figures.tree.set(at, {
                object: child.object,
                type: inode.type,
                mtime: inode.mtime,
                content: content(child.object),
            })
            if (inode.type === 2) list(child.object, at + "/")
        }
    }
    list(1, "")
    assert.equal(figures.tree.size, figures.entries, "entries the root directory leads to")
    for (const inode of inodes.values()) if (inode.flags === 1) figures.held.set(inode.object, content(inode.object))

    // --- usage, as a mount would find it
    const usagePages = Math.ceil(segments / 78)
    const stored = new Array<number>(segments).fill(0)
    if (usageStart !== 0xffffffff)
        for (let i = 0; i < usagePages; i++) {
            const bytes = read(usageStart + i, "usage")
            assert.equal(bytes[4], 6, "type of a usage page")
            use(usageStart + i, "usage")
            for (let k = 0; k < 78 && i * 78 + k < segments; k++)
                stored[i * 78 + k] = bytes.readUInt16LE(bodyAt + 2 * k)
        }
    for (let i = 0; i < body[13]; i++) stored[body.readUInt16LE(136 + i * 5)] = body.readUInt16LE(138 + i * 5)
    assert.deepEqual(
        stored.map(count => (count === 0xffff ? 0 : count)),
        perSegment,
        "usage of the segments, as stored",
    )
    assert.equal(body.readUInt32LE(24), used.size, "pages in use, as stored")

    // --- usage in RAM: what uploads appended since comes on top
    for (const upload of volume.uploads as unknown as {
        object: number
        runBlocks: number[]
        runPages: number[]
        runCounts: number[]
        partialPage: number
        listedPage: number
        blocks: number
    }[]) {
        if (!upload.object) continue
        assert.equal(referred.get(upload.object), "the upload list", `upload ${upload.object}`)
        const pages: number[] = []
        for (let i = 0; i < upload.runPages.length; i++)
            for (let k = 0; k < upload.runCounts[i]; k++) pages.push(upload.runPages[i] + k)
        if (upload.partialPage !== 0xffffffff && upload.partialPage !== upload.listedPage)
            pages.push(upload.partialPage)
        for (const page of pages) use(page, `upload ${upload.object}`)
    }
    let free = 0
    for (let i = 1; i < segments; i++) {
        const isRetired = pagesIn(log.usage, i) === 0xffff
        assert.equal(isRetired ? 0 : pagesIn(log.usage, i), perSegment[i], `usage of segment ${i}`)
        if (i !== log.segment && perSegment[i] === 0 && !isRetired && !isPinned(log.usage, i)) free++
    }
    assert.equal(log.usage.freeSegments, free, "free segments")
    assert.equal(log.usage.live, used.size, "pages in use")
    return figures
}

function checkSessions(body: Buffer): void {
    const seen = new Set<number>()
    let ended = false
    for (let i = 0; i < 8; i++) {
        const session = body.readUInt32LE(32 + i * 12)
        const status = body[32 + 96 + i]
        if (session === 0) ended = true
        else {
            assert.ok(!ended, "a session behind a free place")
            assert.ok(!seen.has(session), "a session twice")
            seen.add(session)
        }
        assert.ok(status <= 20, "status of a session")
    }
}
