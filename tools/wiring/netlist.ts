// The wiring of one pair, from boards/netlist.json and a board file. Kept true: a board's pins come from the board file alone, so the two
// cannot differ; every pin a node needs hangs on a net with something else on it; a part has each pin once.

import { readFileSync } from "node:fs"
import { join } from "node:path"

export interface Part {
    ref: string
    /** What it is for */
    what: string
    /** Key of the list of parts */
    part: string
    /** Net by pin */
    pins: Map<string, string>
}
export interface Sheet {
    title: string
    parts: Part[]
}
export interface Purchase {
    name: string
    /** Where another value is wanted, by the board's file. */
    nameOn?: Record<string, string>
    number: string
    euro: number
    pinNumbers?: Record<string, number>
}
export interface Board {
    id: string
    name: string
    /** GPIO by name, the bus included */
    gpios: Map<string, number>
}
export interface Netlist {
    sheets: Sheet[]
    purchases: Map<string, Purchase>
    /** Pins, as Ua.OWN, by net */
    nets: Map<string, string[]>
}

interface RawPart {
    ref: string
    what: string
    part: string
    pins: Record<string, string>
}
interface RawNetlist {
    modules: Record<string, { title: string; parts: RawPart[] }>
    nodes: Record<string, { partner: string; strap: string }>
    parts: Record<string, Purchase>
}

/** Those that one alone may use: they tell pairs apart and are left open in the first (docs/WIRING.md). */
const mayHangAlone = /^[ab]\.PAIR\d$/

export function readBoard(folder: string, id: string): Board {
    const file = JSON.parse(readFileSync(join(folder, `${id}.board.json`), "utf8")) as {
        devName: string
        pins: Record<string, number>
        jacdac: { pin: number }
    }
    const gpios = new Map(Object.entries(file.pins))
    gpios.set("JD", file.jacdac.pin)
    return { id, name: file.devName, gpios }
}

/** Throws for a netlist that cannot be built. */
export function readNetlist(folder: string, board: Board): Netlist {
    const raw = JSON.parse(readFileSync(join(folder, "netlist.json"), "utf8")) as RawNetlist
    const sheets = Object.values(raw.modules).flatMap(({ title, parts }) =>
        Object.entries(raw.nodes).map(([node, { partner, strap }]) => {
            const fill = (text: string) =>
                text.replace("$n.STRAP", strap).replaceAll("$n", node).replaceAll("$p", partner)
            return {
                title: fill(title),
                parts: parts.map(part => {
                    const pins = new Map(Object.entries(part.pins).map(([pin, net]) => [pin, fill(net)]))
                    if (part.part === "board") for (const name of board.gpios.keys()) pins.set(name, `${node}.${name}`)
                    return { ref: fill(part.ref), what: part.what, part: part.part, pins }
                }),
            }
        }),
    )
    const purchases = Object.entries(raw.parts).map(
        ([key, part]) => [key, { ...part, name: part.nameOn?.[board.id] ?? part.name }] as const,
    )
    const netlist = { sheets, purchases: new Map(purchases), nets: netsOf(sheets) }
    check(netlist)
    return netlist
}

function netsOf(sheets: Sheet[]): Map<string, string[]> {
    const nets = new Map<string, string[]>()
    for (const { ref, pins } of sheets.flatMap(({ parts }) => parts))
        for (const [pin, net] of pins) nets.set(net, [...(nets.get(net) ?? []), `${ref}.${pin}`])
    return nets
}

function check({ sheets, purchases, nets }: Netlist): void {
    const parts = sheets.flatMap(sheet => sheet.parts)
    for (const { ref, part, pins } of parts) {
        if (parts.filter(other => other.ref === ref).length > 1) throw new Error(`netlist: two parts are named ${ref}`)
        const purchase = purchases.get(part)
        if (!purchase) throw new Error(`netlist: ${ref} is a ${part}, which is not in the list of parts`)
        for (const pin of pins.keys())
            if (purchase.pinNumbers && !purchase.pinNumbers[pin]) throw new Error(`netlist: ${ref} has no pin ${pin}`)
    }
    for (const [net, pins] of nets)
        if (pins.length < 2 && !mayHangAlone.test(net)) throw new Error(`netlist: only ${pins[0]} is on net ${net}`)
}

/** Where a GPIO comes out on the board. */
export function headerOf(boardId: string, gpio: number): string {
    if (boardId.startsWith("pico")) {
        const pin = picoPins[gpio]
        return pin === undefined ? "not on the edge" : `pin ${pin}`
    }
    for (const [name, labels] of Object.entries(devKitHeaders)) if (labels.includes(gpio)) return `${name}, "${gpio}"`
    return gpio === 43 ? "TX" : "not on a header"
}

/** The number of a pin on the board's edge; undefined where the board is printed with names instead, or has no such pin. */
export function edgePin(board: Board, pin: string): number | undefined {
    if (!board.id.startsWith("pico")) return undefined
    const gpio = board.gpios.get(pin)
    return gpio === undefined ? picoPowerPins[pin] : picoPins[gpio]
}

/** Of the eight grounds the one beside 3V3. */
const picoPowerPins: Record<string, number> = { GND: 38, "3V3": 36, RUN: 30 }
/** Pico datasheet, figure 2. */
const picoPins: Record<number, number> = Object.fromEntries([
    ...[1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17, 19, 20, 21, 22, 24, 25, 26, 27, 29].map((pin, io) => [
        io,
        pin,
    ]),
    [26, 31],
    [27, 32],
    [28, 34],
])
/** ESP32-S3-DevKitC-1 v1.1, header block. */
const devKitHeaders = {
    J1: [4, 5, 6, 7, 15, 16, 17, 18, 8, 3, 46, 9, 10, 11, 12, 13, 14],
    J3: [1, 2, 42, 41, 40, 39, 38, 37, 36, 35, 0, 45, 48, 47, 21, 20, 19],
}
