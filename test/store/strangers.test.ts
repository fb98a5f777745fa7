// Elements that are not what the array takes them for: one that ignores what it is told, one that was exchanged while it served, one of another
// array in a free slot; and pages that are lost on all.

import { pagesIn } from "../../src/store/usage"
import { commitNumber } from "../../src/store/log"
import assert from "node:assert/strict"
import { deadIn } from "../../src/array/array"
import { slotForeign } from "../../src/store/label"
import { dropStrangers } from "../../src/store/presence"
import { MemoryImage } from "../../tools/sim/chips/image-file"
import { Random } from "../../tools/sim/random"
import { change, fresh, part, readAll, remount, tidyStep } from "../support/array-work"
import { smallPart, StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

const isFull = process.env.FULL === "1"
const seeds = isFull ? 20 : 4
const lookSteps = 120
const pageBytes = 256
const imageSector = 4096

/** What an element of another array held. */
async function foreignImage(elements: number, slot: number): Promise<MemoryImage> {
    const { bench } = await fresh(elements, `foreign ${elements}`)
    const bytes = bench.chips[slot].peek(0, part.bytes)
    const image = new MemoryImage(part.bytes)
    for (let i = 0; i < part.bytes / imageSector; i++)
        image.writable(i).set(bytes.subarray(i * imageSector, (i + 1) * imageSector))
    return image
}

/** So often that every segment was erased and written again. */
async function wear(host: StoreHost, random: Random, rounds: number): Promise<void> {
    for (let i = 0; i < rounds; i++) await change(host, random, 1)
}

describe("store: elements that are not what they seem", function () {
    this.timeout(600_000)

    for (const [elements, slot] of [
        [2, 0],
        [2, 1],
        [3, 0],
        [4, 1],
        [6, 3],
    ])
        it(`${elements} elements: one acknowledges erases and programs and does nothing: its old pages are not believed [R22] [R24]`, async () => {
            for (let seed = 0; seed < seeds; seed++) {
                const host = await fresh(elements, `deaf ${elements} ${seed}`)
                const { bench } = host
                const random = new Random(`deaf ${seed}`)
                await wear(host, random, 60)
                bench.chips[slot].faults.dropsWrites = 1
                await wear(host, random, 60)
                await readAll(host)
                assert.equal(deadIn(bench.volume.array), 1 << slot)
                bench.chips[slot].faults.dropsWrites = 0
                assert.equal(await remount(host), true)
                await readAll(host)
                await wear(host, random, 10)
                await readAll(host)
            }
        })

    it("a segment whose last row that is looked at has the parity of one: nobody is given up for what the next segment holds [R24]", async () => {
        const bench = new StoreBench(smallPart(19), 144, "last row", 4)
        assert.equal(await bench.mount(), true)
        const host = new StoreHost(bench)
        assert.equal(await host.hello(), 0)
        const random = new Random("last row")
        // the log comes round twice
        for (let i = 0; i < 80; i++) assert.equal(await host.put(`f${i % 8}`, Buffer.from(random.bytes(40_000)), 1), 0)
        assert.equal(deadIn(bench.volume.array), 0)
        await readAll(host)
    })

    for (const elements of [2, 3, 4])
        for (const share of [0.1, 0.6])
            it(`${elements} elements: one acknowledges erases and programs and does not do ${share} of them: files are read from the others [R24]`, async () => {
                for (let seed = 0; seed < (isFull ? seeds : 2); seed++) {
                    const host = await fresh(elements, `drops ${elements} ${seed}`)
                    const { bench } = host
                    bench.hasBroken = true
                    const random = new Random(`drops ${seed}`)
                    await wear(host, random, 40)
                    bench.chips[random.int(elements)].faults.dropsWrites = share
                    for (let i = 0; i < 30; i++) {
                        await change(host, random, 1)
                        if (random.int(3) === 0) for (let step = 0; step < 5; step++) await tidyStep(bench)
                        if (i % 10 === 9) assert.equal(await remount(host), true)
                        for (const [path, node] of host.tree)
                            assert.ok((await bench.readFile(node.object)).equals(node.content), `seed ${seed}: ${path}`)
                    }
                }
            })

    for (const elements of [2, 3, 4])
        it(`${elements} elements: one gives its place to a used one of another array: left out, and not written to any more [R25] [R31]`, async () => {
            const image = await foreignImage(elements, 1)
            const host = await fresh(elements, `exchanged ${elements}`)
            const { bench } = host
            await wear(host, new Random("exchanged"), 20)
            bench.insert(1, image)
            for (let i = 0; i < lookSteps; i++) await tidyStep(bench)
            assert.equal(deadIn(bench.volume.array), 2)
            await readAll(host)
            // one element of each of two mirrors: nobody can tell whose the cabinet is
            if (elements === 2) {
                assert.equal(await remount(host), false)
                bench.silent = 2
            }
            assert.equal(await remount(host), true)
            if (elements > 2) assert.equal(bench.volume.labels.states[1], slotForeign)
            await readAll(host)
        })

    it("no element answers for a moment: none is given up, and all are there after it [R31] [R25]", async () => {
        const host = await fresh(3, "glitch")
        const { bench } = host
        for (let i = 0; i < lookSteps; i++) await tidyStep(bench)
        bench.silent = 7
        let refused = 0
        for (let i = 0; i < lookSteps && refused === 0; i++)
            await tidyStep(bench).catch((error: Error) => {
                assert.match(error.message, /no element answers/)
                refused++
            })
        assert.equal(refused, 1)
        bench.silent = 0
        assert.equal(deadIn(bench.volume.array), 0)
        assert.equal(await bench.mount(), true)
        assert.equal(deadIn(bench.volume.array), 0)
        await readAll(host)
    })

    for (const elements of [2, 3, 4])
        it(`${elements} elements answer nothing for a moment that begins or ends while they are looked at: none is given up [R31] [R25]`, async () => {
            const host = await fresh(elements, "edges")
            const { bench } = host
            const exchange = bench.exchange.bind(bench)
            let fromNs = Infinity
            let untilNs = Infinity
            bench.exchange = async (tx, rx) => {
                const isSilent = bench.nowNs >= fromNs && bench.nowNs < untilNs
                for (const chip of bench.chips) chip.faults.silent = isSilent
                await exchange(tx, rx)
                for (const chip of bench.chips) chip.faults.silent = false
            }
            const look = async (fromMs: number, ms: number) => {
                fromNs = bench.nowNs + fromMs * 1e6
                untilNs = fromNs + ms * 1e6
                await dropStrangers(bench.volume.repair).catch((error: Error) =>
                    assert.match(error.message, /no element answers/),
                )
                assert.equal(deadIn(bench.volume.array), 0, `silent from ${fromMs} ms on, for ${ms} ms`)
            }
            for (let ms = 1; ms < 150 * elements; ms += 4) await look(0, ms)
            for (let fromMs = 0; fromMs < 3; fromMs += 0.1) await look(fromMs, 2000)
            fromNs = Infinity
            await readAll(host)
        })

    for (const own of [2, 3, 4])
        for (const of of [2, 3])
            it(`an array of ${own}, and an element of a foreign array of ${of} in the next slot: the mount goes on, without it [R31]`, async () => {
                const image = await foreignImage(of, 0)
                const host = await fresh(own, `beside ${own} ${of}`)
                host.bench.insert(own, image)
                assert.equal(await remount(host), true)
                assert.equal(deadIn(host.bench.volume.array), 0)
                assert.equal(host.bench.volume.labels.states[own], slotForeign)
                await readAll(host)
            })

    it("segments with pages that are good on no element: an idle node comes to rest [R27] [R28]", async () => {
        const rows = 64
        const bench = new StoreBench(smallPart(19), rows, "lost pages", 2)
        assert.equal(await bench.mount(), true)
        const host = new StoreHost(bench)
        await host.hello()
        const random = new Random("lost pages")
        // files that stay, in segments whose other pages are soon given back
        for (let i = 0; i < 6; i++) {
            await host.put(`k${i}`, Buffer.from(random.bytes(400)), 1)
            for (let n = 0; n < 8; n++) await host.put("t", Buffer.from(random.bytes(3_000)), 1)
        }
        for (let n = 0; n < 10; n++) await host.put("t", Buffer.from(random.bytes(3_000)), 1)
        const { log, array } = bench.volume
        const lost = new Set<number>()
        for (const [path, { object }] of host.tree) {
            if (!path.startsWith("k") || lost.size === 2) continue
            const segment = Math.floor((await bench.volume.pageOf(object, 0)) / array.segmentPages)
            if (segment !== log.segment && pagesIn(log.usage, segment) === 2) lost.add(segment)
        }
        assert.equal(lost.size, 2)
        for (const segment of lost)
            for (const chip of bench.chips)
                for (let row = segment * rows; row < (segment + 1) * rows; row++)
                    chip.corrupt(row * pageBytes + 100, Uint8Array.of(1))
        for (let i = 0; i < 500; i++) if (await host.put(`big${i}`, Buffer.from(random.bytes(6_000)), 1)) break
        for (let i = 0; i < 400; i++) await tidyStep(bench)
        const commit = commitNumber(log)
        for (let i = 0; i < 400; i++) await tidyStep(bench)
        assert.equal(commitNumber(log), commit)
    })

    it("one that stays busy is looked at now and then, and takes an eighth of the time at most [R25] [R27]", async () => {
        const host = await fresh(2, "stays busy")
        const { bench } = host
        bench.chips[1].faults.staysBusy = true
        await change(host, new Random("stays busy"), 1)
        assert.equal(deadIn(bench.volume.array), 2)
        const stepNs = 100e6
        const fromNs = bench.nowNs
        let looks = 0
        let lookNs = 0
        for (let i = 0; i < 1_000; i++) {
            const beforeNs = bench.nowNs
            await tidyStep(bench)
            const tookNs = bench.nowNs - beforeNs - stepNs
            if (tookNs < stepNs) continue
            looks++
            lookNs += tookNs
        }
        assert.ok(looks > 2, `${looks} looks`)
        assert.ok(lookNs < (bench.nowNs - fromNs) / 8, `${lookNs / 1e6} of ${(bench.nowNs - fromNs) / 1e6} ms`)
    })
})
