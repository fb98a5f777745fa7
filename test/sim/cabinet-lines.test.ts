// Switches, lines, resets and power of a pair: who reaches which chips, and who dies with what.

import assert from "node:assert/strict"
import { BoardPins, readBoardPins } from "../../tools/sim/cabinet/pins"
import { Line } from "../../tools/sim/cabinet/line"
import { CabinetBench, pins, spi } from "./cabinet-bench"

const chipAnswers = 0x10
const nobody = 0xff

describe("cabinet: switch", () => {
    type Row = [a: "off" | "low" | "high", b: "off" | "low" | "high", reachesA: string, reachesB: string]
    // OWN of a and b -> who reaches array a, and array b
    const table: Row[] = [
        ["low", "low", "b", "a"],
        ["high", "low", "a", "a"],
        ["low", "high", "b", "b"],
        ["high", "high", "a", "b"],
        ["off", "low", "b", "-"],
        ["off", "high", "b", "b"],
        ["low", "off", "-", "a"],
        ["high", "off", "a", "a"],
    ]
    for (const [a, b, reachesA, reachesB] of table)
        it(`OWN of a ${a}, of b ${b}: array a is with ${reachesA}, array b with ${reachesB} [R1] [R6]`, () => {
            const bench = new CabinetBench()
            for (const [node, own] of [
                ["a", a],
                ["b", b],
            ] as const) {
                if (own === "off") continue
                bench.power(node)
                bench.drive(node, "OWN", own === "high" ? 1 : 0)
            }
            const who = (array: "a" | "b") => {
                const partner = array === "a" ? "b" : "a"
                const home = bench.identify(array, "E0") === chipAnswers ? array : ""
                const foreign = bench.identify(partner, "F0") === chipAnswers ? partner : ""
                return home + foreign || "-"
            }
            assert.deepEqual([who("a"), who("b")], [reachesA, reachesB])
            assert.deepEqual(bench.violations, [])
        })

    it("both boards select the same chip: one of them only is heard, whatever they drive [R6] [R31]", () => {
        const bench = new CabinetBench().power("a", "b")
        bench.drive("a", "OWN", 1).drive("a", "E0", 0).drive("b", "F0", 0)
        assert.deepEqual([...bench.clock("b", [0x9f, 0])], [nobody, nobody])
        assert.deepEqual([...bench.clock("a", [0x9f, 0, 0, 0])], [0xff, 0xef, 0x40, chipAnswers])
    })

    it("every element of both arrays is wired to both nodes [R1] [R5]", () => {
        const bench = new CabinetBench({ elements: 6 }).power("a", "b")
        const selects = [0, 1, 2, 3, 4, 5] as const
        for (const i of selects) assert.equal(bench.identify("b", `F${i}`), chipAnswers)
        bench.drive("a", "OWN", 1)
        for (const i of selects) {
            assert.equal(bench.identify("a", `E${i}`), chipAnswers)
            assert.equal(bench.identify("b", `F${i}`), nobody)
        }
        // Written by one, read by the other
        bench.program("a", "E5", 0x100, [1, 2, 3])
        bench.drive("a", "OWN", 0)
        assert.deepEqual(bench.command("b", "F5", [0x03, 0, 1, 0, 0, 0, 0]).slice(4), [1, 2, 3])
    })

    it("a select held low while the switch flips is a violation, of the loser and of the winner [R6]", () => {
        const bench = new CabinetBench().power("a", "b")
        bench.drive("a", "OWN", 1).drive("a", "E1", 0).drive("a", "OWN", 0)
        assert.match(bench.violations[0].message, /a\.switch.*flips to b while a holds E1 low/)
        bench.drive("a", "E1", 1).drive("b", "F0", 0).drive("a", "OWN", 1)
        assert.match(bench.violations[1].message, /flips to a while b holds F0 low/)
    })

    it("a node that dies with its select low flips the switch without fault [R6]", () => {
        const bench = new CabinetBench().power("a", "b")
        bench.drive("a", "OWN", 1).drive("a", "E0", 0)
        bench.cabinet.power("a", false, ++bench.nowNs)
        assert.equal(bench.cabinet.controller("a"), "b")
        assert.equal(bench.identify("b", "F0"), chipAnswers)
        assert.deepEqual(bench.violations, [])
    })
})

describe("cabinet: MISO", () => {
    it("both mirror chips take one write, read apart [R7]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1)
        bench.program("a", ["E0", "E1"], 0x200, [7, 8])
        for (const select of ["E0", "E1"] as const)
            assert.deepEqual(bench.command("a", select, [0x03, 0, 2, 0, 0, 0]).slice(4), [7, 8])
        assert.deepEqual(bench.violations, [])
    })

    it("two chips that drive MISO with different bits are a violation, with the same bits not [R6]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1)
        bench.program("a", "E1", 0, [0x0f])
        assert.deepEqual(bench.command("a", ["E0", "E1"], [0x9f, 0, 0]), [0xff, 0xef, 0x40])
        assert.equal(bench.violations.length, 0)
        bench.command("a", ["E0", "E1"], [0x03, 0, 0, 0, 0, 0])
        assert.equal(bench.violations.length, 1)
        assert.match(bench.violations[0].message, /a\.MISO.*a\.E0 and a\.E1 drive it with different bits/)
    })

    it("no chip selected, or the chip pulled out: pulled-up ones [R25]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1)
        assert.deepEqual([...bench.clock("a", [0x9f, 0])], [255, 255])
        bench.program("a", "E0", 0, [0])
        bench.cabinet.pull("a.E0", bench.nowNs)
        assert.equal(bench.identify("a", "E0"), nobody)
        bench.cabinet.insert("a.E0", "kept", bench.nowNs)
        assert.equal(bench.command("a", "E0", [0x03, 0, 0, 0, 0])[4], 0)
        bench.cabinet.pull("a.E0", bench.nowNs)
        bench.cabinet.insert("a.E0", "blank", bench.nowNs)
        assert.equal(bench.command("a", "E0", [0x03, 0, 0, 0, 0])[4], 0xff)
    })

    it("SPI on other pins, or in a mode the chips do not take, is a violation [R17]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1).drive("a", "E0", 0)
        const port = bench.cabinet.port("a")
        port.transfer({ ...spi, miso: 3 }, Uint8Array.of(0x9f), bench.nowNs, bench.nowNs + 800)
        port.transfer({ ...spi, mode: 1 }, Uint8Array.of(0x9f), bench.nowNs, bench.nowNs + 800)
        assert.deepEqual(
            bench.violations.map(({ where }) => where),
            ["a.MISO", "a.SCK"],
        )
    })
})

describe("cabinet: lines", () => {
    it("OWN and HOLD reach the partner, and fall with power and with reset [R6] [R32]", () => {
        const bench = new CabinetBench().power("a", "b")
        const seen = () => [bench.sense("b", "PARTNER_OWN"), bench.sense("b", "PARTNER_HOLD")]
        assert.deepEqual(seen(), [0, 0])
        bench.drive("a", "OWN", 1).drive("a", "HOLD", 1)
        assert.deepEqual(seen(), [1, 1])
        bench.cabinet.power("a", false, ++bench.nowNs)
        assert.deepEqual(seen(), [0, 0])
        bench.power("a")
        assert.deepEqual(seen(), [0, 0])
        bench.drive("a", "OWN", 1).drive("a", "HOLD", 1)
        bench.cabinet.pressReset("a", ++bench.nowNs)
        assert.deepEqual(seen(), [0, 0])
        assert.deepEqual(
            bench.lines.filter(line => line.startsWith("a.OWN")),
            ["a.OWN=1", "a.OWN=0", "a.OWN=1", "a.OWN=0"],
        )
    })

    it("OWN left to itself is low, whatever the pin's own pull [R6]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1)
        bench.cabinet.port("a").drive(pins.gpioOf("OWN"), undefined, "up", ++bench.nowNs)
        assert.equal(bench.sense("a", "OWN"), 0)
        assert.equal(bench.sense("b", "PARTNER_OWN"), 0)
        assert.equal(bench.cabinet.controller("a"), "b")
    })

    it("straps are the bits of the node's number, or what the builder set [R13]", () => {
        const sensed = (bench: CabinetBench) =>
            bench.cabinet.nodeNames.map(node =>
                (["NODE", "PAIR0", "PAIR1"] as const).reduce(
                    (sum, pin, bit) => sum + (bench.sense(node, pin) << bit),
                    0,
                ),
            )
        const nodes = ["a", "b", "c", "d", "e", "f", "g", "h"]
        assert.deepEqual(sensed(new CabinetBench({ pairs: 4 }).power(...nodes)), [0, 1, 2, 3, 4, 5, 6, 7])
        const wrong = new CabinetBench({ pairs: 2, strapsOf: node => (node === "d" ? 1 : undefined) })
        assert.deepEqual(sensed(wrong.power("a", "b", "c", "d")), [0, 1, 2, 1])
        assert.throws(() => new CabinetBench({ pairs: 5 }), /--pairs 5: choose 1 to 4/)
    })

    it("a reader that is behind the driver sees the line as it was [R37]", () => {
        const bench = new CabinetBench().power("a", "b")
        const at = (timeNs: number) => bench.cabinet.port("b").sense(pins.gpioOf("PARTNER_OWN"), timeNs)
        bench.cabinet.port("a").drive(pins.gpioOf("OWN"), 1, undefined, 5000)
        assert.deepEqual([at(4999), at(5000)], [0, 1])
        // a is cut at a time that it had already computed past
        bench.cabinet.power("a", false, 4500)
        assert.deepEqual([at(4999), at(5000)], [0, 0])
    })

    it("Line keeps a bounded past, right at its edge [R26]", () => {
        const line = new Line("x", 0)
        for (let i = 1; i <= 100; i++) line.set((i & 1) as 0 | 1, i * 10)
        assert.deepEqual([line.at(1005), line.at(995), line.at(985), line.at(691), line.at(689)], [0, 1, 0, 1, 0])
    })

    it("wrong drives are violations: an input, the strap, reset pushed high [R6]", () => {
        const bench = new CabinetBench().power("a", "b")
        bench
            .drive("a", "PARTNER_OWN", 1)
            .drive("a", "PARTNER_HOLD", 0)
            .drive("b", "NODE", 0)
            .drive("a", "RESET", 1)
            .drive("a", "MISO", 1)
        assert.deepEqual(
            bench.violations.map(({ where }) => where),
            ["a.PARTNER_OWN", "a.PARTNER_HOLD", "b.NODE", "a.RESET", "a.MISO"],
        )
    })

    it("a cut wire: the partner sees low, the switch is not deceived [R31]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1)
        bench.cabinet.cutLine("a", "OWN", true, bench.nowNs)
        assert.equal(bench.sense("b", "PARTNER_OWN"), 0)
        assert.equal(bench.identify("b", "F0"), nobody)
        bench.cabinet.cutLine("b", "RESET", true, bench.nowNs)
        bench.drive("b", "RESET", 0)
        assert.equal(bench.cabinet.nodeState("a"), "run")
        bench.cabinet.cutLine("b", "RESET", false, bench.nowNs)
        assert.equal(bench.cabinet.nodeState("a"), "reset")
    })
})

describe("cabinet: reset", () => {
    it("RESET low fences the partner: its selects, OWN and HOLD are gone at once, and it waits [R6] [R31]", () => {
        const bench = new CabinetBench().power("a", "b")
        bench.drive("a", "OWN", 1).drive("a", "HOLD", 1).drive("a", "E0", 0)
        bench.drive("b", "RESET", 0)
        assert.equal(bench.cabinet.nodeState("a"), "reset")
        assert.equal(bench.sense("b", "PARTNER_OWN"), 0)
        assert.equal(bench.identify("b", "F0"), chipAnswers)
        // What a had still computed ahead of its death changes nothing
        bench.drive("a", "OWN", 1).drive("a", "E0", 0)
        assert.equal(bench.identify("b", "F0"), chipAnswers)
        bench.drive("b", "RESET", undefined)
        assert.deepEqual(bench.states, ["a run", "b run", "a reset", "a run"])
        assert.deepEqual(bench.violations, [])
    })

    it("a node whose partner dies while it holds it in reset goes on [R32]", () => {
        const bench = new CabinetBench().power("a", "b").drive("b", "RESET", 0)
        bench.cabinet.power("b", false, ++bench.nowNs)
        assert.equal(bench.cabinet.nodeState("a"), "run")
    })

    it("a node powered on while held in reset starts when it is let go [R32]", () => {
        const bench = new CabinetBench().power("b").drive("b", "RESET", 0).power("a")
        assert.equal(bench.cabinet.nodeState("a"), "reset")
        bench.drive("b", "RESET", undefined)
        assert.equal(bench.cabinet.nodeState("a"), "run")
    })

    it("a node in reset cannot reset its partner [R31]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "RESET", 0)
        bench.drive("b", "RESET", 0)
        assert.deepEqual([bench.cabinet.nodeState("a"), bench.cabinet.nodeState("b")], ["run", "reset"])
    })
})

describe("cabinet: power", () => {
    it("a program goes on when its board dies and the partner's board feeds the array [R22]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1)
        bench.command("a", "E0", [0x06])
        bench.command("a", "E0", [0x02, 0, 0, 0, 0x11])
        bench.cabinet.power("a", false, bench.nowNs + 100_000)
        bench.nowNs += 1e6
        assert.equal(bench.command("b", "F0", [0x03, 0, 0, 0, 0])[4], 0x11)
        assert.equal(bench.cabinet.chip("a.E0").statistics.tornPrograms, 0)
    })

    it("both boards gone: what was in flight in either array is torn [R23]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1).drive("b", "OWN", 1)
        for (const node of ["a", "b"]) {
            bench.command(node, "E0", [0x06])
            bench.command(node, "E0", [0x20, 0, 0, 0])
        }
        bench.cabinet.power("a", false, bench.nowNs + 1e6)
        assert.equal(bench.cabinet.chip("a.E0").statistics.tornErases, 0)
        bench.cabinet.power("b", false, bench.nowNs + 2e6)
        assert.equal(bench.cabinet.chip("a.E0").statistics.tornErases, 1)
        assert.equal(bench.cabinet.chip("b.E0").statistics.tornErases, 1)
        bench.nowNs += 3e6
        bench.power("a").drive("a", "OWN", 1)
        assert.equal(bench.command("a", "E0", [0x05, 0])[1], 0)
    })

    it("reset of both boards does not touch the chips' power [R23]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1)
        bench.command("a", "E0", [0x06])
        bench.command("a", "E0", [0x20, 0, 0, 0])
        bench.cabinet.pressReset("a", ++bench.nowNs)
        bench.cabinet.pressReset("b", ++bench.nowNs)
        bench.nowNs += 50e6
        assert.equal(bench.cabinet.chip("a.E0").isBusy(bench.nowNs), false)
        assert.equal(bench.cabinet.chip("a.E0").statistics.tornErases, 0)
    })

    it("a board that dies in the middle of a transfer: the command does not happen [R23]", () => {
        for (const isTold of [true, false]) {
            const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1)
            bench.command("a", "E0", [0x06])
            bench.drive("a", "E0", 0)
            const startNs = bench.nowNs
            bench.clock("a", [0x02, 0, 0, 0, 1, 2, 3, 4])
            const dieNs = startNs + 5 * 800 + 300
            if (isTold) bench.cabinet.port("a").aborted(dieNs)
            bench.cabinet.power("a", false, dieNs)
            bench.nowNs += 1e6
            assert.equal(bench.cabinet.chip("a.E0").peek(0, 1)[0], 0xff)
            assert.equal(bench.cabinet.chip("a.E0").statistics.ignored.short, 1)
        }
    })

    it("one pair's power does not reach another's [R13]", () => {
        const bench = new CabinetBench({ pairs: 2 }).power("a", "c")
        bench.cabinet.power("c", false, ++bench.nowNs)
        bench.drive("a", "OWN", 1)
        assert.equal(bench.identify("a", "E0"), chipAnswers)
    })
})

describe("cabinet: configuration", () => {
    it("wrong figures are refused with the option's name [R33]", () => {
        assert.throws(() => new CabinetBench({ pairs: 0 }), /--pairs 0/)
        assert.throws(() => new CabinetBench({ elements: 7 }), /--elements 7: an array has 2 to 6/)
        assert.throws(
            () => new CabinetBench({ chip: "W25X" }),
            /no such chip: W25X\. Choose one of W25Q256JV, W25Q128JV, .*tiny \(not real\)/,
        )
        assert.throws(() => new CabinetBench({ board: "none.json" }), /cannot read the board file none\.json/)
        assert.throws(() => new CabinetBench().cabinet.power("z", true, 0), /no node z; there are a, b/)
        assert.throws(() => new CabinetBench().cabinet.chip("a.E9"), /no element a\.E9; there are a\.E0/)
    })

    it("a board file that lacks a wire, or has two on one pin, is refused [R16]", () => {
        const file = Object.fromEntries(["E0", "E1"].map((name, i) => [name, i]))
        assert.throws(() => new BoardPins(file, "x.board.json"), /x\.board\.json: no pin is named E2/)
        assert.throws(() => new BoardPins({ ...file, E2: 1 }, "x.board.json"), /E2 and E1 are both pin 1/)
        assert.equal(readBoardPins("boards/pico_node.board.json").nameOf(17), "OWN")
    })

    it("statistics name every element and count what was done [R36]", () => {
        const bench = new CabinetBench({ pairs: 2, elements: 3 }).power("a").drive("a", "OWN", 1)
        bench.program("a", "E1", 0, [1, 2])
        const elements = bench.cabinet.elements()
        assert.equal(elements.length, 12)
        const used = elements.find(({ name }) => name === "a.E1")!
        assert.deepEqual([used.programs, used.bytesProgrammed, used.isPresent, used.part], [1, 2, true, "tiny"])
    })

    it("operations are counted over the cabinet, each with its element [R37]", () => {
        const seen: string[] = []
        const bench = new CabinetBench({
            onOperation: ({ cabinetIndex, element, kind }) => void seen.push(`${cabinetIndex} ${element} ${kind}`),
        })
        bench.power("a", "b").drive("a", "OWN", 1)
        bench.program("a", ["E0", "E1"], 0, [1])
        bench.program("a", "E1", 256, [1])
        assert.deepEqual(seen, ["0 a.E0 program", "1 a.E1 program", "2 a.E1 program"])
    })
})
