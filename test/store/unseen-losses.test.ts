// Redundancy that is gone without anyone having been told: what one element alone does not hold is found while the others still do.

import assert from "node:assert/strict"
import { deadIn } from "../../src/array/array"
import { changeSegment, readBlock } from "../../src/store/log"
import { scrubArray } from "../../src/store/repair"
import { Random } from "../../tools/sim/random"
import { titleOf } from "../support/cut-stages"
import { change, fresh, readAll, remount, repairAll, survivesAnyLoss } from "../support/array-work"
import type { StoreBench } from "../support/store-bench"
import type { StoreHost } from "../support/store-host"

const isFull = process.env.FULL === "1"
const pageBytes = 256
/** Of the transfers of a mount, each of so many. */
const transfersApart = isFull ? 1 : 7

/** A page rots: one of its bytes reads otherwise from now on. */
function rot({ chips }: StoreBench, slot: number, row: number): void {
    const bits = new Uint8Array(pageBytes)
    bits[100] = 8
    chips[slot].corrupt(row * pageBytes, bits)
}

async function someFiles(host: StoreHost, seed: string): Promise<void> {
    await change(host, new Random(seed), 6)
}

for (const elements of [2, 3, 4])
    describe(`store: losses that nobody told of, ${titleOf(elements)}`, function () {
        this.timeout(600_000)

        it("an element is silent from any transfer of a mount on: whoever mounts next knows of it, and nothing is lost with another one [R22] [R23]", async () => {
            const host = await fresh(elements, "silent")
            const { bench } = host
            const transfer = bench.transfer.bind(bench)
            const images = bench.snapshot()
            let mounted = 0
            for (let from = 1; ; from += transfersApart) {
                bench.load(images)
                bench.silent = 0
                bench.cutPowerNow()
                bench.powerUp()
                const first = bench.transfers
                bench.transfer = async (mask, tx, rx) => {
                    if (bench.transfers >= first + from) bench.silent = 2
                    return await transfer(mask, tx, rx)
                }
                const isMounted = await bench.mount().catch(() => false)
                bench.transfer = transfer
                if (bench.silent === 0) break
                if (!isMounted || !deadIn(bench.volume.array)) continue
                mounted++
                bench.silent = 0
                assert.equal(await remount(host), true)
                assert.equal(deadIn(bench.volume.array), 2, `silent from transfer ${from} on`)
                await readAll(host)
            }
            assert.ok(mounted > 3, `${mounted} mounts without it`)
        })

        it("a segment was left and power goes before it was looked through: it is after the mount [R23] [R24]", async () => {
            const host = await fresh(elements, "left")
            const { bench } = host
            bench.hasBroken = true
            const { segmentRows } = bench.volume.array
            await someFiles(host, "files")
            const { segment } = bench.volume.log
            assert.equal(await changeSegment(bench.volume.log), true)
            await bench.volume.commit()
            rot(bench, 0, segment * segmentRows)
            assert.equal(await remount(host), true)
            // and once more, before anything was looked at
            assert.equal(await remount(host), true)
            await repairAll(bench)
            assert.equal(bench.volume.repair.found, 1)
            await survivesAnyLoss(host)
        })
    })

describe("store: what only one element holds", function () {
    this.timeout(600_000)

    it("a page that cannot be made from the others is not erased to repair another of its segment [R24] [R28]", async () => {
        const elements = 3
        const host = await fresh(elements, "only")
        const { bench } = host
        const { volume } = bench
        bench.hasBroken = true
        const blocks = 60
        assert.equal(await host.put("big", Buffer.from(new Random("big").bytes(236 * blocks))), 0)
        const { object } = host.tree.get("big")!
        const blockOf = new Map<number, number>()
        for (let block = 0; block < blocks; block++) blockOf.set(await volume.pageOf(object, block), block)
        const columns = elements - 1
        const rows = [...blockOf.keys()]
            .filter(page => page % columns === 0 && blockOf.has(page + 1))
            .map(page => page / columns)
        // of the same rotation, in one segment
        const one = rows.find(row => rows.includes(row + elements))!
        const other = one + elements
        const kept = (other + 1) % elements
        rot(bench, kept, one)
        rot(bench, (other + 2) % elements, other)
        rot(bench, other % elements, other)
        const page = other * columns
        const buffer = Buffer.alloc(260)
        const read = () => readBlock(volume.log, page, object, blockOf.get(page)!, buffer)
        assert.equal(await read(), true)
        assert.equal(await scrubArray(volume.repair, 1000), 0)
        await repairAll(bench)
        const now = await volume.pageOf(object, blockOf.get(page)!)
        assert.equal(await readBlock(volume.log, now, object, blockOf.get(page)!, buffer), true)
    })
})
