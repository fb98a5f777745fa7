// What a processor takes for the work its VM counted, in virtual nanoseconds. Counts repeat exactly, so the time does too: the
// sum is of products taken in a fixed order, rounded once. `ideal` takes no time at all.

import { readFileSync } from "node:fs"
import { type MeterWord, meterWords } from "./vm/vm-layout"

export type ProcessorKind = "rp2040" | "ideal"

interface CostTable {
    work: Partial<Record<MeterWord | "logLines", number>>
    everyOperation: number
    unlistedOperation: number
    operations: Record<string, { us: number }>
}

/** From here on an operation pushes a small constant; the table lists them as the first. */
const firstSmallConstant = 128
const opcodes = 256

export class Processor {
    /** Nanoseconds by opcode, whole numbers: the VM itself adds them up. */
    readonly opCostNs = new Uint32Array(opcodes)
    /** Nanoseconds by counter, in the order of `meterWords`. */
    private readonly workNs = new Float64Array(meterWords.length)
    private readonly logLineNs: number

    constructor(
        readonly kind: ProcessorKind,
        table?: CostTable,
    ) {
        this.logLineNs = 1000 * (table?.work.logLines ?? 0)
        if (!table) return
        for (let opcode = 0; opcode < opcodes; opcode++) {
            const us = table.operations[Math.min(opcode, firstSmallConstant)]?.us ?? table.unlistedOperation
            this.opCostNs[opcode] = Math.round(1000 * (us + table.everyOperation))
        }
        meterWords.forEach((word, i) => (this.workNs[i] = word === "opNs" ? 1 : 1000 * (table.work[word] ?? 0)))
    }

    /** Time of the work between two readings of the counters (which wrap at 32 bits). */
    costNs(now: Uint32Array, then: Uint32Array, logLines: number): number {
        const workNs = this.workNs
        let ns = this.logLineNs * logLines
        for (let i = 0; i < workNs.length; i++) ns += workNs[i] * ((now[i] - then[i]) >>> 0)
        return Math.round(ns)
    }
}

const processors = new Map<ProcessorKind, Processor>()

export function processor(kind: ProcessorKind): Processor {
    let found = processors.get(kind)
    if (!found) {
        const table =
            kind === "ideal"
                ? undefined
                : JSON.parse(readFileSync(new URL(`./cost/${kind}.json`, import.meta.url), "utf8"))
        found = new Processor(kind, table)
        processors.set(kind, found)
    }
    return found
}
