// Copies that the partner missed, or lost in a reboot: noticed here by the numbers it tells, and made good.
//
// Promises: what is told to be durable is; a copy is taken for lost only when the partner could have told of it; nothing is sent to a
// partner that does not record. docs/decisions/0011-journal-memory.md has the reasons.

import { copyWaitMs, lostMs } from "../config"
import { kindSession, kindUpload } from "../pair/journal"
import { uploadsMax } from "../store/volume"
import { sealFrame } from "./frame"
import { Hosted } from "./hosted"
import { storeFrame, commandStore } from "./memory"
import { getRecorded } from "./copies"
import { NodeServer, isProtected } from "./node"
import { Outbox, noticeMemory } from "./outbox"
import { copiedOf, putMark, uploadId } from "./telling"

/** What to send the partner for a copy that it has not told of in time, its `kind` set; undefined when there is nothing. */
export function lostFrame(outbox: Outbox, nowMs: number): Buffer {
    const node = outbox.node
    if (!isProtected(node)) return undefined
    for (let i = 0; i < outbox.replies.length; i++) {
        const reply = outbox.replies[i]
        const frame = reply.frame
        if (nowMs < reply.lostMs) continue
        const session = frame.getAt(8, "u32")
        const sequence = frame.getAt(12, "u32")
        if (getRecorded(node.recorded, kindSession, session) >= sequence) continue
        const isFirst = reply.lostMs < reply.dueMs - lostMs - lostMs
        reply.lostMs = nowMs + lostMs
        // the command itself, as long as it is at hand; after that, that it is done
        if (isFirst) {
            const store = storeFrame(node, session, sequence)
            if (store) {
                outbox.kind = commandStore
                return store
            }
        }
        return durableFrame(outbox, kindSession, session, sequence)
    }
    const frame = lostBlocks(outbox, node.home, nowMs)
    return frame ? frame : lostBlocks(outbox, node.other, nowMs)
}

function lostBlocks(outbox: Outbox, hosted: Hosted, nowMs: number): Buffer {
    if (!hosted.serving) return undefined
    const node = outbox.node
    for (let i = 0; i < uploadsMax; i++) {
        const upload = hosted.volume.uploads[i]
        if (!upload.object) continue
        if (nowMs < hosted.lostMs[i]) continue
        if (copiedOf(node, hosted, i) >= upload.durable) continue
        hosted.lostMs[i] = nowMs + lostMs
        return durableFrame(outbox, kindUpload, uploadId(hosted, i), upload.durable)
    }
    return undefined
}

function durableFrame(outbox: Outbox, kind: number, id: number, number: number): Buffer {
    const frame = Buffer.alloc(20)
    frame[4] = outbox.node.number
    frame[5] = 1
    putMark(frame, 8, kind, id, number)
    sealFrame(frame, 0)
    outbox.kind = noticeMemory
    return frame
}

/** Whether the partner lacked, a moment ago, a copy that it should have had. */
export function isBehind(node: NodeServer): boolean {
    return node.nowMs - node.outbox.uncopiedMs < copyWaitMs
}
