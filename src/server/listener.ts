// What a node hears on the bus besides its own commands: those sent to its partner, of which it keeps copies, and its partner's notices.
//
// A notice carries its sender's number in its code, because a command does not name who sent it. Nothing here waits for anything.

import { protocolVersion, silentMs } from "../config"
import { kindSession, kindUpload, recordDone, recordCommand } from "../pair/journal"
import { evPartner, evPartnerMode } from "../pair/role"
import { notController, wrongEpoch } from "../store/status"
import { Control } from "./control"
import { noticeIsGood } from "./frame"
import { NodeServer } from "./node"
import {
    noticeAnswer,
    noticeBase,
    noticeBeat,
    noticeData,
    noticeProgress,
    noticeMemory,
    noticeRecorded,
    noticeReply,
} from "./outbox"
import { clearRecorded, setRecorded } from "./copies"

const commandWrite = 0x80
const commandRequest = 0x81
const flagRecording = 64
const noticeBytesMin = 8

export class Listener {
    node: NodeServer
    private control: Control
    private partnerCode: number
    /** By this node's clock. */
    private partnerBootMs: number
    private partnerUptimeMs: number
    /** It speaks another version of the protocol: it lives, and that is all that can be known of it. */
    partnerIsOther: boolean

    constructor(node: NodeServer, control: Control) {
        this.node = node
        this.control = control
        this.partnerBootMs = 0
        this.partnerUptimeMs = 0
        this.partnerIsOther = false
        this.partnerCode = noticeBase + 16 * (node.number ^ 1)
    }

    /** A notice, to whomever it was addressed. */
    notice(command: number, payload: Buffer): void {
        const kind = command - this.partnerCode
        if (kind < 0) return
        if (kind > 15) return
        if (payload.length < noticeBytesMin) return
        const node = this.node
        // what another says of itself without a word to act on needs no check
        if (kind !== noticeData)
            if (kind !== noticeAnswer)
                if (!noticeIsGood(payload)) {
                    node.badChecks++
                    return
                }
        if (kind === noticeBeat) {
            if (payload.length < 32) return
            if (payload[5] !== (node.number ^ 1)) return
            this.partnerIsOther = payload[4] !== protocolVersion
            if (this.partnerIsOther) {
                node.heardPartner = true
                node.partnerRecords = false
                // nothing is handed back to it
                node.pair.partnerRole = -1
                return
            }
            const uptimeMs = payload.getAt(16, "u32")
            const bootMs = node.nowMs - uptimeMs
            // it booted again, without the copies it had told of; no beat is late for as long as a boot takes
            if (bootMs > this.partnerBootMs + silentMs || uptimeMs < this.partnerUptimeMs) {
                clearRecorded(node.recorded)
                node.outbox.uncopiedMs = node.nowMs
            }
            this.partnerBootMs = bootMs
            this.partnerUptimeMs = uptimeMs
            node.partnerRecords = (payload[7] & flagRecording) !== 0
            if (!node.other.serving) node.other.epoch = payload.getAt(8, "u32")
            // one that lets go of a volume says nothing of it any more
            if (payload[30]) node.other.volume.log.anchors.hint = payload[30]
            if (payload[31]) node.home.volume.log.anchors.hint = payload[31]
            if (payload[29] !== node.pair.mode) this.control.event(evPartnerMode, payload[29] & 1)
            this.control.event(evPartner, payload[6])
            return
        }
        node.heardPartner = true
        // it may have booted while it was silent: only its beat tells
        if (!node.partnerAlive) node.partnerRecords = false
        if (this.partnerIsOther) return
        if (kind === noticeReply) {
            // a request that was turned away is not done: it comes again by the same number, unless its session is unknown
            if (payload.length >= 24)
                if (payload[6] !== wrongEpoch)
                    if (payload[6] !== notController)
                        recordDone(node.journal, kindSession, payload.getAt(8, "u32"), payload.getAt(12, "u32"))
        } else if (kind === noticeProgress) {
            const count = payload[5]
            for (let i = 0, at = 8; i < count && at + 8 <= payload.length; i++, at += 8)
                recordDone(
                    node.journal,
                    kindUpload,
                    payload.getAt(at, "u16") | (payload[4] << 16),
                    payload.getAt(at + 4, "u32"),
                )
        } else if (kind === noticeRecorded || kind === noticeMemory) marks(this, kind, payload)
    }
}

/** A command to the partner's service. */
export function hearCommand(listener: Listener, command: number, payload: Buffer): void {
    if (command >= noticeBase) {
        listener.notice(command, payload)
        return
    }
    listener.node.heardBus = true
    if (listener.partnerIsOther) return
    if (command === commandWrite || command === commandRequest)
        // what came to the wrong pair is not the partner's to answer for
        if ((payload[4] ^ listener.node.number) < 2) recordCommand(listener.node.journal, command, payload)
}

/** What the partner has recorded of this node's commands, or what of its own is durable and needs no copy. */
function marks(listener: Listener, noticeKind: number, payload: Buffer): void {
    const node = listener.node
    const count = payload[5]
    for (let i = 0, at = 8; i < count && at + 12 <= payload.length; i++, at += 12) {
        const kind = payload[at]
        const id =
            kind === kindUpload ? payload.getAt(at + 2, "u16") | (payload[at + 1] << 16) : payload.getAt(at + 4, "u32")
        const number = payload.getAt(at + 8, "u32")
        if (kind === kindUpload || kind === kindSession)
            if (noticeKind === noticeRecorded) setRecorded(node.recorded, kind, id, number)
            else recordDone(node.journal, kind, id, number)
    }
    node.outbox.progressDue = true
}
