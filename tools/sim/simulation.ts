// A cabinet with its boards on one wire under one event queue: the whole simulated world, without pace, sockets or files' owner.
//
// Promises: everything that happens follows from the seed and from what the outside does at which virtual time; the image the boards run
// is the one that is flashed. A violation of the hardware's rules ends the run.

import { join } from "node:path"
import { Board, panicCodes } from "./board"
import { boardConfig } from "./board-config"
import { buildProgram, firmwareSources } from "./bytecode"
import { Cabinet, followState, type CabinetConfig } from "./cabinet/cabinet"
import { findPart } from "./chips/parts"
import { miswire, type Miswiring } from "./cabinet/miswired"
import type { LineName } from "./cabinet/pair"
import type { Violation } from "./chips/violation"
import { projectRoot } from "./devs-cli"
import { EventQueue } from "./event-queue"
import type { ProcessorKind } from "./processor"
import { Random } from "./random"
import { Relay } from "./relay"
import { Trace } from "./trace"
import { Wire } from "./wire"

/** 131,072 operations of 5 us, the cheap ones (tools/sim/cost/rp2040.json). */
const endlessLoopMs = 655

export interface SimulationOptions extends Pick<
    CabinetConfig,
    "pairs" | "strapsOf" | "elements" | "spares" | "chip" | "partOf" | "images" | "timing" | "onOperation"
> {
    seed: number
    cpu?: ProcessorKind
    /** Elements that are silent from the start, as `a:1` */
    deadElements?: string[]
    /** A mistake of the builder's, there from the start */
    miswired?: Miswiring
    /** A Jacdac relay on the bus for each board's power */
    relays?: boolean
    /** Instead of the project's firmware. */
    image?: Uint8Array
    /** A line a node printed. */
    onLog?(node: string, line: string, atNs: number): void
    onPanic?(node: string, code: number, atNs: number): void
}

export interface Panic {
    node: string
    code: number
    atNs: number
    /** The simulation stopped the program, not the program itself. */
    isPlanted: boolean
}

export class Simulation {
    readonly queue = new EventQueue()
    readonly trace = new Trace()
    readonly wire: Wire
    readonly cabinet: Cabinet
    readonly boards = new Map<string, Board>()
    readonly panics: Panic[] = []
    violation: Violation | undefined

    constructor(readonly options: SimulationOptions) {
        const random = new Random(options.seed)
        this.wire = new Wire(this.queue, random.fork("wire"), this.trace)
        const config = boardConfig(join(projectRoot, "boards", "pico_node.board.json"))
        const kind = options.chip === undefined ? "nor" : findPart(options.chip).kind
        const image = options.image ?? buildProgram(firmwareSources(kind))
        this.cabinet = new Cabinet({
            random: random.fork("cabinet"),
            pairs: options.pairs,
            strapsOf: options.strapsOf,
            elements: options.elements,
            spares: options.spares,
            chip: options.chip,
            partOf: options.partOf,
            images: options.images,
            timing: options.timing,
            trace: this.trace,
            onOperation: options.onOperation,
            oneController: true,
            onNode: (node, state) => followState(this.boards.get(node)!, state),
            report: violation => {
                // the program is right, and the wires are not
                if (options.miswired) return
                this.violation ??= violation
                throw violation
            },
        })
        this.silence(options.deadElements ?? [])
        if (options.miswired) miswire(this.cabinet, options.miswired)
        for (const [index, name] of this.cabinet.nodeNames.entries())
            this.boards.set(
                name,
                new Board({
                    name,
                    queue: this.queue,
                    random: random.fork(`board ${name}`),
                    wire: this.wire,
                    image,
                    port: this.cabinet.port(name),
                    deviceId: deviceId(index),
                    config,
                    cpu: options.cpu ?? "rp2040",
                    reach: "wire",
                    onLog: (line, atNs) => options.onLog?.(name, line, atNs),
                    onPanic: (code, atNs, isPlanted) => {
                        this.panics.push({ node: name, code, atNs, isPlanted })
                        options.onPanic?.(name, code, atNs)
                    },
                }),
            )
    }

    private silence(elements: string[]): void {
        try {
            for (const name of elements) this.cabinet.element(name).faults.silent = true
        } catch (error) {
            this.cabinet.close()
            throw error
        }
    }

    get nowNs(): number {
        return this.queue.nowNs
    }

    /** Powers every board up, now. */
    start(): void {
        if (this.options.relays) this.addRelays()
        for (const node of this.cabinet.nodeNames) this.power(node, true)
    }

    private addRelays(): void {
        const { cabinet, queue, wire } = this
        for (const [index, node] of cabinet.nodeNames.entries())
            new Relay(
                relayId(index),
                wire,
                queue,
                () => cabinet.nodeState(node) !== "off",
                isActive => this.power(node, isActive),
            )
    }

    power(node: string, on: boolean): void {
        this.cabinet.power(node, on, this.queue.nowNs)
    }

    /** A pulse of the other level on a node's line; what was wrong with the line before is wrong again after it. */
    glitchLine(node: string, line: LineName, us: number): void {
        const { cabinet, queue } = this
        const before = cabinet.lineFault(node, line)
        const level = line === "RESET" ? cabinet.resetLevel(node) : cabinet.line(node, line)
        cabinet.faultLine(node, line, level === 1 ? "low" : "high", queue.nowNs)
        queue.after(Math.round(us * 1000), () => cabinet.faultLine(node, line, before, queue.nowNs))
    }

    /** The program of a node loops: it answers nobody for as long as 131,072 operations take, then the runtime stops and restarts it. */
    endlessLoop(node: string): void {
        const board = this.board(node)
        board.pause(endlessLoopMs)
        const life = board.counters().starts
        this.queue.after(endlessLoopMs * 1e6, () => {
            if (board.isRunning && board.counters().starts === life) board.panic(panicCodes.endlessLoop)
        })
    }

    /** Lets `ms` of virtual time pass. */
    advance(ms: number): void {
        this.queue.runUntil(this.queue.nowNs + ms * 1e6)
    }

    board(node: string): Board {
        const board = this.boards.get(node)
        if (!board) throw new Error(`no such node: ${node}. There are ${this.cabinet.nodeNames.join(", ")}`)
        return board
    }
}

/** 16 hex digits, made up: the 64-bit ids of real boards come from their flash chips. */
function deviceId(index: number): string {
    return `7f11e500${(0xa0 + index).toString(16)}000000`
}

function relayId(index: number): string {
    return `7f11e501${(0xa0 + index).toString(16)}000000`
}
