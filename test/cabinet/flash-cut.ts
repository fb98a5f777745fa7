// One power cut of a whole pair, the flashed image in the VM: both boards lose power within a program or erase, so that what is in flight is
// torn on all elements. After power returns the client finishes its work exactly once, and the check tool looks at both arrays.

import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { SimSession } from "../../tools/sim/session"
import { checkImages } from "./check-images"
import { changes, type FlashCutWork } from "./flash-cut-works"

const offMsMax = 400

export interface FlashCutCabinet {
    name: string
    elements: number
    /** Dies before the work begins, as `a:1`. */
    dead?: string
    /** What is done meanwhile, unless it is a bit of everything that changes files. */
    work?: FlashCutWork
}

interface Outcome {
    /** Programs and erases of array a while the work was done. */
    operations: number
    /** Erases among them. */
    erases: number
    wasCut: boolean
}

interface Place {
    /** Among the programs and erases of array a since the work began; -1 = none. */
    operation: number
    fraction: number
}

async function run(seed: number, { elements, dead, work = changes }: FlashCutCabinet, place: Place): Promise<Outcome> {
    let counting = false
    let operations = 0
    let erases = 0
    let wasCut = false
    const offMs = 100 + new Random(`off ${seed} ${place.operation}`).int(offMsMax - 100)
    const session: SimSession = new SimSession({
        seed,
        elements,
        chip: "W25Q16JV",
        timeoutMs: 60_000,
        onOperation: operation => {
            if (!counting || !operation.element.startsWith("a.")) return
            if (operation.kind.startsWith("erase")) erases++
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
    try {
        const kept = (await work.prepare?.(session, elements)) ?? new Map<string, Buffer>()
        await session.run(async () => {
            await session.healthy()
            if (dead) session.simulation.cabinet.element(dead).faults.silent = true
            counting = true
            for (const [path, content] of await work.run(session)) kept.set(path, content)
            counting = false
            const names: string[] = []
            for await (const entry of client.list(0, "")) names.push(entry.name)
            assert.deepEqual(names.sort(), [...kept.keys()].sort())
            for (const path of work.looksAt ?? kept.keys())
                assert.ok((await session.readAll(0, path)).equals(kept.get(path)!), path)
            await client.close()
            // what still runs on the chips ends
            await session.sleep(1_000)
        })
        assert.deepEqual(session.simulation.panics, [])
        const a = checkImages(session, "a", elements, dead)
        assert.deepEqual([...a.tree.keys()].sort(), [...kept.keys()].sort())
        for (const [path, content] of kept) assert.ok(a.readFile(path)?.equals(content), path)
        assert.equal(a.uploads.size, 0)
        assert.equal(checkImages(session, "b", elements, dead).tree.size, 0)
    } finally {
        await session.bus.close()
    }
    return { operations, erases, wasCut }
}

/** Cuts `count` of the instants of one piece of work, one run each. CUT=<operation>/<fraction> replays one. */
export async function cutSample(seed: number, cabinet: FlashCutCabinet, count: number): Promise<number> {
    const { operations, erases } = await run(seed, cabinet, { operation: -1, fraction: 0 })
    assert.ok(erases >= (cabinet.work?.erasesMin ?? 0), `${erases} erases`)
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
    console.log(
        `      ${cuts} power cuts, one run each; ${operations} programs and erases, ${erases} of them erases; seed ${seed}`,
    )
    return cuts
}
