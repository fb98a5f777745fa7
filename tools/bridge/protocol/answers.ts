/**
 * Payloads of the answers to queries, as values. Every decoder throws `badFrame` for a payload that is too short or
 * contradicts itself, and nothing else.
 */
import { TwinfilerError } from "../error"
import { entryTypes, noGiveback, type EntryType } from "./numbers"

export interface Attributes {
    type: EntryType
    flags: number
    object: number
    /** Bytes; 0 for a directory. */
    size: number
    /** Seconds since 1970. */
    mtime: number
    /** Raised whenever the object changes. */
    change: number
    /** The snapshot it is seen in; none in the volume itself. */
    snapshot?: number
}
export interface SnapshotFigures {
    number: number
    name: string
    /** When it was made, seconds since 1970. */
    mtime: number
    /** Pages that deleting it, and no other, would give back at most. */
    pagesHeld: number
}
/** An entry as a lookup finds it; directory and key are 0 for a root. */
export interface FoundEntry extends Attributes {
    directory: number
    key: number
}
export interface ListedEntry extends Attributes {
    key: number
    name: string
}
export interface DirectoryPage {
    end: boolean
    entries: ListedEntry[]
}
export interface VolumeFigures {
    bytesTotal: number
    bytesFree: number
    pageDataBytes: number
    elements: number
    deadElements: number
    epoch: number
    commit: number
    controller: number
    flags: number
    /** Segments in which bad pages were found that are not repaired yet. */
    damagedSegments: number
}
export interface NodeFigures {
    protocol: number
    node: number
    role: number
    flags: number
    /** As `major.minor.patch`. */
    firmware: string
    uptimeMs: number
    takeovers: number
    givebacks: number
    wrongChecks: number
    /** 0 when unknown. */
    heapLowBytes: number
    copiesHeld: number
    lastCause: number
    /** Seconds until this node hands its partner's volume back of its own accord; null when it does not. */
    givebackSeconds: number | null
    image: string
}

const attributesBytes = 18
/** In the count of a page of a directory: there is no more. */
const lastPageBit = 0x80

export function decodeAttributes(payload: Buffer, at = 0): Attributes {
    need(payload, at + attributesBytes)
    const type = (Object.keys(entryTypes) as EntryType[]).find(name => entryTypes[name] === payload[at])
    if (!type) return bad("the type of an entry")
    return {
        type,
        flags: payload[at + 1],
        object: payload.readUInt32LE(at + 2),
        size: payload.readUInt32LE(at + 6),
        mtime: payload.readUInt32LE(at + 10),
        change: payload.readUInt32LE(at + 14),
    }
}

export function encodeAttributes(attributes: Attributes): Buffer {
    const bytes = Buffer.alloc(attributesBytes)
    bytes[0] = entryTypes[attributes.type]
    bytes[1] = attributes.flags
    bytes.writeUInt32LE(attributes.object, 2)
    bytes.writeUInt32LE(attributes.size, 6)
    bytes.writeUInt32LE(attributes.mtime, 10)
    bytes.writeUInt32LE(attributes.change, 14)
    return bytes
}

export function decodeLookup(payload: Buffer): FoundEntry {
    need(payload, attributesBytes + 8)
    return {
        ...decodeAttributes(payload),
        directory: payload.readUInt32LE(attributesBytes),
        key: payload.readUInt32LE(attributesBytes + 4),
    }
}

/** Of a `notFound`: how many names of the path were found. */
export function decodeFoundCount(payload: Buffer): number {
    need(payload, 1)
    return payload[0]
}

export function decodeDirectoryPage(payload: Buffer): DirectoryPage {
    need(payload, 1)
    const entries: ListedEntry[] = []
    let at = 1
    for (let index = 0; index < (payload[0] & ~lastPageBit); index++) {
        need(payload, at + 4 + attributesBytes + 1)
        const nameStart = at + 4 + attributesBytes + 1
        const nameEnd = nameStart + payload[nameStart - 1]
        need(payload, nameEnd)
        entries.push({
            key: payload.readUInt32LE(at),
            ...decodeAttributes(payload, at + 4),
            name: payload.toString("utf8", nameStart, nameEnd),
        })
        at = nameEnd
    }
    const end = (payload[0] & lastPageBit) !== 0
    if (!end && entries.length === 0) bad("a page of a directory")
    return { end, entries }
}

export function decodeStatfs(payload: Buffer): VolumeFigures {
    need(payload, 22)
    return {
        bytesTotal: payload.readUInt32LE(0),
        bytesFree: payload.readUInt32LE(4),
        pageDataBytes: payload.readUInt16LE(8),
        elements: payload[10],
        deadElements: payload[11],
        epoch: payload.readUInt32LE(12),
        commit: payload.readUInt32LE(16),
        controller: payload[20],
        flags: payload[21],
        // older firmware says nothing of it
        damagedSegments: payload.length < 24 ? 0 : payload.readUInt16LE(22),
    }
}

/** A page of the list of snapshots. */
export function decodeSnapshots(payload: Buffer): { end: boolean; snapshots: SnapshotFigures[] } {
    need(payload, 1)
    const snapshots: SnapshotFigures[] = []
    let at = 1
    for (let index = 0; index < (payload[0] & ~lastPageBit); index++) {
        need(payload, at + 10)
        const nameEnd = at + 10 + payload[at + 9]
        need(payload, nameEnd)
        snapshots.push({
            number: payload[at],
            mtime: payload.readUInt32LE(at + 1),
            pagesHeld: payload.readUInt32LE(at + 5),
            name: payload.toString("utf8", at + 10, nameEnd),
        })
        at = nameEnd
    }
    const end = (payload[0] & lastPageBit) !== 0
    if (!end && snapshots.length === 0) bad("a page of the list of snapshots")
    return { end, snapshots }
}

/** An object's extended properties, names as latin1 so that any bytes make a key. */
export function decodeProperties(payload: Buffer): Map<string, Buffer> {
    const properties = new Map<string, Buffer>()
    for (let at = 0; at < payload.length;) {
        const nameEnd = at + 1 + payload[at]
        need(payload, nameEnd + 1)
        const valueEnd = nameEnd + 1 + payload[nameEnd]
        need(payload, valueEnd)
        properties.set(
            payload.toString("latin1", at + 1, nameEnd),
            Buffer.from(payload.subarray(nameEnd + 1, valueEnd)),
        )
        at = valueEnd
    }
    return properties
}

export function decodeUpload(payload: Buffer): number {
    need(payload, 4)
    return payload.readUInt32LE(0)
}

export function decodeNode(payload: Buffer): NodeFigures {
    need(payload, 28)
    const version = payload.readUInt32LE(4)
    return {
        protocol: payload[0],
        node: payload[1],
        role: payload[2],
        flags: payload[3],
        firmware: `${version >>> 16}.${(version >>> 8) & 0xff}.${version & 0xff}`,
        uptimeMs: payload.readUInt32LE(8),
        takeovers: payload.readUInt16LE(12),
        givebacks: payload.readUInt16LE(14),
        wrongChecks: payload.readUInt32LE(16),
        heapLowBytes: payload.readUInt32LE(20),
        copiesHeld: payload.readUInt16LE(24),
        lastCause: payload[26],
        givebackSeconds: payload[27] === noGiveback ? null : payload[27],
        image: payload.toString("utf8", 28),
    }
}

function need(payload: Buffer, bytes: number): void {
    if (payload.length < bytes) bad("the length of an answer")
}

function bad(what: string): never {
    throw new TwinfilerError("badFrame", `${what} is not of protocol version 1`)
}
