// A full volume: an answer and not an accident, and a way back.

import assert from "node:assert/strict"
import { smallPart, StoreBench } from "../support/store-bench"
import { checkVolume } from "../support/store-checker"
import { StoreHost } from "../support/store-host"
import { Random } from "../../tools/sim/random"

const noSpace = 6

async function fresh(log2: number, segmentPages: number, seed: string): Promise<StoreHost> {
    const bench = new StoreBench(smallPart(log2), segmentPages, seed)
    await bench.mount()
    const host = new StoreHost(bench)
    await host.hello()
    return host
}

async function idleUntilQuiet(host: StoreHost): Promise<void> {
    for (let i = 0; i < 3000 && host.bench.volume.orphans; i++) await host.bench.volume.reclaim()
    assert.equal(host.bench.volume.orphans, false, "reclaiming ends")
}

describe("store: space", function () {
    this.timeout(60_000)

    for (const sizes of [
        [20_000, 20_000],
        [100, 3000],
        [1, 236],
    ])
        it(`full of files of ${sizes[0]} to ${sizes[1]} bytes: noSpace, nothing lost, space returns, round after round [R29] [R28] [R26]`, async () => {
            const host = await fresh(18, 64, `full ${sizes}`)
            const { bench } = host
            const random = new Random(`full ${sizes}`)
            const counts: number[] = []
            for (let round = 0; round < (sizes[0] === 1 ? 4 : 8); round++) {
                let count = 0
                for (; ; count++) {
                    const n = sizes[0] + random.int(sizes[1] - sizes[0] + 1)
                    const status = await host.put(`r${round}-${count}`, Buffer.from(random.bytes(n)), 0, 8000)
                    if (status === noSpace) break
                    assert.equal(status, 0)
                    assert.ok(count < 5000)
                }
                counts.push(count)
                host.check()
                // full stays full, and every kind of request has an answer that a retry gets again
                for (let i = 0; (await host.mkdir(`no ${round} ${i}`)) !== noSpace; i++) assert.ok(i < 500)
                bench.cutPowerNow()
                await host.powerUp()
                host.check()
                // some files stay in each round, so that their pages lie in the way of the next
                const files = [...host.tree.keys()]
                for (const path of files)
                    if (path.startsWith("no") || random.chance(0.9))
                        assert.equal(await host.remove(path), 0, `remove ${path}`)
                host.check()
                if (round % 2) await idleUntilQuiet(host)
            }
            const live = bench.volume.log.usage.live
            console.log(
                `      files until full: ${counts.join(" ")}; ${live} of ${bench.volume.log.segments * 64} pages in use`,
            )
            assert.ok(Math.min(...counts) > counts[0] * 0.6, `space does not return: ${counts}`)
        })

    it("a large file that is removed is given back after a remount too, a few extents at a time [R29] [R27]", async () => {
        const host = await fresh(18, 64, "orphan")
        const { bench } = host
        const free = bench.volume.freePages()
        assert.equal(await host.put("large", Buffer.alloc(100_000, 7), 0, 3000), 0)
        const before = bench.operations
        assert.equal(await host.remove("large"), 0)
        assert.ok(bench.operations - before < 24, `remove took ${bench.operations - before} programs`)
        assert.equal(host.check().orphans, 1)
        bench.cutPowerNow()
        await host.powerUp()
        assert.equal(host.check().orphans, 1)
        await idleUntilQuiet(host)
        assert.equal(host.check().orphans, 0)
        assert.ok(bench.volume.freePages() >= free - 8, `${bench.volume.freePages()} of ${free}`)
    })

    it("segments wear alike [R28]", async () => {
        const host = await fresh(18, 64, "wear")
        const { bench } = host
        for (let i = 0; i < 30; i++) assert.equal(await host.put("stays", Buffer.alloc(20), 1), 0)
        for (let i = 0; i < 900; i++) {
            assert.equal(await host.put("again", Buffer.alloc(5000, i), 1, 5000), 0, `round ${i}`)
            if (i % 4 === 0) for (let k = 0; k < 8 && bench.volume.orphans; k++) await bench.volume.reclaim()
        }
        checkVolume(bench)
        const erases: number[] = []
        for (let s = 1; s < 16; s++) erases.push(bench.chips[0].cells.eraseCounts[s * 4])
        console.log(`      erases of the segments: ${erases.join(" ")}`)
        assert.ok(Math.min(...erases) * 2 > Math.max(...erases), `${erases}`)
    })

    it("uploads that are never finished are given up for new ones after 30 s, and their pages with them [R29]", async () => {
        const host = await fresh(18, 64, "uploads")
        const { bench } = host
        for (let i = 0; i < 4; i++) await host.write(await host.create(), Buffer.alloc(9000, i))
        assert.equal(await host.create(), 0, "busy")
        bench.nowNs += 31e9
        const live = bench.volume.log.usage.live
        const oldest = [...host.uploads.keys()][0]
        assert.ok(await host.create())
        host.uploads.delete(oldest)
        assert.ok(bench.volume.log.usage.live < live)
        host.check()
    })
})
