// One power cut of a whole pair, the flashed image in the VM: both boards lose power within a program or erase, so that what is in flight is
// torn on all elements. After power returns the client finishes its work exactly once, and the check tool looks at both arrays.

import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { SimSession, source } from "../../tools/sim/session"
import { checkImages } from "./check-images"

const mtime = 1_700_000_000
const offMsMax = 400

export interface FlashCutCabinet {
    name: string
    elements: number
    /** Dies before the work begins, as `a:1`. */
    dead?: string
}

interface Outcome {
    /** Programs and erases of array a while the work was done. */
    operations: number
    wasCut: boolean
}

interface Place {
    /** Among the programs and erases of array a since the work began; -1 = none. */
    operation: number
    fraction: number
}

async function run(seed: number, { elements, dead }: FlashCutCabinet, place: Place): Promise<Outcome> {
    let counting = false
    let operations = 0
    let wasCut = false
    const offMs = 100 + new Random(`off ${seed} ${place.operation}`).int(offMsMax - 100)
    const session: SimSession = new SimSession({
        seed,
        elements,
        chip: "W25Q16JV",
        timeoutMs: 60_000,
        onOperation: operation => {
            if (!counting || !operation.element.startsWith("a.")) return
            if (operations++ !== place.operation) return
            wasCut = true
            const { queue } = session.simulation
            const { startNs, endNs } = operation
            const atNs = Math.floor(startNs + (endNs - startNs) * place.fraction)
            queue.at(Math.max(queue.nowNs, atNs), () => {
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
    try {
        await session.run(async () => {
            await session.healthy()
            if (dead) session.simulation.cabinet.element(dead).faults.silent = true
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
            // what still runs on the chips ends
            await session.sleep(1_000)
        })
        assert.deepEqual(session.simulation.panics, [])
        const a = checkImages(session, "a", elements, dead)
        assert.deepEqual([...a.tree.keys()], ["g"])
        assert.ok(a.readFile("g")?.equals(one))
        assert.equal(a.uploads.size, 0)
        assert.equal(checkImages(session, "b", elements, dead).tree.size, 0)
    } finally {
        await session.bus.close()
    }
    return { operations, wasCut }
}

/** Cuts `count` of the instants of one piece of work, one run each. CUT=<operation>/<fraction> replays one. */
export async function cutSample(seed: number, cabinet: FlashCutCabinet, count: number): Promise<number> {
    const { operations } = await run(seed, cabinet, { operation: -1, fraction: 0 })
    const random = new Random(`flash cuts ${seed} ${cabinet.name}`)
    const places: Place[] = Array.from({ length: count }, (_, i) => ({
        // every operation comes about as often
        operation: Math.floor(((i + random.float()) * operations) / count),
        fraction: Math.round(random.float() * 1_000) / 1_000,
    }))
    const replay = process.env.CUT?.split("/").map(Number)
    if (replay) places.splice(0, places.length, { operation: replay[0], fraction: replay[1] })
    let cuts = 0
    for (const place of places) {
        try {
            if ((await run(seed, cabinet, place)).wasCut) cuts++
        } catch (error) {
            const where = `CUT=${place.operation}/${place.fraction} of ${operations} operations`
            throw new Error(`${cabinet.name}, seed ${seed}, ${where}: ${(error as Error).stack}`)
        }
    }
    assert.equal(cuts, places.length)
    console.log(`      ${cuts} power cuts, one run each; ${operations} programs and erases; seed ${seed}`)
    return cuts
}
