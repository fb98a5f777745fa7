/**
 * Notices: node to host and partner. `decodeNotice` throws `badFrame`, never anything else, for bytes that are no
 * notice; `encodeNotice` is its inverse (for tests and tools). The payload of an answer is decoded by answers.ts.
 */
import { TwinfilerError } from "../error"
import { hasValidNoticeCheck, sealNotice } from "./check"
import {
    blockBytesMax,
    controlVerbs,
    frameBytesMax,
    queryOps,
    noticeKinds,
    requestOps,
    statusNames,
    vetoMax,
    type ControlVerb,
    type QueryOp,
    type RequestOp,
    type StatusName,
} from "./numbers"

export interface Reply {
    kind: "reply"
    volume: number
    op: RequestOp
    status: StatusName
    flags: number
    session: number
    sequence: number
    value: number
    epoch: number
}
export interface UploadProgress {
    /** Low half of the upload's object. */
    handle: number
    status: StatusName
    /** Bytes durable on the array and recorded by the partner. */
    acknowledged: number
}
export interface Progress {
    kind: "progress"
    volume: number
    flags: number
    /** Blocks beyond the acknowledged offset the node can take now. */
    credit: number
    uploads: UploadProgress[]
}
export interface Data {
    kind: "data"
    volume: number
    tag: number
    status: StatusName
    flags: number
    offset: number
    data: Uint8Array
}
export interface Answer {
    kind: "answer"
    volume: number
    op: QueryOp
    tag: number
    status: StatusName
    flags: number
    /** Low half of the volume's epoch. */
    epoch: number
    payload: Buffer
}
export interface Outcome {
    kind: "outcome"
    verb: ControlVerb
    flags: number
    tag: number
    status: StatusName
    reason: number
    role: number
    /** All reasons of a veto, lowest number first. */
    reasons: number[]
}
export interface Beat {
    kind: "beat"
    protocol: number
    node: number
    role: number
    flags: number
    /** Epoch of the node's home volume. */
    ownEpoch: number
    partnerEpoch: number
    uptimeMs: number
    /** Jacdac device id of the node's file service, 16 hex digits, and the service's index there. */
    device: string
    serviceIndex: number
    /** Of the pair, as this node knows it. */
    mode: number
}
export interface Recorded {
    kind: "recorded"
    node: number
    entries: { kind: number; volume: number; handle: number; id: number; number: number }[]
}
/** Of the journal memory: what is durable at its owner and needs no copy, or that a store was refused. */
export interface MemoryNotice {
    kind: "memory"
    node: number
    entries: Recorded["entries"]
    status: StatusName
    /** Where the refused store was for. */
    offset: number
}
export type Notice = Reply | Progress | Data | Answer | Outcome | Beat | Recorded | MemoryNotice

const nameOf = <T extends string>(codes: Record<T, number>) => {
    const names: (T | undefined)[] = []
    for (const name of Object.keys(codes) as T[]) names[codes[name]] = name
    return names
}
const requestNames = nameOf(requestOps)
const queryNames = nameOf(queryOps)
const verbNames = nameOf(controlVerbs)

/** Length of a notice's fixed part, by kind; where `exact`, there is nothing more. */
const lengths: Record<number, { bytes: number; exact: boolean }> = {
    [noticeKinds.progress]: { bytes: 8, exact: false },
    [noticeKinds.reply]: { bytes: 24, exact: true },
    [noticeKinds.data]: { bytes: 12, exact: false },
    [noticeKinds.answer]: { bytes: 12, exact: false },
    [noticeKinds.outcome]: { bytes: 12, exact: true },
    [noticeKinds.beat]: { bytes: 32, exact: true },
    [noticeKinds.recorded]: { bytes: 8, exact: false },
    [noticeKinds.memory]: { bytes: 12, exact: false },
}

/**
 * Throws `badFrame` for a wrong check, an unknown kind or status, or a length that does not fit. `about` is what file data and
 * answers are expected to be about (check.ts).
 */
export function decodeNotice(kind: number, bytes: Uint8Array, about = 0): Notice {
    const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const fit = lengths[kind]
    if (!fit) return bad(`the kind ${kind} of notice`)
    if (frame.length < fit.bytes || frame.length > frameBytesMax || (fit.exact && frame.length !== fit.bytes))
        bad("a notice's length")
    if (!hasValidNoticeCheck(frame, about)) bad("a notice's check")
    switch (kind) {
        case noticeKinds.progress:
            return decodeProgress(frame)
        case noticeKinds.reply:
            return {
                kind: "reply",
                volume: frame[4],
                op: requestNames[frame[5]] ?? bad("the op of a reply"),
                status: status(frame[6]),
                flags: frame[7],
                session: frame.readUInt32LE(8),
                sequence: frame.readUInt32LE(12),
                value: frame.readUInt32LE(16),
                epoch: frame.readUInt32LE(20),
            }
        case noticeKinds.data:
            if (frame.length > 12 + blockBytesMax) bad("the length of a data frame")
            return {
                kind: "data",
                volume: frame[4],
                tag: frame[5],
                status: status(frame[6]),
                flags: frame[7],
                offset: frame.readUInt32LE(8),
                data: frame.subarray(12),
            }
        case noticeKinds.answer:
            return {
                kind: "answer",
                volume: frame[4],
                op: queryNames[frame[5]] ?? bad("the op of an answer"),
                tag: frame.readUInt16LE(6),
                status: status(frame[8]),
                flags: frame[9],
                epoch: frame.readUInt16LE(10),
                payload: frame.subarray(12),
            }
        case noticeKinds.outcome:
            return {
                kind: "outcome",
                verb: verbNames[frame[4]] ?? bad("the verb of an outcome"),
                flags: frame[5],
                tag: frame.readUInt16LE(6),
                status: status(frame[8]),
                reason: frame[9],
                role: frame[10],
                reasons: Array.from({ length: vetoMax }, (_, bit) => bit + 1).filter(
                    veto => frame[11] & (1 << (veto - 1)),
                ),
            }
        case noticeKinds.beat:
            return {
                kind: "beat",
                protocol: frame[4],
                node: frame[5],
                role: frame[6],
                flags: frame[7],
                ownEpoch: frame.readUInt32LE(8),
                partnerEpoch: frame.readUInt32LE(12),
                uptimeMs: frame.readUInt32LE(16),
                device: frame.toString("hex", 20, 28),
                serviceIndex: frame[28],
                mode: frame[29],
            }
        case noticeKinds.memory: {
            const count = frame[5]
            const { entries } = count ? decodeRecorded(frame) : { entries: [] }
            if (count === 0 && frame.length !== 12) bad("the length of a memory notice")
            const offset = count ? 0 : frame.readUInt32LE(8)
            return { kind: "memory", node: frame[4], entries, status: status(frame[6]), offset }
        }
        default:
            return decodeRecorded(frame)
    }
}

function decodeProgress(frame: Buffer): Progress {
    const count = frame[5]
    if (frame.length !== 8 + 8 * count) bad("the length of a progress")
    const uploads: UploadProgress[] = []
    for (let at = 8; at < frame.length; at += 8)
        uploads.push({
            handle: frame.readUInt16LE(at),
            status: status(frame[at + 2]),
            acknowledged: frame.readUInt32LE(at + 4),
        })
    return { kind: "progress", volume: frame[4], flags: frame[6], credit: frame[7], uploads }
}

function decodeRecorded(frame: Buffer): Recorded {
    const count = frame[5]
    if (frame.length !== 8 + 12 * count) bad("the length of a recorded")
    const entries: Recorded["entries"] = []
    for (let at = 8; at < frame.length; at += 12)
        entries.push({
            kind: frame[at],
            volume: frame[at + 1],
            handle: frame.readUInt16LE(at + 2),
            id: frame.readUInt32LE(at + 4),
            number: frame.readUInt32LE(at + 8),
        })
    return { kind: "recorded", node: frame[4], entries }
}

/** The frame of a notice, sealed; `object` is the one that file data is of. */
export function encodeNotice(notice: Notice, about = 0): Buffer {
    return sealNotice(fill(notice), about)
}

function fill(notice: Notice): Buffer {
    switch (notice.kind) {
        case "reply": {
            const status = statusNames.indexOf(notice.status)
            const frame = head(24, [notice.volume, requestOps[notice.op], status, notice.flags])
            frame.writeUInt32LE(notice.session, 8)
            frame.writeUInt32LE(notice.sequence, 12)
            frame.writeUInt32LE(notice.value, 16)
            frame.writeUInt32LE(notice.epoch, 20)
            return frame
        }
        case "progress": {
            const { uploads } = notice
            const frame = head(8 + 8 * uploads.length, [notice.volume, uploads.length, notice.flags, notice.credit])
            uploads.forEach((upload, index) => {
                frame.writeUInt16LE(upload.handle, 8 + 8 * index)
                frame[10 + 8 * index] = statusNames.indexOf(upload.status)
                frame.writeUInt32LE(upload.acknowledged, 12 + 8 * index)
            })
            return frame
        }
        case "data": {
            const status = statusNames.indexOf(notice.status)
            const frame = head(12 + notice.data.length, [notice.volume, notice.tag, status, notice.flags])
            frame.writeUInt32LE(notice.offset, 8)
            frame.set(notice.data, 12)
            return frame
        }
        case "answer": {
            const tag = notice.tag
            const frame = head(12 + notice.payload.length, [notice.volume, queryOps[notice.op], tag & 0xff, tag >> 8])
            frame[8] = statusNames.indexOf(notice.status)
            frame[9] = notice.flags
            frame.writeUInt16LE(notice.epoch & 0xffff, 10)
            frame.set(notice.payload, 12)
            return frame
        }
        case "outcome": {
            const tag = notice.tag
            const frame = head(12, [controlVerbs[notice.verb], notice.flags, tag & 0xff, tag >> 8])
            frame[8] = statusNames.indexOf(notice.status)
            frame[9] = notice.reason
            frame[10] = notice.role
            for (const veto of notice.reasons) frame[11] |= 1 << (veto - 1)
            return frame
        }
        case "beat": {
            const frame = head(32, [notice.protocol, notice.node, notice.role, notice.flags])
            frame.writeUInt32LE(notice.ownEpoch, 8)
            frame.writeUInt32LE(notice.partnerEpoch, 12)
            frame.writeUInt32LE(notice.uptimeMs, 16)
            frame.write(notice.device, 20, "hex")
            frame[28] = notice.serviceIndex
            frame[29] = notice.mode
            return frame
        }
        case "recorded":
            return marks(notice.node, 0, notice.entries)
        case "memory": {
            const refused = statusNames.indexOf(notice.status)
            if (notice.entries.length) return marks(notice.node, refused, notice.entries)
            const frame = head(12, [notice.node, 0, refused, 0])
            frame.writeUInt32LE(notice.offset, 8)
            return frame
        }
    }
}

function marks(node: number, code: number, entries: Recorded["entries"]): Buffer {
    const frame = head(8 + 12 * entries.length, [node, entries.length, code, 0])
    entries.forEach((entry, index) => {
        const at = 8 + 12 * index
        frame[at] = entry.kind
        frame[at + 1] = entry.volume
        frame.writeUInt16LE(entry.handle, at + 2)
        frame.writeUInt32LE(entry.id, at + 4)
        frame.writeUInt32LE(entry.number, at + 8)
    })
    return frame
}

function head(bytes: number, four: number[]): Buffer {
    const frame = Buffer.alloc(bytes)
    frame.set(four, 4)
    return frame
}

function status(code: number): StatusName {
    return statusNames[code] ?? bad(`the status ${code}`)
}

function bad(what: string): never {
    throw new TwinfilerError("badFrame", `${what} is not of protocol version 1`)
}
