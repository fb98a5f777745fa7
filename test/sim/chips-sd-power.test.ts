// What a power cut leaves on an SD card, and what a board that dies in the middle of a transfer does; each with fixed seeds.

import assert from "node:assert/strict"
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ElementOperation } from "../../tools/sim/chips/element"
import { openChipImage } from "../../tools/sim/chips/open-image"
import { findSdPart } from "../../tools/sim/chips/parts"
import { SparseFileImage } from "../../tools/sim/chips/sparse-image"
import { crc16 } from "../../tools/sim/chips/sd-registers"
import { block, flat, SdBench } from "./sd-bench"

type Outcome = "old" | "new" | "neither"

function outcome(bench: SdBench, at: number, before: Uint8Array, after: Uint8Array): Outcome {
    const now = Buffer.from(bench.card.peek(at * 512, 512))
    return now.equals(before) ? "old" : now.equals(after) ? "new" : "neither"
}

function ready(part: string, seed: number, config = {}): SdBench {
    const bench = new SdBench(part, config, undefined, seed)
    bench.initialise()
    return bench
}

/** Blocks 0 to 15 written; block 5 being written anew when the power goes. */
function cutWrite(part: string, fraction: number, seed: number): SdBench {
    const bench = ready(part, seed)
    for (let i = 0; i < 16; i++) bench.write(i, block(i))
    bench.command(24, 5)
    bench.sendBlock(block(99), 0xfe)
    const endNs = bench.card.busyUntilNs!
    bench.card.powerLost(Math.floor(endNs - 1e6 * (1 - fraction)))
    return bench
}

function again(bench: SdBench): void {
    bench.nowNs += 5e6
    bench.hz = 400_000
    bench.card.powerUp(bench.nowNs)
    bench.nowNs += 2e6
    bench.initialise()
}

describe("SD card: power cut", () => {
    it("a write that is cut leaves old, new or neither in its block, and nothing else changed [R23]", () => {
        const seen = { old: 0, new: 0, neither: 0 }
        let unreadable = 0
        for (let seed = 0; seed < 120; seed++) {
            const bench = cutWrite("sd-tiny", 0.1 + (seed % 8) / 10, seed)
            seen[outcome(bench, 5, block(5), block(99))]++
            for (let i = 0; i < 16; i++) if (i !== 5) assert.equal(outcome(bench, i, block(i), block(i)), "old")
            again(bench)
            if (typeof bench.read(5) === "number") {
                unreadable++
                assert.equal(bench.write(5, block(7)), 5)
                assert.deepEqual(bench.read(5), block(7), "mended by writing it")
            }
            assert.deepEqual(bench.violations, [])
        }
        assert.ok(seen.old > 15 && seen.new > 15 && seen.neither > 25, JSON.stringify(seen))
        assert.ok(unreadable > 0 && unreadable < seen.neither)
    })

    it("cut before it begins, or after its busy time: old, new [R23]", () => {
        assert.equal(outcome(cutWrite("sd-tiny", 0, 1), 5, block(5), block(99)), "old")
        assert.equal(outcome(cutWrite("sd-tiny", 1, 1), 5, block(5), block(99)), "new")
        assert.equal(cutWrite("sd-tiny", 1, 1).card.statistics.cutWrites, 0)
    })

    it("a card that tears neighbours damages blocks of the same flash page, and of no other [R23]", () => {
        let damaged = 0
        for (let seed = 0; seed < 40; seed++) {
            const bench = cutWrite("sd-tiny-tearing", 0.5, seed)
            for (let i = 0; i < 8; i++) if (i !== 5 && outcome(bench, i, block(i), block(i)) === "neither") damaged++
            for (let i = 8; i < 16; i++) assert.equal(outcome(bench, i, block(i), block(i)), "old", `seed ${seed}`)
        }
        assert.ok(damaged > 20, `${damaged}`)
    })

    it("blocks of a multiple write may be lost until it is ended, but for those that no longer fit the card's memory [R22] [R23]", () => {
        let lost = 0
        for (let seed = 0; seed < 40; seed++) {
            const bench = ready("sd-tiny", seed)
            const data = Array.from({ length: 10 }, (_, i) => block(i + 50))
            assert.deepEqual(bench.writeSome(0, data), new Array<number>(10).fill(5))
            bench.card.powerLost(bench.nowNs)
            for (let i = 0; i < 10; i++) {
                const left = outcome(bench, i, flat(0xff), data[i])
                if (i < 6) assert.equal(left, "new", `seed ${seed} block ${i}`)
                else if (left !== "new") lost++
            }
            const ended = ready("sd-tiny", seed)
            ended.writeSome(0, data)
            ended.stop()
            ended.card.powerLost(ended.nowNs)
            for (let i = 0; i < 10; i++) assert.equal(outcome(ended, i, flat(0xff), data[i]), "new")
        }
        assert.ok(lost > 30, `${lost}`)
    })

    it("a cut erase: erased up to somewhere, old from there on [R23]", () => {
        const bench = ready("sd-tiny", 3)
        for (let i = 0; i < 100; i++) bench.write(i, block(i))
        bench.ask(32, 0)
        bench.ask(33, 99)
        bench.command(38)
        const endNs = bench.card.busyUntilNs!
        bench.card.powerLost(endNs - 8e6)
        const erased = (i: number) => outcome(bench, i, flat(0xff), block(i)) === "old"
        for (let i = 0; i < 35; i++) assert.ok(erased(i), `${i}`)
        for (let i = 65; i < 100; i++) assert.ok(!erased(i), `${i}`)
        assert.equal(bench.card.statistics.tornErases, 1)
    })

    it("after power-up the card is in SD mode and wants its clocks again [R23]", () => {
        const bench = ready("sd-tiny", 1)
        bench.card.powerLost(bench.nowNs)
        bench.card.powerUp((bench.nowNs += 1e6))
        bench.nowNs += 2e6
        bench.hz = 400_000
        assert.deepEqual(bench.ask(13, 0, 1), [-1])
        bench.idle(10)
        assert.deepEqual(bench.ask(0), [1])
    })

    it("the same seed tears the same bits [R37]", () => {
        const bytes = (seed: number) => cutWrite("sd-tiny-tearing", 0.5, seed).card.peek(0, 8192)
        assert.deepEqual(bytes(4), bytes(4))
        assert.notDeepEqual(bytes(4), bytes(5))
    })
})

describe("SD card: operations", () => {
    it("each write, end of a multiple write and erase is told of before it starts, and can be dropped [R37]", () => {
        const seen: ElementOperation[] = []
        const bench = ready("sd-tiny", 1, { onOperation: (operation: ElementOperation) => void seen.push(operation) })
        bench.write(3, block(1))
        bench.writeSome(8, [block(1)])
        bench.stop()
        bench.erase(3, 4)
        assert.deepEqual(
            seen.map(({ index, kind, address, bytes }) => [index, kind, address, bytes]),
            [
                [0, "write", 3 * 512, 512],
                [1, "writeOn", 8 * 512, 512],
                [2, "stop", 0, 0],
                [3, "erase", 3 * 512, 1024],
            ],
        )
        const dropping = ready("sd-tiny", 1, { onOperation: () => "drop" })
        dropping.write(3, block(1))
        assert.deepEqual(dropping.read(3), flat(0xff))
    })

    it("a cut from inside the hook: it has not begun [R23]", () => {
        const bench: SdBench = ready("sd-tiny", 1, {
            onOperation: ({ startNs }: ElementOperation) => bench.card.powerLost(startNs),
        })
        bench.command(24, 3)
        bench.sendBlock(block(1), 0xfe)
        assert.equal(outcome(bench, 3, flat(0xff), block(1)), "old")
    })

    it("a board that dies within a transfer: what it had not clocked has not happened, what it had goes on [R23]", () => {
        const data = block(1)
        const crc = crc16(data)
        const bytes = [0xff, 0xfe, ...data, crc >> 8, crc & 255, ...new Array<number>(40).fill(0xff)]
        for (const died of [0, 1, 100, 514, 515, 516, 517, 540]) {
            const bench = ready("sd-tiny", 1)
            bench.command(24, 3)
            const startNs = bench.nowNs
            const programs = bench.card.statistics.programs
            bench.clock(bytes)
            const dieNs = startNs + died * 320 + 100
            bench.card.abort(dieNs)
            bench.card.deselect(dieNs)
            const whole = died >= 516
            assert.equal(bench.card.isBusy(dieNs), whole, `died at ${died}`)
            bench.nowNs += 1e9
            bench.card.isBusy(bench.nowNs)
            assert.equal(outcome(bench, 3, flat(0xff), data), whole ? "new" : "old")
            assert.equal(bench.card.statistics.programs - programs, whole ? 1 : 0)
        }
    })
})

describe("SD card: image on disk", () => {
    let folder: string
    beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "twinfiler-sd-"))))
    afterEach(() => rmSync(folder, { recursive: true }))

    it("gigabytes as holes: contents last, the disk holds only what was written [R37]", () => {
        const part = findSdPart("SDXC-64GB")
        const first = openChipImage(folder, "a", 0, part.bytes, part.erasedByte)
        assert.ok(first instanceof SparseFileImage)
        const bench = new SdBench(part, {}, first)
        bench.initialise()
        bench.write(124_000_000, block(1))
        bench.write(5, block(2))
        bench.write(6, block(3))
        bench.erase(6, 6)
        const file = join(folder, "a", "E0.bin")
        assert.ok(existsSync(file) && statSync(file).size === part.bytes)
        first.close()
        assert.ok(statSync(file).blocks * 512 < 100_000, `${statSync(file).blocks}`)
        const next = new SdBench(part, {}, openChipImage(folder, "a", 0, part.bytes, part.erasedByte))
        next.initialise()
        assert.deepEqual(next.read(124_000_000), block(1))
        assert.deepEqual(next.read(5), block(2))
        assert.deepEqual(next.read(6), flat(0))
        next.erase(0, next.card.cells.blocks - 1)
        assert.deepEqual(next.read(5), flat(0))
        next.write(7, block(4))
        next.card.image.close()
        const third = new SparseFileImage(file, part.bytes)
        assert.equal(third.sector(15_500_000), undefined)
        assert.deepEqual(third.sector(0)?.slice(7 * 512), block(4))
        third.close()
    })

    it("a part of a card erased in one go stays erased, before and after the flush [R37]", () => {
        const image = new SparseFileImage(join(folder, "x.bin"), 256 << 20)
        for (const index of [0, 5_000, 9_999, 20_000]) image.writable(index)[3] = 7
        image.flush()
        image.clearRange(1_000, 10_000)
        image.writable(6_000)[0] = 1
        const left = () => [0, 5_000, 6_000, 9_999, 20_000].filter(index => image.sector(index))
        assert.deepEqual(left(), [0, 6_000, 20_000])
        image.flush()
        assert.deepEqual(left(), [0, 6_000, 20_000])
        image.close()
    })

    it("a large card whose erased bytes are not 0 is refused; a small one is not [R33]", () => {
        assert.throws(() => openChipImage(folder, "a", 0, 1 << 30, 0xff), /erased bytes read 0/)
        const small = openChipImage(folder, "a", 0, 1 << 20, 0xff)
        assert.equal(small.blank, 0xff)
        small.close()
    })
})
