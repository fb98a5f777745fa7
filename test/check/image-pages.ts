// Writes pages of arrays into memory, from docs/FORMAT.md alone and apart from the checker: elements, rows with parity, labels, the
// ring of anchors.

import { createHash } from "node:crypto"

export const none = 0xffffffff
export const body = 236

export interface Shape {
    elements: number
    stride: 256 | 512
    segmentRows: number
    segments: number
    /** Rows behind the last whole segment. */
    moreRows?: number
    volume?: number
    arrayId?: number
}

export interface PageFields {
    type: number
    length?: number
    since?: number
    serial?: number
    owner?: number
    block?: number
    body?: Uint8Array
}

export function sha(bytes: Uint8Array): Buffer {
    return createHash("sha256").update(bytes).digest()
}

/** Puts the check of page `number` into it. */
export function seal(page: Buffer, number: number): Buffer {
    const hashed = Buffer.alloc(260)
    hashed.writeUInt32LE(number, 0)
    page.copy(hashed, 8, 4)
    sha(hashed).copy(page, 0, 0, 4)
    return page
}

export function makePage(number: number, fields: PageFields): Buffer {
    const page = Buffer.alloc(256)
    page[4] = fields.type
    page[5] = fields.length ?? 0
    page.writeUInt16LE(fields.since ?? 0, 6)
    page.writeUInt32LE(fields.serial ?? 0, 8)
    page.writeUInt32LE(fields.owner ?? 0, 12)
    page.writeUInt32LE(fields.block ?? 0, 16)
    if (fields.body) page.set(fields.body, 20)
    return seal(page, number)
}

/** The elements of an array, by position, and what can be written to them. */
export class ArrayBytes {
    readonly n: number
    readonly D: number
    readonly R: number
    readonly S: number
    readonly rows: number
    readonly segments: number
    readonly arrayId: number
    elements: Buffer[]
    generations = [0, 0, 0, 0, 0, 0]
    members: number
    joining = 0xff
    readonly away = Buffer.alloc(32)
    private sequence = 0
    /** The next slot of the ring. */
    private slot = 16

    constructor(readonly shape: Shape) {
        this.n = shape.elements
        this.D = this.n === 2 ? 1 : this.n - 1
        this.R = shape.segmentRows
        this.S = this.R * this.D
        this.segments = shape.segments
        this.rows = this.R * shape.segments + (shape.moreRows ?? 0)
        this.arrayId = shape.arrayId ?? 0x7151f11e
        this.members = (1 << this.n) - 1
        this.elements = Array.from({ length: this.n }, () => Buffer.alloc(this.rows * shape.stride, 0xff))
        // the second half of a block on a card means nothing
        if (shape.stride === 512)
            for (const element of this.elements)
                for (let at = 256; at < element.length; at += 512) element.fill(0xa5, at, at + 256)
    }

    counts(position: number, segment: number): boolean {
        if (this.members & (1 << position)) return true
        return this.joining === position && !(this.away[segment >> 3] & (1 << (segment & 7)))
    }

    elementPage(position: number, row: number): Buffer {
        const at = row * this.shape.stride
        return this.elements[position].subarray(at, at + 256)
    }

    erase(segment: number): void {
        this.away[segment >> 3] &= ~(1 << (segment & 7))
        // an erased card may read as zeros
        const blank = this.shape.stride === 512 && segment % 2 === 0 ? 0 : 0xff
        for (let position = 0; position < this.n; position++)
            if (this.counts(position, segment)) this.eraseOn(position, segment, blank)
    }

    eraseOn(position: number, segment: number, blank = 0xff): void {
        for (let row = segment * this.R; row < (segment + 1) * this.R; row++)
            this.elementPage(position, row).fill(blank)
    }

    positionOf(page: number): number {
        return (Math.floor(page / this.D) + 1 + (page % this.D)) % this.n
    }

    writeLog(page: number, bytes: Buffer): void {
        const row = Math.floor(page / this.D)
        const segment = Math.floor(page / this.S)
        const positions = this.n === 2 ? [0, 1] : [this.positionOf(page)]
        for (const position of positions)
            if (this.counts(position, segment)) bytes.copy(this.elementPage(position, row))
    }

    /** `pages` are the row's, also those no element took. */
    writeParity(row: number, pages: Buffer[]): void {
        if (this.n === 2 || !this.counts(row % this.n, Math.floor(row / this.R))) return
        const parity = Buffer.alloc(256)
        for (const page of pages) for (let i = 0; i < 256; i++) parity[i] ^= page[i]
        parity.copy(this.elementPage(row % this.n, row))
    }

    writeLabel(position: number, epoch: number, state = 0): void {
        const label = Buffer.alloc(body)
        label.write("TWIN", 0, "latin1")
        label.writeUInt16LE(2, 4)
        label[6] = this.shape.volume ?? 0
        label[7] = position
        label[8] = this.n
        label[9] = state
        label.writeUInt16LE(this.R, 10)
        label.writeUInt32LE(this.rows, 12)
        label.writeUInt16LE(this.shape.stride, 16)
        label[18] = this.generations[position]
        label.writeUInt32LE(epoch, 20)
        makePage(0, { type: 5, owner: this.arrayId, body: label }).copy(this.elementPage(position, 0))
    }

    writeAnchor(fields: {
        epoch: number
        segment: number
        start: number
        root: number
        serial: number
        rootTail: number
        between: number
        betweenTail: number
    }): void {
        const anchor = Buffer.alloc(body)
        anchor.writeUInt32LE(fields.epoch, 0)
        anchor.writeUInt16LE(fields.segment, 4)
        anchor.writeUInt16LE(fields.start, 6)
        anchor.writeUInt32LE(fields.root, 8)
        anchor.writeUInt32LE(fields.serial, 12)
        anchor.writeUInt16LE(fields.rootTail, 16)
        anchor.writeUInt16LE(fields.between, 18)
        anchor.writeUInt16LE(fields.betweenTail, 20)
        anchor[22] = this.members
        anchor[23] = this.joining
        anchor.writeUInt32LE(this.arrayId, 24)
        anchor.set(this.generations, 28)
        anchor.set(this.away, 36)
        const isFirst = this.slot % 16 === 0
        for (let position = 0; position < this.n; position++) {
            if (!this.counts(position, 0)) continue
            if (isFirst) for (let i = 0; i < 16; i++) this.elementPage(position, this.slot + i).fill(0xff)
            const page = makePage(this.slot, { type: 4, owner: this.sequence + 1, body: anchor })
            page.copy(this.elementPage(position, this.slot))
        }
        this.sequence++
        this.slot++
        // some slots are left blank, never a first one
        if (this.sequence % 3 === 0 && this.slot % 16 !== 0) this.slot++
        if (this.slot >= 16 * (1 + Math.min(15, this.R / 16 - 1))) this.slot = 16
    }
}
