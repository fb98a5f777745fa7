// A row is worth a repair when something leads to one of its pages: as the store says it, against the checker's own list of what is in use.

import { uploadOf } from "../../src/store/volume"
import assert from "node:assert/strict"
import { commitNumber, holdsNeeded } from "../../src/store/log"
import { isNeeded } from "../../src/store/in-use"
import { badIn } from "../../src/store/redundancy"
import { isPinned } from "../../src/store/usage"
import { Random } from "../../tools/sim/random"
import { change, fresh, readAll, remount, segmentRows, tidyStep } from "../support/array-work"
import { titleOf } from "../support/cut-stages"
import { checkVolume } from "../support/store-checker"
import { smallPart, StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

const rounds = 11
const seeds = process.env.FULL === "1" ? 200 : 15
const pageBytes = 256

/** @returns its number */
async function snapshot(host: StoreHost, name: string): Promise<number> {
    const { status, value } = await host.request(10, [7000, Buffer.from(name)], () => undefined)
    assert.equal(status, 0)
    return value
}

async function unsnapshot(host: StoreHost, number: number): Promise<void> {
    assert.equal((await host.request(11, [number], () => undefined)).status, 0)
}

/** Files, directories, open uploads and snapshots, with a cut in the middle and in mounts after it; the last commit may be some pages old. */
async function cutHistory(elements: number, seed: number): Promise<StoreHost> {
    const random = new Random(`cut ${elements} ${seed}`)
    const host = await fresh(elements, `cut ${seed}`)
    const { bench } = host
    bench.hasBroken = true
    bench.isIdleAfterMount = () => false
    const open: number[] = []
    const write = async () => {
        for (const object of open) await host.write(object, Buffer.from(random.bytes(100 + random.int(1200))))
    }
    for (let i = 0; i < 3 + random.int(3); i++) {
        await change(host, random, 1)
        if (open.length < 2 && random.chance(0.3)) open.push(await host.create())
        await write()
        if (random.chance(0.2)) assert.equal(await host.mkdir(`d${i}`), 0)
        for (let k = random.int(3); k > 0; k--) await tidyStep(bench)
    }
    if (random.chance(0.1)) await snapshot(host, "s")
    bench.cutPowerAt(bench.operations + random.int(30), random.float())
    for (let k = random.int(3); k > 0; k--) host.again.push({ after: random.int(8), fraction: random.float() })
    await write()
    await change(host, random, 1)
    for (let k = random.int(3); k > 0; k--) {
        bench.cutPowerNow()
        await host.powerUp()
        await write()
    }
    bench.cutPowerAt(-1, 0)
    return host
}

/** Asks of every row of every segment that holds something. @returns rows that are in use, and those that are not; in segments that snapshots pin, and in others */
async function compare(host: StoreHost): Promise<number[]> {
    const { volume } = host.bench
    const { array, log } = volume
    const { used, usedBySnapshots } = checkVolume(host.bench)
    const counts = [0, 0, 0, 0]
    for (let segment = 1; segment < log.segments; segment++) {
        if (!holdsNeeded(log, segment)) continue
        const isHeld = isPinned(log.usage, segment)
        for (let row = segment * array.segmentRows; row < (segment + 1) * array.segmentRows; row++) {
            const pages = Array.from({ length: array.rowPages }, (_, column) => row * array.rowPages + column)
            const by = pages.map(page => used.get(page) ?? (usedBySnapshots.has(page) ? "a snapshot" : "")).join(" ")
            const isUsed = by.trim() !== ""
            const isSo = await isNeeded(volume, row, volume.scratch)
            // the checker does not follow what snapshots hold of uploads and of what was removed
            if (isUsed || !isHeld) assert.equal(isSo, isUsed, `row ${row}: ${by}`)
            counts[(isHeld ? 0 : 2) + (isSo ? 0 : 1)]++
        }
    }
    return counts
}

for (const elements of [2, 3, 4])
    describe(`store: rows in use, ${titleOf(elements)}`, function () {
        this.timeout(120_000)

        it("after a history with uploads, directories, cleaning and remounts: the store and the checker say the same of each row [R24] [R25]", async () => {
            const bench = new StoreBench(smallPart(19), segmentRows, "in use", elements)
            assert.equal(await bench.mount(), true)
            const host = new StoreHost(bench)
            assert.equal(await host.hello(), 0)
            const random = new Random(`in use ${elements}`)
            const open: number[] = []
            const numbers: number[] = []
            const counts = [0, 0, 0, 0]
            for (let round = 0; round < rounds; round++) {
                await change(host, random, 3)
                assert.equal(await host.mkdir(`d${round}`), 0)
                assert.equal(await host.put(`d${round}/x`, Buffer.from(random.bytes(random.int(1500)))), 0)
                if (round % 3 === 0) open.push(await host.create())
                for (const object of open) await host.write(object, Buffer.from(random.bytes(300 + random.int(900))))
                if (round % 4 === 3) assert.equal(await host.commit(open.shift()!, `late ${round}`), 0)
                if (round > 1) assert.equal(await host.remove(`d${round - 2}/x`), 0)
                for (let i = 0; i < 8; i++) await tidyStep(host.bench)
                if (round % 4 === 1) assert.equal(await remount(host), true)
                // one after a piece of an upload that no commit followed
                if (round === 5 || round === 9) numbers.push(await snapshot(host, `s${round}`))
                if (round === 7) await unsnapshot(host, numbers[0])
                for (const [i, count] of (await compare(host)).entries()) counts[i] += count
            }
            assert.ok(Math.min(...counts) > 50, `rows in use and not, pinned and not: ${counts.join(", ")}`)
        })

        it("what only a snapshot holds counts, and what an open upload appended, of which no commit knows [R30] [R24]", async () => {
            const host = await fresh(elements, "pinned")
            const { volume } = host.bench
            const { array, log } = volume
            const rowOf = async (object: number) => Math.floor((await volume.pageOf(object, 0)) / array.rowPages)
            const held = await rowOf(host.tree.get("f3")!.object)
            const number = await snapshot(host, "s")
            assert.equal(await host.remove("f3"), 0)
            for (let i = 0; i < 20; i++) await tidyStep(host.bench)
            assert.equal(await isNeeded(volume, held, volume.scratch), true)
            await unsnapshot(host, number)
            const { used } = checkVolume(host.bench)
            const isUsed = Array.from({ length: array.rowPages }, (_, i) => used.has(held * array.rowPages + i)).some(
                Boolean,
            )
            assert.equal(await isNeeded(volume, held, volume.scratch), isUsed)
            const object = await host.create()
            await host.write(object, Buffer.alloc(900, 7))
            const commit = commitNumber(log)
            const row = Math.floor(uploadOf(volume, object).runPages[0] / array.rowPages)
            assert.equal(await isNeeded(volume, row, volume.scratch), true)
            assert.equal(commitNumber(log), commit)
        })

        it("no copy reads well just now: the row counts as in use [R24] [R22]", async () => {
            const host = await fresh(elements, "misread")
            const { bench } = host
            const { array } = bench.volume
            const page = await bench.volume.pageOf(host.tree.get("f3")!.object, 1)
            const row = Math.floor(page / array.rowPages)
            const transfer = bench.transfer.bind(bench)
            bench.transfer = async (mask, tx, rx) => {
                await transfer(mask, tx, rx)
                if (tx[0] === 0x03 && rx.length > 200) rx[20] ^= 1
            }
            assert.equal(await isNeeded(bench.volume, row, bench.volume.scratch), true)
        })

        it("what nothing leads to may be anything: overwritten on all elements, and any of them gone, all is there [R22] [R23]", async () => {
            let overwritten = 0
            let torn = 0
            for (let seed = 1; seed <= seeds; seed++) {
                const host = await cutHistory(elements, seed)
                const { bench } = host
                const { array, log } = bench.volume
                await array.settle()
                const random = new Random(`overwritten ${elements} ${seed}`)
                const rows: number[] = []
                for (let segment = 1; segment < log.segments; segment++)
                    if (segment !== log.segment && holdsNeeded(log, segment))
                        for (let row = segment * array.segmentRows; row < (segment + 1) * array.segmentRows; row++) {
                            if (await isNeeded(bench.volume, row, bench.volume.scratch)) continue
                            rows.push(row)
                            if (await badIn(array, row, bench.volume.scratch)) torn++
                        }
                for (const row of rows)
                    for (const chip of bench.chips)
                        chip.corrupt(row * pageBytes, Uint8Array.from(random.bytes(pageBytes)))
                overwritten += rows.length
                bench.cutPowerNow()
                const state = bench.snapshot()
                for (let slot = -1; slot < elements; slot++) {
                    bench.load(state)
                    bench.silent = slot < 0 ? 0 : 1 << slot
                    assert.equal(host.difference(await host.powerUp()), undefined, `seed ${seed}, without ${slot}`)
                    await readAll(host)
                    bench.silent = 0
                    bench.cutPowerNow()
                }
            }
            assert.ok(overwritten > 100 && torn > 0, `${overwritten} rows overwritten, ${torn} of them torn`)
        })
    })
