// What the simulator's own tests share: test programs, a scripted port, frames, and a small world of boards on one wire.

import { fileURLToPath } from "node:url"
import { Board, type BoardOptions, mainToProgramNs, resetToMainNs } from "../../tools/sim/board"
import { boardConfig } from "../../tools/sim/board-config"
import type { BoardPort, Level, SpiSetup } from "../../tools/sim/board-port"
import { buildProgram } from "../../tools/sim/bytecode"
import { EventQueue } from "../../tools/sim/event-queue"
import { Random } from "../../tools/sim/random"
import { Trace } from "../../tools/sim/trace"
import { frameCrc, Wire, type WirePort } from "../../tools/sim/wire"

export const ms = 1_000_000
export const second = 1_000_000_000
/** A program has started by then. */
export const startedNs = resetToMainNs + mainToProgramNs + 100 * ms

const root = fileURLToPath(new URL("firmware", import.meta.url))

export function testProgram(entry: string): Uint8Array {
    return buildProgram({ root, entry, inputs: ["boards", "services", entry], name: "test", version: "1.0.0" })
}

export const testBoard = () => boardConfig(`${root}/boards/sim_node.board.json`)

export interface Transfer {
    spi: SpiSetup
    tx: Buffer
    startNs: number
    endNs: number
}

/** Answers byte i of a transfer with `answer(i)`; records all it sees. */
export class ScriptedPort implements BoardPort {
    readonly drives: { gpio: number; level: Level | undefined; pull: string | undefined; atNs: number }[] = []
    readonly transfers: Transfer[] = []
    readonly abortedNs: number[] = []
    inputs: Level = 1

    constructor(
        private readonly trace?: Trace,
        private readonly answer: (index: number) => number = i => 0xa0 + i,
    ) {}

    drive(gpio: number, level: Level | undefined, pull: "up" | "down" | undefined, atNs: number): void {
        this.drives.push({ gpio, level, pull, atNs })
        this.trace?.add(atNs, "pin", Uint8Array.of(gpio, level ?? 2))
    }

    sense(): Level {
        return this.inputs
    }

    transfer(spi: SpiSetup, tx: Uint8Array, startNs: number, endNs: number): Uint8Array {
        this.transfers.push({ spi, tx: Buffer.from(tx), startNs, endNs })
        this.trace?.add(startNs, "spi", tx)
        return tx.map((_, i) => this.answer(i))
    }

    aborted(atNs: number): void {
        this.abortedNs.push(atNs)
    }

    last(gpio: number): Level | undefined {
        return this.drives.filter(d => d.gpio === gpio).at(-1)?.level
    }
}

export class Host {
    readonly heard: { frame: Uint8Array; atNs: number }[] = []
    readonly port: WirePort
    readonly id = "host"

    constructor(wire: Wire) {
        this.port = wire.attach(this)
    }

    deliver(frame: Uint8Array, atNs: number): void {
        this.heard.push({ frame, atNs })
    }
}

export class World {
    readonly queue = new EventQueue()
    readonly trace = new Trace()
    readonly wire: Wire
    readonly random: Random
    readonly boards: Board[] = []
    readonly ports: ScriptedPort[] = []
    readonly logs: { board: string; line: string; atNs: number }[] = []
    readonly panics: number[] = []

    constructor(seed: number) {
        this.random = new Random(seed)
        this.wire = new Wire(this.queue, this.random, this.trace)
    }

    add(name: string, program: string, options: Partial<BoardOptions> = {}): Board {
        const port = new ScriptedPort(this.trace)
        const { queue, random, wire } = this
        const board = new Board({
            name,
            queue,
            random,
            wire,
            port,
            deviceId: deviceId(name),
            image: testProgram(program),
            config: testBoard(),
            cpu: "rp2040",
            reach: "all",
            onLog: (line, atNs) => this.logs.push({ board: name, line, atNs }),
            onPanic: code => this.panics.push(code),
            ...options,
        })
        this.boards.push(board)
        this.ports.push(port)
        board.powerOn()
        return board
    }

    /** What programs printed. */
    printed(board = "a"): string[] {
        return this.logs.filter(l => l.board === board && l.line.startsWith("> ")).map(l => l.line.slice(2))
    }
}

export function deviceId(name: string): string {
    return Buffer.from(name.padEnd(8, "-")).toString("hex")
}

const serverXor = Buffer.from("f8531b75a74922db", "hex")

/** The id that a node's user services have. */
export function serverId(board: Board): Uint8Array {
    return board.deviceIdBytes.map((b, i) => b ^ serverXor[i])
}

/** A frame of one packet, with its CRC. */
export function frame(id: Uint8Array, service: number, command: number, payload: Uint8Array, flags = 1): Uint8Array {
    const body = (4 + payload.length + 3) & ~3
    const out = new Uint8Array(12 + body)
    out[2] = body
    out[3] = flags
    out.set(id, 4)
    out.set([payload.length, service, command & 0xff, command >> 8], 12)
    out.set(payload, 16)
    const crc = frameCrc(out)
    out[0] = crc & 0xff
    out[1] = crc >> 8
    return out
}
