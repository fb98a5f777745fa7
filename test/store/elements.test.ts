// What the elements may do: be damaged, silent, behind, foreign, or fail in the middle of an operation.

import { uploadOf } from "../../src/store/volume"
import { commitNumber } from "../../src/store/log"
import assert from "node:assert/strict"
import { checkArray } from "../../tools/check"
import { imagesOf } from "../support/flash-timeline"
import { smallPart, StoreBench } from "../support/store-bench"
import { checkVolume, goodPage } from "../support/store-checker"
import { StoreHost } from "../support/store-host"
import { Random } from "../../tools/sim/random"
import { deadIn } from "../../src/array/array"
import { slotStale } from "../../src/store/label"
import { repairStep } from "../../src/store/repair"
import { findKey } from "../../src/store/tree"

const segmentPages = 64
const readCode = 0x03
const restNs = 3e9

async function fresh(seed: string, log2 = 18, elements = 2): Promise<StoreHost> {
    const bench = new StoreBench(smallPart(log2), segmentPages, seed, elements)
    await bench.mount()
    const host = new StoreHost(bench)
    await host.hello()
    await host.mkdir("d")
    await host.put("d/f", Buffer.from(new Random(seed).bytes(30_000)))
    await host.put("g", Buffer.from("g"))
    return host
}

/** A fault of one bit, or more, somewhere in a page. */
function damage(bench: StoreBench, element: number, page: number, random: Random): void {
    const mask = new Uint8Array(256)
    for (let n = 1 + random.int(3); n > 0; n--) mask[random.int(256)] ^= 1 << random.int(8)
    mask[7] ^= 1
    bench.chips[element].corrupt(page * 256, mask)
}

async function remount(host: StoreHost): Promise<boolean> {
    host.bench.cutPowerNow()
    host.bench.powerUp()
    return await host.bench.mount()
}

/** What a node does after an exception in the middle of an operation. */
async function recovered({ bench }: StoreHost): Promise<boolean> {
    return await bench.volume.mount()
}

describe("store: elements", function () {
    this.timeout(60_000)

    it("each page of one element damaged, at random: read around from the other [R24] [R22]", async () => {
        for (let seed = 0; seed < 12; seed++) {
            const host = await fresh(`damage ${seed}`)
            const { bench } = host
            const random = new Random(seed)
            const upload = await host.create()
            await host.write(upload, Buffer.from(random.bytes(4000)))
            // all of one element, or of each page one copy; without its label and its anchors an element counts as a new one
            for (let page = seed < 4 ? 0 : 16; page < 1024; page++)
                if (bench.chips[0].peek(page * 256, 256).some(byte => byte !== 0xff))
                    damage(bench, seed < 4 ? seed % 2 : random.int(2), page, random)
            assert.equal(await remount(host), true)
            host.check()
            assert.ok((await bench.readFile(host.tree.get("d/f")!.object)).equals(host.tree.get("d/f")!.content))
            assert.equal(await host.commit(upload, "u"), 0)
            assert.equal(await host.put("after", Buffer.alloc(3000)), 0)
            host.check()
        }
    })

    it("the label of one element torn or blank: written again, the element stays [R24] [R23]", async () => {
        const host = await fresh("label")
        const { bench } = host
        for (const element of [0, 1]) {
            damage(bench, element, 0, new Random(1))
            assert.equal(await remount(host), true)
            bench.chips[element].cells.image.clear(0)
            assert.equal(await remount(host), true)
            assert.equal(deadIn(bench.volume.array), 0)
            host.check()
        }
        const labels = bench.chips.map(chip => Buffer.from(chip.peek(0, 256)))
        assert.equal(labels[0].readUInt32LE(12), labels[1].readUInt32LE(12))
    })

    it("the last page good on one element only is written again before anything is built on it [R22] [R23]", async () => {
        for (const keep of [0, 1]) {
            const host = await fresh(`weak ${keep}`)
            const { bench } = host
            const random = new Random(keep)
            // a root, then a page of an upload
            damage(bench, 1 - keep, bench.volume.log.rootPage, random)
            assert.equal(await remount(host), true)
            const root = bench.volume.log.rootPage
            for (const chip of bench.chips) assert.equal(chip.peek(root * 256 + 4, 1)[0], 3)
            const upload = await host.create()
            await host.write(upload, Buffer.from(random.bytes(236 * 3)))
            const { log } = bench.volume
            damage(bench, 1 - keep, log.segment * segmentPages + log.next - 1, random)
            assert.equal(await remount(host), true)
            // now the element that had the only good copy dies
            bench.silent = 1 << keep
            assert.equal(await remount(host), true)
            host.check()
            assert.equal(await host.commit(upload, "u"), 0)
            host.check()
        }
    })

    for (const lost of [0, 1])
        it(`element ${lost} silent from the start, or from any transfer: served by the other; when it comes back it is left out [R22] [R25]`, async () => {
            for (let seed = 0; seed < 10; seed++) {
                const host = await fresh(`silent ${seed}`)
                const { bench } = host
                if (seed > 0) {
                    const transfer = bench.transfer.bind(bench)
                    const at = bench.transfers + seed * 37
                    bench.transfer = async (mask, tx, rx) => {
                        if (bench.transfers >= at) bench.silent = 1 << lost
                        await transfer(mask, tx, rx)
                    }
                } else {
                    bench.silent = 1 << lost
                    assert.equal(await remount(host), true)
                }
                assert.equal(await host.put("d/g", Buffer.alloc(30_000, seed)), 0)
                assert.equal(await host.remove("g"), 0)
                const upload = await host.create()
                await host.write(upload, Buffer.alloc(1000, seed))
                assert.equal(deadIn(bench.volume.array), 1 << lost)
                host.check()
                bench.transfer = StoreBench.prototype.transfer
                bench.silent = 0
                assert.equal(await remount(host), true)
                assert.equal(deadIn(bench.volume.array), 1 << lost, "what it holds is old")
                host.check()
                assert.equal(await host.commit(upload, "u"), 0)
                // alone it would show a state that was left behind
                bench.silent = 1 << (1 - lost)
                const commit = commitNumber(bench.volume.log)
                if (await remount(host))
                    assert.fail(`mounted an old state, ${commitNumber(bench.volume.log)} of ${commit}`)
            }
        })

    for (const way of ["silent", "lying"])
        it(`an element that was ${way} at a mount answers again: it is marked while the array rests, and not believed when it is alone [R22 R31]`, async () => {
            const host = await fresh(`back ${way}`)
            const { bench } = host
            if (way === "silent") bench.silent = 2
            else
                bench.transfer = async (mask, tx, rx) => {
                    await StoreBench.prototype.transfer.call(bench, mask, tx, rx)
                    if (tx[0] === readCode && mask === 2) rx[rx.length - 1] ^= 1
                }
            assert.equal(await remount(host), true)
            assert.equal(deadIn(bench.volume.array), 2)
            assert.equal(await host.put("d/acknowledged", Buffer.alloc(3_000, 7)), 0)
            bench.transfer = StoreBench.prototype.transfer
            bench.silent = 0
            assert.equal(await host.put("d/acknowledged too", Buffer.alloc(3_000, 7)), 0)
            bench.nowNs += restNs
            while (await repairStep(bench.volume.repair, Math.floor(bench.nowNs / 1e6))) bench.nowNs += 1e6
            host.check()
            assert.equal(bench.volume.labels.states[1], slotStale)
            bench.silent = 1
            assert.equal(await remount(host), false)
            bench.silent = 0
            assert.equal(await remount(host), true)
            assert.equal(deadIn(bench.volume.array), 2)
            host.check()
        })

    it("no element answers: an error, nothing acknowledged, and all is there when they come back [R22]", async () => {
        const host = await fresh("none")
        const { bench } = host
        bench.silent = 3
        host.client.sequence++
        await assert.rejects(() => host.client.again(3, 1, 0, Buffer.from("x")))
        bench.silent = 0
        bench.powerUp()
        assert.equal(await bench.mount(), true)
        host.check()
        host.client.sequence--
        assert.equal(await host.mkdir("x"), 0)
        host.check()
    })

    it("labels: two elements of different arrays are refused untouched, a swapped pair is recognised [R31]", async () => {
        const host = await fresh("labels")
        const other = await fresh("labels of another")
        const own = host.bench.snapshot()
        const foreign = other.bench.snapshot()
        const mounted = async (images: (Uint8Array | undefined)[][], segmentRows = segmentPages) => {
            const bench = new StoreBench(smallPart(18), segmentRows, 1)
            bench.load(images)
            const mounts = await bench.mount()
            if (!mounts) assert.equal(bench.operations, 0, "written to")
            else host.copy(bench).check()
            return mounts
        }
        assert.equal(await mounted([own[0], foreign[1]]), false)
        assert.equal(await mounted([own[1], own[0]]), true)
        assert.equal(await mounted(own, 128), true, "the label tells the shape")
        // one element blank, as a new chip: served by the other, the blank one is left out
        for (const blank of [0, 1]) {
            const bench = new StoreBench(smallPart(18), segmentPages, 1)
            const images = bench.snapshot()
            images[1 - blank] = own[1 - blank]
            bench.load(images)
            assert.equal(await bench.mount(), true)
            assert.equal(deadIn(bench.volume.array), 1 << blank)
            assert.equal(new StoreHost(bench).difference(checkVolume(bench)) !== undefined, true)
            host.copy(bench).check()
        }
        // labels lost on both, data there: never formatted over
        const bench = new StoreBench(smallPart(18), segmentPages, 1)
        const images = own.map(sectors => sectors.map((sector, i) => (i === 0 ? undefined : sector)))
        bench.load(images)
        assert.equal(await bench.mount(), false)
        assert.equal(bench.operations, 0)
    })

    it("an exception at any transfer of an operation: recovered, as if the operation had not been, and the retry does it [R22] [R21]", async () => {
        const base = await fresh("exceptions")
        const images = base.bench.snapshot()
        const work = async (host: StoreHost, fails: boolean) => {
            const upload = [...host.uploads.keys()][0]
            const guarded = async (run: () => Promise<number>) => {
                const sequence = host.client.sequence
                const before = uploadOf(host.bench.volume, upload).durable
                try {
                    return await run()
                } catch (error) {
                    if (!fails || !/transfer failed/.test(String(error))) throw error
                    assert.equal(await recovered(host), true)
                    checkVolume(host.bench)
                    assert.ok(uploadOf(host.bench.volume, upload).durable >= before)
                    host.client.sequence = sequence
                    host.uploads.get(upload)!.sent = host.uploads.get(upload)!.sent.subarray(0, 3000)
                    return await run()
                }
            }
            // the same name again is answered from the session when the first run came to its end
            assert.equal(await guarded(() => host.mkdir("m")), 0)
            const rest = Buffer.alloc(500, 5)
            await guarded(async () => ((await host.write(upload, rest)) ? 0 : 6))
            assert.equal(await guarded(() => host.rename("d/f", "d/k")), 0)
        }
        const begin = async (seed: number) => {
            const bench = new StoreBench(smallPart(18), segmentPages, seed)
            bench.load(images)
            await bench.mount()
            const host = base.copy(bench)
            const upload = await host.create()
            await host.write(upload, Buffer.alloc(3000, 5))
            return host
        }
        const plain = await begin(0)
        const from = plain.bench.transfers
        await work(plain, false)
        const to = plain.bench.transfers
        for (let n = from; n < to; n++) {
            const host = await begin(n)
            host.bench.failAt = n
            await work(host, true)
            host.check()
            assert.equal(await remount(host), true)
            host.check()
        }
        console.log(`      ${to - from} exceptions`)
    })

    for (const elements of [2, 3])
        it(`${elements} elements, an exception at any transfer of a request: what a host is told after it outlives a power cut [R22] [R23]`, async () => {
            const begin = async () => {
                const host = await fresh("told after an exception", 18, elements)
                const upload = await host.create()
                await host.write(upload, Buffer.alloc(700, 5))
                return { host, upload }
            }
            const plain = (await begin()).host
            const from = plain.bench.transfers
            assert.equal(await plain.mkdir("m"), 0)
            const to = plain.bench.transfers
            for (let n = from; n < to; n++) {
                const { host, upload } = await begin()
                host.bench.failAt = n
                await assert.rejects(() => host.client.send(3, 1, 1000, Buffer.from("m")), /transfer failed/)
                assert.equal(await recovered(host), true)
                assert.equal(await host.write(upload, Buffer.alloc(500, 6)), true)
                const { acknowledged, sent } = host.uploads.get(upload)!
                const held = checkArray(imagesOf(host.bench)).readUpload(upload)
                assert.ok(
                    held?.equals(sent),
                    `exception ${n - from}: check sees ${held?.length} of ${sent.length} bytes`,
                )
                assert.equal(await remount(host), true, `exception ${n - from} of ${to - from}: mount`)
                assert.ok(uploadOf(host.bench.volume, upload).durable >= acknowledged)
            }
        })

    it("a node that cannot be read on any element: an error for those who need it, the rest of the volume lives [R24]", async () => {
        const host = await fresh("unreadable", 19)
        const { bench } = host
        for (let i = 0; i < 60; i++) assert.equal(await host.mkdir(`${"n".repeat(190)}${i}`), 0)
        const random = new Random(1)
        const file = host.tree.get("d/f")!
        assert.equal(await findKey(bench.volume.tree, file.object, 1), true)
        const page = bench.volume.tree.leaf.readUInt32LE(bench.volume.tree.valueAt)
        assert.ok(goodPage(bench, page))
        for (const element of [0, 1]) damage(bench, element, page, random)
        await assert.rejects(() => bench.readFile(file.object), /status 14/)
        assert.equal(await remount(host), true)
        assert.equal(await host.remove("d/f"), 0)
        host.check()
    })
})
