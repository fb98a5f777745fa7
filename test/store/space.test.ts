// A full volume: an answer and not an accident, and a way back.

import assert from "node:assert/strict"
import { cacheSlots } from "../../src/store/node-cache"
import { opSnapshotCreate, opSnapshotDelete } from "../../src/store/requests"
import { freePages } from "../../src/store/volume"
import { smallGeometries, type Geometry } from "../support/store-geometries"
import { smallPart, StoreBench } from "../support/store-bench"
import { checkVolume } from "../support/store-checker"
import { StoreHost } from "../support/store-host"
import { Random } from "../../tools/sim/random"

const noSpace = 6
/**
 * What one request waits for, on segments of 16 or 12 KB, whose sectors are erased one by one (45 ms each): 2.7 s
 * of reclaiming, the step under way then, and the operation itself; the bound that holds for
 * segments of 64 KB, 1 s, is what `npm run bench -- --store` shows.
 */
const requestMsMax = 4000
const refusalsPerRound = 4

interface Kind {
    name: string
    file(random: Random, index: number): [name: string, bytes: number]
}

const kinds: Kind[] = [
    { name: "of one page", file: (random, i) => [`t${i}`, 1 + random.int(236)] },
    { name: "of 1 KB", file: (_, i) => [`k${i}`, 1024] },
    { name: "of 4 KB", file: (_, i) => [`q${i}`, 4096] },
    { name: "of 20 KB", file: (_, i) => [`l${i}`, 20_000] },
    { name: "with long names", file: (_, i) => ["n".repeat(190) + i, 100] },
    { name: "of mixed sizes", file: (random, i) => [`m${i}`, random.chance(0.1) ? 15_000 : random.int(900)] },
]

/** The longest wait for one request or one page, in ms of virtual time; and what statfs said right after the last refusal. */
function watchWaits(host: StoreHost): { slowestMs: number; freeAtRefusal: number } {
    const watched = { slowestMs: 0, freeAtRefusal: 0 }
    const { bench } = host
    const timed = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
        return async (...args: A): Promise<R> => {
            const before = bench.nowNs
            const result = await work(...args)
            watched.slowestMs = Math.max(watched.slowestMs, (bench.nowNs - before) / 1e6)
            if (result === false || (result as { status?: number }).status === noSpace)
                watched.freeAtRefusal = freePages(bench.volume)
            return result
        }
    }
    const { client } = host
    const { volume } = bench
    client.again = timed(client.again.bind(client))
    volume.prepareData = timed(volume.prepareData.bind(volume))
    return watched
}

/** Fills the volume until it refuses, again and again, then makes it empty by removing all, in the order written or in another. */
async function fillAndEmpty(geometry: Geometry, kind: Kind, idleSteps: number, isPinned: boolean): Promise<void> {
    const bench = new StoreBench(geometry.part, geometry.segmentRows, `hazard ${kind.name}`, geometry.elements)
    bench.cacheSlots = cacheSlots
    assert.equal(await bench.mount(), true)
    const host = new StoreHost(bench)
    await host.hello()
    const waits = watchWaits(host)
    const random = new Random(`hazard ${kind.name} ${idleSteps}`)
    let n = 0
    for (let round = 0; round < 2; round++) {
        let snapshot = 0
        for (let refused = 0; refused < refusalsPerRound;) {
            const [name, bytes] = kind.file(random, n++)
            const status = await host.put(name, Buffer.from(random.bytes(bytes)), 0, 8000)
            if (status !== 0) {
                assert.equal(status, noSpace)
                refused++
                assert.equal(waits.freeAtRefusal, 0, "refused with pages free")
            } else if (isPinned && !snapshot && n > 20) snapshot = await takeSnapshot(host)
            if (idleSteps && n % 4 === 0) await host.idle(idleSteps)
        }
        host.check()
        for (let i = 0; i < 20; i++) await host.mkdir(`more ${n++}`)
        if (snapshot) assert.equal((await host.request(opSnapshotDelete, [snapshot], () => {})).status, 0)
        const paths = [...host.tree.keys()]
        if (round) paths.sort(() => random.float() - 0.5)
        for (const path of paths) assert.equal(await host.remove(path), 0, `${host.tree.size} are left`)
        host.check()
    }
    assert.ok(waits.slowestMs < requestMsMax, `a request took ${waits.slowestMs} ms`)
}

async function takeSnapshot(host: StoreHost): Promise<number> {
    return (await host.request(opSnapshotCreate, [1, Buffer.from("pins")], () => {})).value
}

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

const isFull = process.env.FULL === "1"

describe("store: space", function () {
    this.timeout(isFull ? 600_000 : 180_000)

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

    // each kind on one of the geometries, all on all when FULL
    const geometries = smallGeometries()
    for (const [g, geometry] of geometries.entries())
        for (const [k, kind] of kinds.entries())
            for (const [i, idleSteps] of [0, 6].entries())
                if (isFull || (k + i) % geometries.length === g)
                    it(`${geometry.name}, files ${kind.name}, ${idleSteps ? "with idle time" : "without rest"}: writes until statfs says full, and can be emptied [R28] [R29]`, () =>
                        fillAndEmpty(geometry, kind, idleSteps, false))

    for (const geometry of smallGeometries([2, 4]))
        it(`${geometry.name}: full, and a snapshot pins what was there: the snapshot can be removed, and all files [R29] [R30]`, () =>
            fillAndEmpty(geometry, kinds[1], 0, true))

    it("a large file that is removed is given back after a remount too, a few extents at a time [R29] [R27]", async () => {
        const host = await fresh(18, 64, "orphan")
        const { bench } = host
        const free = freePages(bench.volume)
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
        assert.ok(freePages(bench.volume) >= free - 8, `${freePages(bench.volume)} of ${free}`)
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

    it("uploads that are never finished are given up for new ones after 10 s, and their pages with them [R29]", async () => {
        const host = await fresh(18, 64, "uploads")
        const { bench } = host
        for (let i = 0; i < 4; i++) await host.write(await host.create(), Buffer.alloc(9000, i))
        assert.equal(await host.create(), 0, "busy")
        bench.nowNs += 11e9
        const live = bench.volume.log.usage.live
        const oldest = [...host.uploads.keys()][0]
        assert.ok(await host.create())
        host.uploads.delete(oldest)
        assert.ok(bench.volume.log.usage.live < live)
        host.check()
    })
})
