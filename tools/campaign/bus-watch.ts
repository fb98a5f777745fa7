// Listens to the wire itself, where nothing is lost, and holds the nodes to their word: what a node acknowledges without the flag
// "unprotected" must have been told as recorded by its partner before. Counts the changes of control that the beats show.

import { eachPacket, frameHead } from "../bridge/bus/jacdac-frame"
import { beatFlags, noticeKinds, noticeOf, partnerOf } from "../bridge/protocol/numbers"
import { decodeNotice, type Beat } from "../bridge/protocol/notices"

const unprotected = 1
const sessionKind = 1

export class BusWatch {
    takeovers = 0
    givebacks = 0
    readonly faults: string[] = []
    private readonly recorded = new Map<string, number>()
    private readonly beats = new Map<number, Beat>()

    /** A frame that was on the wire. */
    frame(bytes: Uint8Array, atNs: number): void {
        const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        const head = frameHead(frame)
        if (!head?.isCommand || head.serviceIndex === 0 || !noticeOf(head.code)) return
        eachPacket(frame, (_, code, data) => {
            const notice = noticeOf(code)
            if (notice) this.notice(notice.node, notice.kind, data, atNs / 1e6)
        })
    }

    private notice(node: number, kind: number, data: Buffer, atMs: number): void {
        if (kind === noticeKinds.beat) this.beat(node, data)
        else if (kind === noticeKinds.recorded) this.noteRecorded(node, data)
        else if (kind === noticeKinds.reply)
            this.claim(node, data[7], `s${data.readUInt32LE(8)}`, data.readUInt32LE(12), `reply to op ${data[5]}`, atMs)
        else if (kind === noticeKinds.progress)
            for (let i = 0, at = 8; i < data[5]; i++, at += 8) {
                const end = data.readUInt32LE(at + 4)
                if (end > 0) this.claim(node, data[6], `u${data[4]}.${data.readUInt16LE(at)}`, end, "progress", atMs)
            }
    }

    private beat(node: number, data: Buffer): void {
        const beat = decodeNotice(noticeKinds.beat, data) as Beat
        const before = this.beats.get(node)
        this.beats.set(node, beat)
        const holds = (beat.flags & beatFlags.controlsPartner) !== 0
        const held = before !== undefined && (before.flags & beatFlags.controlsPartner) !== 0
        if (holds && !held) this.takeovers++
        // a node that restarted has lost the volume, not given it back
        if (!holds && held && beat.uptimeMs >= before.uptimeMs) this.givebacks++
    }

    private noteRecorded(node: number, data: Buffer): void {
        for (let i = 0, at = 8; i < data[5]; i++, at += 12) {
            const id =
                data[at] === sessionKind
                    ? `s${data.readUInt32LE(at + 4)}`
                    : `u${data[at + 1]}.${data.readUInt16LE(at + 2)}`
            this.recorded.set(`${node} ${id}`, data.readUInt32LE(at + 8))
        }
    }

    private claim(node: number, flags: number, id: string, number: number, what: string, atMs: number): void {
        if (flags & unprotected) return
        const held = this.recorded.get(`${partnerOf(node)} ${id}`) ?? 0
        if (held < number)
            this.faults.push(
                `${atMs.toFixed(1)} ms: ${what} of node ${node} claims ${id} to ${number}, recorded ${held}`,
            )
    }
}
