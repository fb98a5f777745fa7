// The SD card model, command by command: what a driver must do, what it may rely on, and what it is told when it errs.

import assert from "node:assert/strict"
import { findSdPart } from "../../tools/sim/chips/parts"
import { crc16, crc7 } from "../../tools/sim/chips/sd-registers"
import { Violation } from "../../tools/sim/chips/violation"
import { block, flat, SdBench } from "./sd-bench"

function ready(...options: ConstructorParameters<typeof SdBench>): SdBench {
    const bench = new SdBench(...options)
    bench.initialise()
    return bench
}

describe("SD card: initialisation", () => {
    it("checksums are those of the specification's examples [R17]", () => {
        // 4.5: CMD0, CMD17 of address 0, and 512 bytes of 0xFF
        assert.equal((crc7([0x40, 0, 0, 0, 0]) << 1) | 1, 0x95)
        assert.equal(crc7([0x51, 0, 0, 0, 0]), 0b0101010)
        assert.equal(crc16(flat(0xff)), 0x7fa1)
    })

    it("deaf until 74 clocks with select high, of at most 400 kHz and not before 1 ms [R17]", () => {
        const bench = new SdBench()
        bench.idle(9)
        assert.deepEqual(bench.ask(0), [-1])
        const fast = new SdBench()
        fast.hz = 10_000_000
        fast.idle(100)
        fast.hz = 400_000
        assert.deepEqual(fast.ask(0), [-1])
        const early = new SdBench()
        early.nowNs = 100_000
        early.idle(20)
        assert.deepEqual(early.ask(0), [-1])
        early.nowNs = 1_000_000
        early.idle(20)
        assert.deepEqual(early.ask(0), [1])
        assert.equal(early.card.statistics.ignored.unwoken, 1)
    })

    it("CMD0 needs its CRC, and the line floats until it is answered [R17]", () => {
        const bench = new SdBench()
        bench.idle(10)
        assert.deepEqual(bench.ask(0, 0, 0, 0x97), [-1])
        assert.deepEqual(bench.ask(8, 0x1aa, 4), [-1])
        bench.select()
        assert.equal(bench.card.transfer(Uint8Array.of(0xff), bench.nowNs, bench.nowNs + 20_000, 400_000).drivenFrom, 1)
        assert.deepEqual(bench.ask(0), [1])
        bench.select()
        assert.equal(bench.card.transfer(Uint8Array.of(0xff), bench.nowNs, bench.nowNs + 20_000, 400_000).drivenFrom, 0)
    })

    it("CMD8 echoes the pattern, knows one voltage, and its CRC is always checked [R17]", () => {
        const bench = new SdBench()
        bench.idle(10)
        bench.ask(0)
        assert.deepEqual(bench.ask(8, 0x15a, 4), [1, 0, 0, 1, 0x5a])
        assert.deepEqual(bench.ask(8, 0x25a, 4), [1, 0, 0, 0, 0x5a])
        assert.deepEqual(bench.ask(8, 0x1aa, 0, 0x01), [0x09])
        assert.deepEqual(bench.ask(58, 0, 4, 0x01), [1, 0, 0xff, 0x80, 0], "CRC is off for the others")
    })

    it("never ready without CMD8, or without HCS; else after its time [R17]", () => {
        for (const [condition, argument] of [
            [false, 0x40000000],
            [true, 0],
        ] as const) {
            const bench = new SdBench()
            bench.idle(10)
            bench.ask(0)
            if (condition) bench.ask(8, 0x1aa, 4)
            for (let i = 0; i < 5; i++, bench.nowNs += 1e9) assert.deepEqual(bench.askApp(41, argument), [1])
        }
        const bench = new SdBench()
        const startNs = bench.nowNs
        assert.ok(bench.initialise() > 1)
        assert.ok(bench.nowNs - startNs > 20e6)
        const slow = new SdBench("sd-tiny", { timing: "maximum" })
        assert.ok(slow.initialise() > 500)
        assert.ok(slow.nowNs < 1.2e9)
        assert.deepEqual(bench.ask(58, 0, 4), [0, 0xc0, 0xff, 0x80, 0])
        assert.deepEqual([...bench.violations, ...slow.violations], [])
    })

    it("before it is ready only what initialises is legal; CMD41 without CMD55 never [R17]", () => {
        const bench = new SdBench()
        bench.idle(10)
        bench.ask(0)
        for (const index of [9, 17, 24, 13, 41, 1]) assert.deepEqual(bench.ask(index), [0x05], `CMD${index}`)
        bench.initialise()
        for (const index of [1, 41, 3, 23, 63]) assert.deepEqual(bench.ask(index), [0x04], `CMD${index}`)
    })

    it("faster than 400 kHz before it is ready, or than 25 MHz after, is a violation [R17]", () => {
        const bench = new SdBench()
        bench.idle(10)
        bench.ask(0)
        bench.hz = 500_000
        bench.select()
        bench.byte()
        assert.match(bench.violations[0].message, /0\.5 MHz; a sd-tiny takes 0\.4 MHz until it is initialised/)
        const fast = ready()
        fast.hz = 31_000_000
        fast.select()
        fast.byte()
        assert.match(fast.violations[0].message, /31 MHz; a sd-tiny takes 25 MHz/)
        const alone = new SdBench("sd-tiny", { report: undefined })
        alone.idle(10)
        alone.ask(0)
        alone.hz = 1e6
        alone.select()
        assert.throws(() => alone.byte(), Violation)
    })

    it("one that nobody has woken yet understands nothing at a higher clock, as it may stand in another's stead [R17] [R25]", () => {
        const bench = new SdBench()
        bench.idle(10)
        bench.hz = 25_000_000
        assert.deepEqual(bench.ask(0), [-1])
        assert.deepEqual(bench.ask(17), [-1])
        assert.deepEqual(bench.violations, [])
        bench.hz = 400_000
        assert.deepEqual(bench.ask(0), [1])
    })

    it("registers: size from CSD, name from CID, erased value from SCR, with right CRCs [R17]", () => {
        for (const name of ["sd-tiny", "SDHC-4GB", "SDXC-64GB"]) {
            const bench = ready(name)
            const register = (index: number, bytes: number) => {
                assert.equal(bench.command(index)[0], 0)
                const data = bench.data(bytes) as Uint8Array
                bench.deselect()
                return data
            }
            const csd = register(9, 16)
            assert.equal(csd[0] >> 6, 1)
            const size = ((csd[7] & 0x3f) << 16) | (csd[8] << 8) | csd[9]
            assert.equal((size + 1) * 512 * 1024, findSdPart(name).bytes)
            assert.equal(csd[15], (crc7(csd.slice(0, 15)) << 1) | 1)
            const cid = register(10, 16)
            assert.equal(cid[15], (crc7(cid.slice(0, 15)) << 1) | 1)
            bench.ask(55)
            assert.equal(register(51, 8)[1] >> 7, name === "sd-tiny" ? 1 : 0)
            assert.deepEqual(bench.violations, [])
        }
    })
})

describe("SD card: blocks", () => {
    it("read back what was written, single and multiple, mixed [R17]", () => {
        const bench = ready()
        assert.equal(bench.write(7, block(1)), 0x05)
        assert.deepEqual(bench.writeSome(100, [block(2), block(3), block(4)]), [5, 5, 5])
        bench.stop()
        assert.deepEqual(bench.read(7), block(1))
        assert.deepEqual(bench.readMany(99, 4), [flat(0xff), block(2), block(3), block(4)])
        assert.deepEqual(bench.read(102), block(4))
        assert.deepEqual(bench.askApp(22), [0])
        assert.deepEqual(bench.violations, [])
        assert.equal(bench.card.statistics.programs, 4)
    })

    it("answers come 1 to 8 bytes after the command, data after the access time [R17]", () => {
        const bench = ready()
        const delays = new Set<number>()
        for (let i = 0; i < 200; i++) {
            bench.select()
            bench.clock([0xff, 0x4d, 0, 0, 0, 0, 0x0d])
            const answer = [...bench.clock(flat(0xff).slice(0, 12))]
            delays.add(answer.findIndex(byte => byte < 0x80))
            bench.deselect()
        }
        assert.deepEqual(
            [...delays].sort((a, b) => a - b),
            [1, 2, 3, 4, 5, 6, 7, 8],
        )
        const startNs = bench.nowNs
        bench.read(0)
        assert.ok(bench.nowNs - startNs > 400_000)
        bench.card.setTiming("maximum")
        bench.hz = 400_000
        const slowNs = bench.nowNs
        bench.read(0)
        assert.ok(bench.nowNs - slowNs > 100e6)
    })

    it("busy: line low, for up to 250 ms and 500 ms, also when selected again [R17]", () => {
        for (const [name, mostMs] of [
            ["SDHC-4GB", 250],
            ["SDXC-64GB", 500],
        ] as const) {
            const bench = ready(name)
            bench.card.setTiming("maximum")
            bench.command(24, 5)
            bench.sendBlock(block(1), 0xfe)
            assert.equal(bench.byte(), 0)
            const startNs = bench.nowNs
            bench.deselect()
            bench.select()
            assert.equal(bench.byte(), 0)
            bench.poll()
            const ms = (bench.nowNs - startNs) / 1e6
            assert.ok(ms > mostMs - 1 && ms < mostMs + 1, `${ms}`)
        }
    })

    it("the byte after the stop token is not yet busy; neither is the stuff byte of CMD12 an answer [R17]", () => {
        const bench = ready()
        bench.writeSome(0, [block(1)])
        bench.clock([0xff, 0xfd])
        assert.equal(bench.byte(), 0xff)
        assert.equal(bench.byte(), 0x00)
        bench.poll()
        bench.deselect()
        const stuffs = new Set<number>()
        for (let i = 0; i < 20; i++) {
            bench.command(18, 0)
            bench.data()
            bench.clock([0xff, 0x4c, 0, 0, 0, 0, 0x61])
            stuffs.add(bench.byte())
            let answer = 0xff
            while (answer & 0x80) answer = bench.byte()
            assert.equal(answer, 0)
            bench.deselect()
        }
        assert.ok(stuffs.size > 5)
    })

    it("a multiple write ended by CMD12 is one, too [R17]", () => {
        const bench = ready()
        bench.writeSome(10, [block(1), block(2)])
        assert.deepEqual(bench.command(12), [0])
        assert.ok(bench.poll() > 1e6)
        bench.deselect()
        assert.deepEqual(bench.readMany(10, 2), [block(1), block(2)])
    })

    it("a command of wrong CRC, or a block of wrong CRC, is refused while CRC is on, not while it is off [R24]", () => {
        const bench = ready()
        assert.deepEqual(bench.ask(13, 0, 1, 0x01), [0x08, 0xff])
        assert.equal(bench.write(3, block(1), 0x1234), 0x0b)
        assert.deepEqual(bench.read(3), flat(0xff))
        assert.equal(bench.card.statistics.wrongData, 1)
        bench.ask(59, 0)
        assert.equal(bench.write(3, block(1), 0x1234), 0x05)
        assert.deepEqual(bench.read(3), block(1))
    })

    it("after a bad block a multiple write takes nothing more; ACMD22 tells how far it came [R24]", () => {
        const bench = ready()
        bench.command(25, 20)
        const answers = [block(1), block(2), block(3), block(4)].map((data, i) => {
            const answer = bench.sendBlock(data, 0xfc, i === 2 ? 0 : undefined)
            bench.poll()
            return answer
        })
        assert.deepEqual(answers, [5, 5, 0x0b, 0x0b])
        bench.stop()
        bench.ask(55)
        bench.command(22)
        assert.deepEqual(bench.data(4), Uint8Array.of(0, 0, 0, 2))
        bench.deselect()
        assert.deepEqual(bench.readMany(20, 4), [block(1), block(2), flat(0xff), flat(0xff)])
    })

    it("addresses are of blocks; beyond the card is an error and a violation [R17]", () => {
        const bench = ready()
        for (const index of [17, 18, 24, 25, 32]) assert.deepEqual(bench.ask(index, 2048), [0x40])
        assert.equal(bench.violations.length, 5)
        assert.match(bench.violations[0].message, /at 0x100000, .*CMD17: beyond the 2048 blocks/)
        bench.violations.length = 0
        assert.deepEqual(bench.readMany(2046, 3), [flat(0xff), flat(0xff), 0x08])
        assert.deepEqual(bench.ask(13, 0, 1), [0, 0x80])
        assert.deepEqual(bench.ask(13, 0, 1), [0, 0], "read once")
        assert.deepEqual(bench.writeSome(2047, [block(1), block(2)]), [5, 0x0d])
        bench.stop()
        assert.deepEqual(bench.read(2047), block(1))
        assert.deepEqual(bench.violations, [])
    })

    it("erase: first, last, go; blocks read the part's erased byte, others stay [R17]", () => {
        for (const name of ["sd-tiny", "sd-tiny-tearing"]) {
            const bench = ready(name)
            const { erasedByte } = bench.card.part
            for (let i = 0; i < 24; i++) bench.write(i, block(i))
            assert.equal(bench.erase(3, 20), 0)
            for (let i = 0; i < 24; i++)
                assert.deepEqual(bench.read(i), i >= 3 && i <= 20 ? flat(erasedByte) : block(i), `${name} ${i}`)
            assert.deepEqual(bench.violations, [])
        }
    })

    it("erase out of order, reset by another command, or backwards, is told and does nothing [R17]", () => {
        const bench = ready()
        bench.write(5, block(5))
        assert.deepEqual(bench.ask(38), [0x10])
        assert.deepEqual(bench.ask(33, 9), [0x10])
        bench.ask(32, 0)
        assert.deepEqual(bench.ask(38), [0x10])
        bench.ask(32, 0)
        assert.deepEqual(bench.ask(13, 0, 1), [0, 0])
        assert.deepEqual(bench.ask(58, 0, 4)[0], 0x02)
        bench.ask(32, 9)
        bench.ask(33, 0)
        assert.deepEqual(bench.ask(38), [0x40])
        assert.deepEqual(bench.ask(13, 0, 1), [0, 0x40])
        assert.deepEqual(bench.read(5), block(5))
    })

    it("erase of a whole large card takes its time and no memory [R17]", () => {
        const bench = ready("SDXC-64GB")
        bench.write(0, block(1))
        bench.write(90_000_000, block(2))
        bench.ask(32, 0)
        bench.ask(33, bench.card.cells.blocks - 1)
        bench.command(38)
        assert.ok(bench.card.busyUntilNs! - bench.nowNs > 10e9)
        bench.nowNs = bench.card.busyUntilNs!
        bench.poll()
        bench.deselect()
        assert.deepEqual(bench.read(90_000_000), flat(0))
    })
})

describe("SD card: bus rules", () => {
    const hazards: [string, RegExp, (bench: SdBench) => void][] = [
        [
            "a command while busy",
            /CMD17 while busy/,
            bench => {
                bench.command(24, 1)
                bench.sendBlock(block(1), 0xfe)
                bench.ask(17, 1)
            },
        ],
        [
            "a data token while busy",
            /data token while busy/,
            bench => {
                bench.command(25, 1)
                bench.sendBlock(block(1), 0xfc)
                bench.sendBlock(block(2), 0xfc)
            },
        ],
        [
            "the token of the other kind of write",
            /0xfc where a data token is due/,
            bench => {
                bench.command(24, 1)
                bench.clock([0xff, 0xfc])
            },
        ],
        [
            "a data token at once after the answer",
            /data token without 8 clocks before it \(NWR\)/,
            bench => {
                bench.command(24, 1)
                bench.clock([0xfe])
            },
        ],
        [
            "a command at once after the answer",
            /CMD13 without 8 clocks after the last answer \(NRC\)/,
            bench => {
                bench.command(58, 0, 4)
                bench.clock([0x4d, 0, 0, 0, 0, 0x0d])
            },
        ],
        [
            "a command before the last was answered",
            /CMD13 before the last command was answered/,
            bench => {
                bench.select()
                bench.clock([0xff, 0x4d, 0, 0, 0, 0, 0x0d, 0x4d])
            },
        ],
        [
            "a command where data is due",
            /CMD13 where a data token is due/,
            bench => {
                bench.command(25, 1)
                bench.command(13)
            },
        ],
    ]
    for (const [name, message, act] of hazards)
        it(`${name} is reported [R17]`, () => {
            const bench = ready()
            act(bench)
            assert.equal(bench.violations.length, 1, bench.violations.map(String).join())
            assert.match(bench.violations[0].message, message)
        })

    it("CMD0 ends all, also while busy, and what was written then is torn [R23]", () => {
        const bench = ready()
        bench.command(24, 1)
        bench.sendBlock(block(1), 0xfe)
        bench.byte()
        bench.deselect()
        bench.hz = 400_000
        assert.deepEqual(bench.ask(0), [1])
        assert.equal(bench.card.statistics.cutWrites, 1)
        bench.initialise()
        assert.deepEqual(bench.violations, [])
    })

    it("after select rises a card drives the line for 8 clocks more, low if busy [R17]", () => {
        const bench = ready()
        bench.command(24, 1)
        bench.sendBlock(block(1), 0xfe)
        bench.card.deselect(bench.nowNs)
        assert.deepEqual([bench.idle(1), bench.idle(1)], [0x00, undefined])
        bench.select()
        bench.poll()
        bench.card.deselect(bench.nowNs)
        assert.deepEqual([bench.idle(1), bench.idle(1)], [0xff, undefined])
    })

    it("select rising in the middle of a block: forgotten or waited for, and a block's length of clocks and CMD0 always mends it [R6]", () => {
        const kept: number[] = []
        for (let seed = 0; seed < 40; seed++) {
            const bench = ready("sd-tiny", {}, undefined, seed)
            bench.command(seed % 2 ? 25 : 24, 9)
            bench.clock([0xff, seed % 2 ? 0xfc : 0xfe, ...block(1).slice(0, 200)])
            bench.deselect()
            const answer = bench.ask(13, 0, 1)[0]
            if (answer === -1) kept.push(seed)
            bench.select()
            bench.clock(new Uint8Array(520).fill(0xff))
            bench.poll()
            bench.deselect()
            bench.hz = 400_000
            assert.deepEqual(bench.ask(0), [1], `seed ${seed}`)
            bench.initialise()
            assert.deepEqual(bench.read(9), flat(0xff))
            assert.deepEqual(bench.violations, [], `seed ${seed}`)
        }
        assert.ok(kept.length > 8 && kept.length < 32, `${kept.length}`)
    })

    it("select rising in the middle of a read: CMD12, or CMD0, gets the card back [R6]", () => {
        for (let seed = 0; seed < 20; seed++) {
            const bench = ready("sd-tiny", {}, undefined, seed)
            bench.command(18, 0)
            bench.nowNs += 1e6
            bench.clock(new Uint8Array(100).fill(0xff))
            bench.deselect()
            bench.ask(12)
            assert.deepEqual(bench.ask(13, 0, 1), [0, 0])
            assert.deepEqual(bench.violations, [])
        }
    })
})

describe("SD card: switched faults", () => {
    it("silent: no answer, and nothing is driven; it keeps what it holds [R25]", () => {
        const bench = ready()
        bench.write(1, block(1))
        bench.card.faults.silent = true
        assert.deepEqual(bench.ask(13, 0, 1), [-1])
        bench.card.faults.silent = false
        assert.deepEqual(bench.read(1), block(1))
    })

    it("lies: wrong bits under a right CRC, and the cells are right [R24]", () => {
        const bench = ready()
        bench.write(1, block(1))
        bench.card.faults.lies = 1
        assert.notDeepEqual(bench.read(1), block(1))
        assert.deepEqual(bench.card.peek(512, 512), block(1))
        bench.card.faults.lies = 0
        assert.deepEqual(bench.read(1), block(1))
        assert.equal(bench.card.statistics.lies, 1)
    })

    it("write error and read error on given blocks [R24]", () => {
        const bench = ready()
        bench.card.faults.writeErrors.add(4)
        assert.equal(bench.write(4, block(1)), 0x0d)
        assert.deepEqual(bench.ask(13, 0, 1), [0, 0x04])
        assert.equal(bench.write(5, block(1)), 0x05)
        bench.card.faults.readErrors.add(5)
        assert.equal(bench.read(5), 0x04)
        assert.deepEqual(bench.ask(13, 0, 1), [0, 0x10])
    })

    it("acknowledges and drops [R24]", () => {
        const bench = ready()
        bench.card.faults.dropsWrites = 1
        assert.equal(bench.write(4, block(1)), 0x05)
        assert.deepEqual(bench.read(4), flat(0xff))
    })

    it("stays busy for ever [R25]", () => {
        const bench = ready()
        bench.card.faults.staysBusy = true
        bench.select()
        bench.nowNs += 10e9
        assert.equal(bench.byte(), 0)
        assert.equal(bench.card.isBusy(bench.nowNs), true)
    })

    it("turns busy just when it was found ready: it hears nothing, and nobody is to blame; of its own writes it is [R25]", () => {
        const bench = ready()
        bench.card.faults.staysBusy = true
        bench.ask(17)
        assert.equal(bench.violations.length, 0)
        bench.card.faults.staysBusy = false
        bench.command(24, 4)
        bench.sendBlock(block(1), 0xfe)
        bench.deselect()
        bench.ask(17)
        assert.match(bench.violations[0].message, /CMD17 while busy/)
    })
})
