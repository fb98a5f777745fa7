// A reader of volumes written from docs/FORMAT.md alone: nothing of src/ is used, so that a mistake there is not made here again.

import { createHash } from "node:crypto"

const none = 0xffffffff
export const pageBytes = 256

const typeData = 1
const typeNode = 2
const typeRoot = 3
const typeAnchor = 4
const typeLabel = 5
const typeUsage = 6

export interface Element {
    read(page: number): Buffer
}

export interface Label {
    arrayId: number
    version: number
    volume: number
    element: number
    elements: number
    state: number
    segmentPages: number
    pages: number
}

export interface Anchor {
    sequence: number
    epoch: number
    segment: number
    start: number
    root: number
    serial: number
    rootTail: number
    between: number
    betweenTail: number
    members: number
    arrayId: number
}

export interface Root {
    commit: number
    epoch: number
    tree: number
    height: number
    nextObject: number
    usage: number
    inUse: number
    sessions: { session: number; sequence: number; value: number; status: number }[]
    deltas: Map<number, number>
}

export interface Item {
    object: number
    sub: number
    value: Buffer
}

export function checkIsGood(page: Buffer, number: number): boolean {
    const hashed = Buffer.alloc(260)
    hashed.writeUInt32LE(number, 0)
    page.copy(hashed, 8, 4)
    return createHash("sha256").update(hashed).digest().subarray(0, 4).equals(page.subarray(0, 4))
}

export const typeOf = (page: Buffer) => page[4]
const body = (page: Buffer) => page.subarray(20)

export function readLabel(page: Buffer): Label | undefined {
    const b = body(page)
    if (typeOf(page) !== typeLabel || b.toString("latin1", 0, 4) !== "TWIN") return undefined
    return {
        arrayId: page.readUInt32LE(12),
        version: b.readUInt16LE(4),
        volume: b[6],
        element: b[7],
        elements: b[8],
        state: b[9],
        segmentPages: b.readUInt16LE(10),
        pages: b.readUInt32LE(12),
    }
}

export function readAnchor(page: Buffer): Anchor | undefined {
    if (typeOf(page) !== typeAnchor) return undefined
    const b = body(page)
    return {
        sequence: page.readUInt32LE(12),
        epoch: b.readUInt32LE(0),
        segment: b.readUInt16LE(4),
        start: b.readUInt16LE(6),
        root: b.readUInt32LE(8),
        serial: b.readUInt32LE(12),
        rootTail: b.readUInt16LE(16),
        between: b.readUInt16LE(18),
        betweenTail: b.readUInt16LE(20),
        members: b[22],
        arrayId: b.readUInt32LE(24),
    }
}

export function readRoot(page: Buffer): Root | undefined {
    if (typeOf(page) !== typeRoot) return undefined
    const b = body(page)
    const sessions: Root["sessions"] = []
    for (let i = 0; i < 8; i++) {
        const session = b.readUInt32LE(32 + 12 * i)
        if (session === 0) break
        sessions.push({
            session,
            sequence: b.readUInt32LE(36 + 12 * i),
            value: b.readUInt32LE(40 + 12 * i),
            status: b[128 + i],
        })
    }
    const deltas = new Map<number, number>()
    for (let i = 0; i < b[13]; i++) deltas.set(b.readUInt16LE(136 + 4 * i), b.readUInt16LE(138 + 4 * i))
    return {
        commit: b.readUInt32LE(0),
        epoch: b.readUInt32LE(4),
        tree: b.readUInt32LE(8),
        height: b[12],
        nextObject: b.readUInt32LE(16),
        usage: b.readUInt32LE(20),
        inUse: b.readUInt32LE(24),
        sessions,
        deltas,
    }
}

export function readNode(page: Buffer): Item[] | undefined {
    if (typeOf(page) !== typeNode) return undefined
    const b = body(page)
    const items: Item[] = []
    for (let i = 0; i < b[0]; i++) {
        const at = 2 + 10 * i
        const offset = b[at + 8]
        items.push({
            object: b.readUInt32LE(at),
            sub: b.readUInt32LE(at + 4),
            value: b.subarray(offset, offset + b[at + 9]),
        })
    }
    return items
}

export function readUsage(page: Buffer, count: number): number[] | undefined {
    if (typeOf(page) !== typeUsage) return undefined
    return Array.from({ length: Math.min(118, count) }, (_, i) => body(page).readUInt16LE(2 * i))
}

export interface Reading {
    anchor: Anchor
    rootPage: number
    root: Root
    usage: number[]
    /** How often each page is referred to. */
    counted: number[]
    files: Map<string, Buffer | "directory">
    uploads: Map<number, Buffer>
}

/** Reads a whole array; throws where docs/FORMAT.md says "refuse", and where a page that must be there is not good. */
export function readArray(all: Element[]): Reading {
    // 1 labels
    const labelled = all.flatMap(element => {
        const page = element.read(0)
        const label = checkIsGood(page, 0) ? readLabel(page) : undefined
        return label && label.state === 0 ? [{ element, label }] : []
    })
    if (labelled.length === 0) throw new Error("no label")
    const { label } = labelled[0]
    for (const other of labelled)
        if (other.label.arrayId !== label.arrayId || other.label.segmentPages !== label.segmentPages)
            throw new Error("foreign element")
    const S = label.segmentPages
    const segments = Math.floor(label.pages / S)

    // 2 the newest anchor
    const newestIn = (slot: number): Anchor | undefined => {
        let newest: Anchor | undefined
        for (const { element } of labelled) {
            const page = element.read(slot)
            const anchor = checkIsGood(page, slot) ? readAnchor(page) : undefined
            if (anchor && anchor.arrayId === label.arrayId && anchor.sequence > (newest?.sequence ?? 0)) newest = anchor
        }
        return newest
    }
    let first = 0
    let sequence = 0
    for (let sector = 1; sector < Math.floor(S / 16); sector++) {
        const anchor = newestIn(sector * 16)
        if (anchor && anchor.sequence > sequence) {
            sequence = anchor.sequence
            first = sector * 16
        }
    }
    let anchor: Anchor | undefined
    for (let slot = first + 15; slot >= first && !anchor; slot--) anchor = newestIn(slot)
    if (!first || !anchor) throw new Error("no anchor")
    const { members } = anchor
    const elements = labelled.filter(e => members & (1 << e.label.element)).map(e => e.element)
    if (elements.length === 0) throw new Error("left behind")
    const good = (number: number): Buffer | undefined =>
        elements.map(element => element.read(number)).find(page => checkIsGood(page, number))
    const must = (number: number, what: string): Buffer => {
        const page = good(number)
        if (!page) throw new Error(`${what}: page ${number} is not good`)
        return page
    }

    // 3 the root
    const base = anchor.segment * S
    let end = anchor.start
    while (end < S && elements.some(element => element.read(base + end).some(byte => byte !== 0xff))) end++
    let rootPage = anchor.root
    for (let index = end - 1; index >= 0; index--) {
        const page = good(base + index)
        if (!page) continue
        const since = page.readUInt16LE(6)
        if (since <= index) rootPage = base + index - since
        break
    }
    const root = readRoot(must(rootPage, "root"))
    if (!root) throw new Error("no root")

    // the tree
    const counted = new Array<number>(segments).fill(0)
    const count = (page: number) => counted[Math.floor(page / S)]++
    count(rootPage)
    const items: Item[] = []
    const walk = (number: number) => {
        const page = must(number, "node")
        count(number)
        const node = readNode(page)
        if (!node) throw new Error(`page ${number} is no node`)
        if (page[5] === 0) items.push(...node)
        else for (const item of node) walk(item.value.readUInt32LE(0))
    }
    if (root.tree !== none) walk(root.tree)

    // usage
    let usage = new Array<number>(segments).fill(0)
    if (root.usage !== none) {
        usage = []
        for (let i = 0; usage.length < segments; i++) {
            usage.push(...(readUsage(must(root.usage + i, "usage"), segments - usage.length) ?? []))
            count(root.usage + i)
        }
    }
    for (const [segment, pages] of root.deltas) usage[segment] = pages

    // files
    const inodes = new Map(items.filter(i => i.sub === 0).map(i => [i.object, i.value]))
    const blocks = new Map<number, Buffer[]>()
    for (const { object, sub, value } of items) {
        const inode = inodes.get(object)
        if (sub === 0 || !inode || inode[0] !== 1) continue
        for (let i = 0; i < value.readUInt16LE(4); i++) {
            const number = value.readUInt32LE(0) + i
            const page = must(number, "block")
            count(number)
            if (typeOf(page) !== typeData || page.readUInt32LE(12) !== object || page.readUInt32LE(16) !== sub - 1 + i)
                throw new Error(`page ${number} is not block ${sub - 1 + i} of ${object}`)
            blocks.set(object, [...(blocks.get(object) ?? []), page.subarray(20, 20 + page[5])])
        }
    }
    const content = (object: number) => Buffer.concat(blocks.get(object) ?? [])
    const files: Reading["files"] = new Map()
    const list = (directory: number, path: string) => {
        for (const item of items) {
            if (item.object !== directory || item.sub < 256) continue
            const object = item.value.readUInt32LE(0)
            const name = path + item.value.toString("utf8", 5)
            if (item.value[4] === 2) {
                files.set(name, "directory")
                list(object, name + "/")
            } else files.set(name, content(object))
        }
    }
    list(1, "")

    // uploads and the tail
    const uploads = new Map<number, Buffer>()
    const fromTail = new Map<number, number>()
    for (const item of items) if (item.object === 2) uploads.set(item.sub, content(item.sub))
    const ranges: [number, number][] = []
    const rootBase = rootPage - (rootPage % S)
    if (rootBase === base) ranges.push([rootPage + 1, base + end])
    else {
        ranges.push([rootPage + 1, rootBase + anchor.rootTail])
        if (anchor.between) ranges.push([anchor.between * S, anchor.between * S + anchor.betweenTail])
        ranges.push([base, base + end])
    }
    for (const [from, to] of ranges)
        for (let number = from; number < to; number++) {
            const page = good(number)
            if (!page || typeOf(page) !== typeData) continue
            const object = page.readUInt32LE(12)
            const block = page.readUInt32LE(16)
            const held = uploads.get(object)
            if (!held) continue
            const next = Math.floor(held.length / 236)
            const data = page.subarray(20, 20 + page[5])
            const repeats = block === next - 1 && data.length === 236 && (fromTail.get(object) ?? -1) === block
            if (!repeats && (block !== next || block * 236 + data.length < held.length)) continue
            uploads.set(object, Buffer.concat([held.subarray(0, block * 236), data]))
            fromTail.set(object, block)
        }
    return { anchor, rootPage, root, usage, counted, files, uploads }
}
