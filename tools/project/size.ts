// `npm run size [-- --json] [--program]`: how much of a board the firmware takes, against the limits. The heap is what the demonstration
// leaves as its high water: most bytes alive right after a collection, since the node last started.

import { parseArgs } from "node:util"
import { runDemo } from "../demo/demo"
import { compileProgram, firmwareSources } from "../sim/bytecode"
import { functionBytesOf, functionLimitBytes } from "../link/image"

const programLimitBytes = 100 * 1024
/** Of 64 KB: never within 8 KB of all. */
const heapLimitBytes = 56 * 1024

interface Row {
    name: string
    bytes: number
    limitBytes: number
    ok: boolean
}

function row(name: string, bytes: number, limitBytes: number): Row {
    return { name, bytes, limitBytes, ok: bytes <= limitBytes }
}

/** Of the image for one kind of elements, whether it fits or not. */
function imageRows(elements: "nor" | "sd"): Row[] {
    const image = compileProgram(firmwareSources(elements), Infinity)
    return [
        row(`${elements}: program`, image.length, programLimitBytes),
        row(`${elements}: functions`, functionBytesOf(image), functionLimitBytes),
    ]
}

async function heapRows(): Promise<Row[]> {
    const rows: Row[] = []
    const result = await runDemo({
        seed: 1,
        onEnd: session => {
            for (const [name, board] of session.simulation.boards)
                rows.push(row(`heap of node ${name}`, board.heap()?.liveBytesHigh ?? Infinity, heapLimitBytes))
        },
    })
    if (!result.ok) throw new Error(`the demonstration did not hold: ${JSON.stringify(result)}`)
    return rows
}

const { values } = parseArgs({ options: { json: { type: "boolean" }, program: { type: "boolean" } } })
const rows = [...imageRows("nor"), ...imageRows("sd"), ...(values.program ? [] : await heapRows())]
if (values.json) console.log(JSON.stringify({ outputVersion: 1, sizes: rows }))
else
    for (const { name, bytes, limitBytes, ok } of rows)
        console.log(`${name.padEnd(16)} ${String(bytes).padStart(7)} of ${limitBytes} bytes${ok ? "" : "  TOO MUCH"}`)
process.exitCode = rows.every(({ ok }) => ok) ? 0 : 1
