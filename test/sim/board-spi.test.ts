import assert from "node:assert/strict"
import { dividedHz } from "../../tools/sim/board-spi"
import { ms, startedNs, testProgram, World } from "./bench-rig"

const gpio = { cs: 10, in: 11, out: 12, free: 13 }

describe("board: SPI and pins of the stock packages", function () {
    this.timeout(60_000)
    before(() => ["spi.ts", "read-only.ts"].forEach(testProgram))

    function ran(): World {
        const world = new World(1)
        world.add("a", "spi.ts")
        world.queue.runUntil(startedNs)
        return world
    }

    it("round trip: an unmodified image's bytes and chip select reach the port, the answer reaches the program", () => {
        const world = ran()
        const [first] = world.ports[0].transfers
        assert.equal(first.tx.toString("hex"), "9f000000")
        assert.ok(world.printed().includes("got a0a1a2a3"), world.printed().join("\n"))
        const edges = world.ports[0].drives.filter(d => d.gpio === gpio.cs && d.atNs <= first.endNs + ms)
        const low = edges.find(e => e.level === 0)!
        const high = edges.find(e => e.level === 1 && e.atNs > low.atNs)!
        assert.ok(low.atNs < first.startNs && first.endNs < high.atNs)
    })

    it("pins: initial states are driven before the program starts, the others float; an input reads its line", () => {
        const world = new World(1)
        world.add("a", "spi.ts")
        world.queue.runUntil(100 * ms)
        assert.equal(world.ports[0].last(gpio.cs), 1)
        assert.equal(world.ports[0].last(gpio.out), 0)
        world.queue.runUntil(startedNs)
        assert.equal(world.ports[0].drives.find(d => d.gpio === gpio.in && d.pull)?.pull, "up")
        assert.equal(world.ports[0].last(gpio.free), undefined)
        assert.equal(world.ports[0].last(gpio.out), 1)
        assert.ok(world.printed().includes("in 1 out undefined free undefined"))
    })

    it("trap: a transfer after a write finds the write's first eight bytes", () => {
        assert.ok(ran().printed().includes("after write a0a1a2a3a4a5a6a7a0a1"))
    })

    it("errors: sizes that differ, no bytes, too many bytes, no such mode are thrown in the program", () => {
        const lines = ran().printed()
        assert.ok(lines.some(l => l.startsWith("sizes TypeError expecting same size")))
        assert.ok(lines.includes("empty RangeError SPI error: -3"))
        assert.ok(lines.includes("long RangeError SPI error: -2"))
        assert.ok(lines.some(l => l.startsWith("mode TypeError expecting mode")))
        assert.equal(lines.at(-1), "end")
    })

    it("trap: a read without a write never ends", () => {
        const world = new World(1)
        world.add("a", "read-only.ts")
        world.queue.runUntil(2 * startedNs)
        assert.deepEqual(world.printed(), ["reading"])
        assert.equal(world.ports[0].transfers.length, 0)
    })

    it("clock: the divider gives what the RP2040's would, and the transfer takes that long", () => {
        assert.equal(dividedHz(10_000_000), 8_928_571)
        assert.equal(dividedHz(31_250_000), 31_250_000)
        assert.equal(dividedHz(1_000_000), 992_063)
        assert.equal(dividedHz(200_000_000), 62_500_000)
        const { spi, startNs, endNs } = ran().ports[0].transfers[0]
        assert.equal(spi.hz, 8_928_571)
        assert.equal(endNs - startNs, Math.round((4 * 8e9) / 8_928_571))
    })
})
