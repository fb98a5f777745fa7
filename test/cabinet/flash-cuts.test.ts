// A cut at every program and erase of a small workload, one run each, on the flashed image in the VM: both boards lose power in the
// middle of that operation, so what is in flight is torn on both elements. After power returns the volume must be the last acknowledged
// state; the operation under way is there wholly or not at all, and the client's retry finishes it exactly once.

import assert from "node:assert/strict"
import { SimSession, source } from "../../tools/sim/session"

const mtime = 1_700_000_000
const offMs = 200

interface Outcome {
    /** Programs and erases of array a while the workload ran. */
    operations: number
    wasCut: boolean
}

/** Runs the workload, cutting power in the middle of the n-th operation on array a since it began. */
async function run(seed: number, cutAt: number): Promise<Outcome> {
    let counting = false
    let operations = 0
    let wasCut = false
    const session: SimSession = new SimSession({
        seed,
        chip: "W25Q16JV",
        timeoutMs: 60_000,
        onOperation: operation => {
            if (!counting || operation.element !== "a.E0") return
            if (operations++ !== cutAt) return
            wasCut = true
            const { queue } = session.simulation
            queue.at(Math.max(queue.nowNs, Math.floor((operation.startNs + operation.endNs) / 2)), () => {
                for (const node of ["a", "b"]) session.power(node, false)
                queue.after(offMs * 1e6, () => {
                    for (const node of ["a", "b"]) session.power(node, true)
                })
            })
        },
    })
    const { client } = session
    const one = Buffer.from(session.random.bytes(700))
    const two = Buffer.from(session.random.bytes(300))
    await session.run(async () => {
        await session.healthy()
        counting = true
        await client.mkdir(0, "d", { mtime })
        await client.put(0, "d/f", source(one), { mtime })
        await client.put(0, "d/f", source(two), { mtime })
        await client.rename(0, "d/f", "g", { mtime })
        await client.put(0, "h", source(one), { mtime })
        await client.rename(0, "h", "g", { mtime, replace: true })
        await client.remove(0, "d", { mtime })
        counting = false
        const names: string[] = []
        for await (const entry of client.list(0, "")) names.push(entry.name)
        assert.deepEqual(names, ["g"])
        assert.ok((await session.readAll(0, "g")).equals(one))
        await client.close()
    })
    await session.bus.close()
    assert.deepEqual(session.simulation.panics, [])
    return { operations, wasCut }
}

describe("pair: a cut at every flash operation", function () {
    this.timeout(600_000)

    it("every program and erase of a scripted workload, torn on both elements, mounts to the last acknowledged state [R23]", async () => {
        const seed = 5
        const { operations } = await run(seed, -1)
        let cuts = 0
        for (let at = 0; at < operations; at++) {
            try {
                if ((await run(seed, at)).wasCut) cuts++
            } catch (error) {
                throw new Error(`seed ${seed}, cut at operation ${at} of ${operations}: ${(error as Error).stack}`)
            }
        }
        assert.equal(cuts, operations)
        console.log(`      ${cuts} cuts, one run each`)
    })
})
