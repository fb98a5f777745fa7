// Answers questions of hosts: about this node, and about the volumes it serves. Nothing that is stored is changed by one.

import { uploadOf } from "../store/volume"
import { protocolVersion, retryMs } from "../config"
import { givebackDueMs } from "../pair/role"
import { platform } from "../platform"
import { describeArray } from "../store/array-figures"
import {
    queryArray,
    queryElements,
    queryEvents,
    queryLookup,
    queryMemory,
    queryNode,
    querySnapshots,
    atSnapshot,
    queryStatfs,
    queryUpload,
    askVolume,
    askSnapshots,
    statfs,
} from "../store/queries"
import { badRequest, ioError, noUpload, notController, ok } from "../store/status"
import { takenBytes } from "../store/upload"
import { firmwareVersion } from "../version"
import { isServed, recover } from "./control"
import { tellElements } from "./elements"
import { tellEvents } from "./events"
import { sealFrame } from "./frame"
import { refusal } from "./hosted"
import { loadMemory } from "./memory"
import { elsewhere, hostedBy } from "./node"
import { queue } from "./outbox"
import { beatFlags, replyFlags } from "./telling"
import { Worker } from "./worker"

export const answerHeadBytes = 12
export const answerBytesMax = 236
/** Of "twinfiler", which a node calls itself. */
const nameBytes = 9

/** Answers a question. A node's own are answered whatever it serves. */
export async function query(worker: Worker, frame: Buffer, bytes: number): Promise<void> {
    const node = worker.node
    const op = frame[5]
    const out = worker.answer
    const isOfNode = op === queryNode || op === queryEvents || op === queryMemory
    const hosted = isOfNode ? node.home : hostedBy(node, frame[4])
    let status = isOfNode ? ok : refusal(hosted, frame.getAt(6, "u16"))
    if (hosted) if (op === queryElements) status = ok
    let length = 0
    if (status === ok) {
        const queries = hosted.queries
        const object = frame.getAt(12, "u32")
        queries.bytes = 0
        if (op === queryNode) length = describe(worker, out)
        else if (op === queryStatfs) {
            status = statfs(queries, out, answerHeadBytes)
            out[answerHeadBytes + 20] = node.number
            out[answerHeadBytes + 21] = replyFlags(node)
            length = 24
        } else if (op === queryArray) length = describeArray(hosted.volume.repair, out, answerHeadBytes)
        else if (bytes < 16) status = badRequest
        else if (op === queryElements)
            length = await tellElements(hosted, worker.control.lines.setClock, object, frame[16], out, answerHeadBytes)
        else if (op === queryEvents) length = tellEvents(node.events, object, out, answerHeadBytes)
        else if (op === queryMemory) {
            length = frame[16]
            status = loadMemory(node, object, length, out, answerHeadBytes)
        } else if (op === queryUpload) {
            const upload = uploadOf(hosted.volume, object)
            if (upload && object) {
                out.setAt(answerHeadBytes, "u32", takenBytes(upload))
                length = 4
            } else status = noUpload
        } else {
            try {
                if (op === querySnapshots) status = await askSnapshots(queries, object, out, answerHeadBytes)
                else status = await askVolume(queries, op, frame, bytes, out, answerHeadBytes)
            } catch (e) {
                // an element may answer again when the host asks again; a node of the tree that is lost does not come back. Damage in a
                // snapshot is none of the volume's, which need not be mounted anew
                if (node.nowMs >= worker.vainMs || worker.unsettled)
                    if (frame.getAt(atSnapshot, "u16") === 0) {
                        await recover(worker.control, e)
                        worker.vainMs = node.nowMs + retryMs
                        return
                    }
                status = ioError
            }
        }
        if (status === ioError) if (!isServed(worker.control, frame[4])) return
        if (length === 0) length = queries.bytes
        if (status !== ok) if (op !== queryLookup) length = 0
    } else if (status === notController) {
        out[answerHeadBytes] = elsewhere(node, frame[4])
        length = 1
    }
    out[4] = frame[4]
    out[5] = op
    out.setAt(6, "u16", frame.getAt(8, "u16"))
    out[8] = status
    out[9] = replyFlags(node)
    out.setAt(10, "u16", hosted ? hosted.epoch % 0x10000 : 0)
    const answer = Buffer.alloc(answerHeadBytes + length)
    answer.blitAt(0, out, 0, answerHeadBytes + length)
    sealFrame(answer, frame.getAt(0, "i32"))
    queue(node.outbox, node.outbox.answers, answer)
}

/** The `node` query. @returns bytes */
function describe(worker: Worker, out: Buffer): number {
    const node = worker.node
    const at = answerHeadBytes
    const now = platform.now()
    const due = givebackDueMs(node.pair, now)
    // until this node gives its partner's volume back of its own accord: at most 254; 255 = not before it is asked
    let seconds = 255
    if (due >= 0) {
        seconds = ((due - now) / 1000) | 0
        if (seconds < 0) seconds = 0
        if (seconds > 254) seconds = 254
    }
    out.fillAt(at, answerBytesMax - at, 0)
    out[at] = protocolVersion
    out[at + 1] = node.number
    out[at + 2] = node.pair.role
    out[at + 3] = beatFlags(node)
    out.setAt(at + 4, "u32", firmwareVersion)
    out.setAt(at + 8, "u32", now)
    out.setAt(at + 12, "u16", node.pair.takeovers)
    out.setAt(at + 14, "u16", node.pair.givebacks)
    out.setAt(at + 16, "u32", node.badChecks)
    out.setAt(at + 24, "u16", node.journal.held)
    out[at + 26] = node.pair.cause
    out[at + 27] = seconds
    out.blitAt(at + 28, Buffer.from("twinfiler"), 0, nameBytes)
    return 28 + nameBytes
}
