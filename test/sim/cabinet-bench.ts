// A cabinet with hands in place of boards: each node's pins by name, at times the test chooses. Shared by cabinet tests.

import { Cabinet, type CabinetConfig } from "../../tools/sim/cabinet/cabinet"
import { readBoardPins, type PinName } from "../../tools/sim/cabinet/pins"
import type { Violation } from "../../tools/sim/chips/violation"
import { Random } from "../../tools/sim/random"

export const pins = readBoardPins("boards/pico_node.board.json")
export const spi = {
    miso: pins.gpioOf("MISO"),
    mosi: pins.gpioOf("MOSI"),
    sck: pins.gpioOf("SCK"),
    hz: 10_000_000,
    mode: 0,
}
const byteNs = 800

export class CabinetBench {
    nowNs = 0
    readonly violations: Violation[] = []
    readonly states: string[] = []
    readonly lines: string[] = []
    readonly cabinet: Cabinet

    constructor(config: Partial<CabinetConfig> = {}) {
        this.cabinet = new Cabinet({
            random: new Random(1),
            chip: "tiny",
            report: violation => this.violations.push(violation),
            onNode: (node, state) => this.states.push(`${node} ${state}`),
            trace: { add: (_timeNs, kind, data) => void (kind === "line" && this.lines.push(String(data))) },
            ...config,
        })
    }

    power(...nodes: string[]): this {
        for (const node of nodes) this.cabinet.power(node, true, ++this.nowNs)
        return this
    }

    drive(node: string, pin: PinName, level: 0 | 1 | undefined): this {
        this.cabinet.port(node).drive(pins.gpioOf(pin), level, undefined, ++this.nowNs)
        return this
    }

    sense(node: string, pin: PinName): 0 | 1 {
        return this.cabinet.port(node).sense(pins.gpioOf(pin), ++this.nowNs)
    }

    clock(node: string, tx: number[]): Uint8Array {
        const startNs = this.nowNs
        this.nowNs += tx.length * byteNs
        return this.cabinet.port(node).transfer(spi, Uint8Array.from(tx), startNs, this.nowNs)
    }

    /** One command through the given selects. */
    command(node: string, selects: PinName | PinName[], tx: number[]): number[] {
        for (const select of [selects].flat()) this.drive(node, select, 0)
        const rx = this.clock(node, tx)
        for (const select of [selects].flat()) this.drive(node, select, 1)
        return [...rx]
    }

    /** Capacity byte of the JEDEC id: 0x10 if a chip answers, 0xff if none does. */
    identify(node: string, select: PinName): number {
        return this.command(node, select, [0x9f, 0, 0, 0])[3]
    }

    program(node: string, selects: PinName | PinName[], address: number, data: number[]): void {
        this.command(node, selects, [0x06])
        this.command(node, selects, [0x02, 0, address >> 8, address & 255, ...data])
        this.nowNs += 1e6
    }
}
