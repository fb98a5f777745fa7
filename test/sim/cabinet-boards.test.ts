// The official VM and the cabinet together: a real image, the project's own board file, chips, switch, lines and a pulled plug.

import assert from "node:assert/strict"
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Board } from "../../tools/sim/board"
import { boardConfig } from "../../tools/sim/board-config"
import { buildProgram } from "../../tools/sim/bytecode"
import { Cabinet, followState } from "../../tools/sim/cabinet/cabinet"
import { projectRoot } from "../../tools/sim/devs-cli"
import { EventQueue } from "../../tools/sim/event-queue"
import { Random } from "../../tools/sim/random"
import { Trace } from "../../tools/sim/trace"
import { Wire } from "../../tools/sim/wire"

const second = 1e9

/** The test's firmware beside the project's board file, with pin names that fit a configuration block. */
const project = (() => {
    const folder = join(projectRoot, "build", "cabinet-test")
    const board = join(folder, "boards", "pico_node.board.json")
    mkdirSync(dirname(board), { recursive: true })
    writeFileSync(
        board,
        readFileSync(join(projectRoot, "boards/pico_node.board.json"), "utf8").replaceAll("PARTNER_", "P_"),
    )
    cpSync(join(projectRoot, "test/sim/cabinet-firmware"), join(folder, "cabinet-firmware"), { recursive: true })
    return { folder, board }
})()

class World {
    readonly queue = new EventQueue()
    readonly trace = new Trace()
    readonly printed: string[] = []
    readonly cabinet: Cabinet
    private readonly boards = new Map<string, Board>()

    constructor(seed: number) {
        const random = new Random(seed)
        const wire = new Wire(this.queue, random, this.trace)
        this.cabinet = new Cabinet({
            random,
            chip: "W25Q16JV",
            board: project.board,
            trace: this.trace,
            onNode: (node, state) => followState(this.boards.get(node)!, state),
        })
        const sources = {
            root: project.folder,
            entry: "cabinet-firmware/pair.ts",
            inputs: ["boards", "cabinet-firmware"],
        }
        const image = buildProgram({ ...sources, name: "test", version: "1.0.0" })
        for (const [i, name] of this.cabinet.nodeNames.entries())
            this.boards.set(
                name,
                new Board({
                    name,
                    queue: this.queue,
                    random,
                    wire,
                    image,
                    port: this.cabinet.port(name),
                    deviceId: `a${i}`.repeat(8),
                    config: boardConfig(project.board),
                    cpu: "rp2040",
                    reach: "all",
                    onLog: line => void (line.startsWith("> ") && this.printed.push(`${name}: ${line.slice(2)}`)),
                    onPanic: code => assert.fail(`${name} panics: ${code}`),
                }),
            )
        for (const name of this.cabinet.nodeNames) this.cabinet.power(name, true, 0)
    }

    pull(node: string): void {
        this.cabinet.power(node, false, this.queue.nowNs)
    }
}

describe("cabinet: real boards", function () {
    this.timeout(60_000)

    it("the partner is locked out, then, when the plug is pulled, reads what was written [R1] [R6] [R19]", () => {
        const world = new World(1)
        world.queue.runUntil(2 * second)
        assert.deepEqual(world.printed, ["b: partner up", "b: locked out ffffffff", "a: written"])
        world.pull("a")
        world.queue.runUntil(3 * second)
        assert.deepEqual(world.printed.slice(3), ["b: id ffef4015", "b: F0 ffffffffc0ffee11", "b: F1 ffffffffc0ffee11"])
        assert.equal(world.cabinet.chip("a.E0").statistics.tornPrograms, 0)
    })

    it("the plug pulled at any moment of a stream of programs: no violation, whatever it hits [R6] [R23]", () => {
        for (let i = 0; i < 12; i++) {
            const world = new World(1)
            world.queue.runUntil(2 * second + i * 173_117)
            world.pull("a")
            world.queue.runUntil(world.queue.nowNs + second)
            assert.deepEqual(world.printed.at(-1), "b: F1 ffffffffc0ffee11", `${i}`)
        }
    })

    it("the same seed gives the same run, to the bit [R37]", () => {
        const hashes = [1, 1].map(seed => {
            const world = new World(seed)
            world.queue.runUntil(2 * second)
            world.pull("a")
            world.pull("b")
            const { cabinet, trace } = world
            for (const element of ["a.E0", "a.E1"]) trace.add(0, "contents", cabinet.chip(element).peek(0, 0x8000))
            return trace.hash()
        })
        assert.equal(hashes[0], hashes[1])
    })
})
