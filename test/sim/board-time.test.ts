import assert from "node:assert/strict"
import { Host, frame, ms, second, serverId, startedNs, testProgram, World } from "./bench-rig"
import { panicCodes } from "../../tools/sim/board"
import { loadedPair } from "./child-run"

describe("board: computing takes virtual time", function () {
    this.timeout(60_000)
    before(() => ["timers.ts", "echo.ts"].forEach(testProgram))

    function computed(cpu: "rp2040" | "ideal"): { ms: number; before: number; during: number } {
        const world = new World(1)
        world.add("a", "timers.ts", { cpu })
        world.queue.runUntil(startedNs + second)
        const found = /computed (\d+) ms; ticks before (\d+) during (\d+)/.exec(world.printed().join())!
        return { ms: Number(found[1]), before: Number(found[2]), during: Number(found[3]) }
    }

    it("overload: while a node computes its timers wait and millis moves", () => {
        const run = computed("rp2040")
        assert.ok(run.ms > 50 && run.ms < 500, `${run.ms} ms`)
        assert.ok(run.before >= 9)
        assert.equal(run.during, 0)
    })

    it("ideal processor: the same program takes no time", () => {
        assert.ok(computed("ideal").ms <= 2)
    })

    it("randomness: each board and each start draws other numbers, the same seed the same [R37]", () => {
        const drawn = (seed: number) => {
            const world = new World(seed)
            const a = world.add("a", "timers.ts")
            world.add("b", "timers.ts")
            world.queue.runUntil(startedNs)
            a.reset()
            world.queue.runUntil(2 * startedNs)
            return world.logs.filter(l => l.line.startsWith("> random")).map(l => l.line)
        }
        assert.equal(new Set([...drawn(1), ...drawn(2)]).size, 6)
        assert.deepEqual(drawn(1), drawn(1))
    })

    it("overload: frames that come while a node computes fill its receive queue, then drop and are counted", () => {
        const slow = loadedPair(1, 300, 250)
        const fast = loadedPair(1, 300, 0)
        for (const board of slow.boards) {
            assert.ok(board.droppedFrames > 20, `dropped ${board.droppedFrames}`)
            assert.ok(board.counters().framesReceived > 50)
        }
        for (const board of fast.boards) assert.equal(board.droppedFrames, 0)
    })

    it("overload: a hung board keeps its pins, sends nothing, and drops all but eight full frames", () => {
        const world = new World(1)
        const a = world.add("a", "echo.ts")
        const host = new Host(world.wire)
        world.queue.runUntil(startedNs)
        world.queue.runUntil(startedNs + 20 * ms)
        const drives = world.ports[0].drives.length
        const heard = host.heard.length
        a.pause(400)
        for (let i = 0; i < 20; i++) host.port.send(frame(serverId(a), 1, 0x80, new Uint8Array(236)))
        world.queue.runUntil(startedNs + 400 * ms)
        assert.equal(a.droppedFrames, 12)
        assert.equal(world.ports[0].drives.length, drives)
        assert.ok(host.heard.length - heard <= 1)
        world.queue.runUntil(startedNs + second)
        assert.ok(host.heard.length > heard)
        assert.ok(world.ports[0].drives.length > drives)
    })

    it("overload: a board that hangs in the middle of a computation has the rest of it still before it", () => {
        const { world, a, leftNs } = inComputation()
        a.hang()
        world.queue.runUntil(world.queue.nowNs + 20 * ms)
        a.resume()
        const { ops } = a.counters()
        world.queue.runUntil(world.queue.nowNs + leftNs)
        assert.equal(a.counters().ops, ops)
        world.queue.runUntil(world.queue.nowNs + 50 * ms)
        assert.ok(a.counters().ops > ops)
    })

    it("panic: a board that is stopped in the middle of a computation stops at its end, not before what it did", () => {
        const { world, a, leftNs } = inComputation()
        const endNs = world.queue.nowNs + leftNs
        assert.ok(a.panic(panicCodes.exception))
        world.queue.runUntil(endNs - ms)
        assert.deepEqual(world.panics, [])
        world.queue.runUntil(endNs + 50 * ms)
        assert.deepEqual(world.panics, [panicCodes.exception])
    })

    it("reports: with the reach of a board's wire a node's own reports stay off the wire, its announcements do not", () => {
        const heardBy = (reach: "wire" | "all") => {
            const world = new World(1)
            const a = world.add("a", "echo.ts", { reach })
            const host = new Host(world.wire)
            world.queue.runUntil(startedNs)
            for (let i = 0; i < 30; i++) host.port.send(frame(serverId(a), 1, 0x80, new Uint8Array(100)))
            world.queue.runUntil(startedNs + 2 * second)
            return {
                reports: host.heard.filter(h => command(h.frame) === 0x80).length,
                announcements: host.heard.filter(h => command(h.frame) === 0).length,
            }
        }
        assert.equal(heardBy("all").reports, 3)
        assert.equal(heardBy("wire").reports, 0)
        assert.ok(heardBy("wire").announcements > 3)
    })

    it("USB: a host on a board's port is heard by the board and the wire, and hears the board's own reports", () => {
        const world = new World(1)
        const usb: Uint8Array[] = []
        const a = world.add("a", "echo.ts", { reach: "wire", onUsb: f => usb.push(f) })
        const host = new Host(world.wire)
        world.queue.runUntil(startedNs)
        for (let i = 0; i < 10; i++) {
            a.fromUsb(frame(serverId(a), 1, 0x80, new Uint8Array(100)))
            world.queue.runUntil(world.queue.nowNs + 10 * ms)
        }
        a.fromUsb(frame(new Uint8Array(8).fill(7), 1, 0x80, new Uint8Array(100)))
        world.queue.runUntil(world.queue.nowNs + second)
        assert.equal(usb.filter(f => isReport(f) && command(f) === 0x80).length, 1)
        // what is for the board itself stays off the wire, the rest does not
        assert.equal(host.heard.filter(h => command(h.frame) === 0x80).length, 1)
    })
})

/** A board whose computation under way takes `leftNs` more: what it does is known when it begins, and is done later. */
function inComputation() {
    const world = new World(1)
    const a = world.add("a", "timers.ts", { cpu: "rp2040" })
    const isComputed = () => world.printed().some(line => line.startsWith("computed"))
    while (!isComputed()) world.queue.runUntil(world.queue.nowNs + ms)
    const leftNs = world.logs.at(-1)!.atNs - world.queue.nowNs
    assert.ok(leftNs > 50 * ms, `${leftNs} ns`)
    return { world, a, leftNs }
}

function command(f: Uint8Array): number {
    return f[14] | (f[15] << 8)
}

function isReport(f: Uint8Array): boolean {
    return (f[3] & 1) === 0
}
