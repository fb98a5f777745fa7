// Listens to the wire of a pair, whatever is lost on its way, and holds it to its word: what a node acknowledges without the flag
// "unprotected" must have been told as recorded by its partner before.

import { eachPacket } from "../../tools/bridge/bus/jacdac-frame"
import { commandCodes, noticeKinds, noticeOf, statusNames } from "../../tools/bridge/protocol/numbers"
import type { SimSession } from "../../tools/sim/session"

const unprotected = 1
const sessionKind = 1
/** A request that was turned away is not done, and its reply claims no copy. */
const refusals = new Set(["wrongEpoch", "notController", "noSession"])

export class CopyWatch {
    /** Replies and progress that claimed a copy, and had it. */
    protectedWords = 0
    /** The same that said they had none. */
    unprotectedWords = 0
    /** Copies that a node sent its partner, and words that something is durable and needs none. */
    stores = 0
    durableWords = 0
    readonly faults: string[] = []
    private readonly recorded = new Map<string, number>()

    constructor(private readonly session: SimSession) {
        session.simulation.trace.onEntry = ({ kind, data }) => {
            if (kind === "frame" && typeof data !== "string")
                eachPacket(Buffer.from(data), (_, code, payload) => this.packet(code, Buffer.from(payload)))
        }
    }

    /** Share of what was acknowledged that nobody held a copy of. */
    get unprotectedShare(): number {
        return this.unprotectedWords / (this.unprotectedWords + this.protectedWords)
    }

    private packet(code: number, payload: Buffer): void {
        if (code === commandCodes.store) this.stores++
        const notice = noticeOf(code)
        if (!notice) return
        if (notice.kind === noticeKinds.memory && payload[5] > 0) this.durableWords++
        this.hear(notice.node, notice.kind, payload)
    }

    private hear(node: number, kind: number, frame: Buffer): void {
        if (kind === noticeKinds.recorded)
            for (let i = 0, at = 8; i < frame[5]; i++, at += 12) {
                const id =
                    frame[at] === sessionKind
                        ? `s${frame.readUInt32LE(at + 4)}`
                        : `u${frame[at + 1]}.${frame.readUInt16LE(at + 2)}`
                this.recorded.set(`${node} ${id}`, frame.readUInt32LE(at + 8))
            }
        else if (kind === noticeKinds.reply) {
            if (refusals.has(statusNames[frame[6]])) return
            this.claim(node, frame[7], `s${frame.readUInt32LE(8)}`, frame.readUInt32LE(12), `reply to op ${frame[5]}`)
        } else if (kind === noticeKinds.progress)
            for (let i = 0, at = 8; i < frame[5]; i++, at += 8) {
                const end = frame.readUInt32LE(at + 4)
                if (end > 0) this.claim(node, frame[6], `u${frame[4]}.${frame.readUInt16LE(at)}`, end, "progress")
            }
    }

    private claim(node: number, flags: number, id: string, number: number, what: string): void {
        if (flags & unprotected) {
            this.unprotectedWords++
            return
        }
        this.protectedWords++
        const held = this.recorded.get(`${node ^ 1} ${id}`) ?? 0
        if (held < number)
            this.faults.push(
                `${this.session.nowMs()} ms: ${what} of node ${node} claims ${id} to ${number}, recorded ${held}`,
            )
    }
}
