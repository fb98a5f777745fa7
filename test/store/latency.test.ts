// A volume that is nearly full still takes a small write within a second of the chips' own time, as README says: cleaning is done in steps, none of which is long.
// How long it takes mostly: `npm run bench -- --store`.

import assert from "node:assert/strict"
import { StoreLoad } from "../../tools/bench/store/load"
import { findSpiNorPart } from "../../tools/sim/chips/spi-nor-parts"
import { shapes } from "../support/store-geometries"

const isFull = process.env.FULL === "1"
const segmentRows = 256
const fullness = 0.9
const fillBytes = 16 * 1024
const smallBytes = 1024
const smallFiles = 40
const writes = isFull ? 2_000 : 300
const boundMs = 1_000
const nsPerMs = 1e6

describe("store: latency of a volume that is nearly full", function () {
    this.timeout(isFull ? 1_800_000 : 240_000)

    for (const shape of shapes(isFull ? undefined : [2, 4]))
        for (const gapMs of [0, 50])
            it(`${shape.name}, a 1 KB write ${gapMs ? `each ${gapMs} ms` : "after the other"}: within ${boundMs} ms each [R28]`, async () => {
                const load = new StoreLoad(findSpiNorPart("W25Q16JV"), segmentRows, shape.elements, 5)
                await load.begin()
                for (let i = 0; i < smallFiles; i++) await load.put(`small ${i}`, smallBytes)
                await load.fillTo(fullness, fillBytes)
                assert.ok(load.fullness() >= fullness - 0.02, `${load.fullness()} full`)
                const { bench } = load
                let slowest = 0
                for (let i = 0; i < writes; i++) {
                    const dueNs = bench.nowNs + gapMs * nsPerMs
                    await load.idle(gapMs)
                    await load.put(`small ${load.random.int(smallFiles)}`, smallBytes)
                    slowest = Math.max(slowest, (bench.nowNs - dueNs) / nsPerMs)
                }
                console.log(`      slowest of ${writes}: ${Math.round(slowest)} ms`)
                assert.ok(slowest <= boundMs, `${slowest} ms`)
            })
})
