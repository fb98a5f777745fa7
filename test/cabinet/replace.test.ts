// Exchanging an element from the command line, at boards that run the firmware: what the node knows of its slots is of now.

import assert from "node:assert/strict"
import { sha256, source } from "../../tools/sim/session"
import type { ArrayFigures } from "../../tools/bridge/protocol/array-figures"
import { UpgradeBench } from "./upgrade-bench"

/** A scrub of the array takes more. */
const atOnceMs = 1_500
const lookMs = 50
const looksMax = 4_000

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

    it("a blank element in a member's place 0.3 s before a takeover that is asked for: the taker does not believe it [R25] [R15]", async () => {
        const bench = new UpgradeBench({ seed: 98 })
        const { session } = bench
        const { client, simulation } = session
        try {
            await session.run(async () => {
                await session.healthy()
                const content = session.random.bytes(20_000)
                await client.put(0, "f", source(content), { mtime: 1 })
                await session.sleep(3_000)
                simulation.cabinet.replace("a:0", simulation.nowNs)
                await session.sleep(300)
                await client.takeover(1)
                await session.sleep(1_000)
                const { members, slots } = await client.array(0)
                assert.deepEqual([members, slots[0].state], [[1], "blank"])
                assert.equal(sha256(await session.readAll(0, "f")), sha256(content))
            })
        } finally {
            await bench.close()
        }
    })

    for (const isTaken of [false, true])
        it(`the other element of a mirror goes silent while one is replaced${isTaken ? ", and a takeover" : ""}: all is served, and the new one is in use in the end [R25] [R22]`, async () => {
            const bench = new UpgradeBench({ seed: 99 })
            const { session } = bench
            const { client, simulation } = session
            const { cabinet } = simulation
            const untilArray = async (isSo: (array: ArrayFigures) => boolean) => {
                for (let i = 0; i < looksMax; i++) {
                    if (isSo(await client.array(0))) return
                    await session.sleep(lookMs)
                }
                assert.fail(JSON.stringify(await client.array(0)))
            }
            try {
                await session.run(async () => {
                    await session.healthy()
                    cabinet.insert("a:2", "blank", simulation.nowNs)
                    const contents = [1, 2, 3, 4].map(() => session.random.bytes(60_000))
                    const assertRead = async () => {
                        for (const [i, content] of contents.entries())
                            assert.equal(sha256(await session.readAll(0, `f${i}`)), sha256(content))
                    }
                    for (const [i, content] of contents.entries())
                        await client.put(0, `f${i}`, source(content), { mtime: 1 })
                    const replaced = bench.command(["array", "replace", "a", "0", "--slot", "2", "--wait"])
                    await untilArray(({ joining, segmentsLeft }) => joining === 0 && segmentsLeft > 1)
                    cabinet.element("a:1").faults.silent = true
                    if (isTaken) {
                        await client.takeover(1)
                        await assertRead()
                        // with nothing to make it from but what is to go, it is not begun anew before there is
                        assert.match((await replaced).err, /the rebuild ended before it was done/)
                        cabinet.replace("a:1", simulation.nowNs)
                        await client.rebuild(0, { position: 1, slot: 1, force: true })
                    } else assert.match((await replaced).err, /first all of the array is read/)
                    await untilArray(({ slots }) => slots[2].state === "member")
                    const { members, slots } = await client.array(0)
                    assert.deepEqual([members, slots[2].position], [isTaken ? [0, 1] : [0], 0])
                    await assertRead()
                })
            } finally {
                await bench.close()
            }
        })
})
