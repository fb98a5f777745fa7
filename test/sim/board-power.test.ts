import assert from "node:assert/strict"
import { frame, Host, ms, second, startedNs, testProgram, World } from "./bench-rig"

const gpio = { cs: 10, out: 12 }

describe("board: power and reset", function () {
    this.timeout(60_000)
    before(() => ["spi.ts", "exhaust.ts", "echo.ts"].forEach(testProgram))

    /** Stops in the middle of one of the 1,000-byte transfers. */
    function midTransfer(): World {
        const world = new World(1)
        world.add("a", "spi.ts")
        const long = () => world.ports[0].transfers.find(t => t.tx.length === 1000)
        while (!long()) world.queue.runNext()
        world.queue.runUntil(long()!.startNs + 300_000)
        return world
    }

    it("power cut in a transfer: the port hears of it at that time, and all pins float [R23]", () => {
        const world = midTransfer()
        const cutNs = world.queue.nowNs
        assert.ok(cutNs < world.ports[0].transfers.at(-1)!.endNs)
        world.boards[0].powerOff()
        assert.deepEqual(world.ports[0].abortedNs, [cutNs])
        for (const pin of Object.values(gpio)) assert.equal(world.ports[0].last(pin), undefined)
        const drives = world.ports[0].drives.length
        world.queue.runUntil(cutNs + second)
        assert.equal(world.ports[0].drives.length, drives)
        assert.equal(world.boards[0].isRunning, false)
    })

    it("power back: the flash is kept, the RAM is not, and the program starts 1.16 s later", () => {
        const world = midTransfer()
        const [a] = world.boards
        a.powerOff()
        world.logs.length = 0
        const onNs = world.queue.nowNs
        a.powerOn()
        world.queue.runUntil(onNs + startedNs)
        assert.equal(world.printed()[0], "in 1 out undefined free undefined")
        const printedNs = world.logs.find(l => l.line.startsWith("> "))!.atNs - onNs
        assert.ok(printedNs > 1160 * ms && printedNs < 1250 * ms, `${printedNs / ms} ms`)
        assert.equal(a.counters().starts, 2)
    })

    it("fence: a board held in reset floats its pins and stays off until it is released [R6]", () => {
        const world = midTransfer()
        const [a] = world.boards
        a.holdReset()
        assert.equal(world.ports[0].abortedNs.length, 1)
        assert.equal(world.ports[0].last(gpio.out), undefined)
        a.powerOff()
        a.powerOn()
        world.queue.runUntil(world.queue.nowNs + 3 * second)
        assert.equal(a.isRunning, false)
        a.releaseReset()
        world.queue.runUntil(world.queue.nowNs + startedNs)
        assert.equal(world.ports[0].last(gpio.out), 1)
    })

    it("power cut while talking: the frame on the wire reaches nobody, those that wait are gone", () => {
        const world = new World(1)
        const a = world.add("a", "echo.ts")
        const host = new Host(world.wire)
        const framesBefore = () => world.wire.frames
        world.queue.runUntil(startedNs)
        const heard = host.heard.length
        while (world.wire.busyNs === 0 || host.heard.length === heard) world.queue.runNext()
        const busyNs = world.wire.busyNs
        while (world.wire.busyNs === busyNs) world.queue.runNext()
        const [frames, heardNow] = [framesBefore(), host.heard.length]
        a.powerOff()
        world.queue.runUntil(world.queue.nowNs + second)
        assert.equal(world.wire.frames, frames + 1)
        assert.equal(world.wire.badFrames, 1)
        assert.equal(host.heard.length, heardNow)
    })

    it("reset over the bus: the control service's reset command starts the board anew", () => {
        const world = new World(1)
        const a = world.add("a", "echo.ts")
        const host = new Host(world.wire)
        world.queue.runUntil(startedNs)
        const { ops } = a.counters()
        host.port.send(frame(a.deviceIdBytes, 0, 0x82, new Uint8Array(0)))
        world.queue.runUntil(2 * startedNs)
        assert.equal(a.counters().starts, 2)
        assert.ok(a.counters().ops > ops && a.counters().opNs > 0)
        assert.ok(a.isRunning)
        assert.equal(world.ports[0].last(gpio.cs), 1)
    })

    it("panic: out of memory stops the program and its pins start over five seconds later", () => {
        const world = new World(1)
        world.add("a", "exhaust.ts")
        world.queue.runUntil(startedNs + second)
        assert.deepEqual(world.panics, [60004])
        assert.equal(world.ports[0].last(gpio.out), 1)
        const outs = () => world.ports[0].drives.filter(d => d.gpio === gpio.out).map(d => d.level)
        const before = outs().length
        world.queue.runUntil(startedNs + 7 * second)
        assert.deepEqual(outs().slice(before, before + 2), [0, 1])
        assert.equal(world.printed().filter(l => l === "alive").length, 2)
        assert.equal(world.boards[0].counters().starts, 1)
    })
})
