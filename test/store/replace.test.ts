// A living element is replaced by one in another slot: it stays a member until its heir holds everything, so that any one element may fail at
// any moment of it, and a power cut costs no more than the copying.

import assert from "node:assert/strict"
import { deadIn } from "../../src/array/array"
import { rebuildElement } from "../../src/store/rebuild"
import { Random } from "../../tools/sim/random"
import {
    assertNoFaults,
    change,
    fresh,
    readAll,
    remount,
    repairAll,
    survivesAnyLoss,
    tidyStep,
} from "../support/array-work"
import { hasWork, PowerCut, type StoreBench } from "../support/store-bench"
import type { StoreHost } from "../support/store-host"

const ok = 0
const isFull = process.env.FULL === "1"
const rounds = isFull ? 40 : 6
const flagReplace = 2
const stepsMax = 4_000
// docs/FORMAT.md, "Pages" and "Label": the type, and the state in the body
const typeLabel = 5
const atStateOnPage = 29

const shapes = [2, 3, 4, 5].map(elements => ({ elements, name: elements === 2 ? "mirror" : `parity of ${elements}` }))
const faults = {
    "goes silent": { silent: true },
    "stays busy": { staysBusy: true },
    "takes nothing": { dropsWrites: 1 },
}

/** Replaces the element of `position` by a blank one in the first free slot. */
async function begin(host: StoreHost, position: number): Promise<number> {
    const { bench } = host
    const heir = bench.volume.array.elements
    bench.insert(heir)
    assert.equal(await rebuildElement(bench.volume.repair, position, heir, flagReplace), ok)
    return heir
}

/** Some of it, with writes in between. @returns whether it goes on */
async function goOn(host: StoreHost, random: Random, steps: number): Promise<boolean> {
    const { bench } = host
    for (let i = 0; i < steps && bench.volume.array.joining >= 0; i++) {
        await tidyStep(bench)
        if (random.int(12) === 0) await change(host, random, 1)
    }
    return bench.volume.array.joining >= 0
}

/** Until nothing is to be done, nor will be after the next look at the labels. */
async function rest(bench: StoreBench): Promise<void> {
    let idle = 0
    for (let i = 0; i < stepsMax && idle < 30; i++) {
        await tidyStep(bench)
        idle = hasWork(bench.volume) ? 0 : idle + 1
    }
    assert.ok(idle > 0, "comes to an end")
}

for (const { elements, name } of shapes)
    describe(`store: replacing a living element, ${name}`, function () {
        this.timeout(600_000)

        it("a cut before the anchor that counts the new one, and one within the next mount's anchor: it is served after them [R23] [R25]", async () => {
            for (let position = 0; position < elements; position++) {
                const host = await fresh(elements, `two cuts ${position}`)
                const { bench } = host
                bench.hasBroken = true
                const heir = await begin(host, position)
                bench.onBegun = (slot, { address }, data) => {
                    const isLabel = slot === heir && address === 0 && data.length > 200 && data[4] === typeLabel
                    if (isLabel && data[atStateOnPage] === 0) bench.cutPowerAt(bench.operations + 1, 0.01)
                }
                await assert.rejects(async () => {
                    while (await goOn(host, new Random("no writes"), 1));
                }, PowerCut)
                bench.onBegun = undefined
                const images = bench.snapshot()
                for (let fraction = 0.1; fraction <= 1; fraction += isFull ? 0.02 : 0.1) {
                    bench.load(images)
                    bench.powerUp()
                    bench.cutPowerAt(bench.operations, fraction)
                    await bench.mount().catch(() => false)
                    assert.equal(await remount(host), true, `position ${position}, cut at ${fraction}`)
                    await readAll(host)
                }
            }
        })

        it("nothing fails: all are members throughout, then the new one is and the old one is left out [R25] [R22]", async () => {
            for (let position = 0; position < elements; position++) {
                const host = await fresh(elements, `replace ${position}`)
                const { bench } = host
                const random = new Random(`replace ${position}`)
                const heir = await begin(host, position)
                while (await goOn(host, random, 1)) assert.equal(deadIn(bench.volume.array), 0)
                assert.equal(bench.volume.array.slots[position], heir)
                assert.equal(deadIn(bench.volume.array), 0)
                await readAll(host)
                await rest(bench)
                assertNoFaults(host, true)
                await survivesAnyLoss(host)
                // what was replaced is not believed, alone or with others
                bench.silent = 1 << heir
                assert.equal(await remount(host), true)
                assert.equal(deadIn(bench.volume.array), 1 << position)
                await readAll(host)
            }
        })

        for (const [what, fault] of Object.entries(faults))
            for (const who of ["another member", "the one that is replaced", "its heir"])
                it(`${who} ${what} meanwhile: all is served, mounted again, and whole when there is an element for it [R25] [R22]`, async () => {
                    for (let round = 0; round < rounds; round++) {
                        const random = new Random(`replace ${elements} ${what} ${who} ${round}`)
                        const host = await fresh(elements, `replace ${round}`)
                        const { bench } = host
                        const position = random.int(elements)
                        const heir = await begin(host, position)
                        const goesOn = await goOn(host, random, random.int(60))
                        // a member that takes nothing is another matter
                        if (who === "its heir" && !goesOn) continue
                        const other = (position + 1 + random.int(elements - 1)) % elements
                        const failing = who === "its heir" ? heir : who === "another member" ? other : position
                        Object.assign(bench.chips[failing].faults, fault)
                        await change(host, random, 3)
                        await readAll(host)
                        if (random.int(2)) {
                            assert.equal(await remount(host), true)
                            await readAll(host)
                        }
                        await goOn(host, random, stepsMax)
                        await rest(bench)
                        await change(host, random, 3)
                        await readAll(host)
                        if (!("dropsWrites" in fault)) assertNoFaults(host, false)
                        assert.equal(await remount(host), true)
                        await rest(bench)
                        await readAll(host)
                        bench.insert(failing)
                        await rest(bench)
                        if (deadIn(bench.volume.array))
                            assert.equal(await rebuildElement(bench.volume.repair, 0xff, 0xff, 0), ok)
                        await rest(bench)
                        assert.equal(deadIn(bench.volume.array), 0)
                        await readAll(host)
                        await survivesAnyLoss(host)
                    }
                })

        it("power is cut meanwhile: the old array is mounted, whole; the copying begins anew by itself [R25] [R7]", async () => {
            for (let round = 0; round < rounds * 2; round++) {
                const random = new Random(`replace cut ${elements} ${round}`)
                const host = await fresh(elements, `replace cut ${round}`)
                const { bench } = host
                const position = random.int(elements)
                const heir = await begin(host, position)
                for (let cuts = 0; cuts < 3; cuts++) {
                    const goesOn = await goOn(host, random, random.int(50))
                    assert.equal(await remount(host), true)
                    assert.equal(deadIn(bench.volume.array), 0)
                    await readAll(host)
                    if (!goesOn) break
                    // one of the others is away just then
                    const away = (position + 1) % elements
                    bench.silent = 1 << away
                    const images = bench.snapshot()
                    assert.equal(await remount(host), true)
                    await readAll(host)
                    bench.silent = 0
                    bench.load(images)
                    assert.equal(await remount(host), true)
                }
                await rest(bench)
                assert.equal(bench.volume.array.slots[position], heir)
                await repairAll(bench)
                assertNoFaults(host, true)
                await survivesAnyLoss(host)
            }
        })
    })
