// Mounts that read wrong: for a moment, one element or all, or as long as a line is bad. What cannot be read looks as if it had never been
// written; a mount that believed that would go on from an older state, or make the array new.
//
// Promise: such a mount is refused or has everything, and the next one that reads right has everything.

import { uploadOf } from "../../src/store/volume"
import assert from "node:assert/strict"
import { deadIn } from "../../src/array/array"
import { slotForeign, slotMember } from "../../src/store/label"
import { sdParts } from "../../tools/sim/chips/sd-parts"
import { Random } from "../../tools/sim/random"
import {
    change,
    fresh,
    part,
    readAll,
    remount,
    reportOf,
    segmentRows,
    survivesAnyLoss,
    tidyStep,
} from "../support/array-work"
import { StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

const isFull = process.env.FULL === "1"
const instants = isFull ? Infinity : 24

type Glitch = (bench: StoreBench, mask: number, on: boolean) => void
const glitches: Record<string, Glitch> = {
    "answer nothing": (bench, mask, on) => {
        for (const [slot, chip] of bench.chips.entries()) if (mask & (1 << slot)) chip.faults.silent = on
    },
    "read wrong": (bench, mask, on) => {
        for (const [slot, chip] of bench.chips.entries()) if (mask & (1 << slot)) chip.faults.lies = on ? 1 : 0
    },
}

/** Mounts until it is served. @returns how often it was refused */
async function mountUntilServed(bench: StoreBench): Promise<number> {
    for (let refused = 0; refused < 5; refused++) {
        bench.cutPowerNow()
        bench.powerUp()
        if (await bench.mount().catch(() => false)) return refused
    }
    return assert.fail("it is not served any more")
}

/** One glitch at each of many transfers of a mount, each time of the array as it is now. */
async function glitchEverywhere(
    host: StoreHost,
    mask: number,
    ms: number,
    set: Glitch,
): Promise<{ tries: number; refused: number }> {
    const { bench } = host
    const images = bench.snapshot()
    const away = bench.silent
    bench.hasBroken = true
    const exchange = bench.exchange.bind(bench)
    let count = 0
    let at = -1
    let untilNs = 0
    let operations = 0
    bench.exchange = async (tx, rx) => {
        if (count++ === at) untilNs = bench.nowNs + ms * 1e6
        // what all elements do not hear of what is written is lost to all
        const isBad = bench.nowNs < untilNs && bench.operations === operations
        if (isBad) set(bench, mask, true)
        await exchange(tx, rx)
        if (isBad) set(bench, mask, false)
    }
    await mountUntilServed(bench)
    const uploads = bench.volume.uploads.map(({ object, durable }) => ({ object, durable }))
    const transfers = count
    const step = Math.max(1, Math.ceil(transfers / instants))
    let refused = 0
    let tries = 0
    for (let n = tries; n < transfers; n += step, tries++) {
        bench.load(images)
        bench.silent = away
        count = 0
        at = n
        untilNs = 0
        operations = bench.operations
        refused += await mountUntilServed(bench)
        at = -1
        untilNs = 0
        await readAll(host)
        for (const { object, durable } of uploads.filter(upload => upload.object !== 0)) {
            const upload = uploadOf(bench.volume, object)
            assert.ok(upload && upload.durable >= durable, `an upload has ${upload?.durable} of ${durable} bytes, ${n}`)
        }
        // what it wrote does no harm either
        await mountUntilServed(bench)
        await readAll(host)
    }
    bench.exchange = exchange
    return { tries, refused }
}

for (const elements of [2, 3, 4])
    describe(`store: mounts that read wrong, ${elements === 2 ? "mirror" : `parity of ${elements}`}`, function () {
        this.timeout(isFull ? 300_000 : 60_000)

        for (const [name, set] of Object.entries(glitches))
            it(`all elements ${name} for a moment, at any transfer of a mount before it writes: nothing lost [R24] [R25]`, async () => {
                const all = (1 << elements) - 1
                let refused = 0
                let tries = 0
                for (const ms of [0.3, 3, 20]) {
                    const host = await fresh(elements, `glitch ${ms}`)
                    const object = await host.create()
                    await host.write(object, Buffer.alloc(500, 1))
                    await host.bench.volume.commit()
                    await host.write(object, Buffer.alloc(3000, 2))
                    const outcome = await glitchEverywhere(host, all, ms, set)
                    tries += outcome.tries
                    refused += outcome.refused
                }
                console.log(`      ${refused} of ${tries} mounts refused`)
                assert.ok(refused > 0, "there are moments at which it cannot be read")
            })

        for (const [name, set] of Object.entries(glitches))
            it(`one is dead, and another one does ${name} for a moment of a mount: nothing lost [R24]`, async () => {
                const host = await fresh(elements, "degraded glitch")
                host.bench.silent = 1 << 1
                await change(host, new Random("degraded"), 4)
                for (const ms of [0.1, 0.5]) await glitchEverywhere(host, 1, ms, set)
            })

        it("a label that reads wrong the second time does not change the array's shape [R24]", async () => {
            for (const at of [8, 10, 13, 14])
                for (let bit = 0; bit < 8; bit++) {
                    const host = await fresh(elements, "label")
                    const { bench } = host
                    const exchange = bench.exchange.bind(bench)
                    let reads = 0
                    bench.cutPowerNow()
                    bench.powerUp()
                    bench.exchange = async (tx, rx) => {
                        await exchange(tx, rx)
                        const isLabel = rx.length === 260 && tx.subarray(0, 4).equals(Uint8Array.of(3, 0, 0, 0))
                        // its body begins behind the command's four bytes and the header's twenty
                        if (isLabel && ++reads === elements + 1) rx[24 + at - 4] ^= 1 << bit
                    }
                    await bench.mount().catch(() => false)
                    bench.exchange = exchange
                    assert.ok(reads > elements, "the leader's label is read twice")
                    await mountUntilServed(bench)
                    await readAll(host)
                }
        })

        it("a label that is lost for good is written anew, and its element a member at once [R24]", async () => {
            const host = await fresh(elements, "lost label")
            const { bench } = host
            bench.chips[1].corrupt(60, Uint8Array.of(1, 2, 3, 4))
            assert.equal(await remount(host), true)
            const { labels, array } = bench.volume
            assert.deepEqual([labels.states[1], labels.positions[1], deadIn(array)], [slotMember, 1, 0])
            await survivesAnyLoss(host)
        })

        it("the line from the elements is bad for ten mounts: nothing is made new, nothing lost [R24] [R29]", async () => {
            for (const errors of [3e-4, 1e-3, 5e-3, 1]) {
                const host = await fresh(elements, "bad line")
                const { bench } = host
                bench.hasBroken = true
                const exchange = bench.exchange.bind(bench)
                const random = new Random(`bad line ${errors}`)
                bench.exchange = async (tx, rx) => {
                    await exchange(tx, rx)
                    for (let i = 4; i < rx.length; i++)
                        if (errors === 1 && rx.length > 20) rx[i] ^= 0x10
                        else for (let bit = 0; bit < 8; bit++) if (random.chance(errors)) rx[i] ^= 1 << bit
                }
                for (let i = 0; i < 10; i++) await remount(host).catch(() => false)
                bench.exchange = exchange
                assert.equal(await remount(host), true, `${errors}`)
                await readAll(host)
            }
        })

        it("elements that hold something else are not made an array of, and are called foreign [R29]", async () => {
            const bench = new StoreBench(part, segmentRows, "photos", elements)
            bench.hasBroken = true
            const random = new Random("photos")
            const { image } = bench.elements[elements - 1]
            for (let i = 0; i < part.bytes / 4096; i++) image.writable(i).set(random.bytes(4096))
            const before = bench.snapshot()
            assert.equal(await bench.mount(), false)
            assert.equal(bench.volume.labels.states[elements - 1], slotForeign)
            assert.deepEqual(bench.snapshot(), before)
        })

        it("a page of an open upload that no element has any more costs what is lost of it, not the volume [R24]", async () => {
            const host = await fresh(elements, "upload")
            const { bench } = host
            const object = await host.create()
            await host.write(object, Buffer.alloc(100, 1))
            await bench.volume.commit()
            const page = await bench.volume.pageOf(object, 0)
            assert.ok(page > 0)
            const row = Math.floor(page / bench.volume.array.rowPages)
            for (const chip of bench.chips) chip.corrupt(row * 256 + 100, Uint8Array.of(1))
            for (let i = 0; i < 2; i++) {
                assert.equal(await remount(host), true)
                for (const [path, node] of host.tree)
                    assert.ok((await bench.readFile(node.object)).equals(node.content), path)
            }
            assert.deepEqual(
                reportOf(bench).faults.map(({ code }) => code),
                ["page-lost"],
            )
        })
    })

describe("store: mounts that read wrong, and losses that are none", function () {
    this.timeout(30_000)

    for (const mask of [3, 6, 7])
        it(`those of mask ${mask} of four elements answer nothing for a moment: none is left out for good [R24]`, async () => {
            const host = await fresh(4, "moment")
            const { bench } = host
            for (let i = 0; i < 100; i++) await tidyStep(bench)
            bench.silent = mask
            await assert.rejects(async () => {
                for (let i = 0; i < 60; i++) await tidyStep(bench)
            }, /no element answers/)
            bench.silent = 0
            assert.equal(await remount(host), true)
            assert.equal(deadIn(bench.volume.array), 0)
            await readAll(host)
        })

    it("cards whose data comes wrong at the fast clock are not made new [R23] [R29]", async () => {
        const bench = new StoreBench(sdParts.get("sd-tiny")!, segmentRows, "cards", 2)
        assert.equal(await bench.mount(), true)
        const host = new StoreHost(bench)
        assert.equal(await host.hello(), 0)
        for (let i = 0; i < 6; i++) assert.equal(await host.put(`f${i}`, Buffer.alloc(2000, i)), 0)
        bench.hasBroken = true
        const exchange = bench.exchange.bind(bench)
        bench.exchange = async (tx, rx) => {
            await exchange(tx, rx)
            // commands and short answers pass
            if (rx.length > 100) rx[60] ^= 4
        }
        for (let i = 0; i < 3; i++) assert.equal(await remount(host).catch(() => false), false)
        bench.exchange = exchange
        assert.equal(await remount(host), true)
        await readAll(host)
    })
})
