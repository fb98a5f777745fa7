// How far virtual time may run, with a clock of the test's own.

import assert from "node:assert/strict"
import { Pace } from "../../tools/sim/pace"

const ms = 1_000_000

describe("pace", () => {
    it("real: virtual time follows the clock, from where it was [R37]", () => {
        const pace = new Pace({ mode: "real" }, 1000, 5 * ms)
        assert.equal(pace.limitNs(1000, 5 * ms), 5 * ms)
        assert.equal(pace.limitNs(1040.5, 5 * ms), 45.5 * ms)
        pace.clientFrame(1041, 40 * ms)
        pace.clientsChanged(1, 1041, 40 * ms)
        assert.equal(pace.limitNs(1050, 40 * ms), 55 * ms)
    })

    it("real: after a stall at most the lag is made up, then the clock's rate again [R37]", () => {
        const pace = new Pace({ mode: "real", lagMs: 100 }, 0)
        assert.equal(pace.limitNs(10_000, 0), 100 * ms)
        assert.equal(pace.limitNs(10_010, 100 * ms), 110 * ms)
    })

    it("max: no limit while nobody is attached [R37]", () => {
        const pace = new Pace({ mode: "max" }, 0)
        assert.equal(pace.limitNs(0, 0), Infinity)
        pace.clientsChanged(1, 10, 9000 * ms)
        assert.equal(pace.limitNs(10, 9000 * ms), 9000 * ms)
        pace.clientsChanged(0, 20, 9010 * ms)
        assert.equal(pace.limitNs(20, 9010 * ms), Infinity)
    })

    it("max: a frame grants a bounded run, then time goes at the clock's rate while the client thinks [R32]", () => {
        const pace = new Pace({ mode: "max", grantMs: 250 }, 0)
        pace.clientsChanged(1, 0, 0)
        pace.clientFrame(0, 0)
        assert.equal(pace.limitNs(0, 0), 250 * ms)
        assert.equal(pace.limitNs(400, 250 * ms), 650 * ms)
        assert.equal(pace.limitNs(800, 650 * ms), 1050 * ms)
    })

    it("max: grants do not add up, however many frames come at once [R32]", () => {
        const pace = new Pace({ mode: "max", grantMs: 250 }, 0)
        pace.clientsChanged(1, 0, 0)
        for (let i = 0; i < 100; i++) pace.clientFrame(0, 0)
        assert.equal(pace.limitNs(0, 0), 250 * ms)
    })

    it("max: question and answer run as fast as the simulation does [R37]", () => {
        const pace = new Pace({ mode: "max", grantMs: 250 }, 0)
        pace.clientsChanged(1, 0, 0)
        let virtualNs = 0
        for (let i = 0; i < 1000; i++) {
            pace.clientFrame(i * 0.1, virtualNs)
            assert.equal(pace.waitMs(i * 0.1, virtualNs, virtualNs + 20 * ms), 0)
            virtualNs += 20 * ms
        }
        assert.equal(virtualNs, 20_000 * ms)
    })

    it("max: a client's timeout of T is never less than T of virtual time [R32]", () => {
        // A client sends once, the nodes are silent; whenever it looks, at least as much virtual time was allowed
        const pace = new Pace({ mode: "max" }, 0)
        pace.clientsChanged(1, 0, 0)
        pace.clientFrame(100, 100 * ms)
        let virtualNs = 100 * ms
        for (let wall = 100; wall <= 3100; wall += 10) {
            virtualNs = pace.limitNs(wall, virtualNs)
            assert.ok(virtualNs - 100 * ms >= (wall - 100) * ms)
            assert.ok(virtualNs - 100 * ms <= (wall - 100 + 250) * ms)
        }
    })

    it("waits until the next event is due: now, in a while, or for a client [R37]", () => {
        const pace = new Pace({ mode: "real" }, 0)
        assert.equal(pace.waitMs(10, 10 * ms, 10 * ms), 0)
        assert.equal(pace.waitMs(10, 10 * ms, 30 * ms + 1), 21)
        assert.equal(pace.waitMs(10, 10 * ms, undefined), undefined)
    })
})
