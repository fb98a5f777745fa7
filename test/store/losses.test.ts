// Elements lost at the worst moments: while the cleaner moves, while a sector of anchors is begun, while another is being rebuilt, again and
// again for a moment; and a partner that takes over in the middle of a rebuild.
//
// Promise: with one element gone nothing acknowledged is lost; with two, what is read is right or refused.

import { rebuildElement } from "../../src/store/rebuild"
import { repairStep } from "../../src/store/repair"
import { deadIn } from "../../src/array/array"
import { emptySegment } from "../../src/store/volume"
import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import {
    assertNoFaults,
    change,
    fresh,
    part,
    readAll,
    remount,
    repairAll,
    scrubAll,
    segmentRows,
    survivesAnyLoss,
} from "../support/array-work"
import { StoreBench, hasWork } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

const ok = 0
const any = 0xff
const isFull = process.env.FULL === "1"
const sectorPages = 16
const pageBytes = 256

/** First slots of the sectors of the ring, as sequences on one element; 0 = no anchor. */
function sequences(bench: StoreBench, slot: number): number[] {
    return Array.from({ length: segmentRows / sectorPages - 1 }, (_, i) => {
        const page = Buffer.from(bench.chips[slot].peek((i + 1) * sectorPages * pageBytes, pageBytes))
        return page[4] === 4 ? page.readUInt32LE(12) : 0
    })
}

for (const elements of [2, 3, 4])
    describe(`store: losses, ${elements === 2 ? "mirror" : `parity of ${elements}`}`, function () {
        this.timeout(300_000)

        it("an element falls silent at any transfer of cleaning and of what follows [R25] [R21]", async () => {
            const base = await fresh(elements, "cleaning")
            const segment = base.bench.volume.log.segment
            await change(base, new Random("cleaning"), 6)
            const images = base.bench.snapshot()
            const begin = async (): Promise<StoreHost> => {
                const bench = new StoreBench(part, segmentRows, "again", elements)
                bench.load(images)
                assert.equal(await bench.mount(), true)
                return base.copy(bench)
            }
            const run = async (host: StoreHost): Promise<void> => {
                const { volume } = host.bench
                await emptySegment(volume, volume.log.segment === segment ? segment + 1 : segment)
                await emptySegment(volume, segment)
                await change(host, new Random("after"), 1)
            }
            const plain = await begin()
            const from = plain.bench.transfers
            await run(plain)
            const transfers = plain.bench.transfers - from
            const step = isFull ? 1 : Math.ceil(transfers / 60)
            for (let n = 0; n < transfers; n += step) {
                const host = await begin()
                const { bench } = host
                const exchange = bench.exchange.bind(bench)
                const at = bench.transfers + n
                bench.exchange = async (tx, rx) => {
                    if (bench.transfers >= at) bench.silent = 1 << (n % elements)
                    await exchange(tx, rx)
                }
                try {
                    await run(host)
                    await readAll(host)
                    assert.equal(await remount(host), true)
                    await readAll(host)
                } catch (error) {
                    ;(error as Error).message += ` (silent from transfer ${n} of ${transfers})`
                    throw error
                }
            }
        })

        it("the first anchor of a sector is torn on all elements but one, which is lost later [R23] [R25]", async () => {
            const host = await fresh(elements, "torn anchor")
            const { bench } = host
            const random = new Random("torn anchor")
            let done = 0
            for (let i = 0; i < 60 && done < 2; i++) {
                const before = sequences(bench, 0)
                assert.equal(await remount(host), true)
                const began = sequences(bench, 0).findIndex((sequence, at) => sequence !== before[at])
                if (began >= 0) {
                    // as if that mount had been cut there
                    for (let slot = 1; slot < elements; slot++)
                        bench.chips[slot].corrupt((began + 1) * sectorPages * pageBytes + 40, new Uint8Array([1]))
                    assert.equal(await remount(host), true)
                    await change(host, random, 3)
                    const images = bench.snapshot()
                    bench.silent = 1
                    assert.equal(await remount(host), true)
                    await readAll(host)
                    bench.silent = 0
                    bench.load(images)
                    assert.equal(await remount(host), true)
                    done++
                }
            }
            assert.equal(done, 2)
        })

        it("the header of an old sector's first anchor rots to a higher sequence: not believed [R24]", async () => {
            for (let slot = 0; slot < elements; slot++) {
                const host = await fresh(elements, `header ${slot}`)
                const { bench } = host
                const random = new Random(`header ${slot}`)
                while (sequences(bench, slot).some(sequence => sequence === 0)) assert.equal(await remount(host), true)
                await change(host, random, 6)
                const found = sequences(bench, slot)
                const oldest = found.indexOf(Math.min(...found))
                bench.chips[slot].corrupt((oldest + 1) * sectorPages * pageBytes + 13, new Uint8Array([0x40]))
                assert.equal(await remount(host), true)
                await readAll(host)
            }
        })

        it("the partner takes over in the middle of a rebuild: it goes on, and any other may be lost after [R25] [R7]", async () => {
            const host = await fresh(elements, "takeover")
            const { bench } = host
            const random = new Random("takeover")
            bench.silent = 2
            await change(host, random, 2)
            bench.insert(1)
            assert.equal(await rebuildElement(bench.volume.repair, any, any, 0), ok)
            let takeovers = 0
            for (let i = 0; i < 3000 && hasWork(bench.volume); i++) {
                bench.nowNs += 100e6
                await repairStep(bench.volume.repair, Math.floor(bench.nowNs / 1e6))
                // the elements keep their power; the old controller is not heard of again
                if (i % 5 === 4 && takeovers < 20) {
                    assert.equal(await bench.mount(), true)
                    takeovers++
                    if (takeovers % 3 === 0) await change(host, random, 1)
                    await readAll(host)
                }
            }
            assert.ok(takeovers > 2)
            assert.equal(deadIn(bench.volume.array), 0)
            await repairAll(bench)
            assertNoFaults(host, true)
            await survivesAnyLoss(host)
        })

        it("the element being filled dies, at any time; the next one is filled to the end [R25]", async () => {
            for (let n = 0; n < (isFull ? 30 : 6); n++) {
                const host = await fresh(elements, `target ${n}`)
                const { bench } = host
                const random = new Random(`target ${n}`)
                bench.silent = 1
                await change(host, random, 1)
                bench.insert(0)
                assert.equal(await rebuildElement(bench.volume.repair, any, any, 0), ok)
                for (let i = 0; i < n * 3 && hasWork(bench.volume); i++) {
                    bench.nowNs += 100e6
                    await repairStep(bench.volume.repair, Math.floor(bench.nowNs / 1e6))
                }
                bench.silent = 1
                await repairAll(bench)
                await change(host, random, 2)
                await readAll(host)
                assert.equal(await remount(host), true)
                await readAll(host)
                bench.insert(0)
                assert.equal(await rebuildElement(bench.volume.repair, any, any, 0), ok)
                await repairAll(bench)
                assertNoFaults(host, true)
                await survivesAnyLoss(host)
            }
        })

        it("a second element dies while the first is being replaced: what is read is right or refused [R25] [R24]", async () => {
            let right = 0
            let refused = 0
            for (let n = 0; n < (isFull ? 40 : 8); n++) {
                const host = await fresh(elements, `second ${n}`)
                const { bench } = host
                bench.silent = 1
                await change(host, new Random(n), 1)
                bench.insert(0)
                assert.equal(await rebuildElement(bench.volume.repair, any, any, 0), ok)
                for (let i = 0; i < n * 3 && bench.volume.array.joining >= 0; i++) {
                    bench.nowNs += 100e6
                    await repairStep(bench.volume.repair, Math.floor(bench.nowNs / 1e6))
                }
                bench.silent = 2
                for (const [path, node] of host.tree)
                    try {
                        assert.ok((await bench.readFile(node.object)).equals(node.content), path)
                        right++
                    } catch (error) {
                        if (error instanceof assert.AssertionError) throw error
                        refused++
                    }
                // back with all it had: everything is there again
                bench.silent = 0
                assert.equal(await remount(host), true)
                await readAll(host)
            }
            console.log(`      ${right} files read, ${refused} refused`)
        })

        it("an element that comes and goes for moments while it is written to: nothing lost, whatever it missed [R7] [R25]", async () => {
            for (let n = 0; n < (isFull ? 60 : 12); n++) {
                const host = await fresh(elements, `flap ${n}`)
                const { bench } = host
                const random = new Random(`flap ${n}`)
                const flap = new Random(`moments ${n}`)
                const exchange = bench.exchange.bind(bench)
                const mask = 1 << (n % elements)
                let left = 0
                bench.exchange = async (tx, rx) => {
                    if (left-- <= 0) {
                        bench.silent = bench.silent ? 0 : mask
                        left = bench.silent ? flap.int(4) : 20 + flap.int(400)
                    }
                    await exchange(tx, rx)
                }
                bench.hasBroken = true
                await change(host, random, 12)
                bench.exchange = exchange
                bench.silent = 0
                for (const [path, node] of host.tree)
                    assert.ok((await bench.readFile(node.object)).equals(node.content), path)
                assert.equal(await remount(host), true)
                await readAll(host)
                await scrubAll(bench)
                await readAll(host)
            }
        })
    })
