// Arrays of chips and of cards behind the cabinet's switches: two to six of either kind, pulled, put back, exchanged, and spares.

import assert from "node:assert/strict"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { PinName } from "../../tools/sim/cabinet/pins"
import { crc16, crc7 } from "../../tools/sim/chips/sd-registers"
import { controlOf } from "../../tools/sim/runner"
import { simCommand } from "../../tools/sim/sim-command"
import type { Simulation } from "../../tools/sim/simulation"
import { CabinetBench, spi } from "./cabinet-bench"
import { block, flat } from "./sd-bench"

const powerUpNs = 2_000_000

/** What a node does to a card through its select, in whole commands. */
class CardHost {
    hz = 400_000

    constructor(
        readonly bench: CabinetBench,
        readonly node: string,
        readonly select: PinName,
    ) {}

    clock(tx: ArrayLike<number>): Uint8Array {
        const startNs = this.bench.nowNs
        this.bench.nowNs += Math.round((tx.length * 8e9) / this.hz)
        const port = this.bench.cabinet.port(this.node)
        return port.transfer({ ...spi, hz: this.hz }, Uint8Array.from(Array.from(tx)), startNs, this.bench.nowNs)
    }

    command(index: number, argument = 0): number {
        const bytes = [0x40 | index, argument >>> 24, (argument >> 16) & 255, (argument >> 8) & 255, argument & 255]
        this.bench.drive(this.node, this.select, 0)
        this.clock([0xff, ...bytes, (crc7(bytes) << 1) | 1])
        for (let i = 0; i < 9; i++) {
            const [answer] = this.clock([0xff])
            if (answer < 0x80) return answer
        }
        return -1
    }

    end(): void {
        this.bench.drive(this.node, this.select, 1)
        this.clock([0xff])
    }

    ask(index: number, argument = 0): number {
        const answer = this.command(index, argument)
        this.clock([0xff, 0xff, 0xff, 0xff])
        this.end()
        return answer
    }

    initialise(): this {
        this.hz = 400_000
        this.bench.nowNs += powerUpNs
        this.clock(flat(0xff).slice(0, 10))
        this.ask(0)
        this.ask(8, 0x1aa)
        for (let i = 0; i < 100; i++, this.bench.nowNs += 1e6) {
            this.ask(55)
            if (this.ask(41, 0x40000000) === 0) break
        }
        this.hz = 25_000_000
        return this
    }

    poll(): void {
        for (let i = 0; i < 100_000; i++, this.bench.nowNs += 10_000) if (this.clock([0xff])[0] === 0xff) return
        assert.fail("busy for ever")
    }

    beginWrite(at: number, data: Uint8Array): number {
        this.command(24, at)
        const crc = crc16(data)
        return this.clock([0xff, 0xfe, ...data, crc >> 8, crc & 255, 0xff])[516] & 0x1f
    }

    write(at: number, data: Uint8Array): number {
        const answer = this.beginWrite(at, data)
        this.poll()
        this.end()
        return answer
    }

    read(at: number): Uint8Array {
        this.command(17, at)
        let token = 0xff
        for (let i = 0; i < 10_000 && token === 0xff; i++) token = this.clock([0xff])[0]
        const data = this.clock(new Uint8Array(514).fill(0xff)).slice(0, 512)
        this.end()
        return data
    }
}

function cards(config: ConstructorParameters<typeof CabinetBench>[0] = {}): CabinetBench {
    return new CabinetBench({ chip: "sd-tiny", ...config }).power("a", "b").drive("a", "OWN", 1)
}

describe("cabinet: elements", () => {
    for (const elements of [2, 3, 4, 5, 6])
        it(`${elements} elements of either kind, each with contents of its own [R5] [R17]`, () => {
            const bench = new CabinetBench({ elements }).power("a", "b").drive("a", "OWN", 1)
            const slots = (["E0", "E1", "E2", "E3", "E4", "E5"] as const).slice(0, elements)
            for (const [i, slot] of slots.entries()) bench.program("a", slot, 0, [i])
            for (const [i, slot] of slots.entries())
                assert.deepEqual(bench.command("a", slot, [3, 0, 0, 0, 0]).slice(4), [i])
            const cabinet = cards({ elements })
            const hosts = slots.map(slot => new CardHost(cabinet, "a", slot).initialise())
            for (const [i, host] of hosts.entries()) host.write(9, block(i))
            for (const [i, host] of hosts.entries()) assert.deepEqual(host.read(9), block(i))
            assert.deepEqual([...bench.violations, ...cabinet.violations], [])
        })

    it("a chip and a card on one bus, in turn [R17]", () => {
        const bench = cards({ partOf: name => (name.endsWith("E0") ? "tiny" : undefined) })
        const card = new CardHost(bench, "a", "E1").initialise()
        for (let i = 0; i < 5; i++) {
            bench.program("a", "E0", i * 256, [i])
            card.write(i, block(i))
        }
        for (let i = 0; i < 5; i++) {
            assert.deepEqual(bench.command("a", "E0", [3, 0, i, 0, 0]).slice(4), [i])
            assert.deepEqual(card.read(i), block(i))
        }
        assert.deepEqual(
            bench.cabinet.elements().map(({ kind }) => kind),
            ["nor", "sd", "nor", "sd"],
        )
        assert.throws(() => bench.cabinet.chip("a.E1"), /a\.E1 is a sd-tiny, not a NOR chip/)
        assert.throws(() => bench.cabinet.card("a.E0"), /a\.E0 is a tiny, not a card/)
        assert.deepEqual(bench.violations, [])
    })

    it("a card that the switch does not let through sees no clock: it stays asleep [R6] [R17]", () => {
        const bench = cards()
        bench.nowNs += powerUpNs
        new CardHost(bench, "b", "F0").clock(flat(0xff))
        const host = new CardHost(bench, "a", "E0")
        assert.equal(host.ask(0), -1)
        host.clock(flat(0xff).slice(0, 10))
        assert.equal(host.ask(0), 1)
    })

    it("a busy card drives its DO for 8 clocks more, as when its board died and nobody gave them: its gate keeps that off the line [R6] [R17]", () => {
        for (const clocks of [0, 1]) {
            const bench = cards()
            const [first, second] = (["E0", "E1"] as const).map(slot => new CardHost(bench, "a", slot).initialise())
            first.beginWrite(1, block(1))
            bench.drive("a", "E0", 1)
            first.clock(flat(0xff).slice(0, clocks))
            bench.drive("a", "E1", 0)
            assert.deepEqual([...second.clock([0xff])], [0xff])
            assert.deepEqual(bench.violations, [])
            assert.deepEqual(second.read(1), flat(0xff))
        }
    })

    it("two cards selected together fight on the line [R17]", () => {
        const bench = cards()
        for (const slot of ["E0", "E1"] as const) new CardHost(bench, "a", slot).initialise()
        bench.drive("a", "E0", 0)
        const host = new CardHost(bench, "a", "E1")
        for (let i = 0; i < 10; i++) host.ask(13)
        assert.match(bench.violations[0].message, /a\.E0 and a\.E1 drive it with different bits/)
    })

    it("the partner takes over a card in the middle of a write, and finds it busy and then written [R1] [R22]", () => {
        const bench = cards()
        const host = new CardHost(bench, "a", "E0").initialise()
        host.beginWrite(3, block(3))
        bench.cabinet.power("a", false, bench.nowNs)
        const partner = new CardHost(bench, "b", "F0")
        partner.hz = 25_000_000
        bench.drive("b", "F0", 0)
        assert.equal(partner.clock([0xff])[0], 0)
        partner.poll()
        partner.end()
        assert.deepEqual(partner.read(3), block(3))
        assert.deepEqual(bench.violations, [])
    })

    it("a board that dies while it clocks a block: the card has not got it, and can be had back [R6] [R23]", () => {
        const bench = cards()
        const host = new CardHost(bench, "a", "E0").initialise()
        const startNs = bench.nowNs
        host.beginWrite(3, block(3))
        bench.cabinet.power("a", false, startNs + 60_000)
        assert.equal(bench.cabinet.card("a.E0").isBusy(bench.nowNs), false)
        const partner = new CardHost(bench, "b", "F0")
        partner.hz = 25_000_000
        bench.drive("b", "F0", 0)
        partner.clock(new Uint8Array(520).fill(0xff))
        partner.end()
        partner.initialise()
        assert.deepEqual(partner.read(3), flat(0xff))
        assert.deepEqual(bench.violations, [])
    })

    it("both boards gone while a card writes: torn, and the hook was told before [R23]", () => {
        const kinds: string[] = []
        const bench = cards({ onOperation: ({ element, kind }) => void kinds.push(`${element} ${kind}`) })
        new CardHost(bench, "a", "E0").initialise().beginWrite(3, block(3))
        bench.cabinet.power("b", false, bench.nowNs + 100_000)
        bench.cabinet.power("a", false, bench.nowNs + 200_000)
        assert.deepEqual(kinds, ["a.E0 write"])
        assert.equal(bench.cabinet.card("a.E0").statistics.cutWrites, 1)
    })
})

describe("cabinet: slots", () => {
    it("spares are in the slots behind the array's, blank, and say so [R25]", () => {
        const bench = new CabinetBench({ elements: 3, spares: 1 }).power("a", "b").drive("a", "OWN", 1)
        assert.equal(bench.identify("a", "E3"), 0x10)
        assert.equal(bench.identify("a", "E4"), 0xff)
        const elements = bench.cabinet.elements().filter(({ name }) => name.startsWith("a"))
        assert.deepEqual(
            elements.map(({ isSpare }) => isSpare),
            [false, false, false, true],
        )
        assert.throws(() => new CabinetBench({ elements: 5, spares: 2 }), /--spares 2: beside 5 elements .* 1$/)
    })

    it("pulled, put back, replaced by a blank one: while a program runs, too [R25]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1)
        const { cabinet } = bench
        bench.program("a", "E1", 0, [1])
        bench.command("a", "E1", [0x06])
        bench.command("a", "E1", [0x02, 0, 1, 0, 0])
        cabinet.pull("a:1", bench.nowNs)
        assert.equal(cabinet.isPresent("a:1"), false)
        assert.equal(cabinet.chip("a:1").statistics.tornPrograms, 1)
        assert.equal(bench.identify("a", "E1"), 0xff)
        cabinet.insert("a:1", "kept", bench.nowNs)
        assert.throws(() => cabinet.insert("a:1", "blank", bench.nowNs), /a:1 is in its socket; pull it first/)
        assert.deepEqual(bench.command("a", "E1", [3, 0, 0, 0, 0]).slice(4), [1])
        cabinet.element("a:1").faults.lies = 1
        cabinet.replace("a:1", bench.nowNs)
        assert.deepEqual(bench.command("a", "E1", [3, 0, 0, 0, 0]).slice(4), [0xff])
        assert.equal(cabinet.element("a:1").faults.lies, 0)
    })

    it("a slot that was empty takes an element at run time, of the same part or another [R25]", () => {
        const bench = new CabinetBench().power("a", "b").drive("a", "OWN", 1)
        bench.cabinet.insert("a:2", "blank", bench.nowNs)
        bench.cabinet.insert("a.E5", "blank", bench.nowNs, "W25Q16JV")
        assert.deepEqual([bench.identify("a", "E2"), bench.identify("a", "E5")], [0x10, 0x15])
        bench.cabinet.replace("a:2", bench.nowNs, "sd-tiny")
        const card = new CardHost(bench, "a", "E2").initialise()
        card.write(1, block(1))
        assert.deepEqual(card.read(1), block(1))
        assert.throws(() => bench.cabinet.insert("a:6", "blank", bench.nowNs), /no slot a:6; an array has slots 0 to 5/)
        assert.deepEqual(bench.violations, [])
    })

    it("a card pulled and put back has forgotten its initialisation, not its contents [R25]", () => {
        const bench = cards()
        const host = new CardHost(bench, "a", "E0").initialise()
        host.write(1, block(1))
        bench.cabinet.pull("a:0", bench.nowNs)
        bench.cabinet.insert("a:0", "kept", bench.nowNs)
        host.hz = 400_000
        assert.equal(host.ask(13), -1)
        assert.deepEqual(host.initialise().read(1), block(1))
    })

    it("cards on disk: their contents last, gigabytes take no room, another size is refused [R37]", () => {
        const images = mkdtempSync(join(tmpdir(), "twinfiler-cards-"))
        try {
            const config = { images, chip: "SDHC-4GB" }
            const bench = cards(config)
            new CardHost(bench, "a", "E1").initialise().write(7_000_000, block(1))
            assert.throws(
                () => bench.cabinet.replace("a:1", bench.nowNs, "sd-tiny"),
                /a\.E1: with images on disk .* same size/,
            )
            bench.cabinet.shutDown(++bench.nowNs)
            assert.ok(statSync(join(images, "a", "E1.bin")).blocks * 512 < 100_000)
            const again = cards(config)
            assert.deepEqual(new CardHost(again, "a", "E1").initialise().read(7_000_000), block(1))
            again.cabinet.close()
        } finally {
            rmSync(images, { recursive: true })
        }
    })
})

describe("simulator: elements for people", () => {
    it("the control lane makes elements silent, lying, pulled, replaced, healthy; a wrong word is told [R25] [R33]", () => {
        const bench = new CabinetBench().power("a", "b")
        const { cabinet } = bench
        const control = controlOf({ cabinet, nowNs: 5e6, options: { seed: 1 } } as unknown as Simulation)
        const send = (action: string, more = {}) => control({ element: "a:1", do: action, ...more })
        assert.deepEqual(send("silent"), { ok: true })
        send("lies", { chance: 0.25 })
        send("drops")
        send("busy")
        const { faults } = cabinet.element("a:1")
        assert.deepEqual(faults, { silent: true, lies: 0.25, dropsWrites: 1, staysBusy: true })
        const status = control({ status: true }) as { elements: { name: string; faults: { silent: boolean } }[] }
        assert.deepEqual(
            status.elements.filter(element => element.faults.silent).map(({ name }) => name),
            ["a.E1"],
        )
        send("healthy")
        assert.equal(faults.silent, false)
        send("pull")
        assert.equal(cabinet.isPresent("a.E1"), false)
        send("insert")
        send("replace", { chip: "W25Q16JV" })
        assert.equal(cabinet.element("a:1").part.name, "W25Q16JV")
        assert.throws(() => send("explode"), /give "do": one of silent, lies/)
        assert.throws(() => send("lies", { chance: 2 }), /a number from 0 to 1/)
        assert.throws(() => control({ element: "c:9", do: "silent" }), /no element c:9; there are a\.E0/)
    })

    it("twinfiler sim offers every real chip and card, two to six of them, spares and dead ones [R33]", () => {
        const command = simCommand()
        const choices = command.options.find(({ long }) => long === "--chip")!.argChoices!
        assert.ok(choices.includes("W25Q256JV") && choices.includes("SDXC-64GB") && !choices.includes("sd-tiny"))
        const parse = (...text: string[]) => {
            const options = simCommand()
                .exitOverride()
                .configureOutput({ writeErr: () => {} })
            options.action(() => {})
            return options.parse(["--dir", "x", ...text], { from: "user" }).opts()
        }
        const { elements, spares, deadElement } = parse(
            "--elements",
            "4",
            "--spares",
            "1",
            "--dead-element",
            "a:1",
        ) as {
            elements: number
            spares: number
            deadElement: string[]
        }
        assert.deepEqual([elements, spares, deadElement], [4, 1, ["a:1"]])
        assert.throws(() => parse("--elements", "7"), /2 to 6/)
        assert.throws(() => parse("--spares", "5"), /0 to 4/)
    })
})
