// A W25Q256JV: the three ways beyond 16 MB, and how they get in each other's way.

import assert from "node:assert/strict"
import { bytesOf, ChipBench, filled } from "./chip-bench"

const upper = 0x1000000
const long = (address: number) => [address >>> 24, ...bytesOf(address & 0xffffff)]

class LargeBench extends ChipBench {
    constructor() {
        super("W25Q256JV")
    }

    program4(address: number, data: number[]): void {
        this.enable()
        this.send([0x12, ...long(address), ...data])
        this.wait()
    }

    read4(address: number, bytes: number): number[] {
        return [...this.send([0x13, ...long(address)], filled(bytes, 0)).slice(5)]
    }

    extend(value: number): void {
        this.enable()
        this.send([0xc5, value])
    }

    extended(): number {
        return this.send([0xc8, 0])[1]
    }
}

describe("SPI-NOR chip of 32 MB: 4-byte addresses", () => {
    it("4-byte commands reach all of it whatever the mode: 12h, 13h, 0Ch, 21h, DCh [R17]", () => {
        for (const mode of [0xe9, 0xb7]) {
            const bench = new LargeBench()
            bench.send([mode])
            bench.program4(0x10, [1])
            bench.program4(upper + 0x10, [2])
            bench.program4(upper + 0x10000, [3])
            assert.deepEqual([bench.read4(0x10, 1), bench.read4(upper + 0x10, 1)], [[1], [2]])
            assert.equal(bench.send([0x0c, ...long(upper + 0x10), 0, 0])[6], 2)
            bench.enable()
            bench.send([0x21, ...long(upper + 0x10)])
            bench.wait()
            assert.deepEqual([bench.read4(0x10, 1), bench.read4(upper + 0x10, 1)], [[1], [0xff]])
            bench.enable()
            bench.send([0xdc, ...long(upper + 0x1abcd)])
            bench.wait()
            assert.deepEqual(bench.read4(upper + 0x10000, 1), [0xff])
            assert.equal(bench.chip.eraseCounts[upper / 4096], 1)
            assert.equal(bench.chip.eraseCounts[0], 0)
            assert.deepEqual(bench.violations, [])
        }
    })

    it("4-byte mode: B7h and E9h need no write enable, status-3 shows it, the old commands take four bytes [R17]", () => {
        const bench = new LargeBench()
        assert.equal(bench.send([0x15, 0])[1] & 1, 0)
        bench.send([0xb7])
        assert.equal(bench.send([0x15, 0])[1] & 1, 1)
        bench.enable()
        bench.send([0x02, ...long(upper + 5), 0x55])
        bench.wait()
        assert.deepEqual([...bench.send([0x03, ...long(upper + 5), 0]).slice(5)], [0x55])
        assert.deepEqual([...bench.send([0x0b, ...long(upper + 5), 0, 0]).slice(6)], [0x55])
        for (const code of [0x20, 0x52, 0xd8]) {
            bench.enable()
            bench.send([code, ...long(upper)])
            assert.ok(bench.wait() > 0, `${code}`)
        }
        bench.enable()
        bench.send([0x20, 0, 0, 0])
        assert.equal(bench.chip.statistics.ignored.short, 1, "three bytes are one too few now")
        bench.send([0xe9])
        assert.equal(bench.send([0x15, 0])[1] & 1, 0)
        assert.deepEqual(bench.violations, [])
    })

    it("extended address register: needs write enable and takes it, stands in for the fourth byte [R17]", () => {
        const bench = new LargeBench()
        bench.send([0xc5, 1])
        assert.equal(bench.extended(), 0)
        assert.equal(bench.chip.statistics.ignored.notEnabled, 1)
        bench.extend(1)
        assert.deepEqual([bench.extended(), bench.status()], [1, 0])
        bench.program(0x20, [7])
        assert.deepEqual([...bench.read(0x20, 1)], [7])
        bench.extend(0)
        assert.deepEqual([...bench.read(0x20, 1)], [0xff])
        assert.deepEqual(bench.read4(upper + 0x20, 1), [7])
    })

    it("any 4-byte address overwrites the register: a 3-byte command behind it goes elsewhere [R17]", () => {
        const bench = new LargeBench()
        bench.program(0x20, [1])
        bench.read4(upper, 1)
        assert.equal(bench.extended(), 1)
        assert.deepEqual([...bench.read(0x20, 1)], [0xff])
        bench.read4(0, 1)
        assert.deepEqual([...bench.read(0x20, 1)], [1])
    })

    it("mode and register are gone after power-up, and after a reset [R23]", () => {
        for (const isReset of [true, false]) {
            const bench = new LargeBench()
            bench.extend(1)
            bench.send([0xb7])
            if (isReset) {
                bench.send([0x66])
                bench.send([0x99])
                bench.nowNs += 30_000
            } else {
                bench.chip.powerLost(bench.nowNs)
                bench.chip.powerUp(bench.nowNs)
            }
            assert.deepEqual([bench.extended(), bench.send([0x15, 0])[1] & 1], [0, 0])
        }
    })

    it("beyond the chip, or over the end of 16 MB with three bytes, is a violation [R17]", () => {
        const bench = new LargeBench()
        bench.read(0xffffff, 1)
        bench.read(0xffffff, 2)
        bench.read4(0xffffff, 2)
        bench.read4(2 * upper, 1)
        assert.deepEqual(
            bench.violations.map(({ what, address }) => [what.slice(0, 14), address]),
            [
                ["read over the ", 0xffffff],
                ["address beyond", 2 * upper],
            ],
        )
    })

    it("smaller chips know none of it [R17]", () => {
        const bench = new ChipBench("W25Q128JV")
        for (const code of [0x13, 0x12, 0x21, 0xdc, 0xb7, 0xe9, 0xc5, 0xc8]) bench.send([code, 0, 0, 0, 0, 0])
        assert.equal(bench.chip.statistics.ignored.unknown, 8)
    })
})

describe("SPI-NOR chip: switched faults", () => {
    it("silent: answers 0xFF, does nothing, keeps what it holds [R25]", () => {
        const bench = new ChipBench()
        bench.program(0, [5])
        bench.chip.faults.silent = true
        assert.deepEqual([...bench.send([0x9f, 0, 0, 0])], [255, 255, 255, 255])
        bench.erase(0)
        bench.chip.faults.silent = false
        assert.deepEqual([...bench.read(0, 1)], [5])
    })

    it("lies: some reads come back wrong, the cells and the registers are right; the same seed lies the same [R24]", () => {
        const reads = (seed: number) => {
            const bench = new ChipBench("tiny", {}, undefined, seed)
            bench.program(0, filled(256, 0x5a))
            bench.chip.faults.lies = 0.5
            const all = Array.from({ length: 40 }, () => Buffer.from(bench.read(0, 256)).toString("hex"))
            assert.deepEqual(bench.chip.peek(0, 256), filled(256, 0x5a))
            assert.equal(bench.send([0x9f, 0])[1], 0xef)
            assert.equal(bench.status(), 0)
            return all
        }
        const wrong = reads(1).filter(text => text !== "5a".repeat(256)).length
        assert.ok(wrong > 8 && wrong < 32, `${wrong}`)
        assert.deepEqual(reads(1), reads(1))
    })

    it("takes its time and drops the write [R24]", () => {
        const bench = new ChipBench()
        bench.chip.faults.dropsWrites = 1
        assert.equal(bench.program(0, [5]), 400_000)
        assert.deepEqual([...bench.read(0, 1)], [0xff])
        assert.equal(bench.chip.statistics.dropped, 1)
    })

    it("drops an erase: the program that follows is not to blame for the bits that are still there [R24]", () => {
        const bench = new ChipBench()
        bench.program(0, [5])
        bench.program(0, [9])
        assert.equal(bench.violations.length, 1)
        bench.chip.faults.dropsWrites = 1
        bench.erase(0)
        bench.chip.faults.dropsWrites = 0
        bench.program(0, [9])
        assert.equal(bench.violations.length, 1)
        assert.deepEqual([...bench.read(0, 1)], [5 & 9])
    })

    it("stays busy for ever [R25]", () => {
        const bench = new ChipBench()
        bench.chip.faults.staysBusy = true
        bench.nowNs += 10e9
        assert.equal(bench.status() & 1, 1)
    })

    it("turns busy just when it was found ready: the erase it did not hear may be taken for done [R25]", () => {
        const bench = new ChipBench()
        bench.program(0, [5])
        bench.chip.faults.staysBusy = true
        bench.erase(0)
        bench.chip.faults.staysBusy = false
        bench.program(0, [9])
        assert.deepEqual(bench.violations, [])
        assert.deepEqual([...bench.read(0, 1)], [5 & 9])
    })

    it("a bad erase block leaves bits at 0, a bad program block leaves bits at 1, each only that [R28]", () => {
        const bench = new ChipBench("tiny", { badErases: [1], badPrograms: [2] })
        bench.program(0x1000, filled(256, 0x33))
        assert.deepEqual(bench.read(0x1000, 256), filled(256, 0x33))
        bench.erase(0x1000)
        const left = bench.read(0x1000, 4096).filter(byte => byte !== 0xff).length
        assert.ok(left > 0 && left <= 8, `${left}`)
        for (let page = 0; page < 16; page++) {
            bench.program(0x2000 + page * 256, filled(256, 0x33))
            const wrong = bench.read(0x2000 + page * 256, 256).filter(byte => byte !== 0x33)
            assert.ok(wrong.length > 0 && wrong.length <= 8 && wrong.every(byte => (byte & 0x33) === 0x33))
        }
        bench.erase(0x2000)
        assert.deepEqual(bench.read(0x2000, 4096), filled(4096, 0xff))
    })

    it("endurance can be lowered while it runs; erase counts can be read; a renewed chip has none of it [R28]", () => {
        const bench = new ChipBench()
        for (let i = 0; i < 3; i++) bench.erase(0x3000)
        bench.chip.cells.enduranceCycles = 3
        assert.deepEqual(bench.read(0x3000, 4096), filled(4096, 0xff))
        bench.erase(0x3000)
        assert.notDeepEqual(bench.read(0x3000, 4096), filled(4096, 0xff))
        assert.deepEqual([...bench.chip.eraseCounts].slice(0, 5), [0, 0, 0, 4, 0])
        bench.chip.faults.lies = 1
        bench.chip.renew()
        assert.deepEqual(bench.read(0x3000, 4096), filled(4096, 0xff))
        assert.equal(bench.chip.eraseCounts[3], 0)
    })
})
