// The banks as a board runs them: the image of the pinned compiler on the unmodified VM, with the cost of an RP2040.

import assert from "node:assert/strict"
import { Board } from "../../tools/sim/board"
import { boardConfig } from "../../tools/sim/board-config"
import type { BoardPort, Level, SpiSetup } from "../../tools/sim/board-port"
import { buildProgram } from "../../tools/sim/bytecode"
import type { Element } from "../../tools/sim/chips/element"
import { MemoryImage } from "../../tools/sim/chips/image-file"
import { findPart } from "../../tools/sim/chips/parts"
import { SdCard } from "../../tools/sim/chips/sd-card"
import { SpiNor } from "../../tools/sim/chips/spi-nor"
import { projectRoot } from "../../tools/sim/devs-cli"
import { EventQueue } from "../../tools/sim/event-queue"
import { Random } from "../../tools/sim/random"
import { Trace } from "../../tools/sim/trace"
import { Wire } from "../../tools/sim/wire"

/** boards/pico_node.board.json */
const firstSelectPin = 10

class ElementsOnPins implements BoardPort {
    private selected = 0

    constructor(private readonly slots: readonly (Element | undefined)[]) {}

    drive(gpio: number, level: Level | undefined, _pull: unknown, atNs: number): void {
        const slot = gpio - firstSelectPin
        const element = this.slots[slot]
        if (slot < 0 || !element) return
        if (level === 0) {
            this.selected |= 1 << slot
            element.select(atNs)
        } else {
            this.selected &= ~(1 << slot)
            element.deselect(atNs)
        }
    }

    sense(): Level {
        return 0
    }

    transfer(spi: SpiSetup, tx: Uint8Array, startNs: number, endNs: number): Uint8Array {
        const rx = new Uint8Array(tx.length).fill(0xff)
        this.slots.forEach((element, slot) => {
            if (!(this.selected & (1 << slot))) return void element?.clocked(tx.length, startNs, spi.hz)
            const reply = element!.transfer(tx.slice(), startNs, endNs, spi.hz)
            rx.set(reply.rx.subarray(reply.drivenFrom), reply.drivenFrom)
        })
        return rx
    }

    aborted(): void {}
}

/** A rule that the driver breaks stops the run: the models throw. */
function elementOf(part: string, slot: number): Element {
    const found = findPart(part)
    const common = { name: `a.E${slot}`, random: new Random(`slot${slot}`) }
    const element: Element =
        found.kind === "nor"
            ? new SpiNor({ ...common, part: found.part, image: new MemoryImage(found.part.bytes) })
            : new SdCard({
                  ...common,
                  part: found.part,
                  image: new MemoryImage(found.part.bytes, "a", found.part.erasedByte),
              })
    element.powerUp(0)
    return element
}

/** What the program printed. */
function printed(parts: string[], seconds: number): string[] {
    const queue = new EventQueue()
    const random = new Random(1)
    const lines: string[] = []
    const board = new Board({
        name: "a",
        queue,
        random,
        wire: new Wire(queue, random, new Trace()),
        port: new ElementsOnPins(parts.map(elementOf)),
        deviceId: "aaaaaaaaaaaaaaaa",
        image: buildProgram({
            root: projectRoot,
            entry: "test/sim/firmware/flash-banks.ts",
            inputs: ["src", "services", "boards", "devsconfig.json", "test/sim/firmware/flash-banks.ts"],
            name: "banks",
            version: "1.0.0",
        }),
        config: boardConfig(`${projectRoot}/boards/pico_node.board.json`),
        cpu: "rp2040",
        reach: "all",
        onLog: line => void (line.startsWith("> ") && lines.push(line.slice(2))),
        onPanic: code => void lines.push(`panic ${code}`),
    })
    board.powerOn()
    queue.runUntil(seconds * 1e9)
    return lines
}

/** The number behind a line's text. */
function figure(lines: string[], text: string): number {
    const line = lines.find(l => l.startsWith(text))
    assert.ok(line, `${text}: ${lines.join("\n")}`)
    return parseInt(line.slice(text.length), 10)
}

describe("board: the banks of elements", function () {
    this.timeout(60_000)

    it("a mirror of NOR chips: found, pages round trip [R17]", () => {
        const lines = printed(["W25Q128JV", "W25Q128JV", "W25Q128JV"], 20)
        assert.ok(lines.includes("nor read us " + figure(lines, "nor read us ") + " good 64"), lines.join("\n"))
        assert.equal(figure(lines, "nor alive "), 7)
    })

    it("a mirror of cards: found, pages round trip, heap and time to spare [R17]", () => {
        const lines = printed(["SDHC-4GB", "SDHC-4GB"], 20)
        assert.ok(lines.includes("sd read us " + figure(lines, "sd read us ") + " good 64"), lines.join("\n"))
        assert.equal(figure(lines, "sd alive "), 3)
        assert.ok(lines.includes("run read us " + figure(lines, "run read us ") + " good 64"), lines.join("\n"))
        assert.ok(figure(lines, "sd program us ") < 15_000, lines.join("\n"))
    })
})
