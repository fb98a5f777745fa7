// Why control changes: each way in which a node can fall, the death of the one that takes over, a node that falls again and again, and the changes that
// someone asks for; with clients at work on both volumes.

import assert from "node:assert/strict"
import { beatFlags } from "../../tools/bridge/protocol/numbers"
import { hungMs } from "../../src/config"
import { panicCodes } from "../../tools/sim/board"
import { Random } from "../../tools/sim/random"
import { roles, type SimSession } from "../../tools/sim/session"
import { underLoad } from "./under-load"

/** src/config.ts: silentMs, and what a mount and a client's next try take. */
const lateMs = 2_500
const plannedMsMax = 1_000
const isFull = process.env.FULL === "1"

const bothServe = (session: SimSession) => [0, 1].every(node => session.roleOf(node) === roles.active)
const takenOver = (session: SimSession) => session.roleOf(1) === roles.takenOver

/** Node a falls; b takes over, and gives back by itself when a waits. */
function falls(seed: number, fall: (session: SimSession) => void, mend?: (session: SimSession) => void) {
    return underLoad(seed, async ({ session }) => {
        fall(session)
        await session.until("b serves both", () => takenOver(session))
        await session.sleep(1_000)
        mend?.(session)
        await session.until("b gives back", () => session.roleOf(1) === roles.active, 30_000)
        await session.until("a serves", () => session.roleOf(0) === roles.active)
    })
}

describe("cabinet: takeover by each cause, under load", function () {
    this.timeout(300_000)

    const causes: [string, (session: SimSession) => void, ((session: SimSession) => void)?][] = [
        ["power", session => session.power("a", false), session => session.power("a", true)],
        ["reset button", ({ simulation }) => simulation.cabinet.pressReset("a", simulation.nowNs)],
        ["exception", ({ simulation }) => assert.ok(simulation.board("a").panic(panicCodes.exception))],
        ["out of memory", ({ simulation }) => assert.ok(simulation.board("a").panic(panicCodes.memory))],
        [
            "panic for an endless loop",
            ({ simulation }) => assert.ok(simulation.board("a").panic(panicCodes.endlessLoop)),
        ],
        ["hang", ({ simulation }) => simulation.board("a").hang()],
        ["endless loop", ({ simulation }) => simulation.endlessLoop("a")],
    ]
    for (const [i, [name, fall, mend]] of causes.entries())
        it(`${name}: the partner takes over and gives back, nothing is lost [R9 R32]`, async () => {
            const { slowestMs, watch } = await falls(5_000 + i, fall, mend)
            assert.equal(watch.takeovers, 1)
            assert.ok(slowestMs < lateMs, `an operation took ${slowestMs} ms`)
        })

    for (const [way, base] of [
        ["loses power", 5_100],
        ["hangs", 5_200],
    ] as const)
        it(`the taker ${way} in the middle of its takeover [R9 R15]`, async () => {
            for (let seed = base; seed < base + (isFull ? 60 : 12); seed++) {
                const random = new Random(`taker ${seed}`)
                await underLoad(seed, async load => {
                    const { session } = load
                    const { simulation } = session
                    let isStruck = false
                    load.onLine = line => {
                        if (line !== "b.HOLD=1") return
                        load.onLine = undefined
                        session.host.clock.setTimeout(() => {
                            isStruck = true
                            if (way === "hangs") simulation.board("b").hang()
                            else session.power("b", false)
                        }, random.float() * 150)
                    }
                    session.power("a", false)
                    await session.until("the taker is struck", () => isStruck)
                    await session.sleep(random.float() * 1_000)
                    const order = random.chance(0.5) ? ["a", "b"] : ["b", "a"]
                    for (const node of order) {
                        session.power(node, true)
                        await session.sleep(random.float() * 300)
                    }
                    await session.sleep(15_000)
                    // one that hangs with RESET low keeps its partner from starting, until somebody presses its button
                    if (session.roleOf(0) === undefined && session.roleOf(1) === undefined)
                        simulation.cabinet.pressReset("b", simulation.nowNs)
                    await session.sleep(20_000)
                })
            }
        })

    for (const [i, why] of ["someone asked for that", "it had fallen"].entries())
        it(`a node that waits for its volume because ${why} hangs: its holder resets it, and it gets its volume back [R9] [R32]`, async () => {
            const isAsked = i === 0
            const load = await underLoad(5_250 + i, async ({ session }) => {
                const { simulation } = session
                if (isAsked) await session.client.takeover(1)
                else simulation.cabinet.pressReset("a", simulation.nowNs)
                await session.sleep(3_000)
                assert.equal(session.roleOf(0), roles.waiting)
                simulation.board("a").hang()
                await session.until("it is silent", () => session.roleOf(0) === undefined)
                await session.until("it waits again", () => session.roleOf(0) === roles.waiting, hungMs + 3_000)
                if (isAsked) await session.client.giveback(1)
                else await session.until("both serve", () => bothServe(session))
            })
            assert.equal(load.watch.takeovers, 1)
            assert.ok(load.slowestMs < lateMs, `an operation took ${load.slowestMs} ms`)
        })

    it("a node that falls again and again gets its volume back 3 times in 10 minutes; then its partner keeps it until asked [R32]", async () => {
        const claims: string[] = []
        await underLoad(5_300, async load => {
            const { session } = load
            load.onLine = line => {
                if (line.startsWith("b.HOLD")) claims.push(line)
            }
            const givebacks = () => claims.filter(line => line === "b.HOLD=0").length
            for (let fall = 0; fall < 4; fall++) {
                await session.until("both serve", () => bothServe(session), 40_000)
                await session.sleep(1_500)
                session.simulation.cabinet.pressReset("a", session.simulation.nowNs)
                await session.until("b serves both", () => takenOver(session))
            }
            assert.equal(givebacks(), 3)
            await session.sleep(60_000)
            assert.equal(givebacks(), 3, "it stays with the holder")
            assert.ok(takenOver(session))
            await session.client.giveback(1)
        })
        assert.equal(claims.filter(line => line === "b.HOLD=1").length, 4)
    })

    it("a takeover and a giveback that are asked for: nobody is reset, clients hear late answers and no errors [R10 R15]", async () => {
        for (const seed of [5_400, 5_401, 5_402]) {
            const load = await underLoad(seed, async ({ session }) => {
                await session.client.takeover(1)
                await session.sleep(2_000)
                assert.ok(takenOver(session))
                await session.client.giveback(1)
                await session.sleep(1_000)
            })
            assert.deepEqual([...load.resets], [], "nobody is reset")
            assert.ok(load.slowestMs < plannedMsMax, `seed ${seed}: an operation took ${load.slowestMs} ms`)
        }
    })

    it("active/standby and back: one serves both, the standby records, nobody is reset [R10 R11]", async () => {
        for (const seed of [5_500, 5_501]) {
            const load = await underLoad(seed, async ({ session }) => {
                await session.client.mode(1, "active-standby")
                // longer than a giveback of its own accord waits
                await session.sleep(15_000)
                assert.ok(takenOver(session), "it keeps both")
                assert.equal(session.roleOf(0), roles.waiting)
                const holder = session.client.nodes().find(({ node }) => node === 1)
                assert.ok(holder && holder.flags & beatFlags.protected, "the standby records")
                await session.client.mode(1, "active-active")
                await session.sleep(1_000)
            })
            assert.deepEqual([...load.resets], [], "nobody is reset")
            assert.ok(load.slowestMs < plannedMsMax, `seed ${seed}: an operation took ${load.slowestMs} ms`)
        }
    })
})
