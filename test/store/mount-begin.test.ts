// Where a mount begins: the newest anchor is found on each element alone, whatever a power cut left of one; and what an element keeps of
// before an erase it did not take is not the log.

import assert from "node:assert/strict"
import { changeSegment } from "../../src/store/log"
import { Random } from "../../tools/sim/random"
import { readAll, survivesAnyLoss } from "../support/array-work"
import { imagesOf } from "../support/flash-timeline"
import { PowerCut, smallPart, StoreBench } from "../support/store-bench"
import { checkVolume } from "../support/store-checker"
import { StoreHost } from "../support/store-host"
import { checkArray } from "../../tools/check"

const segmentRows = 48
const sectorBytes = 4096

const reportOfAnswering = (bench: StoreBench) => checkArray(imagesOf(bench))

async function fresh(seed: string, elements: number): Promise<StoreHost> {
    const bench = new StoreBench(smallPart(18), segmentRows, seed, elements)
    assert.equal(await bench.mount(), true)
    const host = new StoreHost(bench)
    await host.hello()
    return host
}

async function bootCut(host: StoreHost, fractions: number[]): Promise<void> {
    // the first thing a mount programs is its anchor
    for (const fraction of fractions) host.again.push({ after: 0, fraction })
    host.bench.cutPowerNow()
    await host.powerUp()
    host.check()
}

describe("store: where a mount begins", function () {
    this.timeout(120_000)

    for (const elements of [2, 4])
        it(`${elements} elements: anchors cut at their very beginning, blank on one element and not on another: found without any one of them [R23] [R24]`, async () => {
            for (let seed = 0; seed < 60; seed++) {
                const random = new Random(`torn anchors ${seed}`)
                const host = await fresh(`torn anchors ${seed}`, elements)
                const fractions = Array.from({ length: 1 + random.int(3) }, () => 0.02 * random.float())
                await bootCut(host, fractions)
                for (let i = 0; i < 3; i++) await host.put("f", Buffer.from(random.bytes(9000)), 1, 9000)
                await survivesAnyLoss(host)
            }
        })

    for (const elements of [2, 4])
        it(`${elements} elements: one that does not take an erase holds old pages where the log is to go: they are not its end [R23] [R28]`, async () => {
            for (let seed = 0; seed < 6; seed++) {
                const random = new Random(`no erase ${seed}`)
                const host = await fresh(`no erase ${seed}`, elements)
                const { bench } = host
                bench.hasBroken = true
                const overwrite = (bytes: number) =>
                    host.put(`f${random.int(6)}`, Buffer.from(random.bytes(random.int(bytes))), 1)
                for (let i = 0; i < 60; i++) await overwrite(4000)
                const { cells } = bench.chips[seed % elements]
                const broken = new Set(Array.from({ length: 6 }, () => segmentRows / 16 + random.int(60)))
                const erase = cells.erase.bind(cells)
                cells.erase = (address, bytes) => {
                    for (let at = address; at < address + bytes; at += sectorBytes)
                        if (!broken.has(at / sectorBytes)) erase(at, sectorBytes)
                }
                for (let i = 0; i < 100; i++) {
                    await overwrite(3000)
                    if (i % 2) await bootCut(host, [])
                }
                await readAll(host)
            }
        })

    /** Two seeds that once could not be mounted, and others. */
    const lostRootSeeds = [504, 558, ...Array.from({ length: 60 }, (_, i) => i)]

    it("a root that is weak, a cut in the mount that was to write the next, and its element gone: the root before it [R23] [R24]", async () => {
        for (const seed of lostRootSeeds) {
            const random = new Random(`r${seed}`)
            const elements = 2 + (seed % 3)
            const bench = new StoreBench(smallPart(18), segmentRows, seed, elements)
            const host = new StoreHost(bench)
            assert.equal(await bench.mount(), true)
            await host.hello()
            bench.isIdleAfterMount = () => random.chance(0.5)
            for (let i = 0; i < 1 + random.int(4); i++)
                await host.put("f" + i, Buffer.from(random.bytes(random.int(4000))), 1, 4000)
            // to where the segment ends
            const { log } = bench.volume
            const { rowPages, segmentPages } = log.array
            for (let i = 0; i < 40 && segmentPages - log.next > 4 * rowPages + random.int(8); i++)
                await host.setattr("f0", i)
            const cut = async (within: number, work: () => Promise<unknown>) => {
                bench.cutPowerAt(bench.operations + random.int(within), random.float())
                try {
                    await work()
                    bench.cutPowerNow()
                } catch (error) {
                    if (!(error instanceof PowerCut)) throw error
                }
                bench.powerUp()
            }
            host.client.sequence++
            await cut(6, () => host.client.again(3, 1, 1000, Buffer.from("new")))
            for (let mounts = 0; mounts < 1 + random.int(2); mounts++) await cut(14, () => bench.mount())
            bench.silent = 1 << random.int(elements)
            assert.equal(await bench.mount(), true, `seed ${seed}`)
            assert.deepEqual(reportOfAnswering(bench).faults, [], `seed ${seed}`)
            await bench.tidyAfterMount()
            const difference = host.difference(checkVolume(bench))
            if (difference !== undefined) assert.equal(difference, "new should not be there", `seed ${seed}`)
        }
    })

    for (const elements of [2, 3])
        it(`${elements} elements: a weak root in its segment's last rows, a mount that is cut in the next segment, and its element gone: the root before it [R23] [R24]`, async () => {
            const bench = new StoreBench(smallPart(17), segmentRows, "end", elements)
            bench.hasBroken = true
            assert.equal(await bench.mount(), true)
            const host = new StoreHost(bench)
            await host.hello()
            bench.isIdleAfterMount = () => false
            const rootRow = () => Math.floor(bench.volume.log.rootPage / bench.volume.array.rowPages)
            for (let n = 0; n < 20 || rootRow() % segmentRows < segmentRows - 3; n++)
                await host.put(`f${n % 3}`, Buffer.alloc(100 + ((n * 37) % 300), n), 1)
            const row = rootRow()
            const images = bench.snapshot()
            const lacks = elements === 2 ? 1 : row % elements
            const holds = elements === 2 ? 0 : (row + 1) % elements
            images[lacks][row >> 4]!.fill(0xff, (row & 15) * 256, ((row & 15) + 1) * 256)
            let wentBack = 0
            for (let operation = 1; ; operation++) {
                bench.silent = 0
                bench.load(images)
                bench.cutPowerNow()
                bench.powerUp()
                bench.cutPowerAt(bench.operations + operation, 0.0001)
                const isWhole = await bench.mount().catch(error => {
                    if (error instanceof PowerCut) return false
                    throw error
                })
                if (isWhole) break
                bench.powerUp()
                bench.silent = 1 << holds
                assert.equal(await bench.mount(), true, `cut at ${operation}`)
                if (rootRow() < row) wentBack++
            }
            assert.ok(wentBack > 0, "it had gone on in the next segment")
        })

    for (const elements of [2, 3])
        it(`${elements} elements: a log that goes on in a segment with a lower number, power gone before its first page: no more is read than there is of the tail [R23] [R22]`, async () => {
            const bench = new StoreBench(smallPart(20), 64, "lower", elements)
            bench.hasBroken = true
            assert.equal(await bench.mount(), true)
            const host = new StoreHost(bench)
            await host.hello()
            bench.isIdleAfterMount = () => false
            const object = await host.create()
            await host.write(object, Buffer.alloc(472, 1))
            while (bench.volume.log.segment !== bench.volume.log.segments - 1) await changeSegment(bench.volume.log)
            await bench.volume.commit()
            bench.cutPowerNow()
            bench.powerUp()
            assert.equal(await bench.mount(), true)
            const { log } = bench.volume
            const last = log.segment
            let images: ReturnType<StoreBench["snapshot"]> | undefined
            const writeAnchor = log.writeAnchor.bind(log)
            log.writeAnchor = async () => {
                await writeAnchor()
                if (log.segment !== last) images ??= bench.snapshot()
            }
            for (let i = 0; i < 400 && !images; i++) await host.write(object, Buffer.alloc(236, i))
            assert.ok(images && log.segment < last)
            bench.load(images)
            bench.cutPowerNow()
            bench.powerUp()
            const from = bench.transfers
            assert.equal(await bench.mount(), true)
            const rows = 64
            assert.ok(bench.transfers - from < rows * elements * 8, `${bench.transfers - from} transfers`)
        })
})
