// A row is worth a repair when something leads to one of its pages: as the store says it, against the checker's own list of what is in use.

import assert from "node:assert/strict"
import { changeSegment, holdsNeeded } from "../../src/store/log"
import { isNeeded } from "../../src/store/in-use"
import { isPinned } from "../../src/store/usage"
import { Random } from "../../tools/sim/random"
import { change, fresh, remount, tidyStep } from "../support/array-work"
import { titleOf } from "../support/cut-stages"
import { checkVolume } from "../support/store-checker"
import type { StoreHost } from "../support/store-host"

const rounds = 12

/** Asks of every row of every segment that holds something. @returns rows that are in use, and all */
async function compare(host: StoreHost): Promise<[number, number]> {
    const { volume } = host.bench
    const { array, log } = volume
    // the tree tells it of open uploads then
    await volume.commit()
    const { used } = checkVolume(host.bench)
    let needed = 0
    let rows = 0
    for (let segment = 1; segment < log.segments; segment++) {
        if (!holdsNeeded(log, segment) || isPinned(log.usage, segment)) continue
        for (let row = segment * array.segmentRows; row < (segment + 1) * array.segmentRows; row++) {
            const pages = Array.from({ length: array.rowPages }, (_, column) => row * array.rowPages + column)
            const by = pages.map(page => used.get(page)).filter(Boolean)
            assert.equal(await isNeeded(volume, row, volume.scratch), by.length > 0, `row ${row}: ${by.join(", ")}`)
            rows++
            if (by.length > 0) needed++
        }
    }
    return [needed, rows]
}

for (const elements of [2, 3, 4])
    describe(`store: rows in use, ${titleOf(elements)}`, function () {
        this.timeout(120_000)

        it("after a history with uploads, directories, cleaning and remounts: the store and the checker say the same of each row [R24] [R25]", async () => {
            const host = await fresh(elements, "in use")
            const random = new Random(`in use ${elements}`)
            const open: number[] = []
            let needed = 0
            let rows = 0
            for (let round = 0; round < rounds; round++) {
                await change(host, random, 4)
                assert.equal(await host.mkdir(`d${round}`), 0)
                assert.equal(await host.put(`d${round}/x`, Buffer.from(random.bytes(random.int(4000)))), 0)
                if (round % 3 === 0) open.push(await host.create())
                for (const object of open) await host.write(object, Buffer.from(random.bytes(300 + random.int(900))))
                if (round % 4 === 3) assert.equal(await host.commit(open.shift()!, `late ${round}`), 0)
                if (round > 2) assert.equal(await host.remove(`d${round - 3}/x`), 0)
                for (let i = 0; i < 8; i++) await tidyStep(host.bench)
                if (round % 4 === 1) assert.equal(await remount(host), true)
                const [some, all] = await compare(host)
                needed += some
                rows += all
            }
            assert.ok(needed > 100 && rows - needed > 100, `${needed} of ${rows} rows in use`)
        })

        it("what only a snapshot holds counts, and what an open upload appended [R30] [R24]", async () => {
            const host = await fresh(elements, "pinned")
            const { volume } = host.bench
            const { array, log } = volume
            const rowOf = async (object: number) => Math.floor((await volume.pageOf(object, 0)) / array.rowPages)
            const held = await rowOf(host.tree.get("f3")!.object)
            assert.equal((await host.request(10, [7000, Buffer.from("s")], () => undefined)).status, 0)
            assert.equal(await host.remove("f3"), 0)
            for (let i = 0; i < 20; i++) await tidyStep(host.bench)
            assert.equal(await isNeeded(volume, held, volume.scratch), true)
            // no pinned one
            assert.equal(await changeSegment(log), true)
            const object = await host.create()
            await host.write(object, Buffer.alloc(900, 7))
            const commit = log.commitNumber()
            const row = Math.floor(volume.uploadOf(object).runPages[0] / array.rowPages)
            assert.equal(await isNeeded(volume, row, volume.scratch), true)
            assert.equal(log.commitNumber(), commit + 1)
        })
    })
