// A node that lets go of an array in the middle of a mount: who controls it now must not find its elements in the middle of a command.
//
// Promise: what is under way ends, nobody is asked any more, and the mount fails.

import assert from "node:assert/strict"
import { sdParts } from "../../tools/sim/chips/sd-parts"
import { fresh, segmentRows } from "../support/array-work"
import { StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

/** What an element is asked by one command, and the waking of a card. */
const transfersUnderWay = 100

async function withCards(): Promise<StoreHost> {
    const bench = new StoreBench(sdParts.get("sd-tiny")!, segmentRows, "cards", 2)
    assert.equal(await bench.mount(), true)
    const host = new StoreHost(bench)
    await host.hello()
    for (let i = 0; i < 4; i++) await host.put(`f${i}`, Buffer.alloc(2000, i))
    return host
}

for (const [name, make, missing] of [
    ["mirror of chips", () => fresh(2, "let go"), 0],
    ["mirror of chips, one of them missing", () => fresh(2, "let go"), 1],
    ["parity of 3", () => fresh(3, "let go"), 0],
    ["parity of 3, an element missing", () => fresh(3, "let go"), 1],
    ["cards", withCards, 0],
    ["cards, one of them missing", withCards, 1],
] as const)
    it(`store: control is let go of at any transfer of a mount: ${name}: nobody is asked any more [R6] [R31]`, async function () {
        this.timeout(60_000)
        const { bench } = await make()
        bench.hasBroken = true
        bench.isIdleAfterMount = () => false
        if (missing) {
            bench.silent = missing
            // the loss is noted
            await bench.volume.commit()
        }
        const images = bench.snapshot()
        const exchange = bench.exchange.bind(bench)
        let transfers = 0
        let at = Infinity
        bench.exchange = async (tx, rx) => {
            if (transfers++ === at) {
                const { bank } = bench.volume.array
                bank.isLetGo = true
                bank.alive = 0
            }
            await exchange(tx, rx)
        }
        const mount = async () => {
            bench.load(images)
            bench.cutPowerNow()
            bench.powerUp()
            bench.silent = missing
            transfers = 0
            return bench.mount().catch(() => false)
        }
        assert.equal(await mount(), true)
        const all = transfers
        for (let n = 0; n < all; n += Math.max(1, Math.ceil(all / 150))) {
            at = n
            // nothing is left to be asked for by its very end
            if (await mount()) assert.ok(all - n <= transfersUnderWay, `served, let go of at ${n} of ${all}`)
            assert.ok(
                transfers - n <= transfersUnderWay,
                `${transfers - n} transfers after it was let go of at ${n} of ${all}`,
            )
        }
    })
