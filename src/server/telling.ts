// The reports a node makes of its own accord: heartbeat, progress of uploads, what it has recorded. docs/PROTOCOL.md, "Reports".

import { copyWaitMs, lostMs, protocolVersion, windowBlocks } from "../config"
import { kindUpload } from "../pair/journal"
import { platform } from "../platform"
import { ok } from "../store/status"
import { uploadsMax } from "../store/volume"
import { sealFrame } from "./frame"
import { Hosted } from "./hosted"
import { isBehind } from "./lost"
import { getRecorded } from "./copies"
import { NodeServer, isProtected } from "./node"
import { deadIn } from "../array/array"

export const flagUnprotected = 1
const flagDegraded = 2

const beatHeard = 1
const beatProtected = 2
const beatHome = 4
const beatPartner = 8
const beatHomeFault = 16
const beatPartnerFault = 32
const beatRecording = 64

/** Flags of replies, progress, data and answers. */
export function replyFlags(node: NodeServer): number {
    let flags = isProtected(node) ? 0 : flagUnprotected
    if (node.home.serving) if (deadIn(node.home.volume.array)) flags |= flagDegraded
    if (node.other.serving) if (deadIn(node.other.volume.array)) flags |= flagDegraded
    return flags
}

export function beatFlags(node: NodeServer): number {
    let flags = 0
    if (node.partnerAlive) flags |= beatHeard
    if (isProtected(node)) if (!isBehind(node)) flags |= beatProtected
    if (node.home.serving) {
        flags |= beatHome
        if (deadIn(node.home.volume.array)) flags |= beatHomeFault
    }
    if (node.other.serving) {
        flags |= beatPartner
        if (deadIn(node.other.volume.array)) flags |= beatPartnerFault
    }
    if (node.recording) flags |= beatRecording
    return flags
}

export function beatFrame(node: NodeServer): Buffer {
    const frame = Buffer.alloc(32)
    frame[4] = protocolVersion
    frame[5] = node.number
    frame[6] = node.pair.role
    frame[7] = beatFlags(node)
    frame.setAt(8, "u32", node.home.epoch)
    frame.setAt(12, "u32", node.other.epoch)
    frame.setAt(16, "u32", platform.now())
    frame.blitAt(20, node.deviceId, 0, 8)
    frame[28] = node.serviceIndex
    frame[29] = node.pair.mode
    if (node.home.serving) frame[30] = node.home.volume.log.anchors.newest
    if (node.other.serving) frame[31] = node.other.volume.log.anchors.newest
    sealFrame(frame, 0)
    return frame
}

/** A session or an upload (`id` = volume << 16 | handle) and a number of it; 12 bytes. */
export function putMark(frame: Buffer, at: number, kind: number, id: number, number: number): void {
    frame[at] = kind
    if (kind === kindUpload) {
        frame[at + 1] = id >> 16
        frame.setAt(at + 2, "u16", id & 0xffff)
    } else frame.setAt(at + 4, "u32", id)
    frame.setAt(at + 8, "u32", number)
}

/** What was recorded and not told yet; undefined when there is none. */
export function recordedFrame(node: NodeServer): Buffer {
    const journal = node.journal
    const kinds = journal.markKinds
    const numbers = journal.markNumbers
    const told = journal.markTold
    journal.news = false
    let count = 0
    for (let i = 0; i < kinds.length; i++) if (numbers[i] !== told[i]) if (kinds[i] !== 0) count++
    if (count === 0) return undefined
    const frame = Buffer.alloc(8 + 12 * count)
    frame[4] = node.number
    frame[5] = count
    let at = 8
    for (let i = 0; i < kinds.length; i++) {
        if (numbers[i] === told[i]) continue
        if (kinds[i] === 0) continue
        putMark(frame, at, kinds[i], journal.markIds[i], numbers[i])
        told[i] = numbers[i]
        at += 12
    }
    sealFrame(frame, 0)
    return frame
}

/** Progress of a volume's uploads that was not told yet; undefined when there is none. */
export function progressFrame(node: NodeServer, hosted: Hosted, nowMs: number): Buffer {
    if (!hosted.serving) return undefined
    const uploads = hosted.volume.uploads
    const ends = hosted.ends
    let count = 0
    uncopied = false
    for (let i = 0; i < uploadsMax; i++) {
        const object = uploads[i].object
        if (!object) continue
        if (hosted.toldObjects[i] !== object) {
            hosted.toldEnds[i] = -1
            hosted.toldObjects[i] = object
            hosted.copyDueMs[i] = nowMs + copyWaitMs
        }
        ends[i] = acknowledged(node, hosted, i, nowMs)
        if (ends[i] !== hosted.toldEnds[i]) count++
    }
    if (count === 0) return undefined
    const frame = Buffer.alloc(8 + 8 * count)
    frame[4] = hosted.volume.number
    frame[5] = count
    frame[6] = replyFlags(node)
    if (uncopied) {
        frame[6] |= flagUnprotected
        node.outbox.uncopiedMs = nowMs
    }
    frame[7] = windowBlocks
    let at = 8
    for (let i = 0; i < uploadsMax; i++) {
        const end = ends[i]
        if (!uploads[i].object) continue
        if (end === hosted.toldEnds[i]) continue
        hosted.toldEnds[i] = end
        frame.setAt(at, "u16", uploads[i].object & 0xffff)
        frame[at + 2] = hosted.toldStatus[i]
        hosted.toldStatus[i] = ok
        frame.setAt(at + 4, "u32", end)
        at += 8
    }
    sealFrame(frame, 0)
    return frame
}

/** Whether the last progress notice acknowledges something that no partner holds. */
let uncopied = false

/** Bytes of an upload that are durable, and recorded by the partner if it records. */
function acknowledged(node: NodeServer, hosted: Hosted, slot: number, nowMs: number): number {
    const upload = hosted.volume.uploads[slot]
    const durable = upload.durable
    const copied = isProtected(node) ? copiedOf(node, hosted, slot) : durable
    // while copies come, however late, they are waited for
    if (copied >= durable || copied > hosted.toldEnds[slot]) {
        hosted.copyDueMs[slot] = nowMs + copyWaitMs
        hosted.lostMs[slot] = nowMs + lostMs
    }
    if (copied >= durable) return durable
    // the partner missed a block, and what was tried to make that good failed: go on, as unprotected
    if (nowMs > hosted.copyDueMs[slot]) {
        uncopied = true
        return durable
    }
    return copied
}

/** How far the partner has recorded an upload. */
export function copiedOf(node: NodeServer, hosted: Hosted, slot: number): number {
    return getRecorded(node.recorded, kindUpload, uploadId(hosted, slot))
}

/** Of an upload in a mark: volume << 16 | handle. */
export function uploadId(hosted: Hosted, slot: number): number {
    return (hosted.volume.uploads[slot].object & 0xffff) | (hosted.volume.number << 16)
}
