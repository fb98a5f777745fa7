// What a power cut, wear and bad sectors leave in a chip; each with fixed seeds, so that the same bits come again.

import assert from "node:assert/strict"
import type { Operation } from "../../tools/sim/chips/nor-operations"
import { bytesOf, ChipBench, filled } from "./chip-bench"

const half = Uint8Array.from({ length: 256 }, (_, i) => (i * 37) & 0x7f)

function tornProgram(fraction: number, seed: number): Uint8Array {
    const bench = new ChipBench("tiny", {}, undefined, seed)
    bench.enable()
    bench.send([0x02, 0, 1, 0], half)
    bench.chip.powerLost(bench.nowNs + fraction * 400_000)
    assert.equal(
        bench.chip.peek(0, 256).every(byte => byte === 0xff),
        true,
    )
    assert.equal(
        bench.chip.peek(512, 256).every(byte => byte === 0xff),
        true,
    )
    return bench.chip.peek(256, 256)
}

function tornErase(fraction: number, seed: number, code = 0x20): ChipBench {
    const bench = new ChipBench("tiny", {}, undefined, seed)
    for (const address of [0, 0x1000, 0x8000])
        for (let page = 0; page < 0x1000; page += 256) bench.program(address + page, half)
    bench.enable()
    bench.send([code, ...bytesOf(0)])
    bench.chip.powerLost(bench.nowNs + Math.floor(fraction * (bench.chip.busyUntilNs! - bench.nowNs)))
    return bench
}

describe("SPI-NOR chip: power cut", () => {
    it("a torn program clears a subset of the bits it was asked to clear, and none elsewhere [R23]", () => {
        for (let seed = 0; seed < 200; seed++) {
            const fraction = (seed % 10) / 10
            const page = tornProgram(fraction, seed)
            for (let i = 0; i < 256; i++) assert.equal(page[i] & half[i], half[i], `seed ${seed} byte ${i}`)
        }
    })

    it("torn programs: a prefix, with one byte half done, or scattered; more of it the later the cut [R23]", () => {
        let prefixes = 0
        let scattered = 0
        const doneBits: number[] = []
        for (let seed = 0; seed < 200; seed++) {
            const page = tornProgram(0.5, seed)
            const firstLate = page.findIndex((byte, i) => byte !== half[i])
            const isPrefix = firstLate >= 0 && page.slice(firstLate + 1).every(byte => byte === 0xff)
            if (isPrefix) prefixes++
            else scattered++
            doneBits.push(
                page.reduce((sum, byte, i) => sum + ones(byte ^ 0xff) / Math.max(1, ones(half[i] ^ 0xff)), 0) / 256,
            )
        }
        assert.ok(prefixes > 120 && scattered > 25, `${prefixes} ${scattered}`)
        const mean = doneBits.reduce((a, b) => a + b) / doneBits.length
        assert.ok(Math.abs(mean - 0.5) < 0.05, `${mean}`)
    })

    it("the same seed tears the same bits, another seed others [R37]", () => {
        assert.deepEqual(tornProgram(0.4, 7), tornProgram(0.4, 7))
        const pages = new Set(
            Array.from({ length: 20 }, (_, seed) => Buffer.from(tornProgram(0.4, seed)).toString("hex")),
        )
        assert.ok(pages.size > 3)
    })

    it("cut before: nothing done; cut after: all done [R23]", () => {
        assert.ok(
            tornErase(0, 1)
                .chip.peek(0, 256)
                .every((byte, i) => byte === half[i]),
        )
        assert.ok(
            tornErase(1, 1)
                .chip.peek(0, 4096)
                .every(byte => byte === 0xff),
        )
        const bench = tornErase(1, 1)
        assert.equal(bench.chip.statistics.tornErases, 0)
    })

    it("a torn erase mixes old, zero and erased bytes by progress, touches no other sector, and rarely looks whole [R23]", () => {
        let looksErased = 0
        for (let seed = 0; seed < 160; seed++) {
            const fraction = (seed % 16) / 16 + 0.01
            const bench = tornErase(fraction, seed)
            const sector = bench.chip.peek(0, 4096)
            const erased = sector.filter(byte => byte === 0xff).length / 4096
            if (erased === 1) looksErased++
            else if (fraction > 0.25) {
                const done = (fraction - 0.25) / 0.75
                assert.ok(erased >= done - 0.05 && erased <= done + 0.35, `seed ${seed}: ${erased} at ${fraction}`)
            } else assert.equal(erased, 0, `seed ${seed}`)
            for (let i = 0; i < 256; i++) assert.equal(bench.chip.peek(0x1000, 256)[i], half[i])
            assert.ok(bench.chip.cells.tornSectors.has(0) && !bench.chip.cells.tornSectors.has(1))
        }
        assert.ok(looksErased >= 1 && looksErased <= 15, `${looksErased}`)
    })

    it("a torn 64 KB erase tears each of its sectors in its own way [R23]", () => {
        const bench = tornErase(0.6, 3, 0xd8)
        const states = [0, 0x1000, 0x8000].map(address => Buffer.from(bench.chip.peek(address, 4096)).toString("hex"))
        assert.equal(new Set(states).size, 3)
        assert.equal(bench.chip.cells.tornSectors.size, 16)
    })

    it("a torn chip erase: blocks before the cut erased, one torn, the rest as it was [R23]", () => {
        const bench = new ChipBench("W25Q80")
        for (const address of [0, 0x70000, 0x80000, 0x90000]) bench.program(address, half)
        bench.enable()
        bench.send([0xc7])
        bench.chip.powerLost(bench.nowNs + 2e9 * (8.5 / 16))
        assert.deepEqual([...bench.chip.peek(0, 1), ...bench.chip.peek(0x70000, 1)], [255, 255])
        assert.deepEqual(bench.chip.peek(0x90000, 256), half)
        assert.notDeepEqual(bench.chip.peek(0x80000, 256), half)
        assert.equal(bench.chip.cells.tornSectors.size, 16)
    })

    it("a suspended erase is torn too [R23]", () => {
        const bench = new ChipBench()
        bench.enable()
        bench.send([0x20, 0, 0, 0])
        bench.nowNs += 30e6
        bench.send([0x75])
        bench.chip.powerLost(bench.nowNs + 1e6)
        assert.equal(bench.chip.statistics.tornErases, 1)
    })

    it("power comes back: not busy, not enabled, awake [R23]", () => {
        const bench = tornErase(0.5, 5)
        bench.nowNs += 1e9
        assert.deepEqual([...bench.send([0x9f, 0])], [255, 255])
        bench.chip.powerUp(bench.nowNs)
        assert.equal(bench.status(), 0)
        assert.equal(bench.send([0x9f, 0])[1], 0xef)
    })

    it("a program into a sector whose erase was cut is counted: it may not hold [R23]", () => {
        let seed = 0
        let bench = tornErase(0.9, seed)
        while (bench.chip.peek(0, 4096).some(byte => byte !== 0xff)) bench = tornErase(0.9, ++seed)
        bench.chip.powerUp(bench.nowNs)
        bench.nowNs += 1e9
        bench.program(0, [0])
        assert.equal(bench.chip.statistics.programsOnTornSector, 1)
        assert.deepEqual(bench.violations, [])
        bench.erase(0)
        bench.program(0, [0])
        assert.equal(bench.chip.statistics.programsOnTornSector, 1)
    })

    it("a board that dies while it clocks leaves a command of a part of a byte, which is ignored [R23]", () => {
        const bench = new ChipBench()
        bench.enable()
        const dieAfter = (bytes: number) => {
            const startNs = bench.nowNs
            bench.chip.select(startNs)
            bench.chip.transfer(Uint8Array.from([0x02, 0, 0, 0, 1, 2, 3, 4]), startNs, startNs + 8 * 800, 10_000_000)
            bench.nowNs = startNs + bytes * 800
            bench.chip.abort(bench.nowNs)
            bench.chip.deselect(bench.nowNs)
            bench.wait()
        }
        dieAfter(5.5)
        assert.equal(bench.chip.statistics.ignored.short, 1)
        assert.equal(bench.chip.peek(0, 1)[0], 0xff)
        // On the edge of a byte select rises as if the command were meant to end there
        dieAfter(6)
        assert.deepEqual([...bench.chip.peek(0, 4)], [1, 2, 255, 255])
    })
})

describe("SPI-NOR chip: operation hook", () => {
    it("counts each program and erase, with its time, so that a cut can be placed in it [R37]", () => {
        const seen: Operation[] = []
        const bench = new ChipBench("tiny", { onOperation: operation => void seen.push(operation) })
        bench.program(0x100, [1, 2, 3])
        bench.erase(0x2000)
        assert.deepEqual(
            seen.map(({ index, kind, address, bytes, startNs, endNs }) => [
                index,
                kind,
                address,
                bytes,
                endNs - startNs,
            ]),
            [
                [0, "program", 0x100, 3, 400_000],
                [1, "erase4k", 0x2000, 4096, 45_000_000],
            ],
        )
    })

    it("a cut inside the hook stops the operation before it starts; so does a drop [R37]", () => {
        const bench: ChipBench = new ChipBench("tiny", { onOperation: ({ startNs }) => bench.chip.powerLost(startNs) })
        bench.program(0, [0])
        assert.equal(bench.chip.peek(0, 1)[0], 0xff)
        const dropping = new ChipBench("tiny", { onOperation: () => "drop" })
        dropping.program(0, [0])
        assert.equal(dropping.read(0, 1)[0], 0xff)
        assert.equal(dropping.chip.statistics.programs, 0)
    })
})

describe("SPI-NOR chip: wear", () => {
    it("a bad sector does not hold what is written, its neighbours do [R28]", () => {
        const bench = new ChipBench("tiny", { badSectors: [2] })
        let wrong = 0
        for (let page = 0; page < 16; page++) {
            bench.program(0x1000 + page * 256, half)
            assert.deepEqual(bench.read(0x1000 + page * 256, 256), half)
            bench.program(0x2000 + page * 256, half)
            if (Buffer.compare(bench.read(0x2000 + page * 256, 256), half) !== 0) wrong++
        }
        assert.ok(wrong >= 14, `${wrong}`)
        bench.erase(0x2000)
        assert.ok(bench.read(0x2000, 4096).some(byte => byte !== 0xff))
        assert.equal(bench.chip.statistics.operationsOnBadSector, 17)
    })

    it("a sector wears out after its endurance [R28]", () => {
        const bench = new ChipBench("tiny", { enduranceCycles: 5 })
        for (let cycle = 0; cycle < 5; cycle++) bench.erase(0)
        assert.ok(bench.read(0, 4096).every(byte => byte === 0xff))
        bench.erase(0)
        assert.ok(bench.read(0, 4096).some(byte => byte !== 0xff))
        assert.equal(bench.chip.cells.eraseCounts[0], 6)
    })

    it("damage is what the mask says [R24]", () => {
        const bench = new ChipBench()
        bench.program(0, half)
        bench.chip.corrupt(10, Uint8Array.from([1, 0x80]))
        assert.deepEqual([...bench.read(9, 4)], [half[9], half[10] ^ 1, half[11] ^ 0x80, half[12]])
        assert.equal(filled(1, 1)[0], 1)
    })
})

function ones(byte: number): number {
    let count = 0
    for (let bits = byte; bits; bits &= bits - 1) count++
    return count
}
