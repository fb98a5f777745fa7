// `npm run size [-- --json] [--program]`: how much of a board the firmware takes, against the limits. The heap is what the demonstration
// leaves as its high water: most bytes alive right after a collection, since the node last started; and the largest piece that is free
// then, when it was smallest (docs/decisions/0016).

import { parseArgs } from "node:util"
import { runDemo } from "../demo/demo"
import { compileProgram, firmwareSources } from "../sim/bytecode"
import { functionBytesOf, functionLimitBytes } from "../link/image"

const programLimitBytes = 100 * 1024
/** Of 64 KB: never within 8 KB of all. */
const heapLimitBytes = 56 * 1024
/** Half as much again as the largest that is asked for: a frame that is received, or the locals of a function, 248 bytes. */
const pieceLeastBytes = 1.5 * 248

interface Row {
    name: string
    bytes: number
    /** At most, or at least. */
    limitBytes: number
    isLeast: boolean
    ok: boolean
}

function row(name: string, bytes: number, limitBytes: number, isLeast = false): Row {
    return { name, bytes, limitBytes, isLeast, ok: isLeast ? bytes >= limitBytes : bytes <= limitBytes }
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
            for (const [name, board] of session.simulation.boards) {
                const heap = board.heap()
                rows.push(
                    row(`heap of node ${name}`, heap?.liveBytesHigh ?? Infinity, heapLimitBytes),
                    row(`free piece of ${name}`, heap?.largestPieceLow ?? 0, pieceLeastBytes, true),
                )
            }
        },
    })
    if (!result.ok) throw new Error(`the demonstration did not hold: ${JSON.stringify(result)}`)
    return rows
}

const { values } = parseArgs({ options: { json: { type: "boolean" }, program: { type: "boolean" } } })
const rows = [...imageRows("nor"), ...imageRows("sd"), ...(values.program ? [] : await heapRows())]
if (values.json) console.log(JSON.stringify({ outputVersion: 1, sizes: rows }))
else
    for (const { name, bytes, limitBytes, isLeast, ok } of rows)
        console.log(
            `${name.padEnd(16)} ${String(bytes).padStart(7)} ${isLeast ? "of at least" : "of"} ${limitBytes} bytes${ok ? "" : isLeast ? "  TOO LITTLE" : "  TOO MUCH"}`,
        )
process.exitCode = rows.every(({ ok }) => ok) ? 0 : 1
