// The tail of an open upload after a mount: what was acknowledged is there, whatever a page of one element says.

import { uploadOf } from "../../src/store/volume"
import assert from "node:assert/strict"
import { takenBytes } from "../../src/store/upload"
import { smallGeometries } from "../support/store-geometries"
import { StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"
import { Random } from "../../tools/sim/random"

const pageBytes = 256
const headerBytes = 20
const blockBytes = 236
const bytesOf = (random: Random, bytes: number) => Buffer.from(random.bytes(bytes))

describe("store: the tail of uploads", function () {
    this.timeout(60_000)

    for (const { name, part, segmentRows, elements } of smallGeometries([2, 3, 4]))
        it(`${name}: a wrong bit in any header of the tail, on any element, loses nothing [R23] [R22]`, async () => {
            const bench = new StoreBench(part, segmentRows, 1, elements)
            const host = new StoreHost(bench)
            assert.equal(await bench.mount(), true)
            await host.hello()
            const uploads = [await host.create(), await host.create()]
            // runs of blocks, and single ones by turns with another file's
            for (const [n, blocks] of [6, 3, 1, 1, 1, 1, 5, 2].entries())
                await host.write(uploads[n % 2], Buffer.alloc(blockBytes * blocks, n + 1))
            const { log, array } = bench.volume
            const images = bench.snapshot()
            const first = Math.floor(log.rootPage / array.rowPages) + 1
            const end = Math.ceil((log.segment * array.segmentPages + log.next) / array.rowPages)
            bench.isIdleAfterMount = () => false
            for (let row = first; row < end; row++)
                for (let slot = 0; slot < elements; slot++)
                    for (let byte = 0; byte < headerBytes; byte++) {
                        bench.cutPowerNow()
                        bench.load(images)
                        const mask = new Uint8Array(pageBytes)
                        mask[byte] = 1
                        bench.chips[slot].corrupt(row * pageBytes, mask)
                        bench.powerUp()
                        assert.equal(await bench.mount(), true)
                        for (const [object, { acknowledged, sent }] of host.uploads) {
                            const upload = uploadOf(bench.volume, object)
                            assert.ok(
                                takenBytes(upload) >= acknowledged,
                                `byte ${byte} of row ${row} in slot ${slot}: ${takenBytes(upload)} of ${sent.length}`,
                            )
                        }
                    }
        })

    for (const geometry of smallGeometries([2, 4]))
        it(`${geometry.name}: mounts that write a weak row again are cut one after the other: what is acknowledged stays so [R23] [R22]`, async () => {
            const { part, segmentRows, elements } = geometry
            let weak = 0
            for (let seed = 0; seed < 40; seed++) {
                const random = new Random(`weak ${seed}`)
                const bench = new StoreBench(part, segmentRows, seed, elements)
                const host = new StoreHost(bench)
                assert.equal(await bench.mount(), true)
                await host.hello()
                bench.isIdleAfterMount = () => false
                const upload = await host.create()
                await host.write(upload, bytesOf(random, blockBytes * 2))
                // a row that is torn, and what follows it: whole blocks and then a part of one, twice
                bench.cutPowerAt(bench.operations, 0.3 + 0.6 * random.float())
                await host.write(upload, bytesOf(random, blockBytes * 2 + 56))
                await host.write(upload, bytesOf(random, 1))
                for (let mount = 0; mount < 12; mount++) {
                    host.again.push({ after: random.int(8), fraction: random.float() })
                    bench.cutPowerNow()
                    // compares what is held with what was acknowledged
                    await host.powerUp()
                    if (bench.volume.isRestored) weak++
                }
                bench.cutPowerNow()
                await host.powerUp()
                await bench.tidyAfterMount()
                host.check()
            }
            assert.ok(weak > 0)
        })
})
