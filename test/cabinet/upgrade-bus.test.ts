// New firmware over a bus that loses much, or is slow: a node must have it long before its partner, which hears nothing of it meanwhile,
// takes it for one that hangs and resets it.

import assert from "node:assert/strict"
import type { WireFaults } from "../../tools/sim/wire"
import { nextImage, nextVersion, UpgradeBench } from "./upgrade-bench"

const silentMsMax = 40_000

describe("upgrade over a bad bus", function () {
    this.timeout(120_000)

    const buses: [string, Partial<WireFaults>][] = [
        ["that loses three frames in ten", { lossP: 0.3 }],
        ["whose frames all come up to 15 ms late", { delayP: 1, delayMsMax: 15 }],
    ]
    for (const [what, fault] of buses)
        it(`a bus ${what}: each board has its program well within the minute after which it would be reset [R34 R32]`, async () => {
            const bench = new UpgradeBench({ seed: 78 })
            const { session } = bench
            const resets: string[] = []
            const erasedMs: number[] = []
            const startsMs: number[] = []
            session.simulation.trace.onEntry = ({ kind, data }) => {
                if (kind === "line" && /RESET=0/.test(String(data))) resets.push(String(data))
            }
            try {
                await session.run(async () => {
                    await session.healthy()
                    const path = bench.file("next.devs", nextImage())
                    Object.assign(session.simulation.wire.fault, fault)
                    const { exitCode, err } = await bench.command(["upgrade", "--firmware", path], note => {
                        if (/gets its program/.test(note)) erasedMs.push(session.nowMs())
                        if (/ starts/.test(note)) startsMs.push(session.nowMs())
                    })
                    Object.assign(session.simulation.wire.fault, { lossP: 0, delayP: 0, delayMsMax: 0 })
                    assert.equal(exitCode, 0, err)
                    const silentMs = startsMs.map((ms, index) => Math.round(ms - erasedMs[index]))
                    assert.deepEqual([silentMs.length, resets], [2, []], silentMs.join(" and "))
                    assert.ok(Math.max(...silentMs) < silentMsMax, `${silentMs.join(" and ")} ms`)
                    await session.healthy()
                    for (const node of [0, 1])
                        assert.equal((await session.client.nodeFigures(node)).firmware, nextVersion)
                    console.log(`    without a program for ${silentMs.join(" and ")} ms`)
                })
            } finally {
                await bench.close()
            }
        })
})
