// The newest anchor is found, whatever cuts left in the ring and whatever a partner's beat says of it.

import assert from "node:assert/strict"
import { smallGeometries } from "../support/store-geometries"
import { StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"
import { checkBench } from "../support/cut-compare"
import { PageChecks } from "../../tools/check"

const pageBytes = 256
const sectorPages = 16

describe("store: anchors", () => {
    const { part, segmentRows } = smallGeometries().find(({ elements }) => elements === 3)!
    const pageChecks = new PageChecks()

    async function mounted(): Promise<StoreHost> {
        const bench = new StoreBench(part, segmentRows, "anchors", 3)
        assert.equal(await bench.mount(), true)
        const host = new StoreHost(bench)
        assert.equal(await host.hello(), 0)
        return host
    }

    async function again(bench: StoreBench): Promise<void> {
        bench.cutPowerNow()
        bench.powerUp()
        assert.equal(await bench.mount(), true)
    }

    /** A page that a cut left neither blank nor good, on one element. */
    function tear(bench: StoreBench, element: number, page: number): void {
        const image = bench.chips[element].image
        const at = (page % sectorPages) * pageBytes
        image.writable((page / sectorPages) | 0).fill(0x5a, at, at + 40)
    }

    it("the newest one reads wrong once, in any slot of the ring: it is the newest all the same [R23] [R24]", async () => {
        const host = await mounted()
        const { bench } = host
        const slots = new Set<number>()
        for (let n = 0; n < 3 * sectorPages; n++) {
            await bench.volume.log.writeAnchor()
            const { newest, sequence } = bench.volume.log.anchors
            slots.add(newest)
            const exchange = bench.exchange.bind(bench)
            let left = 3
            bench.exchange = async (tx, rx) => {
                await exchange(tx, rx)
                const isRead = tx[0] === 0x03 && tx.length === pageBytes + 4 && ((tx[1] << 8) | tx[2]) === newest
                if (isRead && left-- > 0) rx.fill(0xff)
            }
            await again(bench)
            bench.exchange = exchange
            assert.ok(bench.volume.log.anchors.sequence > sequence, `slot ${newest}`)
        }
        assert.ok(slots.size > sectorPages / 2)
    })

    it("slots that cuts tore on one element only hide no later anchor when that element is gone [R23] [R25]", async () => {
        for (let torn = 1; torn <= 3; torn++) {
            const host = await mounted()
            const { bench } = host
            for (let i = 0; i < torn; i++) tear(bench, 1, bench.volume.log.anchors.newest + 2 + i)
            await again(bench)
            const { epoch } = bench.volume.log
            assert.equal(await host.mkdir(`with ${torn} torn`), 0)
            bench.silent = 2
            await again(bench)
            assert.equal(bench.volume.log.epoch, epoch + 1, "the mount before is not forgotten")
            host.check()
            checkBench(bench, pageChecks, ["element-missing", "element-out"])
        }
    })

    it("a beat that is old, or says anything at all, leads to the same anchor [R9] [R23]", async () => {
        const host = await mounted()
        const { bench } = host
        for (let i = 0; i < 40; i++) {
            if (i % 3 === 0) tear(bench, i % 3, bench.volume.log.anchors.newest + 2)
            await again(bench)
            const { anchors } = bench.volume.log
            const newest = anchors.newest
            const epoch = anchors.epoch
            for (let hint = 0; hint < 256; hint++) {
                anchors.hint = hint
                assert.equal(await anchors.findNewest(), true)
                assert.equal(anchors.newest, newest, `after ${i} mounts, told of slot ${hint}`)
                assert.equal(anchors.epoch, epoch)
            }
        }
        host.check()
    })
})
