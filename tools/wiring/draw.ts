// Draws a sheet of the netlist as SVG: chips as boxes, small parts as symbols, every pin with the name of its net in a colour of its own.
// Pins with the same name are joined.

import { edgePin, headerOf, type Board, type Part, type Purchase, type Sheet } from "./netlist"

const pitch = 24
const stub = 26
const labelWidth = 92
const boxWidth = 170
const columnWidth = 2 * (labelWidth + stub) + boxWidth
const columnCount = 3
const smallHeight = 52
/** A small part's own wires; it stands in the middle of its column. */
const smallWidth = 60

interface Drawn {
    svg: string
    height: number
}

/** In three columns: a page is about as wide. Chips first, then the small parts where there is room. */
export function drawSheet(sheet: Sheet, purchases: Map<string, Purchase>, board: Board): string {
    const drawn = [
        ...sheet.parts.filter(isBox).map(part => drawBox(part, purchases.get(part.part)!, board)),
        ...sheet.parts.filter(part => !isBox(part)).map(part => drawSmall(part, purchases)),
    ]
    const heights = new Array<number>(columnCount).fill(10)
    const placed = drawn.map(({ svg, height }) => {
        const column = heights.indexOf(Math.min(...heights))
        const y = heights[column]
        heights[column] += height
        return `<g transform="translate(${10 + column * columnWidth} ${y})">${svg}</g>`
    })
    return svgOf(20 + columnCount * columnWidth, Math.max(...heights) + 10, placed.join("\n"))
}

const isBox = ({ pins }: Part) => pins.size > 3

export function svgOf(width: number, height: number, body: string): string {
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">\n${body}\n</svg>`
}

function drawBox(part: Part, purchase: Purchase, board: Board): Drawn {
    const [left, right] = sides(part)
    const rows = Math.max(left.length, right.length)
    const boxX = labelWidth + stub
    const boxHeight = rows * pitch + 12
    const title = part.part === "board" ? board.name.replace(/^Twinfiler node on an? /, "") : purchase.name
    const lines = [
        text(boxX + boxWidth / 2, 12, `${part.ref}  ${part.what}`, "middle", "bold"),
        text(boxX + boxWidth / 2, 27, title.split(",")[0], "middle"),
        `<rect x="${boxX}" y="34" width="${boxWidth}" height="${boxHeight}" fill="#fffdf3" stroke="#222" stroke-width="1.5"/>`,
    ]
    const pinNote = (pin: string) => {
        const gpio = part.part === "board" ? board.gpios.get(pin) : undefined
        if (gpio !== undefined) return `${pin} GP${gpio}`.replace("GP", board.id.startsWith("pico") ? "GP" : "IO")
        const number = purchase.pinNumbers?.[pin]
        return number ? `${number} ${pin}` : pin
    }
    /** Where a board's pin comes out, small above its wire, as schematics have it. */
    const edge = (pin: string, x: number, y: number) => {
        const at = part.part === "board" ? edgePin(board, pin) : undefined
        return at === undefined ? "" : `<g font-size="9">${text(x, y - 3, String(at), "middle")}</g>`
    }
    left.forEach((pin, i) => {
        const y = 34 + 6 + pitch * (i + 0.5)
        lines.push(wire(boxX - stub, y, boxX, y), label(boxX - stub, y, part.pins.get(pin)!, "end"))
        lines.push(edge(pin, boxX - stub / 2, y))
        lines.push(text(boxX + 6, y + 4, pinNote(pin), "start"))
    })
    right.forEach((pin, i) => {
        const y = 34 + 6 + pitch * (i + 0.5)
        const x = boxX + boxWidth
        lines.push(wire(x, y, x + stub, y), label(x + stub, y, part.pins.get(pin)!, "start"))
        lines.push(edge(pin, x + stub / 2, y))
        lines.push(text(x - 6, y + 4, pinNote(pin), "end"))
    })
    return { svg: lines.join(""), height: 34 + boxHeight + 22 }
}

/** Which pins stand left and which right: a switch has its boards left and its chips right, a board has its own array's selects left. */
function sides({ part, pins }: Part): [string[], string[]] {
    const names = [...pins.keys()]
    const isRight =
        part === "cbtlv3257"
            ? (pin: string) => /^\dA$|VCC|GND/.test(pin)
            : part === "board"
              ? (pin: string) => /^F\d|OWN|HOLD|RESET|RUN|NODE|PAIR/.test(pin)
              : (pin: string) => /DO|VCC|HOLD|WP/.test(pin)
    return [names.filter(pin => !isRight(pin)), names.filter(isRight)]
}

function drawSmall(part: Part, purchases: Map<string, Purchase>): Drawn {
    const [first, second, third] = smallOrder(part)
    const x = (columnWidth - smallWidth) / 2
    const y = 30
    const { name } = purchases.get(part.part)!
    const value = name
        .split(",")[0]
        .replace("kilohm", "kΩ")
        .replace("ohm", "Ω")
        .replace("uF", "µF")
        .replace(" ceramic", "")
    const svg = [
        text(x + 30, 12, `${part.ref}  ${value}`, "middle"),
        label(x - stub, y, part.pins.get(first)!, "end"),
        label(x + 60 + stub, y, part.pins.get(second)!, "start"),
        wire(x - stub, y, x, y),
        wire(x + 60, y, x + 60 + stub, y),
        symbol(part, x, y),
        third ? text(x + 30, y + 24, `gate: ${part.pins.get(third)}`, "middle") : "",
    ].join("")
    return { svg, height: third ? smallHeight + 18 : smallHeight }
}

function smallOrder({ pins }: Part): string[] {
    if (pins.has("G")) return ["S", "D", "G"]
    return pins.has("A") ? ["A", "K"] : ["1", "2"]
}

function symbol({ what }: Part, x: number, y: number): string {
    const line = (d: string) => `<path d="${d}" fill="none" stroke="#222" stroke-width="1.5"/>`
    if (what === "resistor")
        return (
            `<rect x="${x + 8}" y="${y - 7}" width="44" height="14" fill="#fff" stroke="#222" stroke-width="1.5"/>` +
            line(`M${x} ${y}h8M${x + 52} ${y}h8`)
        )
    if (what === "capacitor") return line(`M${x} ${y}h26M${x + 26} ${y - 9}v18M${x + 34} ${y - 9}v18M${x + 34} ${y}h26`)
    if (what === "Schottky diode")
        return (
            `<path d="M${x + 20} ${y - 9}v18l18 -9z" fill="#222"/>` +
            line(`M${x} ${y}h20M${x + 38} ${y}h22M${x + 33} ${y - 6}v-3h5v18h5v-3`)
        )
    // a transistor: source and drain on the wire, the gate below
    return (
        `<rect x="${x + 12}" y="${y - 9}" width="36" height="18" fill="#fff" stroke="#222" stroke-width="1.5"/>` +
        text(x + 30, y + 4, "S  D", "middle") +
        line(`M${x} ${y}h12M${x + 48} ${y}h12`)
    )
}

const wire = (x1: number, y1: number, x2: number, y2: number) =>
    `<path d="M${x1} ${y1}L${x2} ${y2}" stroke="#222" stroke-width="1.2"/>`

function label(x: number, y: number, net: string, anchor: "start" | "end"): string {
    const width = 12 + 7 * net.length
    const left = anchor === "start" ? x : x - width
    const { fill, edge } = colour(net)
    return (
        `<rect x="${left}" y="${y - 9}" width="${width}" height="18" rx="4" fill="${fill}" stroke="${edge}"/>` +
        text(left + width / 2, y + 4, net, "middle")
    )
}

/** By what the net is for: supplies and ground apart from signals, and board a from board b. */
export function colour(net: string): { fill: string; edge: string } {
    if (net === "GND") return { fill: "#e4e4e4", edge: "#888" }
    if (/3V3|VARR/.test(net)) return { fill: "#ffd9d2", edge: "#c0392b" }
    if (net.includes(":")) return { fill: "#d9f2d9", edge: "#2e8b57" }
    if (net.startsWith("a.")) return { fill: "#d8e8ff", edge: "#2f6fc0" }
    if (net.startsWith("b.")) return { fill: "#fdeac4", edge: "#c98a00" }
    return { fill: "#eadcf7", edge: "#7d3fb2" }
}

export function text(x: number, y: number, words: string, anchor: string, weight = "normal"): string {
    const safe = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-weight="${weight}">${safe}</text>`
}

/** Where each pin of a board goes, as rows of a table. */
export function pinRows(board: Board): { name: string; gpio: number; header: string }[] {
    return [...board.gpios].map(([name, gpio]) => ({ name, gpio, header: headerOf(board.id, gpio) }))
}
