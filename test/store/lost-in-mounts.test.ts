// An element that is lost in the middle of a mount: whoever mounts next knows of it.

import assert from "node:assert/strict"
import { deadIn } from "../../src/array/array"
import { titleOf } from "../support/cut-stages"
import { fresh, readAll, remount } from "../support/array-work"

const isFull = process.env.FULL === "1"
/** Of the transfers of a mount, each of so many. */
const transfersApart = isFull ? 1 : 7

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
    })
