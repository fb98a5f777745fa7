// Blocks that go bad: programs or erases in them fail on one element. docs/FORMAT.md, "Repair of a segment on a member", "retired".
//
// Promises: what was written there is read from the others, found when the segment is left, written again once, and if that fails too the
// segment is emptied and never entered again, whatever is remounted. A volume whose blocks wear out ends in noSpace, not in loss.

import { repairStep } from "../../src/store/repair"
import { isPinned, pagesIn } from "../../src/store/usage"
import { deadIn } from "../../src/array/array"
import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { assertNoFaults, readAll, remount, scrubAll, survivesAnyLoss, tidyStep } from "../support/array-work"
import { smallPart, StoreBench, hasWork } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

const ok = 0
const noSpace = 6
const opSnapshotCreate = 10
const opSnapshotDelete = 11
const segmentRows = 48
const sectorsPerSegment = segmentRows / 16
const part = smallPart(18)
const retired = 0xffff
const isFull = process.env.FULL === "1"

async function fresh(elements: number, seed: string): Promise<StoreHost> {
    const bench = new StoreBench(part, segmentRows, seed, elements)
    bench.hasBroken = true
    assert.equal(await bench.mount(), true)
    const host = new StoreHost(bench)
    assert.equal(await host.hello(), ok)
    return host
}

/** What the volume has to do and can do; a segment may be waiting for space to be emptied. */
async function rest(bench: StoreBench): Promise<void> {
    const { repair } = bench.volume
    for (let i = 0, idle = 0; i < 5000 && idle < 5 && hasWork(bench.volume); i++) {
        bench.nowNs += 100e6
        idle = (await repairStep(repair, Math.floor(bench.nowNs / 1e6))) ? 0 : idle + 1
    }
}

/** Overwrites files, and lets the volume do its own work after each. @returns whether there was room */
async function churn(
    host: StoreHost,
    random: Random,
    count: number,
    until: () => boolean = () => false,
): Promise<boolean> {
    for (let i = 0; i < count && !until(); i++) {
        const status = await host.put(`f${random.int(8)}`, Buffer.from(random.bytes(200 + random.int(5000))), 1, 5000)
        if (status === noSpace) return false
        assert.equal(status, ok)
        await rest(host.bench)
        await host.idle(3)
    }
    return true
}

const isRetired = (bench: StoreBench, segment: number) => pagesIn(bench.volume.log.usage, segment) === retired
const retiredCount = (bench: StoreBench) => bench.volume.log.usage.retiredCount

for (const elements of isFull ? [2, 3, 4] : [2, 4])
    describe(`store: bad blocks, ${elements === 2 ? "mirror" : `parity of ${elements}`}`, function () {
        this.timeout(300_000)

        for (const kind of ["badPrograms", "badErases", "badSectors"] as const)
            it(`${kind} in one segment of one element: found, retired, kept so over remounts, nothing lost [R28] [R24]`, async () => {
                for (const segment of [3, 6]) {
                    const host = await fresh(elements, `${kind} ${segment}`)
                    const { bench } = host
                    const slot = segment % elements
                    bench.chips[slot].cells[kind].add(segment * sectorsPerSegment + 1)
                    const random = new Random(`${kind} ${segment}`)
                    await churn(host, random, 1200, () => isRetired(bench, segment))
                    assert.ok(isRetired(bench, segment), `segment ${segment} is retired`)
                    assert.equal(retiredCount(bench), 1)
                    await readAll(host)
                    for (let i = 0; i < 3; i++) {
                        assert.equal(await remount(host), true)
                        assert.ok(isRetired(bench, segment), "after a remount")
                        const erases = bench.chips[slot].eraseCounts[segment * sectorsPerSegment]
                        await churn(host, random, 40)
                        assert.equal(
                            bench.chips[slot].eraseCounts[segment * sectorsPerSegment],
                            erases,
                            "entered again",
                        )
                    }
                    await readAll(host)
                    assertNoFaults(host, false)
                    await survivesAnyLoss(host)
                }
            })

        it("emptied, and erased for what comes next before it is retired: it is not entered [R28]", async () => {
            const host = await fresh(elements, "ahead")
            const { bench } = host
            const { log, repair } = bench.volume
            const put = async (i: number) =>
                assert.equal(await host.put(`f${i % 8}`, Buffer.alloc(3000, i), 1, 5000), ok)
            const segment = log.segment
            for (let i = 0; log.segment === segment; i++) await put(i)
            repair.retiring = segment
            repair.damaged = 1
            // it is the least worn, so the next to be erased
            for (let other = 1; other < log.segments; other++) if (other !== segment) log.usage.wear[other] += 5
            while (pagesIn(log.usage, segment) > 0) await tidyStep(bench)
            for (let i = 0; log.erased !== segment; i++)
                if (log.erased) await put(i)
                else await tidyStep(bench)
            while (repair.retiring) await tidyStep(bench)
            assert.ok(isRetired(bench, segment))
            for (let i = 0; i < 60; i++) {
                await put(i)
                assert.notEqual(log.segment, segment)
                await tidyStep(bench)
            }
            assert.equal(await remount(host), true)
            assert.ok(isRetired(bench, segment))
            await readAll(host)
        })

        it("a sector of the ring of anchors: the others have them; remounts find the newest [R28] [R23]", async () => {
            for (const sector of [1, 2]) {
                const host = await fresh(elements, `ring ${sector}`)
                const { bench } = host
                bench.chips[sector % elements].cells.badSectors.add(sector)
                const random = new Random(`ring ${sector}`)
                for (let i = 0; i < 12; i++) {
                    await churn(host, random, 8)
                    assert.equal(await remount(host), true)
                    await readAll(host)
                }
                assertNoFaults(host, false)
            }
        })

        it("the sector of a label: the element stays in the array [R28] [R23]", async () => {
            const host = await fresh(elements, "label")
            const { bench } = host
            bench.chips[1].cells.badSectors.add(0)
            bench.chips[1].corrupt(0, new Uint8Array(256).fill(3))
            const random = new Random("label")
            for (let i = 0; i < 6; i++) {
                await churn(host, random, 6)
                assert.equal(await remount(host), true)
                await readAll(host)
            }
            assert.equal(deadIn(bench.volume.array), 0)
            assertNoFaults(host, false)
        })

        it("two elements bad in different pages of one segment: nothing lost, it is emptied each time [R28] [R24]", async () => {
            const host = await fresh(elements, "two")
            const { bench } = host
            const segment = 4
            bench.chips[0].cells.badPrograms.add(segment * sectorsPerSegment)
            bench.chips[1].cells.badPrograms.add(segment * sectorsPerSegment + 2)
            const random = new Random("two")
            let found = 0
            for (let i = 0; i < 8; i++) {
                await churn(host, random, 40)
                found = Math.max(found, bench.volume.repair.found)
                await readAll(host)
                assertNoFaults(host, false)
                if (i % 2) assert.equal(await remount(host), true)
            }
            assert.ok(found > 0)
        })

        it("a pinned segment: kept as long as a snapshot needs it, read from the others, retired after [R28] [R30]", async () => {
            const host = await fresh(elements, "pinned")
            const { bench } = host
            const random = new Random("pinned")
            await churn(host, random, 6)
            const { segment } = bench.volume.log
            await host.put("in it", Buffer.from(random.bytes(1000)), 1)
            let number = 0
            await host.request(opSnapshotCreate, [1, Buffer.from("s")], answer => (number = answer.value))
            assert.ok(number > 0)
            bench.chips[1].cells.badSectors.add(segment * sectorsPerSegment)
            bench.chips[1].cells.badSectors.add(segment * sectorsPerSegment + 1)
            bench.chips[1].cells.badSectors.add(segment * sectorsPerSegment + 2)
            bench.chips[1].corrupt((segment * segmentRows + 1) * 256, new Uint8Array(256).fill(1))
            await scrubAll(bench)
            await churn(host, random, 30)
            await readAll(host)
            assert.ok(isPinned(bench.volume.log.usage, segment))
            assert.equal(await remount(host), true)
            const { object, content } = host.tree.get("in it")!
            assert.ok((await bench.readFile(object, number)).equals(content))
            assert.equal((await host.request(opSnapshotDelete, [number], () => {})).status, ok)
            await host.remove("in it")
            await churn(host, random, 400, () => isRetired(bench, segment))
            assert.ok(isRetired(bench, segment), "retired")
            await readAll(host)
            assertNoFaults(host, false)
        })

        it("blocks that wear out, one element's after another's: no space in the end, and nothing lost [R28]", async () => {
            const host = await fresh(elements, "worn")
            const { bench } = host
            bench.chips.forEach(({ cells }, i) => {
                cells.enduranceCycles = isFull ? 20 + 60 * i : 6 + 16 * i
                // one that takes no anchors is a member no more (unseen-losses)
                cells.badSectors.add = sector =>
                    sector < sectorsPerSegment ? cells.badSectors : Set.prototype.add.call(cells.badSectors, sector)
            })
            const random = new Random("worn")
            let rounds = 0
            while ((await churn(host, random, 10)) && rounds++ < 400) {
                await readAll(host)
                if (rounds % 8 === 0) assert.equal(await remount(host), true)
            }
            console.log(
                `      ${retiredCount(bench)} of ${bench.volume.log.segments - 1} segments retired after ${rounds * 10} files`,
            )
            assert.ok(retiredCount(bench) > 0)
            await readAll(host)
            assert.equal(await remount(host), true)
            await readAll(host)
            assertNoFaults(host, false)
        })
    })
