// The commands of the W25Q model, one by one, and what it says of a driver that errs.

import assert from "node:assert/strict"
import { spiNorParts } from "../../tools/sim/chips/spi-nor-parts"
import { Violation } from "../../tools/sim/chips/violation"
import { bytesOf, ChipBench, filled } from "./chip-bench"

describe("SPI-NOR chip: commands", () => {
    it("JEDEC id of every part, over and over while clocked [R17]", () => {
        const capacities: Record<string, number> = {
            W25Q256JV: 0x19,
            W25Q128JV: 0x18,
            W25Q64JV: 0x17,
            W25Q32JV: 0x16,
            W25Q16JV: 0x15,
            W25Q80: 0x14,
        }
        for (const [name, capacity] of Object.entries(capacities)) {
            const bench = new ChipBench(name)
            assert.deepEqual([...bench.send([0x9f, 0, 0, 0, 0])], [0xff, 0xef, 0x40, capacity, 0xef], name)
            assert.equal(bench.chip.part.bytes, 2 ** capacity, name)
        }
        assert.equal([...spiNorParts.values()].filter(part => part.real).length, 6)
    })

    it("read back what was programmed, also fast, also split over transfers [R17]", () => {
        const bench = new ChipBench()
        const data = Uint8Array.from({ length: 256 }, (_, i) => i ^ 0x5a)
        bench.program(0x1200, data)
        assert.deepEqual(bench.read(0x1200, 256), data)
        assert.deepEqual(bench.send([0x03, ...bytesOf(0x1200)], filled(100, 0), filled(156, 0)).slice(4), data)
        assert.deepEqual(bench.send([0x0b, ...bytesOf(0x1200), 0], filled(256, 0)).slice(5), data)
        assert.deepEqual(bench.send([0x03], [0], [0x12, 0], filled(256, 0)).slice(4), data)
    })

    it("read runs on over the end of the chip to its start [R17]", () => {
        const bench = new ChipBench()
        bench.program(0, [1, 2])
        bench.program(0xfffe, [8, 9])
        assert.deepEqual([...bench.read(0xfffe, 4)], [8, 9, 1, 2])
    })

    it("program wraps inside its page; beyond 256 bytes the last stand [R17]", () => {
        const bench = new ChipBench()
        bench.program(0x1fe, [1, 2, 3, 4])
        assert.deepEqual([...bench.read(0x1fe, 3)], [1, 2, 0xff])
        assert.deepEqual([...bench.read(0x100, 3)], [3, 4, 0xff])
        const long = Uint8Array.from({ length: 258 }, (_, i) => i & 0x7f)
        long.set([0x71, 0x72], 256)
        bench.program(0x300, long)
        assert.deepEqual([...bench.read(0x300, 3)], [0x71, 0x72, 2])
        assert.deepEqual(bench.violations, [])
    })

    it("a program only clears bits [R17]", () => {
        const bench = new ChipBench()
        bench.program(0, [0xf0])
        bench.program(0, [0x3c])
        assert.equal(bench.read(0, 1)[0], 0x30)
        assert.match(bench.violations[0].message, /bench at 0x000000, .* ms: program over programmed bits/)
    })

    it("an erase sets its own 4, 32, 64 KB or all, whatever address inside names it [R17]", () => {
        const bench = new ChipBench("W25Q80")
        const marks = [0, 0x1000, 0x7000, 0x8000, 0xf000, 0x10000, 0xff000]
        const left = () => marks.filter(address => bench.read(address, 1)[0] !== 0xff)
        for (const address of marks) bench.program(address, [0])
        bench.erase(0x1abc)
        assert.deepEqual(left(), [0, 0x7000, 0x8000, 0xf000, 0x10000, 0xff000])
        bench.erase(0x7fff, 0x52)
        assert.deepEqual(left(), [0x8000, 0xf000, 0x10000, 0xff000])
        bench.erase(0x0001, 0xd8)
        assert.deepEqual(left(), [0x10000, 0xff000])
        bench.enable()
        bench.send([0xc7])
        bench.wait()
        assert.deepEqual(left(), [])
        assert.deepEqual(bench.chip.statistics.erases, { erase4k: 1, erase32k: 1, erase64k: 1, eraseChip: 1 })
        assert.equal(bench.chip.cells.eraseCounts[1], 4)
        assert.equal(bench.chip.cells.eraseCounts[255], 1)
    })

    it("write enable: needed, seen in status, gone after each operation or by 04h [R17]", () => {
        const bench = new ChipBench()
        bench.send([0x02, 0, 0, 0, 0x00])
        bench.send([0x20, 0, 0, 0])
        assert.equal(bench.chip.statistics.ignored.notEnabled, 2)
        assert.equal(bench.status(), 0)
        bench.enable()
        assert.equal(bench.status(), 2)
        bench.send([0x04])
        assert.equal(bench.status(), 0)
        bench.enable()
        bench.send([0x02, 0, 0, 0, 0x00])
        assert.equal(bench.status(), 3)
        bench.wait()
        assert.equal(bench.status(), 0)
    })

    it("a command cut short, or too long, does nothing [R23]", () => {
        const bench = new ChipBench()
        bench.program(0, [0])
        bench.enable()
        bench.send([0x02, 0, 0x10, 0])
        bench.send([0x20, 0, 0])
        bench.send([0x20, 0, 0, 0, 0])
        bench.send([0x06, 0])
        assert.equal(bench.chip.statistics.ignored.short, 4)
        assert.equal(bench.status(), 2)
        assert.equal(bench.read(0, 1)[0], 0)
    })

    it("busy times: typical, maximum and by a factor, as the datasheet has them [R17]", () => {
        const bench = new ChipBench("W25Q128JV")
        const times = () =>
            [bench.program(0, [0]), bench.erase(0), bench.erase(0, 0x52), bench.erase(0, 0xd8)].map(ns => ns / 1e6)
        assert.deepEqual(times(), [0.4, 45, 120, 150])
        bench.chip.setTiming("maximum")
        assert.deepEqual(times(), [3, 400, 1600, 2000])
        bench.chip.setTiming(0.5)
        assert.deepEqual(times(), [0.2, 22.5, 60, 75])
        bench.enable()
        bench.chip.setTiming("typical")
        bench.send([0xc7])
        assert.equal(bench.wait(), 40e9)
    })

    it("status clocked on and on shows busy fall at its time [R17]", () => {
        const bench = new ChipBench()
        bench.enable()
        bench.send([0x02, 0, 0, 0, 1])
        const polls = bench.send([0x05], filled(600, 0)).slice(1)
        const idle = polls.indexOf(0)
        assert.equal(polls[idle - 1], 3)
        assert.ok(Math.abs(idle * 800 - 400_000) <= 1600, `${idle}`)
    })

    it("contents change when the operation ends, not when it is asked [R23]", () => {
        const bench = new ChipBench()
        bench.enable()
        bench.send([0x02, 0, 0, 0, 0x55])
        assert.equal(bench.chip.peek(0, 1)[0], 0xff)
        bench.wait()
        assert.equal(bench.chip.peek(0, 1)[0], 0x55)
    })

    it("suspend lets other places be read and programmed, resume finishes [R28]", () => {
        const bench = new ChipBench()
        bench.program(0x1000, [0x11])
        bench.enable()
        bench.send([0x20, 0, 0, 0])
        bench.nowNs += 10e6
        bench.send([0x75])
        bench.nowNs += 20_000
        assert.equal(bench.send([0x35, 0])[1], 0x80)
        assert.equal(bench.status() & 1, 0)
        assert.equal(bench.read(0x1000, 1)[0], 0x11)
        bench.program(0x1100, [0x22])
        assert.equal(bench.read(0x1100, 1)[0], 0x22)
        bench.send([0x7a])
        const leftMs = bench.wait() / 1e6
        assert.ok(leftMs > 34.9 && leftMs < 35.1, `${leftMs}`)
        assert.equal(bench.send([0x35, 0])[1], 0)
        assert.deepEqual(bench.violations, [])
    })

    it("power down: deaf but for ABh, which gives the device id [R17]", () => {
        const bench = new ChipBench("W25Q128JV")
        bench.send([0xb9])
        bench.nowNs += 3_000
        assert.deepEqual([...bench.send([0x9f, 0, 0, 0])], [255, 255, 255, 255])
        assert.equal(bench.chip.statistics.ignored.asleep, 1)
        assert.equal(bench.send([0xab, 0, 0, 0, 0])[4], 0x17)
        bench.nowNs += 3_000
        assert.equal(bench.send([0x9f, 0])[1], 0xef)
    })

    it("reset takes 66h and 99h together, and tears what is in flight [R23]", () => {
        const bench = new ChipBench()
        bench.enable()
        bench.send([0x20, 0, 0, 0])
        bench.send([0x66])
        bench.send([0x05, 0])
        bench.send([0x99])
        assert.equal(bench.status() & 1, 1)
        assert.equal(bench.chip.statistics.tornErases, 0)
        bench.send([0x66])
        bench.send([0x99])
        assert.equal(bench.chip.statistics.tornErases, 1)
        bench.nowNs += 30_000
        assert.equal(bench.status(), 0)
    })

    it("an unknown command is ignored and counted [R33]", () => {
        const bench = new ChipBench()
        assert.deepEqual([...bench.send([0x77, 0, 0])], [255, 255, 255])
        assert.equal(bench.chip.statistics.ignored.unknown, 1)
    })
})

describe("SPI-NOR chip: violations", () => {
    const hazards: [string, RegExp, (bench: ChipBench) => void][] = [
        [
            "read while busy",
            /read while busy with erase4k at 0x0/,
            bench => (bench.enable(), bench.send([0x20, 0, 0, 0]), bench.read(0, 1)),
        ],
        [
            "write enable while busy",
            /writeEnable while busy/,
            bench => (bench.enable(), bench.send([0x02, 0, 0, 0, 0]), bench.enable()),
        ],
        [
            "program over programmed bits",
            /program over programmed bits/,
            bench => (bench.program(9, [0xfe]), bench.program(8, [1, 2])),
        ],
        ["address beyond the chip", /at 0x010000, .*beyond the 65536 bytes/, bench => bench.read(0x10000, 1)],
        ["03h above 50 MHz", /read at 62.5 MHz/, bench => bench.sendAt(62_500_000, [0x03, 0, 0, 0, 0])],
        [
            "erase while an erase is suspended",
            /erase4k while an operation is suspended/,
            bench => (
                bench.enable(),
                bench.send([0x20, 0, 0, 0]),
                bench.send([0x75]),
                (bench.nowNs += 20_000),
                bench.erase(0x1000)
            ),
        ],
    ]
    for (const [name, message, act] of hazards)
        it(`${name} is reported, and the chip does what a chip does [R17]`, () => {
            const bench = new ChipBench()
            act(bench)
            assert.equal(bench.violations.length, 1)
            assert.match(bench.violations[0].message, message)
        })

    it("without a report callback a violation is thrown [R37]", () => {
        const bench = new ChipBench("tiny", { report: undefined })
        assert.throws(() => bench.read(0x10000, 1), Violation)
    })

    it("a command while busy has no effect [R17]", () => {
        const bench = new ChipBench()
        bench.enable()
        bench.send([0x02, 0, 0, 0, 0x55])
        assert.deepEqual([...bench.read(0, 1)], [0xff])
        assert.equal(bench.chip.statistics.ignored.busy, 1)
    })
})
