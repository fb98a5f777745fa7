// Exchanging an element from the command line, at boards that run the firmware: what the node knows of its slots is of now.

import assert from "node:assert/strict"
import { UpgradeBench } from "./upgrade-bench"

/** A scrub of the array takes more. */
const atOnceMs = 1_500

describe("array replace at a simulated pair", function () {
    this.timeout(120_000)

    it("an element that was just put in is found; one that was pulled is missed before the array is read [R25] [R36]", async () => {
        const bench = new UpgradeBench({ seed: 97 })
        const { session } = bench
        const { cabinet } = session.simulation
        const nowNs = () => session.simulation.nowNs
        const replace = async (...options: string[]) => {
            const { exitCode, err } = await bench.command(["array", "replace", "a", "1", ...options])
            return `${exitCode} ${err}`
        }
        const stateOf = async (slot: number) => (await session.client.array(0)).slots[slot].state
        try {
            await session.run(async () => {
                await session.healthy()
                cabinet.insert("a:2", "blank", nowNs())
                await session.sleep(5_000)
                assert.equal(await stateOf(2), "empty", "the node does not look at a free slot by itself")
                assert.match(await replace("--wait"), /^0 first all of the array is read/)
                const { members, slots } = await session.client.array(0)
                assert.deepEqual([members, slots[2].state, slots[2].position], [[0, 1], "member", 1])
                assert.notEqual(await stateOf(1), "empty")
                cabinet.pull("a:1", nowNs())
                await session.sleep(5_000)
                assert.notEqual(await stateOf(1), "empty")
                const fromMs = session.nowMs()
                assert.match(await replace(), /^3 twinfiler: .*no element is there to rebuild onto/)
                assert.match(await replace("--slot", "1"), /^3 twinfiler: .*no element is there to rebuild onto/)
                assert.ok(session.nowMs() - fromMs < 2 * atOnceMs, `${session.nowMs() - fromMs} ms`)
                assert.equal(await stateOf(1), "empty")
                assert.deepEqual((await session.client.array(0)).members, [0, 1])
            })
        } finally {
            await bench.close()
        }
    })
})
