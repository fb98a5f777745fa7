// A board loses its power while its chips erase. They have theirs still: its partner breaks the erase off and serves, and what was erased is
// torn as by a power cut. Then that one loses its power in an erase, too, and the first takes everything back.

import assert from "node:assert/strict"
import { SimSession, source } from "../../tools/sim/session"
import { checkImages } from "./check-images"

const full = process.env.FULL === "1"
const mtime = 1_700_000_000
const files = 3
const rounds = 5
const fileBytes = 40_000
const offMs = 2_500
const restMs = 15_000
/** Of the board's next loss, after its partner has taken over. */
const erasesBetween = 4

interface Outcome {
    erases: number
    cuts: number
    torn: number
}

/** @param at counted among the erases of array a, while files are overwritten; -1 = none */
async function run(elements: number, at: number, fraction: number): Promise<Outcome> {
    let erases = 0
    let cuts = 0
    let next = at
    let isWorking = false
    const session: SimSession = new SimSession({
        seed: 11,
        elements,
        chip: "W25Q16JV",
        timeoutMs: 60_000,
        onOperation: ({ element, kind, startNs, endNs }) => {
            if (!isWorking || !element.startsWith("a.") || !kind.startsWith("erase")) return
            if (erases++ !== next) return
            const owner = session.client.controllerOf(0) === 0 ? "a" : "b"
            next = cuts === 0 ? erases + erasesBetween * elements : -1
            cuts++
            const { queue } = session.simulation
            queue.at(Math.max(queue.nowNs, Math.floor(startNs + (endNs - startNs) * fraction)), () => {
                session.power(owner, false)
                queue.after(offMs * 1e6, () => session.power(owner, true))
            })
        },
    })
    const { client, random, simulation } = session
    const held: Buffer[] = []
    let torn = 0
    try {
        await session.run(async () => {
            await session.healthy()
            isWorking = true
            for (let i = 0; i < files * rounds; i++) {
                held[i % files] = Buffer.from(random.bytes(fileBytes))
                await client.put(0, `f${i % files}`, source(held[i % files]), { mtime })
            }
            isWorking = false
            for (const [i, data] of held.entries()) assert.ok((await session.readAll(0, `f${i}`)).equals(data), `f${i}`)
            // a page that a board's end left torn is found when its segment is looked through, and that is written again
            const isMended = async () => (await client.array(0)).joining === undefined && session.nowMs() > restsMs
            const restsMs = session.nowMs() + restMs
            while (!(await isMended())) await session.sleep(1_000)
            await client.close()
            await session.sleep(500)
        })
        assert.deepEqual(simulation.panics, [])
        const report = checkImages(session, "a", elements)
        for (const [i, data] of held.entries()) assert.ok(report.readFile(`f${i}`)?.equals(data), `f${i} in check`)
        for (let slot = 0; slot < elements; slot++)
            torn += (simulation.cabinet.element(`a:${slot}`).statistics as { tornErases?: number }).tornErases ?? 0
    } finally {
        await session.bus.close()
    }
    return { erases, cuts, torn }
}

describe("pair: a board lost while its chips erase", function () {
    this.timeout(1_800_000)

    for (const elements of [2, 3])
        it(`${elements} elements: its partner breaks that off, and so does the board in its turn; nothing is lost [R14] [R23] [R35]`, async () => {
            const { erases } = await run(elements, -1, 0)
            assert.ok(erases > 4 * elements, `${erases} erases`)
            let cuts = 0
            let torn = 0
            const step = full ? 1 : elements
            for (let at = 0; at < erases; at += step) {
                const fraction = [0.05, 0.4, 0.8][(at / step) % 3]
                try {
                    const outcome = await run(elements, at, fraction)
                    assert.ok(outcome.cuts > 0)
                    cuts += outcome.cuts
                    torn += outcome.torn
                } catch (error) {
                    throw new Error(`cut in erase ${at} of ${erases}, at ${fraction}: ${(error as Error).stack}`)
                }
            }
            console.log(`      ${cuts} boards lost, ${torn} erases broken off`)
            assert.ok(torn > cuts / 2)
        })
})
