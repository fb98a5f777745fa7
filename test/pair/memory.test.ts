// The journal memory as one address space: what a load shows, what a store may leave, and what a hostile one may not.

import assert from "node:assert/strict"
import "../support/device-buffer"
import { copiesMax, kindSession, kindUpload, oldestCopy, recordCommand, recordDone } from "../../src/pair/journal"
import { Control } from "../../src/server/control"
import { pushCommand } from "../../src/server/inbox"
import { Listener } from "../../src/server/listener"
import { loadMemory, storeFrame, storeMemory } from "../../src/server/memory"
import { NodeServer } from "../../src/server/node"
import { Random } from "../../tools/sim/random"
import { block, request, sealNotice, setClock, useTestPlatform } from "./pair-support"

const write = 0x80
const ask = 0x81
const copiesAt = 0
const marksAt = 0x1f00
const acceptedAt = 0x2000
const storeAt = 0x8000
const pageBytes = 256
const badRequest = 8

/** Node `a`, whose partner is `b`. */
function newNode(number = 0): NodeServer {
    useTestPlatform()
    setClock(10_000)
    const port = { transfer: async () => {} }
    const node = new NodeServer(number, port, port, { wait: async () => {}, notify: () => {} })
    node.journal.nowMs = 10_000
    return node
}

function load(node: NodeServer, offset: number, bytes: number): Buffer | undefined {
    const out = Buffer.alloc(236)
    return loadMemory(node, offset, bytes, out, 12) === 0 ? out.subarray(12, 12 + bytes) : undefined
}

/** All that can be loaded, byte by byte of the map. */
function image(node: NodeServer): Buffer {
    const parts: Buffer[] = []
    for (let at = 0; at < 0x4000; at += 128) parts.push(load(node, at, 128) ?? Buffer.from(`none at ${at}`))
    return Buffer.concat(parts)
}

function storeOf(node: number, command: number, offset: number, copy: Uint8Array): Buffer {
    const frame = Buffer.alloc(8 + copy.length)
    frame[4] = node
    frame[5] = command
    frame.writeUInt16LE(offset, 6)
    frame.set(copy, 8)
    return sealNotice(frame)
}

describe("journal memory: node:offset", () => {
    it("a load shows copies, marks and the node's own commands where the map says [R12]", () => {
        const node = newNode()
        const copy = block(1, 7, 0, 224)
        const asked = request(1, 0xfffffff0, 3, 30)
        recordCommand(node.journal, write, copy)
        recordCommand(node.journal, ask, asked)
        pushCommand(node.inbox, ask, request(0, 5, 9))

        const first = load(node, copiesAt, 224)!
        assert.deepEqual(Buffer.concat([first, load(node, copiesAt + 224, 12)!]), copy)
        assert.deepEqual([...load(node, copiesAt + 236, 4)!], [236, write, 1, 0])
        assert.deepEqual(load(node, copiesAt + pageBytes, asked.length), asked)
        assert.deepEqual([...load(node, copiesAt + 2 * pageBytes + 236, 4)!], [0, 0, 0, 0])

        const marks = load(node, marksAt, 32)!
        const found = [0, 16].map(at => [marks[at], marks.readUInt32LE(at + 8)])
        assert.deepEqual(
            found.sort((a, b) => a[0] - b[0]),
            [
                [kindSession, 3],
                [kindUpload, 224],
            ],
        )
        assert.deepEqual(load(node, acceptedAt, 20), request(0, 5, 9))
        assert.deepEqual([...load(node, acceptedAt + 236, 4)!], [20, ask, 1, 0])
        node.inbox.head = 1
        node.inbox.count = 0
        assert.deepEqual([...load(node, acceptedAt + 236, 4)!], [20, ask, 0, 0])
    })

    it("a load beyond the map, over a page's end or longer than an answer is refused; no load changes anything [R12] [R33]", () => {
        const node = newNode()
        recordCommand(node.journal, write, block(1, 7, 0, 224))
        const before = image(node)
        const random = new Random("loads")
        const offsets = [0x1400, 0x1e00, 0x3200, 0x3fff, 0x4000, storeAt, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]
        for (const offset of offsets) assert.equal(load(node, offset, 1), undefined, `${offset}`)
        for (const [offset, bytes] of [
            [200, 57],
            [255, 2],
            [0, 225],
            [0, 255],
            [1, 256],
        ])
            assert.equal(load(node, offset, bytes), undefined, `${offset}, ${bytes}`)
        for (let n = 0; n < 20_000; n++) load(node, random.uint32(), random.int(256))
        assert.deepEqual(image(node), before)
    })

    it("a store of the partner is a copy like one that was heard: held once, told, finished in its order [R8] [R12]", () => {
        const node = newNode()
        const frame = request(1, 5, 1, 40)
        storeMemory(node, storeOf(1, ask, storeAt, frame))
        recordCommand(node.journal, ask, frame)
        storeMemory(node, storeOf(1, ask, storeAt, frame))
        assert.equal(node.journal.held, 1)
        assert.equal(node.journal.news, true)
        const slot = oldestCopy(node.journal)
        assert.deepEqual(node.journal.frames[slot].subarray(0, frame.length), frame)
        assert.equal(node.outbox.memory.length, 0)
        recordDone(node.journal, kindSession, 5, 1)
        assert.equal(node.journal.held, 0)
    })

    it("what one node makes of a request at hand, its partner takes [R12]", () => {
        const [a, b] = [newNode(0), newNode(1)]
        const frame = request(0, 77, 4, 100)
        pushCommand(a.inbox, ask, frame)
        const store = storeFrame(a, 77, 4)
        assert.equal(storeFrame(a, 77, 3), undefined)
        assert.equal(storeFrame(a, 78, 4), undefined)
        storeMemory(b, store)
        assert.deepEqual(load(b, copiesAt, frame.length), frame)
        pushCommand(a.inbox, ask, request(0, 77, 5, 220))
        assert.equal(storeFrame(a, 77, 5), undefined, "too long for a store")
    })

    it("a store from anyone else, elsewhere, or of no command that is copied is refused in words and leaves nothing [R33]", () => {
        const copy = request(1, 5, 1)
        for (const [what, store] of [
            ["not the partner", storeOf(0, ask, storeAt, copy)],
            ["another pair", storeOf(2, ask, storeAt, copy)],
            ["into a slot", storeOf(1, ask, copiesAt, copy)],
            ["into the marks", storeOf(1, ask, marksAt, copy)],
            ["into its own commands", storeOf(1, ask, acceptedAt, copy)],
            ["a read", storeOf(1, 0x82, storeAt, copy)],
            ["a control", storeOf(1, 0x84, storeAt, copy)],
        ] as const) {
            const node = newNode()
            const before = image(node)
            storeMemory(node, store)
            assert.deepEqual(image(node), before, what)
            assert.equal(node.outbox.memory.length, 1, what)
            const [refusal] = node.outbox.memory
            assert.deepEqual([...refusal.subarray(4, 8)], [0, 0, badRequest, 0])
            assert.equal(refusal.readUInt32LE(8), store.readUInt16LE(6))
        }
    })

    it("a store or a copy in it with any bit wrong, cut at any length, is dropped [R33]", () => {
        const node = newNode()
        const copy = block(1, 7, 0, 40)
        const whole = storeOf(1, write, storeAt, copy)
        for (let bit = 0; bit < 8 * whole.length; bit++) {
            const bad = Buffer.from(whole)
            bad[bit >> 3] ^= 1 << (bit & 7)
            storeMemory(node, bad)
        }
        assert.equal(node.badChecks, 8 * whole.length)
        for (let bit = 0; bit < 8 * copy.length; bit++) {
            const bad = Buffer.from(copy)
            bad[bit >> 3] ^= 1 << (bit & 7)
            storeMemory(node, storeOf(1, write, storeAt, bad))
        }
        for (let bytes = 0; bytes < whole.length; bytes++) {
            storeMemory(node, Buffer.from(whole.subarray(0, bytes)))
            if (bytes > 8) storeMemory(node, sealNotice(Buffer.from(whole.subarray(0, bytes))))
        }
        assert.equal(node.journal.held, 0)
        storeMemory(node, whole)
        assert.equal(node.journal.held, 1)
    })

    it("stores of chance content, well sealed: nothing throws, nothing is held, the queue of refusals is bounded [R33] [R26]", () => {
        const node = newNode()
        const random = new Random("stores")
        for (let n = 0; n < 20_000; n++) {
            const copy = Buffer.from(random.bytes(random.int(230)))
            const offset = random.chance(0.5) ? storeAt : random.int(0x1_0000)
            storeMemory(node, storeOf(random.int(4), random.chance(0.5) ? ask : random.int(256), offset, copy))
        }
        assert.equal(node.journal.held, 0)
        assert.ok(node.outbox.memory.length <= 4)
    })

    it("a partner that stores without end takes no more than the copies have room for [R26] [R33]", () => {
        const node = newNode()
        for (let n = 1; n <= 200; n++) storeMemory(node, storeOf(1, ask, storeAt, request(1, n, 1)))
        assert.equal(node.journal.held, copiesMax)
    })

    it("the word that a command is durable ends its copy; only the partner's word counts [R8] [R33]", () => {
        const node = newNode()
        const set = () => {}
        const lines = { read: () => 0, setOwn: set, setHold: set, setPartnerReset: set, setClock: set, restart: set }
        const listener = new Listener(node, new Control(node, lines as never))
        recordCommand(node.journal, ask, request(1, 9, 1))
        recordCommand(node.journal, write, block(1, 7, 448, 224))
        const durable = Buffer.alloc(32)
        durable[4] = 1
        durable[5] = 2
        durable[8] = kindSession
        durable.writeUInt32LE(9, 12)
        durable.writeUInt32LE(1, 16)
        durable[20] = kindUpload
        durable[21] = 1
        durable.writeUInt16LE(7, 22)
        durable.writeUInt32LE(500, 28)
        sealNotice(durable)
        for (const other of [0, 2, 3]) listener.notice(0x107 + 16 * other, durable)
        for (let bytes = 0; bytes < durable.length; bytes++)
            listener.notice(0x117, Buffer.from(durable.subarray(0, bytes)))
        assert.equal(node.journal.held, 2)
        listener.notice(0x117, durable)
        assert.equal(node.journal.held, 1, "the request is done, the block goes on beyond what is durable")
        const upload = node.journal.markIds.indexOf(0x10007)
        assert.equal(node.journal.markNumbers[upload], 672)
    })
})
