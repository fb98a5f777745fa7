// A second element off its wires while the first is being rebuilt, or while a segment of it is written again; and elements that read wrong
// once meanwhile.
//
// Promises: the volume is refused rather than served without what only the second one holds, and nothing is recorded that would leave that
// one out; back with all it had, everything acknowledged is there, and the work goes on to its end. What is read is right or refused.

import assert from "node:assert/strict"
import { deadIn } from "../../src/array/array"
import { rebuildElement } from "../../src/store/rebuild"
import { repairStep, scrubArray } from "../../src/store/repair"
import { Random } from "../../tools/sim/random"
import {
    assertNoFaults,
    change,
    fresh,
    part,
    readAll,
    repairAll,
    scrubAll,
    segmentRows,
    survivesAnyLoss,
} from "../support/array-work"
import { hasWork, PowerCut, type StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

const ok = 0
const any = 0xff
const isFull = process.env.FULL === "1"
const pageBytes = 256
/** Times a node tries to mount an array that it cannot read, in this test; it tries each 5 s. */
const mountTries = 3

async function steps(bench: StoreBench, count: number): Promise<void> {
    for (let i = 0; i < count && hasWork(bench.volume); i++) {
        bench.nowNs += 100e6
        await repairStep(bench.volume.repair, Math.floor(bench.nowNs / 1e6))
    }
}

/** A page of one slot that holds something, from the log's first on. */
function heldPages(bench: StoreBench, slot: number): number[] {
    const held: number[] = []
    for (let page = segmentRows; page < part.bytes / pageBytes; page++)
        if (bench.chips[slot].peek(page * pageBytes, pageBytes).some(byte => byte !== 0xff)) held.push(page)
    return held
}

function damage(bench: StoreBench, slot: number, page: number): void {
    const mask = new Uint8Array(pageBytes)
    mask[100] = 8
    bench.chips[slot].corrupt(page * pageBytes, mask)
}

/** Every file that can be read holds what it must. @returns files that were refused */
async function readsRight(host: StoreHost): Promise<number> {
    let refused = 0
    for (const [path, node] of host.tree) {
        if (node.type !== 1) continue
        let content: Buffer
        try {
            content = await host.bench.readFile(node.object)
        } catch {
            refused++
            continue
        }
        assert.ok(content.equals(node.content), path)
    }
    return refused
}

interface Outages {
    mountsRefused: number
    mountsDone: number
    filesRefused: number
}

/**
 * While `lost` is off its wires: the node tries what it has to do, fails, mounts again and again as the firmware does, and then the element
 * is back.
 */
async function outage(host: StoreHost, lost: number, random: Random, seen: Outages): Promise<void> {
    const { bench } = host
    const again = host.client.again.bind(host.client)
    const write = host.client.write.bind(host.client)
    const flush = host.client.flush.bind(host.client)
    const mountAgain = async () => {
        for (let i = 0; i < mountTries; i++)
            try {
                if (await bench.mount()) {
                    seen.mountsDone++
                    seen.filesRefused += await readsRight(host)
                    await steps(bench, 8)
                } else seen.mountsRefused++
            } catch (failure) {
                if (failure instanceof assert.AssertionError) throw failure
                seen.mountsRefused++
            }
        bench.silent &= ~(1 << lost)
    }
    const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
        try {
            return await work()
        } catch (error) {
            if (error instanceof assert.AssertionError) throw error
            if (!(bench.silent & (1 << lost))) throw error
            await mountAgain()
            bench.cutPowerNow()
            // the host asks again, and compares
            throw new PowerCut("the element is back")
        }
    }
    host.client.again = (op, ...args) => guarded(() => again(op, ...args))
    host.client.write = (object, data) => guarded(() => write(object, data))
    host.client.flush = object => guarded(() => flush(object))
    bench.silent |= 1 << lost
    seen.filesRefused += await readsRight(host)
    // its own work may notice it first, or what a host asks
    if (random.chance(0.5))
        try {
            await steps(bench, 1 + random.int(6))
        } catch {
            await mountAgain()
            assert.equal(await bench.mount(), true)
        }
    await change(host, random, 3)
    host.client.again = again
    host.client.write = write
    host.client.flush = flush
    bench.silent &= ~(1 << lost)
}

for (const elements of [2, 3, 4])
    describe(`store: second losses, ${elements === 2 ? "mirror" : `parity of ${elements}`}`, function () {
        this.timeout(300_000)

        it("a second element off its wires in a rebuild, mounted again and again without it: all is there when it is back [R24] [R25]", async () => {
            const seen = { mountsRefused: 0, mountsDone: 0, filesRefused: 0 }
            for (let n = 0; n < (isFull ? 40 : 10); n++) {
                const host = await fresh(elements, `rebuild ${n}`)
                const { bench } = host
                const random = new Random(`rebuild ${n}`)
                bench.silent = 1
                await change(host, random, 1)
                bench.insert(0)
                assert.equal(await rebuildElement(bench.volume.repair, any, any, 0), ok)
                await steps(bench, n * 3)
                if (bench.volume.array.joining < 0) break
                await outage(host, 1 + (n % (elements - 1)), random, seen)
                assert.equal(await bench.mount(), true)
                await readAll(host)
                await repairAll(bench)
                assert.equal(deadIn(bench.volume.array), 0, "rebuilt")
                assertNoFaults(host, true)
                await survivesAnyLoss(host)
            }
            console.log(`      ${JSON.stringify(seen)}`)
            assert.ok(seen.mountsRefused > 0)
        })

        it("a second element off its wires while a segment is written again: all is there when it is back [R24] [R25]", async () => {
            const seen = { mountsRefused: 0, mountsDone: 0, filesRefused: 0 }
            for (let n = 0; n < (isFull ? 40 : 10); n++) {
                const host = await fresh(elements, `repair ${n}`)
                const { bench } = host
                const random = new Random(`repair ${n}`)
                await repairAll(bench)
                const bad = n % elements
                const held = heldPages(bench, bad)
                damage(bench, bad, held[random.int(held.length)])
                assert.equal(await scrubArray(bench.volume.repair, 1000), ok)
                for (let i = 0; i < 3000 && hasWork(bench.volume) && bench.volume.array.joining < 0; i++)
                    await steps(bench, 1)
                if (bench.volume.array.joining < 0) continue
                await steps(bench, n)
                // written already: then it is one loss, and no second one
                if (bench.volume.array.joining < 0) continue
                await outage(host, (bad + 1 + (n % (elements - 1))) % elements, random, seen)
                assert.equal(await bench.mount(), true)
                await readAll(host)
                await repairAll(bench)
                await scrubAll(bench)
                assert.equal(deadIn(bench.volume.array), 0, "repaired")
                assertNoFaults(host, true)
                await survivesAnyLoss(host)
            }
            console.log(`      ${JSON.stringify(seen)}`)
            assert.ok(seen.mountsRefused > 0)
        })
    })
