// The line to all elements of an array is open for a moment, at any transfer of the work on it: what is sent then, or a part of it, nobody
// hears, and what is read is ones. None of the elements says so.
//
// Promises: what was acknowledged is there, no element is given up, and a chip is never asked for what it cannot do.

import assert from "node:assert/strict"
import { deadIn } from "../../src/array/array"
import { sdParts } from "../../tools/sim/chips/sd-parts"
import { Random } from "../../tools/sim/random"
import {
    change,
    fresh,
    readAll,
    remount,
    scrubAll,
    segmentRows,
    survivesAnyLoss,
    tidyStep,
} from "../support/array-work"
import { StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

const isFull = process.env.FULL === "1"
const rounds = isFull ? 4_000 : 250
/** As long as one of a card is waited for. */
const longestNs = 20e6
const lengthsNs = [2e3, 20e3, 100e3, 400e3, 2e6, 8e6, longestNs]
/** A transfer takes no longer. */
const transferNsMax = 250e3
const failures = /^(no element answers|page not taken)$/

/** Opens the line once, from the n-th transfer from now on. */
function openAt({ bench }: StoreHost, transfers: number, random: Random): () => void {
    const exchange = bench.exchange.bind(bench)
    let count = transfers
    bench.exchange = async (tx, rx) => {
        if (count-- === 0) {
            const ns = lengthsNs[random.int(lengthsNs.length)] * (0.3 + 0.7 * random.float())
            bench.openLine(bench.nowNs + random.float() * transferNsMax, ns)
        }
        await exchange(tx, rx)
    }
    return () => {
        bench.exchange = exchange
    }
}

async function worksThrough(host: StoreHost, random: Random): Promise<void> {
    const { bench } = host
    host.mountsAgainAfter = failures
    for (let round = 0; round < rounds; round++) {
        const before = bench.transfers
        await change(host, random, 1)
        const stop = openAt(host, random.int(2 * (bench.transfers - before)), random)
        for (let i = 0; i < 2; i++) {
            await change(host, random, 1)
            await host.idle(1)
        }
        stop()
        bench.nowNs += 50e6
        // one of which a segment is written again is none
        const { array } = bench.volume
        const repaired = array.joining < 0 ? 0 : 1 << array.joining
        assert.equal(deadIn(array) & ~repaired, 0, `round ${round}: an element was given up`)
        for (const [path, { content, object }] of host.tree)
            assert.ok((await bench.readFile(object)).equals(content), `round ${round}: ${path}`)
        if (round % 50 === 49) {
            assert.equal(await remount(host), true)
            await readAll(host)
            for (let i = 0; i < 20; i++) await tidyStep(bench)
        }
    }
    console.log(`      ${host.mountsAgain} of ${rounds} made a mount`)
    await scrubAll(bench)
    await survivesAnyLoss(host)
}

describe("store: the line to the elements is open for a moment", function () {
    this.timeout(isFull ? 1_800_000 : 180_000)

    for (const elements of [2, 3, 4])
        it(`${elements} chips: nothing lost, none given up [R22] [R24]`, async () => {
            const host = await fresh(elements, `line ${elements}`)
            await worksThrough(host, new Random(`line ${elements}`))
            assert.ok(host.mountsAgain > 0, "chips do not say that they heard nothing")
        })

    for (const elements of [2, 3])
        it(`${elements} cards: nothing lost, none given up [R22] [R24]`, async () => {
            const bench = new StoreBench(sdParts.get("sd-tiny")!, segmentRows, `line cards ${elements}`, elements)
            assert.equal(await bench.mount(), true)
            const host = new StoreHost(bench)
            assert.equal(await host.hello(), 0)
            for (let i = 0; i < 8; i++) assert.equal(await host.put(`f${i}`, Buffer.alloc(700 + 300 * i, i)), 0)
            await worksThrough(host, new Random(`line cards ${elements}`))
        })
})
