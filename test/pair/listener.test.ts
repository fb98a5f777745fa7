// What comes over the bus: notices and commands of any length and content do no harm, and only the partner's word counts.

import assert from "node:assert/strict"
import "../support/device-buffer"
import { kindSession, kindUpload } from "../../src/pair/journal"
import { active, booting, waiting } from "../../src/pair/role"
import { Control } from "../../src/server/control"
import { getRecorded } from "../../src/server/copies"
import { Listener, hearCommand } from "../../src/server/listener"
import { isProtected, NodeServer } from "../../src/server/node"
import { Random } from "../../tools/sim/random"
import { block, request, sealNotice, setClock, useTestPlatform } from "./pair-support"

const progress = 0
const reply = 1
const beat = 5
const recorded = 6
const codeOf = (node: number, kind: number) => 0x100 + 16 * node + kind
const recording = 64

/** Node `a`, which listens to `b`. */
function listening() {
    useTestPlatform()
    setClock(10_000)
    const port = { transfer: async () => {} }
    const node = new NodeServer(0, port, port, { wait: async () => {}, notify: () => {} })
    const set = () => {}
    const lines = { read: () => 0, setOwn: set, setHold: set, setPartnerReset: set, setClock: set, restart: set }
    const control = new Control(node, lines as never)
    return { node, listener: new Listener(node, control) }
}

function beatOf(
    node: number,
    role: number,
    setup: { flags?: number; epoch?: number; uptimeMs?: number; protocol?: number } = {},
): Buffer {
    const frame = Buffer.alloc(32)
    frame[4] = setup.protocol ?? 1
    frame[5] = node
    frame[6] = role
    frame[7] = setup.flags ?? 0
    frame.writeUInt32LE(setup.epoch ?? 0, 8)
    frame.writeUInt32LE(setup.uptimeMs ?? 5_000, 16)
    return sealNotice(frame)
}

function recordedOf(marks: { kind: number; id: number; number: number }[], count = marks.length): Buffer {
    const frame = Buffer.alloc(8 + 12 * marks.length)
    frame[4] = 1
    frame[5] = count
    for (const [i, { kind, id, number }] of marks.entries()) {
        const at = 8 + 12 * i
        frame[at] = kind
        if (kind === kindUpload) {
            frame[at + 1] = id >> 16
            frame.writeUInt16LE(id & 0xffff, at + 2)
        } else frame.writeUInt32LE(id, at + 4)
        frame.writeUInt32LE(number, at + 8)
    }
    return sealNotice(frame)
}

function replyOf(session: number, sequence: number, status = 0): Buffer {
    const frame = Buffer.alloc(24)
    frame[4] = 1
    frame[6] = status
    frame.writeUInt32LE(session, 8)
    frame.writeUInt32LE(sequence, 12)
    return sealNotice(frame)
}

function progressOf(handle: number, end: number, count = 1): Buffer {
    const frame = Buffer.alloc(16)
    frame[4] = 1
    frame[5] = count
    frame.writeUInt16LE(handle, 8)
    frame.writeUInt32LE(end, 12)
    return sealNotice(frame)
}

describe("listener: the partner's notices", () => {
    it("its beat: role, epoch, whether it records [R32]", () => {
        const { node, listener } = listening()
        listener.notice(codeOf(1, beat), beatOf(1, waiting, { flags: recording, epoch: 7 }))
        assert.equal(node.pair.partnerRole, waiting)
        assert.equal(node.pair.heardPartnerMs, 10_000)
        assert.equal(node.other.epoch, 7)
        assert.equal(node.partnerRecords, true)
    })

    it("the beat of another node is not the partner's, whichever code or number it carries [R13] [R33]", () => {
        const { node, listener } = listening()
        for (const other of [0, 2, 3, 4, 15]) {
            listener.notice(codeOf(other, beat), beatOf(other, active, { flags: recording, epoch: 9 }))
            listener.notice(codeOf(other, beat), beatOf(1, active, { flags: recording, epoch: 9 }))
            listener.notice(codeOf(1, beat), beatOf(other, active, { flags: recording, epoch: 9 }))
        }
        assert.equal(node.pair.partnerRole, -1)
        assert.ok(node.pair.heardPartnerMs < 0)
        assert.equal(node.other.epoch, 0)
        assert.equal(node.partnerRecords, false)
    })

    it("a partner that booted again has lost its copies: what it said it held counts no more [R8] [R12]", () => {
        const { node, listener } = listening()
        listener.notice(codeOf(1, beat), beatOf(1, active, { uptimeMs: 60_000 }))
        listener.notice(codeOf(1, recorded), recordedOf([{ kind: kindSession, id: 9, number: 4 }]))
        listener.notice(codeOf(1, beat), beatOf(1, active, { uptimeMs: 60_100 }))
        assert.equal(getRecorded(node.recorded, kindSession, 9), 4)
        listener.notice(codeOf(1, beat), beatOf(1, waiting, { uptimeMs: 900 }))
        assert.equal(getRecorded(node.recorded, kindSession, 9), 0)
    })

    it("a partner that was silent and is heard, but not by its beat: nothing counts as copied before that comes [R8] [R12]", () => {
        const { node, listener } = listening()
        node.partnerAlive = true
        listener.notice(codeOf(1, beat), beatOf(1, active, { flags: recording, uptimeMs: 60_000 }))
        listener.notice(codeOf(1, recorded), recordedOf([{ kind: kindSession, id: 9, number: 4 }]))
        assert.ok(isProtected(node))
        node.partnerAlive = false
        listener.notice(codeOf(1, recorded), recordedOf([{ kind: kindSession, id: 8, number: 1 }]))
        node.partnerAlive = true // the next tick
        assert.ok(!isProtected(node))
        listener.notice(codeOf(1, beat), beatOf(1, waiting, { flags: recording, uptimeMs: 900 }))
        assert.ok(isProtected(node))
        assert.equal(getRecorded(node.recorded, kindSession, 9), 0)
    })

    it("one that died soon after its boot, and is heard again when it is up for longer than it was then, has lost its copies, too [R8] [R12]", () => {
        const { node, listener } = listening()
        listener.notice(codeOf(1, beat), beatOf(1, waiting, { flags: recording, uptimeMs: 1_390 }))
        listener.notice(codeOf(1, recorded), recordedOf([{ kind: kindUpload, id: 20, number: 2_240 }]))
        node.nowMs += 1_500
        listener.notice(codeOf(1, beat), beatOf(1, waiting, { flags: recording, uptimeMs: 1_400 }))
        assert.equal(getRecorded(node.recorded, kindUpload, 20), 0)
    })

    it("one that was only not heard has its copies still, however late its beats come [R8]", () => {
        const { node, listener } = listening()
        listener.notice(codeOf(1, beat), beatOf(1, active, { flags: recording, uptimeMs: 60_000 }))
        listener.notice(codeOf(1, recorded), recordedOf([{ kind: kindUpload, id: 20, number: 2_240 }]))
        let uptimeMs = 60_000
        for (const lateMs of [0, 250, 20, 300, 0, 250]) {
            node.nowMs += 600
            uptimeMs += 600
            const frame = beatOf(1, active, { flags: recording, uptimeMs: uptimeMs - lateMs })
            listener.notice(codeOf(1, beat), frame)
            assert.equal(getRecorded(node.recorded, kindUpload, 20), 2_240)
        }
    })

    it("recorded: sessions and uploads by their ids; other kinds are passed over [R8]", () => {
        const { node, listener } = listening()
        const marks = [
            { kind: kindSession, id: 0xfffffff0, number: 3 },
            { kind: 9, id: 1, number: 1 },
            { kind: kindUpload, id: 0x10007, number: 448 },
        ]
        listener.notice(codeOf(1, recorded), recordedOf(marks))
        assert.equal(getRecorded(node.recorded, kindSession, 0xfffffff0), 3)
        assert.equal(getRecorded(node.recorded, kindUpload, 0x10007), 448)
        assert.equal(getRecorded(node.recorded, 9, 1), 0)
    })

    it("recorded and progress with a count beyond the frame: only what is there is taken [R33]", () => {
        const { node, listener } = listening()
        listener.notice(codeOf(1, recorded), recordedOf([{ kind: kindSession, id: 9, number: 4 }], 255))
        assert.equal(getRecorded(node.recorded, kindSession, 9), 4)
        hearCommand(listener, 0x80, block(1, 7, 0, 100))
        listener.notice(codeOf(1, progress), progressOf(7, 100, 255))
        assert.equal(node.journal.held, 0)
    })

    it("a command to the partner is copied; its reply and its progress end the copy, another node's do not [R8] [R13]", () => {
        const { node, listener } = listening()
        hearCommand(listener, 0x81, request(1, 9, 1))
        hearCommand(listener, 0x80, block(1, 7, 0, 100))
        for (const kind of [0x82, 0x83, 0x84, 0x8f, 0]) hearCommand(listener, kind, request(1, 10, 1))
        assert.equal(node.journal.held, 2)
        for (const other of [0, 2, 3]) {
            listener.notice(codeOf(other, reply), replyOf(9, 1))
            listener.notice(codeOf(other, progress), progressOf(7, 100))
        }
        assert.equal(node.journal.held, 2)
        hearCommand(listener, codeOf(1, reply), replyOf(9, 1))
        assert.equal(node.journal.held, 1)
        listener.notice(codeOf(1, progress), progressOf(7, 100))
        assert.equal(node.journal.held, 0)
    })

    it("a request that was turned away is not done: its copy stays for the host's next try, by the same number [R8] [R21]", () => {
        const { node, listener } = listening()
        hearCommand(listener, 0x81, request(1, 9, 1))
        const [wrongEpoch, notController] = [9, 10]
        for (const status of [wrongEpoch, notController]) listener.notice(codeOf(1, reply), replyOf(9, 1, status))
        assert.equal(node.journal.held, 1)
        const badName = 7
        listener.notice(codeOf(1, reply), replyOf(9, 1, badName))
        assert.equal(node.journal.held, 0)
    })

    it("a request whose session is unknown is not asked again: its copy goes, or each hello with an old challenge would leave one [R8] [R21]", () => {
        const { node, listener } = listening()
        const noSession = 11
        for (let session = 1; session <= 30; session++) {
            hearCommand(listener, 0x81, request(1, session, 1))
            assert.equal(node.journal.held, 1)
            listener.notice(codeOf(1, reply), replyOf(session, 1, noSession))
            assert.equal(node.journal.held, 0)
        }
    })

    it("a damaged notice of the partner is dropped and counted, whatever bit is wrong [R33]", () => {
        const { node, listener } = listening()
        hearCommand(listener, 0x81, request(1, 9, 1))
        let damaged = 0
        for (const [kind, frame] of [
            [beat, beatOf(1, active, { flags: recording, epoch: 7 })],
            [reply, replyOf(9, 1)],
            [recorded, recordedOf([{ kind: kindSession, id: 9, number: 4 }])],
        ] as const)
            for (let bit = 0; bit < 8 * frame.length; bit++) {
                const bad = Buffer.from(frame)
                bad[bit >> 3] ^= 1 << (bit & 7)
                listener.notice(codeOf(1, kind), bad)
                damaged++
            }
        assert.equal(node.badChecks, damaged)
        assert.equal(node.journal.held, 1)
        assert.equal(node.pair.partnerRole, -1)
        assert.equal(getRecorded(node.recorded, kindSession, 9), 0)
    })

    it("frames of every length and of chance content, sealed or not, to anyone: nothing throws, no role changes [R33]", () => {
        const { node, listener } = listening()
        const random = new Random("listener")
        for (let n = 0; n < 60_000; n++) {
            const bytes = random.chance(0.5) ? random.int(48) : random.int(253)
            const payload = Buffer.from(random.bytes(bytes))
            if (bytes > 5 && random.chance(0.5)) payload[5] = random.int(4)
            if (bytes >= 4 && random.chance(0.5)) sealNotice(payload)
            const command = random.chance(0.6) ? codeOf(1, random.int(16)) : random.int(0x200)
            if (random.chance(0.5)) hearCommand(listener, command, payload)
            else listener.notice(command, payload)
        }
        assert.equal(node.pair.role, booting)
        assert.equal(node.journal.held, 0)
    })

    it("each kind of notice, well sealed, cut at every length: nothing throws, nothing is believed by halves [R33]", () => {
        const { node, listener } = listening()
        hearCommand(listener, 0x81, request(1, 9, 1))
        const whole = [
            progressOf(9, 1),
            replyOf(9, 1),
            replyOf(9, 1),
            replyOf(9, 1),
            replyOf(9, 1),
            beatOf(1, active),
            recordedOf([{ kind: 1, id: 9, number: 1 }]),
        ]
        for (const [kind, frame] of whole.entries())
            for (let bytes = 0; bytes < frame.length; bytes++) {
                const cut = Buffer.from(frame.subarray(0, bytes))
                listener.notice(codeOf(1, kind), bytes >= 4 ? sealNotice(cut) : cut)
            }
        assert.equal(node.journal.held, 1)
        assert.equal(node.pair.partnerRole, -1)
        assert.equal(getRecorded(node.recorded, kindSession, 9), 0)
    })

    it("a partner of another protocol version lives, and nothing else is believed of it [R34 R33]", () => {
        const { node, listener } = listening()
        const other = { protocol: 2, flags: recording, epoch: 9 }
        listener.notice(codeOf(1, beat), beatOf(1, waiting, other))
        assert.equal(node.heardPartner, true)
        assert.equal(node.partnerRecords, false)
        assert.equal(node.pair.partnerRole, -1, "no giveback to it")
        assert.equal(node.other.epoch, 0)
        listener.notice(codeOf(1, recorded), recordedOf([{ kind: kindSession, id: 5, number: 7 }]))
        assert.equal(getRecorded(node.recorded, kindSession, 5), 0)
        hearCommand(listener, 0x81, request(1, 5, 1))
        assert.equal(node.journal.held, 0)
        // it was upgraded
        listener.notice(codeOf(1, beat), beatOf(1, active, { flags: recording }))
        assert.equal(node.pair.partnerRole, active)
        // and it was downgraded: what it waits for by the protocol of before it waits for no more
        listener.notice(codeOf(1, beat), beatOf(1, waiting, other))
        assert.equal(node.pair.partnerRole, -1)
        listener.notice(codeOf(1, beat), beatOf(1, active, { flags: recording }))
        hearCommand(listener, 0x81, request(1, 5, 1))
        assert.deepEqual([node.partnerRecords, node.pair.partnerRole, node.journal.held], [true, active, 1])
    })
})
