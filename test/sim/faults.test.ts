// What the simulator can break while everything runs: lines, the bus in pieces, late frames, programs that stop.

import assert from "node:assert/strict"
import { panicCodes } from "../../tools/sim/board"
import { SimSession } from "../../tools/sim/session"
import { EventQueue } from "../../tools/sim/event-queue"
import { Random } from "../../tools/sim/random"
import { Wire, frameCrc, pieces } from "../../tools/sim/wire"
import { CabinetBench } from "./cabinet-bench"

const chipAnswers = 0x10
const nobody = 0xff

describe("faults: lines", () => {
    it("OWN stuck high: the partner sees it and the switch stays with the home node, also when that is off [R31]", () => {
        const bench = new CabinetBench().power("a", "b")
        bench.cabinet.faultLine("a", "OWN", "high", ++bench.nowNs)
        assert.equal(bench.sense("b", "PARTNER_OWN"), 1)
        bench.cabinet.power("a", false, ++bench.nowNs)
        assert.equal(bench.sense("b", "PARTNER_OWN"), 1)
        assert.equal(bench.identify("b", "F0"), nobody)
        bench.cabinet.faultLine("a", "OWN", undefined, ++bench.nowNs)
        assert.equal(bench.sense("b", "PARTNER_OWN"), 0)
        assert.equal(bench.identify("b", "F0"), chipAnswers)
        assert.deepEqual(bench.violations, [])
    })

    it("OWN stuck low: the array hangs on the partner whatever its home drives; the flip in a command is no firmware's [R31]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1).drive("a", "E0", 0)
        bench.cabinet.faultLine("a", "OWN", "low", ++bench.nowNs)
        assert.equal(bench.cabinet.controller("a"), "b")
        bench.drive("a", "E0", 1)
        assert.equal(bench.identify("a", "E0"), nobody)
        assert.equal(bench.identify("b", "F0"), chipAnswers)
        bench.cabinet.faultLine("a", "OWN", undefined, ++bench.nowNs)
        assert.equal(bench.identify("a", "E0"), chipAnswers)
        assert.deepEqual(bench.violations, [])
    })

    for (const stuck of ["high", "low"] as const)
        it(`HOLD stuck ${stuck}: the partner reads that, whatever is driven, until it is mended [R31]`, () => {
            const bench = new CabinetBench().power("a", "b")
            bench.cabinet.faultLine("b", "HOLD", stuck, ++bench.nowNs)
            for (const level of [0, 1, undefined] as const)
                assert.equal(bench.drive("b", "HOLD", level).sense("a", "PARTNER_HOLD"), stuck === "high" ? 1 : 0)
            bench.drive("b", "HOLD", 1)
            bench.cabinet.faultLine("b", "HOLD", undefined, ++bench.nowNs)
            assert.equal(bench.sense("a", "PARTNER_HOLD"), 1)
        })

    it("RESET stuck high resets nobody, stuck low holds the partner in reset until it is mended [R31]", () => {
        const bench = new CabinetBench().power("a", "b")
        bench.cabinet.faultLine("b", "RESET", "high", ++bench.nowNs)
        bench.drive("b", "RESET", 0)
        assert.equal(bench.cabinet.nodeState("a"), "run")
        assert.equal(bench.sense("b", "RESET"), 1)
        bench.drive("b", "RESET", undefined)
        bench.cabinet.faultLine("b", "RESET", "low", ++bench.nowNs)
        assert.equal(bench.cabinet.nodeState("a"), "reset")
        bench.cabinet.power("a", false, ++bench.nowNs)
        bench.cabinet.power("a", true, ++bench.nowNs)
        assert.equal(bench.cabinet.nodeState("a"), "reset")
        bench.cabinet.faultLine("b", "RESET", undefined, ++bench.nowNs)
        assert.equal(bench.cabinet.nodeState("a"), "run")
    })

    it("two controllers: to select an element that is with the other node is a violation; not while a line is broken [R6]", () => {
        const bench = new CabinetBench({ oneController: true }).power("a", "b").drive("a", "OWN", 1)
        bench.drive("a", "E0", 0).drive("a", "E0", 1)
        assert.equal(bench.violations.length, 0)
        bench.cabinet.faultLine("b", "HOLD", "low", ++bench.nowNs)
        bench.drive("b", "F0", 0).drive("b", "F0", 1)
        assert.equal(bench.violations.length, 0)
        bench.cabinet.faultLine("b", "HOLD", undefined, ++bench.nowNs)
        bench.nowNs += 1e9
        bench.drive("b", "F0", 0)
        assert.match(bench.violations[0].message, /b\.F0.*two controllers.*array a is with a/)
    })
})

describe("faults: bus", () => {
    /** Who heard what: three talkers on one wire send ten frames each. */
    function heard(prepare: (wire: Wire) => void): Map<string, number[]> {
        const queue = new EventQueue()
        const wire = new Wire(queue, new Random(5))
        prepare(wire)
        const all = new Map<string, number[]>()
        const ports = ["a", "b", "host"].map(id => {
            const got: number[] = []
            all.set(id, got)
            return wire.attach({ id, deliver: frame => void got.push(frame[16]) })
        })
        for (const [talker, port] of ports.entries())
            for (let i = 0; i < 10; i++) {
                const frame = new Uint8Array(20)
                frame[2] = 8
                frame[12] = 4
                frame[16] = 100 * talker + i
                const crc = frameCrc(frame)
                frame[0] = crc & 255
                frame[1] = crc >> 8
                port.send(frame)
            }
        queue.runUntil(1e9)
        return all
    }

    it("cut between the boards, a board off, the host off: each hears those on its piece [R31]", () => {
        const counts = (...parts: string[][]) => {
            const all = heard(wire => (wire.fault.cut = pieces(...parts)))
            return [all.get("a")!.length, all.get("b")!.length, all.get("host")!.length]
        }
        assert.deepEqual(counts(["a", "b", "host"]), [20, 20, 20])
        assert.deepEqual(counts(["a", "host"], ["b"]), [10, 0, 10])
        assert.deepEqual(counts(["b", "host"], ["a"]), [0, 10, 10])
        assert.deepEqual(counts(["a", "b"], ["host"]), [10, 10, 0])
        assert.deepEqual(counts(["a"], ["b"], ["host"]), [0, 0, 0])
    })

    it("delayed frames all come, and later ones overtake them [R37]", () => {
        const all = heard(wire => Object.assign(wire.fault, { delayP: 0.5, delayMsMax: 20 }))
        const fromB = all.get("host")!.filter(value => value >= 100)
        assert.equal(fromB.length, 10)
        assert.notDeepEqual(
            fromB,
            [...fromB].sort((x, y) => x - y),
        )
    })
})

describe("faults: programs", function () {
    this.timeout(60_000)

    async function withPair(seed: number, work: (session: SimSession) => Promise<void>): Promise<SimSession> {
        const session = new SimSession({ seed, chip: "W25Q16JV", cpu: "ideal" })
        await session.run(async () => {
            await session.healthy()
            await work(session)
            await session.client.close()
        })
        await session.bus.close()
        return session
    }

    it("a hung board keeps its lines and says nothing; resumed, it goes on where it was [R32]", async () => {
        await withPair(1, async session => {
            const { simulation } = session
            const before = simulation.board("a").counters().framesSent
            simulation.board("a").hang()
            await session.sleep(200)
            assert.ok(simulation.board("a").counters().framesSent <= before + 2)
            assert.equal(simulation.cabinet.line("a", "OWN"), 1)
            simulation.board("a").resume()
            await session.sleep(300)
            assert.ok(simulation.board("a").counters().framesSent > before + 2)
            assert.equal(simulation.board("a").counters().starts, 1)
        })
    })

    it("a board that hangs for good is fenced by its partner and starts anew [R5 R32]", async () => {
        await withPair(2, async session => {
            await session.sleep(5_000)
            session.simulation.board("a").hang()
            await session.until("b serves both", () => session.client.controllerOf(0) === 1)
            // its boot takes longer than the takeover
            await session.until("a starts anew", () => session.simulation.board("a").counters().starts === 2)
        })
    })

    for (const [name, code] of [
        ["out of memory", panicCodes.memory],
        ["an exception nobody catches", panicCodes.exception],
    ] as const)
        it(`${name}: the runtime stops the program and starts it again; its partner takes over meanwhile [R32]`, async () => {
            const session = await withPair(3, async session => {
                await session.sleep(5_000)
                assert.equal(session.simulation.board("a").panic(code), true)
                await session.until("b serves both", () => session.client.controllerOf(0) === 1)
            })
            assert.deepEqual(
                session.simulation.panics.map(({ node, code }) => `${node} ${code}`),
                [`a ${code}`],
            )
        })

    it("an endless loop: silent for as long as it may compute, then stopped, then taken over [R32]", async () => {
        const session = await withPair(4, async session => {
            await session.sleep(5_000)
            session.simulation.endlessLoop("a")
            await session.until("b serves both", () => session.client.controllerOf(0) === 1)
        })
        assert.equal(session.simulation.violation, undefined)
    })

    it("a glitch on OWN of 5 us flips the switch and back; nothing is lost that was acknowledged [R31]", async () => {
        await withPair(5, async session => {
            await session.client.mkdir(0, "d", { mtime: 1 })
            const flips: string[] = []
            session.simulation.trace.onEntry = ({ kind, data }) => {
                if (kind === "line" && String(data).startsWith("a.OWN=")) flips.push(String(data))
            }
            session.simulation.glitchLine("a", "OWN", 5)
            await session.sleep(1_000)
            assert.deepEqual(flips.slice(0, 2), ["a.OWN=0", "a.OWN=1"])
            assert.equal((await session.client.stat(0, "d")).type, "directory")
        })
    })
})
