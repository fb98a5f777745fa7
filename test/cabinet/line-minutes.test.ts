// A line between the nodes that is broken for minutes, under load, while either node or both lose power now and then: no array ever has two
// controllers (the simulator sees to that), no operation fails, and what was answered is there. In the full run each line, way and node.

import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { roles, type SimSession } from "../../tools/sim/session"
import { underLoad } from "./under-load"

const isFull = process.env.FULL === "1"
const faultMs = isFull ? 180_000 : 45_000
const pauseMsMax = isFull ? 20_000 : 6_000
const offMsMax = 6_000
/** With OWN or HOLD stuck a holder gives back in vain three times, and keeps both volumes then until it is asked. */
const byItselfMs = 15_000
const healthyMs = 60_000
const slowestMs = 30_000

const lines = ["OWN", "HOLD", "RESET"] as const
const ways = ["high", "low", "cut"] as const
const fallen = [[], ["a"], ["b"], ["a", "b"]]

async function heal(session: SimSession): Promise<void> {
    const from = session.nowMs()
    while (![0, 1].every(node => session.roleOf(node) === roles.active)) {
        const ms = session.nowMs() - from
        assert.ok(ms < healthyMs, `roles ${session.roleOf(0)} and ${session.roleOf(1)} after ${ms} ms`)
        const holder = [0, 1].find(
            node => session.roleOf(node) === roles.takenOver && session.roleOf(node ^ 1) === roles.waiting,
        )
        if (ms > byItselfMs && holder !== undefined) await session.client.giveback(holder).catch(() => undefined)
        await session.sleep(200)
    }
}

describe(`cabinet: a line broken for ${faultMs / 1_000} s, and nodes that lose power meanwhile`, function () {
    this.timeout(600_000)
    let seed = 9_000
    for (const [i, line] of lines.entries())
        for (const [j, way] of ways.entries())
            for (const [k, nodes] of fallen.entries()) {
                seed++
                if (!isFull && k !== (i + j) % fallen.length) continue
                const with_ = nodes.length === 0 ? "nobody" : nodes.join(" and ")
                const seedOfThis = seed
                it(`${line} of a ${way === "cut" ? "cut" : `stuck ${way}`}, ${with_} without power now and then [R5 R6 R31]`, async () => {
                    const random = new Random(`minutes ${seedOfThis}`)
                    const load = await underLoad(seedOfThis, async ({ session }) => {
                        const { simulation } = session
                        simulation.cabinet.faultLine("a", line, way, simulation.nowNs)
                        const end = session.nowMs() + faultMs
                        while (session.nowMs() < end) {
                            await session.sleep(3_000 + random.float() * pauseMsMax)
                            for (const node of nodes) session.power(node, false)
                            await session.sleep(200 + random.float() * offMsMax)
                            for (const node of nodes) {
                                session.power(node, true)
                                await session.sleep(random.float() * 300)
                            }
                        }
                        simulation.cabinet.faultLine("a", line, undefined, simulation.nowNs)
                        await heal(session)
                    })
                    assert.ok(load.slowestMs < slowestMs, `an operation took ${load.slowestMs} ms`)
                })
            }
})
