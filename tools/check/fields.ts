/** The fields of labels, anchors and roots, as they are on flash. Whether they make sense is judged elsewhere. */
import { bodyAt, ownerOf, pageType, typeOf, u16, u32 } from "./page"

export const formatVersion = 2
export const elementsMax = 6
export const segmentsMax = 256
export const deltasMax = 20
export const sessionsMax = 8
export const usagesPerPage = 78
/** The usage of a segment that is not to be used again. */
export const retired = 0xffff

export const idText = (id: number): string => id.toString(16).padStart(8, "0")

export interface Label {
    arrayId: number
    version: number
    volume: number
    position: number
    elements: number
    state: number
    segmentRows: number
    rows: number
    stride: number
    generation: number
    epoch: number
}

/** Of a page whose check is right. */
export function readLabel(page: Uint8Array): Label | undefined {
    const b = page.subarray(bodyAt)
    if (typeOf(page) !== pageType.label || Buffer.from(b.subarray(0, 4)).toString("latin1") !== "TWIN") return undefined
    return {
        arrayId: ownerOf(page),
        version: u16(b, 4),
        volume: b[6],
        position: b[7],
        elements: b[8],
        state: b[9],
        segmentRows: u16(b, 10),
        rows: u32(b, 12),
        stride: u16(b, 16),
        generation: b[18],
        epoch: u32(b, 20),
    }
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
    joining: number
    arrayId: number
    generations: number[]
    /** A mount found the root on too few elements, and was to write it again before anything else. */
    isRootWeak: boolean
    away: Uint8Array
}

/** `joining` of an anchor when nothing is being rebuilt. */
export const nobody = 0xff

export function readAnchor(page: Uint8Array): Anchor | undefined {
    if (typeOf(page) !== pageType.anchor) return undefined
    const b = page.subarray(bodyAt)
    return {
        sequence: ownerOf(page),
        epoch: u32(b, 0),
        segment: u16(b, 4),
        start: u16(b, 6),
        root: u32(b, 8),
        serial: u32(b, 12),
        rootTail: u16(b, 16),
        between: u16(b, 18),
        betweenTail: u16(b, 20),
        members: b[22],
        joining: b[23],
        arrayId: u32(b, 24),
        generations: [...b.subarray(28, 28 + elementsMax)],
        isRootWeak: (b[34] & 2) !== 0,
        away: new Uint8Array(b.subarray(36, 68)),
    }
}

export const bit = (bits: Uint8Array, index: number): boolean => ((bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0

export interface Session {
    session: number
    sequence: number
    value: number
    status: number
}

export interface Delta {
    segment: number
    usage: number
    wear: number
}

export interface Root {
    commit: number
    epoch: number
    tree: number
    height: number
    deltaCount: number
    nextObject: number
    usage: number
    inUse: number
    wearBase: number
    /** All eight places. */
    sessions: Session[]
    deltas: Delta[]
}

export const rootAt = { deltaCount: 13, nextObject: 16, inUse: 24, deltas: 136 } as const

export function readRoot(page: Uint8Array): Root | undefined {
    if (typeOf(page) !== pageType.root) return undefined
    const b = page.subarray(bodyAt)
    const deltaCount = b[rootAt.deltaCount]
    return {
        commit: u32(b, 0),
        epoch: u32(b, 4),
        tree: u32(b, 8),
        height: b[12],
        deltaCount,
        nextObject: u32(b, rootAt.nextObject),
        usage: u32(b, 20),
        inUse: u32(b, rootAt.inUse),
        wearBase: u32(b, 28),
        sessions: Array.from({ length: sessionsMax }, (_, i) => ({
            session: u32(b, 32 + 12 * i),
            sequence: u32(b, 36 + 12 * i),
            value: u32(b, 40 + 12 * i),
            status: b[128 + i],
        })),
        deltas: Array.from({ length: Math.min(deltaCount, deltasMax) }, (_, i) => {
            const at = rootAt.deltas + 5 * i
            return { segment: u16(b, at), usage: u16(b, at + 2), wear: b[at + 4] }
        }),
    }
}
