import assert from "node:assert/strict"
import { EventQueue } from "../../tools/sim/event-queue"
import { Random } from "../../tools/sim/random"
import { ReceiveQueue } from "../../tools/sim/receive-queue"
import { Trace } from "../../tools/sim/trace"
import { frameOk, Wire } from "../../tools/sim/wire"
import { frame, Host, ms, second } from "./bench-rig"

const id = new Uint8Array(8).fill(0xab)
const full = () => frame(id, 1, 0x80, new Uint8Array(236))

function bus(seed = 1): { queue: EventQueue; wire: Wire; trace: Trace; hosts: Host[] } {
    const queue = new EventQueue()
    const trace = new Trace()
    const wire = new Wire(queue, new Random(seed), trace)
    return { queue, wire, trace, hosts: [new Host(wire), new Host(wire), new Host(wire)] }
}

describe("wire", () => {
    it("pace: a full frame takes about 2.75 ms, its payload 84 kB/s", () => {
        const { queue, hosts } = bus()
        for (let i = 0; i < 400; i++) hosts[0].port.send(full())
        queue.runUntil(2 * second)
        const times = hosts[1].heard.map(h => h.atNs)
        assert.equal(times.length, 400)
        const meanNs = (times.at(-1)! - times[0]) / 399
        assert.ok(Math.abs(meanNs - 2.75 * ms) < 0.02 * ms, `${meanNs / ms} ms`)
    })

    it("one talker at a time: all get through, nobody hears himself, no two frames overlap", () => {
        const { queue, wire, hosts } = bus()
        for (let i = 0; i < 50; i++) for (const host of hosts) host.port.send(full())
        queue.runUntil(second)
        for (const host of hosts) assert.equal(host.heard.length, 100)
        const times = hosts.flatMap(h => h.heard.map(e => e.atNs)).sort((a, b) => a - b)
        const ends = [...new Set(times)]
        assert.equal(ends.length, 150)
        for (let i = 1; i < ends.length; i++) assert.ok(ends[i] - ends[i - 1] > 2.6 * ms)
        assert.ok(wire.busyNs < second)
    })

    it("fairness: two talkers share the wire within a few percent", () => {
        const { queue, wire, hosts } = bus()
        for (let i = 0; i < 1000; i++) for (const host of hosts.slice(0, 2)) host.port.send(full())
        queue.runUntil(2 * second)
        const left = hosts[0].port.queue.length - hosts[1].port.queue.length
        assert.ok(wire.frames > 700 && Math.abs(left) < 120, `${left}`)
    })

    it("damage at one receiver is not damage at another, whoever owns the bytes [R37]", () => {
        const { queue, wire, hosts } = bus()
        wire.fault.corruptP = 0.5
        const sent = Buffer.from(full())
        for (let i = 0; i < 50; i++) hosts[0].port.send(Buffer.from(sent))
        queue.runUntil(second)
        for (const { heard } of hosts.slice(1)) {
            assert.ok(heard.length > 10 && heard.length < 40, `${heard.length} heard`)
            for (const { frame } of heard) assert.deepEqual(Buffer.from(frame), sent)
        }
    })

    it("damage: a frame with a wrong CRC, length or version reaches nobody and is counted [R33]", () => {
        const { queue, wire, hosts } = bus()
        const crc = full()
        crc[20] ^= 1
        const short = full().slice(0, 100)
        const next = frame(id, 1, 0x80, new Uint8Array(10), 0x81)
        for (const bad of [crc, short, next]) {
            assert.equal(frameOk(bad), false)
            hosts[0].port.send(bad)
        }
        hosts[0].port.send(full())
        queue.runUntil(second)
        assert.equal(wire.badFrames, 3)
        assert.equal(hosts[1].heard.length, 1)
    })

    it("faults: loss, duplication, corruption and a cut come from the seed and hit each listener alone [R37]", () => {
        const run = (seed: number) => {
            const { queue, wire, hosts } = bus(seed)
            Object.assign(wire.fault, { lossP: 0.1, duplicateP: 0.1, corruptP: 0.1 })
            for (let i = 0; i < 300; i++) hosts[0].port.send(full())
            queue.runUntil(second)
            return { heard: hosts.map(h => h.heard.length), lost: wire.lostFrames, bad: wire.badFrames }
        }
        assert.deepEqual(run(3), run(3))
        const { heard, lost, bad } = run(3)
        assert.ok(lost > 30 && bad > 30)
        assert.notEqual(heard[1], heard[2])
        const cut = bus()
        let cuts = 0
        cut.wire.fault.cut = () => ++cuts % 2 === 1
        for (let i = 0; i < 10; i++) cut.hosts[0].port.send(full())
        cut.queue.runUntil(second)
        assert.deepEqual([cut.hosts[1].heard.length, cut.hosts[2].heard.length], [0, 10])
    })

    it("trace: every frame is in it, and one bit changes the hash [R37]", () => {
        const hash = (bit: number) => {
            const { queue, trace, hosts } = bus()
            const payload = new Uint8Array(10)
            payload[3] = bit
            hosts[0].port.send(frame(id, 1, 0x80, payload))
            queue.runUntil(second)
            assert.equal(trace.entries, 1)
            return trace.hash()
        }
        assert.equal(hash(0), hash(0))
        assert.notEqual(hash(0), hash(1))
    })
})

describe("receive queue", () => {
    it("overflow: eight full frames fit, the ninth is dropped; room comes back in order", () => {
        const queue = new ReceiveQueue()
        for (let i = 0; i < 8; i++) assert.ok(queue.push(full()))
        assert.equal(queue.push(full()), false)
        queue.shift()
        // the hole at the start must be larger than the frame: jd_queue.c, `front > size`
        assert.equal(queue.push(full()), false)
        queue.shift()
        assert.ok(queue.push(full()))
        assert.equal(queue.length, 7)
    })
})
