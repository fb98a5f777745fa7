// Listens to the wire itself, where nothing is lost, and holds the nodes to their word: what a node acknowledges without the flag
// "unprotected" must have been told as recorded by its partner before; what was asked only under an epoch that was over is not done, unless it
// is a copy; a session is not forgotten while it is among the last eight. Counts the changes of control that the beats show.

import { eachPacket, frameHead } from "../bridge/bus/jacdac-frame"
import {
    beatFlags,
    commandCodes,
    noticeKinds,
    noticeOf,
    partnerOf,
    requestOps,
    roleNames,
} from "../bridge/protocol/numbers"
import { decodeNotice, type Beat, type Progress, type Reply } from "../bridge/protocol/notices"
import { UploadWatch } from "./upload-watch"

const unprotected = 1
const sessionKind = 1
const opMask = 0x7f
const { commit, remove, rename, snapshotCreate, snapshotDelete } = requestOps
const changingOps: readonly number[] = [commit, remove, rename, snapshotCreate, snapshotDelete]
/** After a node's first beat: until then its partner may not have heard one. */
const heardLateMs = 1_500
/** docs/FORMAT.md: sessions a volume remembers; those that asked since may all have pushed one out. */
const sessionsKept = 8

/** What a node told of a request: that its partner's request is recorded, or that its own is done, and a copy of it recorded. */
export interface Word {
    kind: "recorded" | "answered"
    /** Of an answer; of a recorded request the partner's own. */
    volume: number
    session: number
    sequence: number
}

export class BusWatch {
    takeovers = 0
    givebacks = 0
    /** Nodes that took over, or that restarted. */
    readonly disturbed = new Set<number>()
    readonly faults: string[] = []
    /** Called as soon as such a word is on the wire, for faults that strike right after it. */
    onWord?: (word: Word) => void
    private readonly uploads = new UploadWatch()
    private readonly recorded = new Map<string, { number: number; atMs: number }>()
    /** When each node was first heard after it had restarted, its memory gone. */
    private readonly restartedMs = new Map<number, number>()
    private readonly beats = new Map<number, Beat>()
    /** Of each volume, as far as it was told on the wire. */
    private readonly epochs = new Map<number, number>()
    /** Of each volume: the node that told its epoch first, which controls it. */
    private readonly controllers = new Map<number, number>()
    /** By volume, session and sequence: the epoch that held when it was first asked under another; 0 = it was asked under one that held. */
    private readonly askedLate = new Map<string, number>()
    private readonly sessions = new Map<number, Map<number, Set<number>>>()
    /** By volume and session: those that were answered. */
    private readonly opened = new Set<string>()
    /** Of them those whose bye was obeyed. What they were told before may still come after it. */
    private readonly closed = new Set<string>()

    /** A frame that was on the wire. Says whether it asks for a change. */
    frame(bytes: Uint8Array, atNs: number): boolean {
        const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        const head = frameHead(frame)
        if (!head?.isCommand || head.serviceIndex === 0) return false
        let asks = false
        eachPacket(frame, (_, code, data) => {
            const notice = noticeOf(code)
            if (notice) this.notice(notice.node, notice.kind, data, atNs / 1e6)
            else if (code === commandCodes.request) {
                this.request(data, head.device)
                asks ||= changingOps.includes(data[5] & opMask)
            } else if (code === commandCodes.query) this.uploads.query(data)
        })
        return asks
    }

    private request(data: Buffer, device: string): void {
        const volume = data[4]
        const op = data[5] & opMask
        const epoch = data.readUInt16LE(6)
        const session = data.readUInt32LE(8)
        const key = `${volume} ${session} ${data.readUInt32LE(12)}`
        const known = this.epochs.get(volume) ?? 0
        if (epoch === 0 || epoch === (known & 0xffff) || this.isCopied(volume, device)) this.askedLate.set(key, 0)
        else if (!this.askedLate.has(key)) this.askedLate.set(key, known)
        const others = this.othersSince(volume)
        for (const [other, since] of others) if (other !== session) since.add(session)
        if (op === requestOps.bye) others.delete(session)
    }

    /** A node that takes over finishes what its partner is sent, whatever its epoch, until it says that it has taken over. */
    private isCopied(volume: number, device: string): boolean {
        const controller = this.controllers.get(volume)
        if (controller === undefined) return false
        const beat = this.beats.get(controller)
        return roleNames[beat?.role ?? 0] === "taking-over" && this.beats.get(partnerOf(controller))?.device === device
    }

    private noteEpoch(volume: number, epoch: number, node: number): void {
        if (epoch <= (this.epochs.get(volume) ?? 0)) return
        this.epochs.set(volume, epoch)
        this.controllers.set(volume, node)
    }

    /** Of each session of a volume that was answered: which others asked since. */
    private othersSince(volume: number): Map<number, Set<number>> {
        let found = this.sessions.get(volume)
        if (!found) this.sessions.set(volume, (found = new Map()))
        return found
    }

    private reply(node: number, data: Buffer, atMs: number): void {
        const { volume, session, sequence, status, epoch } = decodeNotice(noticeKinds.reply, data) as Reply
        const what = `${atMs.toFixed(1)} ms: request ${sequence} of session ${session} on volume ${volume}`
        this.noteEpoch(volume, epoch, node)
        const others = this.othersSince(volume)
        if (status === "ok" && !(data[7] & unprotected)) this.onWord?.({ kind: "answered", volume, session, sequence })
        if (status === "noSession") {
            const since = others.get(session)
            if (since && since.size < sessionsKept) this.faults.push(`${what}: its session is forgotten`)
            others.delete(session)
        } else if (status === "ok") {
            // in a later epoch its copy may have been finished
            if (this.askedLate.get(`${volume} ${session} ${sequence}`) === epoch)
                this.faults.push(`${what}: done, and asked only under an epoch that was over`)
            const key = `${volume} ${session}`
            if (data[5] === requestOps.bye) {
                if (this.opened.has(key)) this.closed.add(key)
                // the reply of an operation before may have come after the bye was asked
                others.delete(session)
            } else if (!this.closed.has(key)) {
                this.opened.add(key)
                others.set(session, new Set())
            }
        }
    }

    /** Whether a session of a volume said bye and was obeyed: it is not to be opened again. */
    isClosed(volume: number, session: number): boolean {
        return this.closed.has(`${volume} ${session}`)
    }

    private notice(node: number, kind: number, data: Buffer, atMs: number): void {
        if (kind === noticeKinds.beat) this.beat(node, data, atMs)
        else if (kind === noticeKinds.recorded) this.noteRecorded(node, data, atMs)
        else if (kind === noticeKinds.reply) {
            this.reply(node, data, atMs)
            if (this.claims(data))
                this.claim(
                    node,
                    data[7],
                    `s${data.readUInt32LE(8)}`,
                    data.readUInt32LE(12),
                    `reply to op ${data[5]}`,
                    atMs,
                )
        } else if (kind === noticeKinds.answer) {
            const wrong = this.uploads.answer(data)
            if (wrong) this.faults.push(`${atMs.toFixed(1)} ms: ${wrong}`)
        } else if (kind === noticeKinds.progress) {
            this.uploads.progress(decodeNotice(kind, data) as Progress)
            for (let i = 0, at = 8; i < data[5]; i++, at += 8) {
                const end = data.readUInt32LE(at + 4)
                if (end > 0) this.claim(node, data[6], `u${data[4]}.${data.readUInt16LE(at)}`, end, "progress", atMs)
            }
        }
    }

    private beat(node: number, data: Buffer, atMs: number): void {
        const beat = decodeNotice(noticeKinds.beat, data) as Beat
        this.noteEpoch(node, beat.ownEpoch, node)
        this.noteEpoch(partnerOf(node), beat.partnerEpoch, node)
        const before = this.beats.get(node)
        this.beats.set(node, beat)
        if (before !== undefined && beat.uptimeMs < before.uptimeMs) this.restartedMs.set(node, atMs)
        const holds = (beat.flags & beatFlags.controlsPartner) !== 0
        const held = before !== undefined && (before.flags & beatFlags.controlsPartner) !== 0
        if (holds && !held) this.takeovers++
        if (holds || (before !== undefined && beat.uptimeMs < before.uptimeMs)) this.disturbed.add(node)
        // a node that restarted has lost the volume, not given it back
        if (!holds && held && beat.uptimeMs >= before.uptimeMs) this.givebacks++
    }

    /** Whether a node still has what it told as recorded then. */
    private isKept(node: number, toldMs: number): boolean {
        return toldMs >= (this.restartedMs.get(node) ?? 0)
    }

    private noteRecorded(node: number, data: Buffer, atMs: number): void {
        for (let i = 0, at = 8; i < data[5]; i++, at += 12) {
            const id =
                data[at] === sessionKind
                    ? `s${data.readUInt32LE(at + 4)}`
                    : `u${data[at + 1]}.${data.readUInt16LE(at + 2)}`
            // its eight marks give way to one another, and what one told before stays recorded
            const key = `${node} ${id}`
            const told = this.recorded.get(key)
            const before = told && this.isKept(node, told.atMs) ? told.number : 0
            const number = data.readUInt32LE(at + 8)
            this.recorded.set(key, { number: Math.max(number, before), atMs })
            if (data[at] === sessionKind)
                this.onWord?.({
                    ...{ kind: "recorded", volume: partnerOf(node) },
                    ...{ session: data.readUInt32LE(at + 4), sequence: number },
                })
        }
    }

    /** Whether a reply says that the request was looked at: one that was turned away is not done, and claims nothing. */
    private claims(data: Buffer): boolean {
        const { status } = decodeNotice(noticeKinds.reply, data) as Reply
        return status !== "wrongEpoch" && status !== "notController" && status !== "noSession"
    }

    private claim(node: number, flags: number, id: string, number: number, what: string, atMs: number): void {
        if (flags & unprotected) return
        const partner = partnerOf(node)
        const told = this.recorded.get(`${partner} ${id}`)
        // who hears of the restart late may believe for a while what was told before
        const isHeld = told && (this.isKept(partner, told.atMs) || atMs < this.restartedMs.get(partner)! + heardLateMs)
        const held = isHeld ? told.number : 0
        if (held < number)
            this.faults.push(
                `${atMs.toFixed(1)} ms: ${what} of node ${node} claims ${id} to ${number}, recorded ${held}`,
            )
    }
}
