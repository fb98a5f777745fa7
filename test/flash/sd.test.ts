// The SD bank over the model of a card: every test ends without a rule of the bus broken.

import assert from "node:assert/strict"
import { pageBufferBytes, pageHeadBytes } from "../../src/flash/bank"
import { SdBank } from "../../src/flash/sd"
import { crc16OfBlock, crc7 } from "../../src/flash/sd-crc"
import type { SdCard } from "../../tools/sim/chips/sd-card"
import { crc16, crc7 as crc7OfBytes } from "../../tools/sim/chips/sd-registers"
import { Random } from "../../tools/sim/random"
import { contentOf, ElementBench, NodeDied, pageOf } from "./element-bench"

function bankOn(bench: ElementBench): SdBank {
    return new SdBank(bench, Buffer.alloc(pageBufferBytes), Buffer.alloc(pageBufferBytes))
}

async function ready(parts: string[], seed: number | string = 1): Promise<{ bench: ElementBench; bank: SdBank }> {
    const bench = new ElementBench(parts, seed)
    const bank = bankOn(bench)
    await bank.identify(parts.length)
    return { bench, bank }
}

function card(bench: ElementBench, slot: number): SdCard {
    return bench.slots[slot] as SdCard
}

async function readBack(bank: SdBank, slot: number, page: number): Promise<Buffer> {
    const buffer = Buffer.alloc(pageBufferBytes)
    await bank.read(slot, page, buffer)
    return buffer.subarray(4)
}

const unreadable = Buffer.alloc(256, 0x5a)

describe("SD bank", () => {
    it("the checksums are those of the specification, for any command and page [R17]", () => {
        const random = new Random("crc")
        for (let i = 0; i < 300; i++) {
            const buffer = Buffer.from(random.bytes(pageBufferBytes))
            const block = new Uint8Array(512)
            block.set(buffer.subarray(4))
            assert.equal(crc16OfBlock(buffer), crc16(block))
            const argument = Buffer.from(random.bytes(4))
            const first = 0x40 | random.int(64)
            assert.equal(crc7(crc7OfBytes([first]), argument.readInt32BE(0)), crc7OfBytes([first, ...argument]))
        }
    })

    it("cards of 4 and 64 GB and none beside them: sizes, ids, the full clock [R17]", async () => {
        const { bench, bank } = await ready(["SDHC-4GB", "", "SDXC-64GB", "sd-tiny", "", ""])
        assert.equal(bank.alive, 0b1101)
        assert.deepEqual([...bank.pages], [7563 * 1024, 0, 0x800000, 2048, 0, 0])
        assert.deepEqual([...bank.ids], [0x7f5457, 0, 0x7f5457, 0x7f5457, 0, 0])
        assert.equal(bank.strideBytes, 512)
        assert.equal(bench.hz, 16_000_000)
        // they initialise themselves at the same time
        assert.ok(bench.nowNs < 500e6, `${bench.nowNs / 1e6} ms`)
        assert.deepEqual(bench.violations, [])
    })

    it("the longest initialisation is waited for; a card that takes longer is not there [R17] [R24]", async () => {
        const bench = new ElementBench(["sd-tiny", "sd-tiny"])
        for (const slot of [0, 1]) card(bench, slot).setTiming("maximum")
        assert.equal(await bankOn(bench).identify(2), 3)
        const slow = new ElementBench(["sd-tiny", "sd-tiny"])
        card(slow, 0).setTiming(60)
        const startNs = slow.nowNs
        assert.equal(await bankOn(slow).identify(2), 2)
        assert.ok(slow.nowNs - startNs < 1.5e9)
        assert.equal(slow.hz, 16_000_000)
    })

    it("pages round trip, the other half of their blocks zeros, with CRCs on [R17]", async () => {
        for (let seed = 0; seed < 8; seed++) {
            const { bench, bank } = await ready(["sd-tiny", "sd-tiny", "sd-tiny"], seed)
            const random = new Random(seed)
            const pages = new Map<number, number>()
            for (let i = 0; i < 30; i++) {
                const page = random.int(2048)
                pages.set(page, i)
                await bank.program(0b101, page, pageOf(i))
            }
            await bank.settle(-1)
            for (const [page, value] of pages) {
                for (const slot of [0, 2]) assert.ok((await readBack(bank, slot, page)).equals(contentOf(value)))
                assert.ok(
                    card(bench, 2)
                        .peek(page * 512 + 256, 256)
                        .every(byte => byte === 0),
                )
                const head = Buffer.alloc(24)
                await bank.read(0, page, head)
                assert.ok(head.subarray(4).equals(contentOf(value).subarray(0, 20)))
            }
            assert.equal(card(bench, 1).statistics.programs, 0)
            assert.equal(card(bench, 0).statistics.wrongData, 0)
            assert.equal(card(bench, 0).statistics.ignored.crc, 0)
            assert.deepEqual(bench.violations, [])
        }
    })

    it("the busy times of a mask's cards overlap [R17]", async () => {
        const { bench, bank } = await ready(["sd-tiny", "sd-tiny", "sd-tiny", "sd-tiny"])
        for (let slot = 0; slot < 4; slot++) card(bench, slot).setTiming(20)
        const startNs = bench.nowNs
        await bank.program(0b1111, 7, pageOf(7))
        await bank.settle(-1)
        assert.ok(bench.nowNs - startNs < 30e6, `${(bench.nowNs - startNs) / 1e6} ms for four of 20 ms`)
    })

    it("erased pages are blank, others are whole; 0x00 or 0xFF by the card [R17]", async () => {
        const { bench, bank } = await ready(["sd-tiny", "sd-tiny-tearing"])
        for (const page of [255, 256, 777, 1023, 1024]) await bank.program(3, page, pageOf(page))
        await bank.erase(3, 256, 768)
        for (let slot = 0; slot < 2; slot++) {
            const blank = Buffer.alloc(256, slot === 0 ? 0xff : 0x00)
            for (const page of [256, 777, 1023]) assert.ok((await readBack(bank, slot, page)).equals(blank))
            for (const page of [255, 1024]) assert.ok((await readBack(bank, slot, page)).equals(contentOf(page)))
        }
        assert.deepEqual(bench.violations, [])
    })

    it("the longest busy and read times of the specification are waited for [R17]", async () => {
        const { bench, bank } = await ready(["sd-tiny", "SDXC-64GB"])
        for (const slot of [0, 1]) card(bench, slot).setTiming("maximum")
        await bank.erase(3, 0, 256)
        for (let page = 0; page < 4; page++) await bank.program(3, page, pageOf(page))
        await bank.settle(-1)
        for (const slot of [0, 1]) assert.ok((await readBack(bank, slot, 3)).equals(contentOf(3)))
        assert.equal(bank.alive, 3)
        assert.deepEqual(bench.violations, [])
    })

    it("a card that stays busy leaves after its bound; its mirror goes on [R24]", async () => {
        const { bench, bank } = await ready(["sd-tiny", "sd-tiny"])
        await bank.program(3, 0, pageOf(0))
        card(bench, 0).faults.staysBusy = true
        const startNs = bench.nowNs
        await bank.settle(-1)
        assert.equal(bank.alive, 2)
        assert.ok(bench.nowNs - startNs < 0.6e9)
        assert.ok(bench.sleepsMs > 400)
        await bank.program(3, 1, pageOf(1))
        assert.ok((await readBack(bank, 1, 1)).equals(contentOf(1)))
        assert.equal(bank.alive, 2)
    })

    it("a card that goes silent leaves, in a write, after one, in an erase and in a read [R24]", async () => {
        for (const when of ["program", "settle", "erase", "read"]) {
            const { bench, bank } = await ready(["sd-tiny", "sd-tiny"])
            if (when === "settle") await bank.program(3, 1, pageOf(1))
            card(bench, 1).faults.silent = true
            const startNs = bench.nowNs
            if (when === "program") await bank.program(3, 1, pageOf(1))
            else if (when === "erase") await bank.erase(3, 0, 256)
            else if (when === "read") assert.ok((await readBack(bank, 1, 1)).equals(unreadable))
            await bank.settle(-1)
            assert.equal(bank.alive, 1, when)
            assert.ok(bench.nowNs - startNs < 0.1e9, when)
            assert.equal(await bank.identify(2), 1, when)
            card(bench, 1).faults.silent = false
            assert.equal(await bank.identify(2), 3, when)
        }
    })

    it("a write error leaves the card out of the array, not its mirror [R24]", async () => {
        const { bench, bank } = await ready(["sd-tiny", "sd-tiny"])
        card(bench, 0).faults.writeErrors.add(9)
        await bank.program(3, 8, pageOf(8))
        await bank.program(3, 9, pageOf(9))
        await bank.settle(-1)
        assert.equal(bank.alive, 2)
        assert.ok((await readBack(bank, 1, 9)).equals(contentOf(9)))
        assert.deepEqual(bench.violations, [])
    })

    it("a block that cannot be read is no page, is not blank, and the card stays [R24] [R22]", async () => {
        const { bench, bank } = await ready(["sd-tiny", "sd-tiny"])
        for (const page of [8, 9, 10]) await bank.program(3, page, pageOf(page))
        await bank.settle(-1)
        card(bench, 0).faults.readErrors.add(9)
        assert.ok((await readBack(bank, 0, 9)).equals(unreadable))
        assert.ok((await readBack(bank, 1, 9)).equals(contentOf(9)))
        assert.ok((await readBack(bank, 0, 10)).equals(contentOf(10)))
        await bank.program(3, 11, pageOf(11))
        await bank.settle(-1)
        assert.equal(bank.alive, 3)
        assert.deepEqual(bench.violations, [])
    })

    it("a bit that tips in a command or in data on the wire is written nowhere [R17] [R22]", async () => {
        const { bench, bank } = await ready(["sd-tiny"])
        const random = new Random("tip")
        const exchange = bench.exchange.bind(bench)
        let tips = 0
        let doTip = false
        bench.exchange = async (tx, rx) => {
            const sent = Buffer.from(tx)
            if (doTip && tips % 5 === 0) sent[random.int(sent.length)] ^= 1 << random.int(8)
            if (doTip) tips++
            await exchange(sent, rx)
        }
        for (let i = 0; i < 200; i++) {
            doTip = true
            await bank.program(1, i, pageOf(i))
            await bank.settle(-1)
            doTip = false
            if (bank.alive !== 1) await bank.identify(1)
        }
        for (let page = 0; page < 2048; page++) {
            const stored = bench.stored(0, page)
            assert.ok(stored.equals(contentOf(page)) || stored.every(byte => byte === 0xff), `page ${page}`)
        }
        assert.ok(card(bench, 0).statistics.wrongData > 5 && card(bench, 0).statistics.ignored.crc > 5)
    })

    it("pages in runs go as multiple writes; settle, a read, an erase or another page ends them [R17]", async () => {
        for (let seed = 0; seed < 12; seed++) {
            const { bench, bank } = await ready(["sd-tiny", "sd-tiny", "sd-tiny"], seed)
            const random = new Random(seed)
            const pages = new Map<string, number>()
            let page = 0
            for (let i = 0; i < 120; i++) {
                bank.inRuns = random.chance(0.9)
                if (random.chance(0.1)) page = random.int(1000)
                const mask = random.chance(0.9) ? 3 : 1 + random.int(7)
                await bank.program(mask, page, pageOf(i))
                for (let slot = 0; slot < 3; slot++) if (mask & (1 << slot)) pages.set(`${slot} ${page}`, i)
                if (random.chance(0.05)) await bank.settle(1 + random.int(7))
                if (random.chance(0.05)) await bank.erase(2, 1024, 64)
                if (random.chance(0.05) && mask & 1) assert.ok((await readBack(bank, 0, page)).equals(contentOf(i)))
                page++
            }
            await bank.settle(-1)
            bench.cutPower()
            for (const [place, value] of pages) {
                const [slot, at] = place.split(" ").map(Number)
                assert.ok(bench.stored(slot, at).equals(contentOf(value)), `seed ${seed}, ${place}`)
            }
            const { commands } = card(bench, 0).statistics
            assert.ok(commands.CMD25 > 10 && commands.CMD25 < 80, JSON.stringify(commands))
            assert.equal(bank.alive, 7)
            assert.deepEqual(bench.violations, [])
        }
    })

    it("in runs: a write error, a silent and a stuck card leave within their bounds [R24]", async () => {
        for (const fault of ["error", "silent", "stuck"]) {
            const { bench, bank } = await ready(["sd-tiny", "sd-tiny"])
            bank.inRuns = true
            await bank.program(3, 4, pageOf(4))
            await bank.program(3, 5, pageOf(5))
            if (fault === "error") card(bench, 0).faults.writeErrors.add(6)
            if (fault === "silent") card(bench, 0).faults.silent = true
            if (fault === "stuck") card(bench, 0).faults.staysBusy = true
            const startNs = bench.nowNs
            await bank.program(3, 6, pageOf(6))
            await bank.program(3, 7, pageOf(7))
            await bank.settle(-1)
            assert.equal(bank.alive, 2, fault)
            assert.ok(bench.nowNs - startNs < 0.8e9)
            for (const page of [4, 5, 6, 7]) assert.ok((await readBack(bank, 1, page)).equals(contentOf(page)))
            assert.deepEqual(bench.violations, [])
        }
    })

    it("power cut in a write: its page old, new or torn, all others whole, and it starts again [R17] [R23]", async () => {
        const seen = { old: 0, new: 0, torn: 0 }
        for (let seed = 0; seed < 60; seed++) {
            const { bench, bank } = await ready(["sd-tiny", "sd-tiny"], seed)
            for (let page = 0; page < 16; page++) await bank.program(3, page, pageOf(page))
            await bank.settle(-1)
            await bank.program(3, 5, pageOf(99))
            const busyNs = bench.slots[0]!.busyUntilNs! - bench.nowNs
            bench.cutPower(bench.nowNs + Math.floor((busyNs * seed) / 60))
            bench.powerUp()
            const after = bankOn(bench)
            assert.equal(await after.identify(2), 3)
            for (const slot of [0, 1])
                for (let page = 0; page < 16; page++) {
                    const content = await readBack(after, slot, page)
                    if (page !== 5) assert.ok(content.equals(contentOf(page)), `seed ${seed} page ${page}`)
                    else if (content.equals(contentOf(5))) seen.old++
                    else if (content.equals(contentOf(99))) seen.new++
                    else seen.torn++
                }
            await after.program(3, 5, pageOf(7))
            await after.settle(-1)
            assert.ok((await readBack(after, 0, 5)).equals(contentOf(7)))
            assert.deepEqual(bench.violations, [])
        }
        assert.ok(seen.old > 10 && seen.new > 10 && seen.torn > 10, JSON.stringify(seen))
    })

    it("settled is durable: a power cut at once takes nothing [R17] [R23]", async () => {
        for (let seed = 0; seed < 20; seed++) {
            const { bench, bank } = await ready(["sd-tiny-tearing"], seed)
            for (let page = 0; page < 12; page++) await bank.program(1, page, pageOf(page))
            await bank.settle(-1)
            bench.cutPower()
            for (let page = 0; page < 12; page++) assert.ok(bench.stored(0, page).equals(contentOf(page)))
        }
    })

    it("the node dies in any transfer, at any point: its partner finds the card and all that was settled [R17] [R14]", async () => {
        const deaths = { write: 0, run: 0, read: 0, erase: 0, identify: 0 }
        const random = new Random("deaths")
        let slowestMs = 0
        for (const [what, count] of [
            ["write", 12],
            ["run", 24],
            ["read", 8],
            ["erase", 8],
            ["identify", 40],
        ] as const)
            for (let n = 0; n < count * 4; n++) {
                const { bench, bank } = await ready(["sd-tiny", "sd-tiny"], `${what}${n}`)
                for (let page = 0; page < 8; page++) await bank.program(3, page, pageOf(page))
                await bank.settle(-1)
                bench.dieAt = bench.transfers + (n >> 2)
                bench.dieFraction = random.int(1000) / 1000
                try {
                    if (what === "write") {
                        await bank.program(3, 20, pageOf(99))
                        await bank.settle(-1)
                    } else if (what === "run") {
                        bank.inRuns = true
                        for (let page = 20; page < 23; page++) await bank.program(3, page, pageOf(99))
                        await bank.settle(-1)
                    } else if (what === "read") {
                        await readBack(bank, 0, 3)
                        await readBack(bank, 1, 4)
                    } else if (what === "erase") await bank.erase(3, 64, 64)
                    else await bankOn(bench).identify(2)
                } catch (error) {
                    if (!(error instanceof NodeDied)) throw error
                    deaths[what]++
                }
                bench.dieAt = -1
                const partner = bankOn(bench)
                const startNs = bench.nowNs
                assert.equal(await partner.identify(2), 3, `${what} ${n}`)
                slowestMs = Math.max(slowestMs, (bench.nowNs - startNs) / 1e6)
                assert.deepEqual(bench.violations, [], `${what} ${n}`)
                for (const slot of [0, 1])
                    for (let page = 0; page < 8; page++)
                        assert.ok((await readBack(partner, slot, page)).equals(contentOf(page)), `${what} ${n} ${page}`)
                await partner.program(3, 20, pageOf(1))
                await partner.settle(-1)
                for (const slot of [0, 1]) assert.ok((await readBack(partner, slot, 20)).equals(contentOf(1)))
                assert.equal(partner.alive, 3)
                assert.deepEqual(bench.violations, [], `${what} ${n}`)
            }
        assert.ok(
            deaths.write > 30 && deaths.run > 70 && deaths.read > 20 && deaths.erase > 20 && deaths.identify > 100,
            JSON.stringify(deaths),
        )
        assert.ok(slowestMs < 300, `${slowestMs} ms`)
    })

    it("the last page whose head is not blank, on cards that are erased to ones and to zeros [R17]", async () => {
        for (const part of ["sd-tiny", "SDHC-4GB"]) {
            const { bench, bank } = await ready([part])
            const head = Buffer.alloc(pageHeadBytes)
            assert.equal(await bank.lastWritten(0, 16, 32, head), 16)
            for (const page of [14, 18, 23]) {
                await bank.program(1, page, pageOf(page))
                await bank.settle(-1)
            }
            for (const [from, last] of [
                [16, 23],
                [22, 23],
                [23, 23],
                [24, 24],
                [31, 31],
            ])
                assert.equal(await bank.lastWritten(0, from, 32, head), last, `${part} from ${from}`)
            assert.equal(await bank.lastWritten(0, 16, 20, head), 18)
            assert.deepEqual(bench.violations, [])
        }
    })
})
