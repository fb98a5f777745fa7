// test-results/hw-report.json: each figure as the boards gave it and as a simulated cabinet did, side by side. A run replaces its own side and
// keeps the other's.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { projectRoot } from "../tools/sim/devs-cli"

const outputVersion = 2
const file = join(projectRoot, "test-results", "hw-report.json")

interface Sides {
    boards?: unknown
    simulated?: unknown
}

export class Report {
    private readonly figures = new Map<string, unknown>()

    /**
     * `bus` is undefined for a simulated cabinet. One with a fault, or in another time than ours, gives no figures.
     */
    constructor(
        private readonly bus: string | undefined,
        private readonly isComparable: boolean,
    ) {}

    add(name: string, figure: unknown): void {
        this.figures.set(name, figure)
    }

    write(): void {
        if (!this.isComparable) return
        const all = earlier()
        const side = this.bus === undefined ? "simulated" : "boards"
        for (const [name, figure] of this.figures) all[name] = { ...all[name], [side]: figure }
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, JSON.stringify({ outputVersion, figures: all }, undefined, 1) + "\n")
    }
}

function earlier(): Record<string, Sides> {
    try {
        const report = JSON.parse(readFileSync(file, "utf8")) as {
            outputVersion: number
            figures: Record<string, Sides>
        }
        return report.outputVersion === outputVersion ? report.figures : {}
    } catch {
        return {}
    }
}
