// Which GPIO carries which wire, read from the very board file the firmware is built with, so that the two cannot differ.
// A board file that lacks one of the wires is refused.

import { readFileSync } from "node:fs"

export const elementsMax = 6

const own = ["E0", "E1", "E2", "E3", "E4", "E5"] as const
const foreign = ["F0", "F1", "F2", "F3", "F4", "F5"] as const
/** The bits of a node's number, the lowest first. */
const straps = ["NODE", "PAIR0", "PAIR1"] as const
const others = ["MISO", "SCK", "MOSI", "OWN", "HOLD", "RESET", "PARTNER_OWN", "PARTNER_HOLD", ...straps] as const

// A board's configuration block has room for 15 characters of `pins.NAME`: names of more than 10 build, and cannot be flashed
const shortNames: Partial<Record<string, string>> = { PARTNER_OWN: "P_OWN", PARTNER_HOLD: "P_HOLD" }

export type PinName = (typeof own)[number] | (typeof foreign)[number] | (typeof others)[number]

export class BoardPins {
    private readonly names = new Map<number, PinName>()
    private readonly gpios = new Map<PinName, number>()

    constructor(
        pins: Record<string, unknown>,
        readonly source: string,
    ) {
        for (const name of [...own, ...foreign, ...others]) {
            const gpio = pins[shortNames[name] ?? name] ?? pins[name]
            if (typeof gpio !== "number" || !Number.isInteger(gpio) || gpio < 0)
                throw new Error(
                    `${source}: no pin is named ${shortNames[name] ?? name}; a node needs it (docs/WIRING.md)`,
                )
            const other = this.names.get(gpio)
            if (other) throw new Error(`${source}: ${name} and ${other} are both pin ${gpio}`)
            this.names.set(gpio, name)
            this.gpios.set(name, gpio)
        }
    }

    nameOf(gpio: number): PinName | undefined {
        return this.names.get(gpio)
    }

    gpioOf(name: PinName): number {
        return this.gpios.get(name)!
    }
}

export function readBoardPins(file: string): BoardPins {
    let board: { pins?: Record<string, unknown> }
    try {
        board = JSON.parse(readFileSync(file, "utf8")) as typeof board
    } catch (error) {
        throw new Error(`cannot read the board file ${file}: ${(error as Error).message}`)
    }
    return new BoardPins(board.pins ?? {}, file)
}

/** The select of element `index` as its home node names it, and as the partner does. */
export const ownSelect = (index: number): PinName => own[index]
export const foreignSelect = (index: number): PinName => foreign[index]

export function isSelect(name: PinName): boolean {
    return name.length === 2 && (name[0] === "E" || name[0] === "F")
}

/** Which bit of the node's number the pin tells; undefined when it is no strap. */
export function strapBit(name: PinName): number | undefined {
    const bit = (straps as readonly string[]).indexOf(name)
    return bit < 0 ? undefined : bit
}
