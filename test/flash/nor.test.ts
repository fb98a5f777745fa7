// The NOR bank over the models of the W25Q family.

import assert from "node:assert/strict"
import { pageBufferBytes } from "../../src/flash/bank"
import { NorBank } from "../../src/flash/nor"
import { Random } from "../../tools/sim/random"
import type { SpiNor } from "../../tools/sim/chips/spi-nor"
import { contentOf, ElementBench, pageOf } from "./element-bench"

function bankOn(bench: ElementBench): NorBank {
    return new NorBank(bench, Buffer.alloc(pageBufferBytes), Buffer.alloc(pageBufferBytes))
}

async function readBack(bank: NorBank, slot: number, page: number): Promise<Buffer> {
    const buffer = Buffer.alloc(pageBufferBytes)
    await bank.read(slot, page, buffer)
    return buffer.subarray(4)
}

const family = ["tiny", "W25Q80", "W25Q16JV", "W25Q32JV", "W25Q64JV", "W25Q128JV", "W25Q256JV"]
const log2s = [16, 20, 21, 22, 23, 24, 25]

describe("NOR bank", () => {
    it("every size of the family is known by its JEDEC id, side by side with others [R17]", async () => {
        for (let first = 0; first < family.length; first += 4) {
            const bench = new ElementBench(family.slice(first, first + 4))
            const bank = bankOn(bench)
            const all = (1 << bench.slots.length) - 1
            assert.equal(await bank.identify(bench.slots.length), all)
            for (let slot = 0; slot < bench.slots.length; slot++) {
                assert.equal(bank.pages[slot], 2 ** (log2s[first + slot] - 8), family[first + slot])
                assert.equal(bank.ids[slot], 0xef4000 + log2s[first + slot])
            }
            assert.equal(bank.pages.length, 6)
            assert.equal(bank.strideBytes, 256)
            assert.deepEqual(bench.violations, [])
        }
    })

    it("a program goes to all of its mask in one transfer, and reads back from each [R17]", async () => {
        const bench = new ElementBench(["tiny", "tiny", "tiny", "tiny", "tiny", "tiny"])
        const bank = bankOn(bench)
        await bank.identify(6)
        for (const [page, mask] of [0b11, 0b100, 0b101010, 0b111111, 0b1].entries()) {
            bench.masks.length = 0
            await bank.program(mask, page, pageOf(page))
            assert.deepEqual(bench.masks.filter(m => m === mask).length >= 2, true)
            await bank.settle(-1)
            for (let slot = 0; slot < 6; slot++) {
                const expected = mask & (1 << slot) ? contentOf(page) : Buffer.alloc(256, 0xff)
                assert.ok((await readBack(bank, slot, page)).equals(expected), `page ${page} of slot ${slot}`)
            }
        }
        assert.deepEqual(bench.violations, [])
    })

    it("only the elements that a command needs are waited for [R17]", async () => {
        const bench = new ElementBench(["tiny", "tiny", "tiny"])
        const bank = bankOn(bench)
        await bank.identify(3)
        await bank.erase(0b100, 0, 256)
        const eraseEndNs = bench.slots[2]!.busyUntilNs!
        for (let page = 0; page < 20; page++) await bank.program(0b11, page, pageOf(page))
        await bank.settle(0b11)
        assert.equal(bench.slots[0]!.isBusy(bench.nowNs), false)
        assert.equal(bench.slots[1]!.isBusy(bench.nowNs), false)
        assert.ok(bench.nowNs < eraseEndNs, "the third was not waited for")
        assert.ok((await readBack(bank, 0, 19)).equals(contentOf(19)))
        await bank.program(0b100, 3, pageOf(3))
        assert.ok(bench.nowNs >= eraseEndNs)
        await bank.settle(-1)
        assert.ok((await readBack(bank, 2, 3)).equals(contentOf(3)))
        assert.deepEqual(bench.violations, [])
    })

    it("settle returns with the slowest of its mask, one busy longer than the other either way [R17]", async () => {
        for (const slow of [0, 1]) {
            const bench = new ElementBench(["tiny", "tiny"])
            const bank = bankOn(bench)
            await bank.identify(2)
            ;(bench.slots[slow] as SpiNor).setTiming("maximum")
            await bank.program(3, 1, pageOf(1))
            await bank.settle(3)
            for (const element of bench.slots) assert.equal(element!.isBusy(bench.nowNs), false)
            assert.equal(bank.alive, 3)
            assert.deepEqual(bench.violations, [])
        }
    })

    it("absent, silent at the probe, answering zeros: not alive, and the others are [R17] [R24]", async () => {
        const bench = new ElementBench(["", "tiny", "", "tiny", "tiny", ""])
        bench.slots[3]!.faults.silent = true
        const bank = bankOn(bench)
        assert.equal(await bank.identify(6), 0b10010)
        assert.deepEqual([...bank.pages], [0, 256, 0, 0, 256, 0])
        assert.equal(await bank.identify(4), 0b10)
        assert.deepEqual([...bank.pages], [0, 256, 0, 0, 0, 0])
        bench.floating = 0
        assert.equal(await bank.identify(6), 0b10010)
        const cards = new ElementBench(["sd-tiny", ""])
        assert.equal(await bankOn(cards).identify(6), 0)
    })

    it("an element that goes silent while it programs leaves, the mirror's other goes on [R24]", async () => {
        for (const gone of [0, 1]) {
            const bench = new ElementBench(["tiny", "tiny"])
            const bank = bankOn(bench)
            await bank.identify(2)
            await bank.program(3, 0, pageOf(0))
            bench.slots[gone]!.faults.silent = true
            const startNs = bench.nowNs
            await bank.settle(-1)
            assert.equal(bank.alive, 3 & ~(1 << gone))
            assert.ok(bench.nowNs - startNs < 30e6)
            await bank.program(3, 1, pageOf(1))
            await bank.settle(-1)
            assert.ok((await readBack(bank, 1 - gone, 1)).equals(contentOf(1)))
            assert.equal(bank.alive, 3 & ~(1 << gone))
        }
    })

    it("an element that stays busy leaves after three seconds, and is slept for [R24]", async () => {
        const bench = new ElementBench(["tiny", "tiny"])
        const bank = bankOn(bench)
        await bank.identify(2)
        await bank.program(3, 0, pageOf(0))
        bench.slots[1]!.faults.staysBusy = true
        const startNs = bench.nowNs
        await bank.settle(-1)
        assert.equal(bank.alive, 1)
        assert.ok(bench.nowNs - startNs < 3.2e9)
        assert.ok(bench.sleepsMs > 2900)
        bench.slots[1]!.faults.staysBusy = false
        assert.equal(await bank.identify(2), 3)
    })

    it("pages beyond 16 MB, in turn with others, on chips of both kinds: the register follows [R17]", async () => {
        const bench = new ElementBench(["W25Q256JV", "W25Q128JV", "W25Q256JV"])
        const bank = bankOn(bench)
        await bank.identify(3)
        const pages = [0x1ffff, 0, 0x10000, 0xffff, 0x12345]
        for (const page of pages) {
            await bank.program(0b101, page, pageOf(page))
            if (page < 0x10000) await bank.program(0b010, page, pageOf(page))
        }
        for (const page of pages)
            for (let slot = 0; slot < 3; slot++) {
                if (slot === 1 && page >= 0x10000) continue
                assert.ok((await readBack(bank, slot, page)).equals(contentOf(page)), `page ${page} of slot ${slot}`)
                assert.ok(bench.stored(slot, page).equals(contentOf(page)))
            }
        await bank.erase(0b001, 0xff80, 0x100)
        await bank.settle(-1)
        assert.ok((await readBack(bank, 0, 0xffff)).equals(Buffer.alloc(256, 0xff)))
        assert.ok((await readBack(bank, 0, 0x10000)).equals(Buffer.alloc(256, 0xff)))
        assert.ok((await readBack(bank, 0, 0)).equals(contentOf(0)))
        assert.ok((await readBack(bank, 2, 0xffff)).equals(contentOf(0xffff)))
        assert.deepEqual(bench.violations, [])
    })

    describe("commands that nobody hears", () => {
        /** Those for which `isLost` says so reach no chip, and what is read is ones. */
        function lose(bench: ElementBench, isLost: (mask: number, code: number) => boolean): void {
            const transfer = bench.transfer.bind(bench)
            bench.transfer = async (mask, tx, rx) => {
                if (!isLost(mask, tx[0])) return await transfer(mask, tx, rx)
                bench.nowNs += 100e3
                rx.fill(0xff)
            }
        }
        const cmdProgram = 0x02
        const cmdWriteEnable = 0x06
        const cmdWriteExtended = 0xc5

        for (const code of [cmdWriteEnable, cmdProgram])
            it(`${code === cmdProgram ? "a program" : "its write enable"}: an error, also when a chip goes then [R22] [R24]`, async () => {
                for (const gone of [0, 1, 2]) {
                    const bench = new ElementBench(["tiny", "tiny"])
                    const bank = bankOn(bench)
                    await bank.identify(2)
                    bank.inUse = 3
                    let isLost = false
                    // and with `gone` one chip is, from then on
                    lose(bench, (mask, sent) => {
                        const wasLost = isLost
                        isLost ||= sent === code
                        return (sent === code && !wasLost) || (isLost && (mask & gone) === mask)
                    })
                    await bank.program(3, 40, pageOf(7))
                    await assert.rejects(bank.settle(-1), /page not taken/, `gone: ${gone}`)
                }
            })

        it("one page of a row with parity, and another element of it goes: an error [R22] [R24]", async () => {
            for (const gone of [0b001, 0b100]) {
                const bench = new ElementBench(["tiny", "tiny", "tiny"])
                const bank = bankOn(bench)
                await bank.identify(3)
                bank.inUse = 7
                let isGone = false
                lose(bench, (mask, code) => (mask === 0b010 && code === cmdProgram) || (isGone && mask === gone))
                await assert.rejects(async () => {
                    await bank.program(0b010, 40, pageOf(7))
                    isGone = true
                    await bank.program(0b001, 40, pageOf(8))
                    await bank.program(0b100, 40, pageOf(9))
                    await bank.settle(-1)
                }, /page not taken/)
            }
        })

        it("the address register's: it is written again; an erase never meets the other half [R22] [R17]", async () => {
            for (const code of [cmdWriteEnable, cmdWriteExtended]) {
                const bench = new ElementBench(["W25Q256JV", "W25Q256JV"])
                const bank = bankOn(bench)
                await bank.identify(2)
                await bank.program(3, 300, pageOf(1))
                await bank.settle(-1)
                let lost = 0
                lose(bench, (_, sent) => sent === code && lost++ === 0)
                await bank.erase(3, 0x10000 + 256, 256)
                await bank.program(3, 0x10000 + 300, pageOf(2))
                await bank.settle(-1)
                for (const slot of [0, 1]) {
                    assert.ok(bench.stored(slot, 300).equals(contentOf(1)))
                    assert.ok(bench.stored(slot, 0x10000 + 300).equals(contentOf(2)))
                }
                assert.ok(lost > 1)
            }
        })
    })

    it("a former controller left the register, or four-byte addresses: identify puts it right [R17] [R14]", async () => {
        const bench = new ElementBench(["W25Q256JV"])
        const bank = bankOn(bench)
        await bank.identify(1)
        await bank.program(1, 5, pageOf(5))
        await bank.program(1, 0x10005, pageOf(6))
        await bank.settle(-1)
        const after = bankOn(bench)
        await after.identify(1)
        assert.ok((await readBack(after, 0, 5)).equals(contentOf(5)))
        const enter = Buffer.from([0xb7])
        await bench.transfer(1, enter, Buffer.alloc(1))
        const last = bankOn(bench)
        await last.identify(1)
        assert.ok((await readBack(last, 0, 5)).equals(contentOf(5)))
        assert.ok((await readBack(last, 0, 0x10005)).equals(contentOf(6)))
        assert.deepEqual(bench.violations, [])
    })

    it("identify breaks off the erase of a former controller, and waits neither for its end nor for a silent chip [R17] [R14]", async () => {
        const bench = new ElementBench(["W25Q64JV", "W25Q64JV", "W25Q64JV"])
        const bank = bankOn(bench)
        await bank.identify(3)
        await bank.program(7, 7, pageOf(7))
        await bank.settle(7)
        await bank.erase(7, 256, 256)
        bench.slots[1]!.faults.silent = true
        const startNs = bench.nowNs
        const after = bankOn(bench)
        assert.equal(await after.identify(3), 0b101)
        assert.ok(bench.nowNs - startNs < 10e6, `${bench.nowNs - startNs} ns`)
        for (const slot of [0, 2]) {
            const chip = bench.slots[slot] as SpiNor
            assert.equal(chip.isBusy(bench.nowNs), false)
            assert.equal(chip.statistics.tornErases, 1)
            assert.ok((await readBack(after, slot, 7)).equals(contentOf(7)))
        }
        // what was torn is erased before it is used
        await after.erase(0b101, 256, 256)
        await after.program(0b101, 256, pageOf(256))
        await after.settle(-1)
        for (const slot of [0, 2]) assert.ok((await readBack(after, slot, 256)).equals(contentOf(256)))
        assert.deepEqual(bench.violations, [])
    })

    it("erase takes the largest blocks that fit, and nothing beside them [R17]", async () => {
        const bench = new ElementBench(["W25Q80"])
        const bank = bankOn(bench)
        await bank.identify(1)
        for (const page of [0x6f, 0x70, 0x27f, 0x280]) await bank.program(1, page, pageOf(page))
        await bank.settle(-1)
        bench.operations.length = 0
        await bank.erase(1, 0x70, 0x210)
        await bank.settle(-1)
        assert.deepEqual(
            bench.operations.map(operation => [operation.address >> 8, operation.bytes >> 8]),
            [
                [0x70, 0x10],
                [0x80, 0x80],
                [0x100, 0x100],
                [0x200, 0x80],
            ],
        )
        assert.ok((await readBack(bank, 0, 0x6f)).equals(contentOf(0x6f)))
        assert.ok((await readBack(bank, 0, 0x280)).equals(contentOf(0x280)))
        assert.ok((await readBack(bank, 0, 0x27f)).equals(Buffer.alloc(256, 0xff)))
    })

    it("the last page whose head is not blank: as one look at each head finds it, in a quarter of the transfers [R17] [R26]", async () => {
        const random = new Random("heads")
        const end = 32
        const first = 16
        for (let n = 0; n < 60; n++) {
            const bench = new ElementBench(["tiny", "tiny"], n)
            const bank = bankOn(bench)
            await bank.identify(2)
            // whole pages, a single bit of a head, bits behind a blank head; what lies before the first one asked about is nobody's business
            for (let page = first - 4; page < end; page++) {
                const buffer = pageOf(page)
                const kind = random.int(8)
                if (kind > 2) continue
                if (kind > 0) {
                    buffer.fill(0xff, 4)
                    const at = kind === 1 ? 4 + random.int(20) : 24 + random.int(236)
                    buffer[at] &= ~(1 << random.int(8))
                }
                await bank.program(1, page, buffer)
            }
            await bank.settle(-1)
            const from = first + random.int(end - first)
            let last = from
            for (let page = from + 1; page < end; page++)
                if ((await readBack(bank, 0, page)).subarray(0, 20).some(byte => byte !== 0xff)) last = page
            const before = bench.transfers
            assert.equal(await bank.lastWritten(0, from, end), last, `seed ${n}, from ${from}`)
            assert.ok(bench.transfers - before <= Math.ceil((end - 1 - from) / 4))
            assert.equal(await bank.lastWritten(1, from, end), from, "nothing there")
            assert.deepEqual(bench.violations, [])
        }
    })
})
