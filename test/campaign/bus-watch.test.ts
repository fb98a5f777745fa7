// What the watch on the wire holds a pair to, on frames made here.

import assert from "node:assert/strict"
import { commandFrame } from "../../tools/bridge/bus/jacdac-frame"
import { encodeRequest } from "../../tools/bridge/protocol/commands"
import { encodeNotice, type Beat, type Reply } from "../../tools/bridge/protocol/notices"
import { commandCodes, noticeCode, noticeKinds, roleNames } from "../../tools/bridge/protocol/numbers"
import { BusWatch, type Word } from "../../tools/campaign/bus-watch"

const devices = ["0a0a0a0a0a0a0a0a", "0b0b0b0b0b0b0b0b"]
const session = 77
const sequence = 5
const [a, b] = [0, 1]

class Wire {
    readonly watch = new BusWatch()

    /** A node's word on its role and on the epoch of volume `a`; both learnt of each other's before. */
    beat(node: number, role: (typeof roleNames)[number], epoch: number): void {
        const beat: Beat = {
            ...{ kind: "beat", protocol: 1, node, role: roleNames.indexOf(role), flags: 0, mode: 0 },
            ...{ ownEpoch: node === a ? epoch : 1, partnerEpoch: node === a ? 1 : epoch },
            ...{ uptimeMs: 5_000, device: devices[node], serviceIndex: 1 },
        }
        this.notice(node, noticeKinds.beat, encodeNotice(beat))
    }

    asked(node: number, epoch: number): void {
        const body = { op: "abort", upload: 9 } as const
        const frame = encodeRequest({ volume: a, epoch, session, sequence }, body)
        this.frame(node, commandCodes.request, frame)
    }

    /** @returns what is wrong with the answer */
    done(node: number, epoch: number): string {
        const reply: Reply = {
            ...{ kind: "reply", volume: a, op: "abort", status: "ok", flags: 1, session, sequence, value: 0 },
            epoch,
        }
        this.notice(node, noticeKinds.reply, encodeNotice(reply))
        return this.watch.faults.splice(0).join("; ")
    }

    /** @returns what is wrong with the answer that there is no such session */
    forgotten(): string {
        const reply: Reply = {
            ...{ kind: "reply", volume: a, op: "abort", status: "noSession", flags: 1, session, sequence, value: 0 },
            epoch: 1,
        }
        this.notice(a, noticeKinds.reply, encodeNotice(reply))
        return this.watch.faults.splice(0).join("; ")
    }

    /** A node tells what it recorded of its partner's requests. */
    recorded(node: number): void {
        const entries = [{ kind: 1, volume: 0, handle: 0, id: session, number: sequence }]
        this.notice(node, noticeKinds.recorded, encodeNotice({ kind: "recorded", node, entries }))
    }

    askedBye(): void {
        const frame = encodeRequest({ volume: a, epoch: 1, session, sequence: sequence + 1 }, { op: "bye" })
        this.frame(a, commandCodes.request, frame)
    }

    /** A session's end or beginning was done. @returns what is wrong with that */
    obeyed(op: "hello" | "bye"): string {
        const reply: Reply = {
            ...{ kind: "reply", volume: a, op, status: "ok", flags: 1, session, sequence, value: 0 },
            epoch: 1,
        }
        this.notice(a, noticeKinds.reply, encodeNotice(reply))
        return this.watch.faults.splice(0).join("; ")
    }

    private notice(node: number, kind: number, payload: Uint8Array): void {
        this.frame(node ^ 1, noticeCode(node, kind), payload)
    }

    private frame(to: number, code: number, payload: Uint8Array): void {
        this.watch.frame(commandFrame(Buffer.from(devices[to], "hex"), 1, code, payload), 0)
    }
}

/** `a` had its volume in epoch 1 and died; `b` has mounted it in epoch 2. */
function takingOver(): Wire {
    const wire = new Wire()
    wire.beat(a, "active", 1)
    wire.beat(b, "active", 1)
    wire.beat(b, "taking-over", 2)
    return wire
}

const isLate = /request 5 of session 77 on volume 0: done, and asked only under an epoch that was over/

describe("campaign: what was asked under an epoch that was over", () => {
    it("asked of the node that was lost, while its partner finishes its copies: a copy, and done [R8] [R31]", () => {
        const wire = takingOver()
        wire.asked(a, 1)
        wire.beat(b, "taken-over", 2)
        assert.equal(wire.done(b, 2), "")
    })

    it("asked of the node that takes over: turned away, or it is a fault [R31]", () => {
        const wire = takingOver()
        wire.asked(b, 1)
        assert.match(wire.done(b, 2), isLate)
    })

    it("asked of the node that was lost after its partner had taken over: nobody's, or it is a fault [R31]", () => {
        const wire = takingOver()
        wire.beat(b, "taken-over", 2)
        wire.asked(a, 1)
        assert.match(wire.done(b, 2), isLate)
    })

    it("asked of a node that has its volume back from one that died as it took it over: turned away, or it is a fault [R31]", () => {
        const wire = takingOver()
        wire.beat(a, "active", 3)
        wire.asked(a, 2)
        assert.match(wire.done(a, 3), isLate)
    })

    it("asked under the epoch that holds, or under none: done [R31]", () => {
        for (const epoch of [0, 2]) {
            const wire = takingOver()
            wire.asked(b, epoch)
            assert.equal(wire.done(b, 2), "")
        }
    })
})

describe("campaign: a session that said bye", () => {
    it("is closed when its bye was obeyed, and so it stays, whatever it is told late (seeds 135, 238) [R21]", () => {
        const wire = new Wire()
        // never opened, as far as it was told
        assert.equal(wire.obeyed("bye"), "")
        assert.equal(wire.watch.isClosed(a, session), false)
        assert.equal(wire.obeyed("hello"), "")
        assert.equal(wire.watch.isClosed(a, session), false)
        assert.equal(wire.obeyed("bye"), "")
        assert.equal(wire.obeyed("hello"), "")
        assert.equal(wire.watch.isClosed(a, session), true)
        assert.equal(wire.watch.isClosed(b, session), false)
    })

    it("is gone, also when the reply to what it asked before came after its bye was asked (seeds 1182, 1390)", () => {
        const wire = new Wire()
        wire.asked(a, 0)
        assert.equal(wire.done(a, 1), "")
        assert.match(wire.forgotten(), /its session is forgotten/)
        assert.equal(wire.done(a, 1), "")
        wire.askedBye()
        assert.equal(wire.done(a, 1), "")
        assert.equal(wire.obeyed("bye"), "")
        assert.equal(wire.forgotten(), "")
    })
})

describe("campaign: words that a fault may follow", () => {
    it("are told at once: a partner recorded a request, a request was done and a copy of it recorded [R8]", () => {
        const wire = takingOver()
        const words: Word[] = []
        wire.watch.onWord = word => words.push(word)
        wire.recorded(b)
        assert.deepEqual(words, [{ kind: "recorded", volume: a, session, sequence }])
        // with the flag that nothing protects it
        wire.done(a, 1)
        assert.equal(words.length, 1)
    })
})
