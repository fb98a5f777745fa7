// `npm run wiring`: build/wiring.html, the wiring of a pair to print: picture, schematic, pin tables, parts with prices, and docs/WIRING.md's text.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { projectRoot } from "../sim/devs-cli"
import { drawSheet, pinRows } from "./draw"
import { htmlOf } from "./markdown"
import { readBoard, readNetlist, type Board, type Netlist, type Sheet } from "./netlist"
import { drawOverview } from "./overview"

const folder = join(projectRoot, "boards")
export const boardIds = ["pico_node", "esp32s3_node"]

export function wiringPage(): string {
    const boards = boardIds.map(id => readBoard(folder, id))
    const [pico, esp] = boards
    const netlist = readNetlist(folder, pico)
    const espNetlist = readNetlist(folder, esp)
    const inserts: Record<string, string> = {
        overview: figure(drawOverview(), "One pair: who is wired to whom"),
        schematic: netlist.sheets.map(sheet => drawn(sheet, netlist, pico)).join("\n"),
        esp32s3: espNetlist.sheets
            .filter(({ parts }) => parts.some(({ part }) => part === "board"))
            .map(sheet => drawn({ ...sheet, title: `${sheet.title}, an ESP32-S3` }, espNetlist, esp))
            .join("\n"),
        pins: pinTable(boards),
        parts: partsTable(netlist),
    }
    const text = htmlOf(readFileSync(join(projectRoot, "docs", "WIRING.md"), "utf8"))
    const body = text.replace(/<!-- insert (\w+) -->/g, (_, name: string) => {
        if (!inserts[name]) throw new Error(`docs/WIRING.md: nothing is named ${name}`)
        return inserts[name]
    })
    return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Twinfiler: wiring</title><style>${style}</style><body>${body}</body></html>\n`
}

const style = `body{font:16px/1.45 sans-serif;max-width:1150px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #bbb;padding:3px 9px;text-align:left;vertical-align:top}th{background:#f1f1f1}
figure{margin:1em 0;overflow-x:auto}svg{max-width:100%;height:auto}code{background:#f3f3f3;padding:0 3px}`

const drawn = (sheet: Sheet, { purchases }: Netlist, board: Board) =>
    `<h3>${sheet.title}</h3>${figure(drawSheet(sheet, purchases, board), sheet.title)}`
const figure = (svg: string, name: string) => `<figure aria-label="${name}">${svg}</figure>`
const cells = (row: (string | number)[], tag = "td") =>
    `<tr>${row.map(cell => `<${tag}>${cell}</${tag}>`).join("")}</tr>`
const table = (head: string[], rows: (string | number)[][]) =>
    `<table>${cells(head, "th")}${rows.map(row => cells(row)).join("")}</table>`

function pinTable(boards: ReturnType<typeof readBoard>[]): string {
    const byBoard = boards.map(board => new Map(pinRows(board).map(row => [row.name, row])))
    const names = [...new Set(byBoard.flatMap(rows => [...rows.keys()]))]
    return table(
        ["name", ...boards.map(({ id }) => id)],
        names.map(name => [
            name,
            ...byBoard.map(rows => {
                const row = rows.get(name)
                return row ? `GPIO ${row.gpio}, ${row.header}` : "–"
            }),
        ]),
    )
}

function partsTable({ sheets, purchases }: Netlist): string {
    const count = (isMore: boolean) => (key: string) =>
        sheets
            .filter(({ title }) => /further/.test(title) === isMore)
            .flatMap(({ parts }) => parts)
            .filter(({ part }) => part === key).length
    const [base, more] = [count(false), count(true)]
    const rows = [...purchases].map(([key, { name, number, euro }]) => [
        name,
        number,
        base(key),
        more(key) || "",
        euro.toFixed(2),
    ])
    const sum = (of: (key: string) => number) =>
        [...purchases].reduce((total, [key, { euro }]) => total + of(key) * euro, 0).toFixed(0)
    rows.push(["<b>in all, about, in euro</b>", "", sum(base), sum(more), ""])
    return table(["part", "number", "pair with 2 chips each", "more for 6 chips each", "euro each"], rows)
}

if (process.argv[1]?.endsWith("wiring.ts")) {
    const path = join(projectRoot, "build", "wiring.html")
    mkdirSync(join(projectRoot, "build"), { recursive: true })
    writeFileSync(path, wiringPage())
    console.log(path)
}
