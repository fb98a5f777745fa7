// `npm run bench [-- --json]`: figures of a simulated pair in virtual time, each beside the limit that binds it.

import { Command, InvalidArgumentError, Option } from "commander"
import { measureAll, type Result } from "./measures"

function count(text: string): number {
    const value = Number(text)
    if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("give a whole number from 1 on")
    return value
}

async function main(): Promise<void> {
    const program = new Command("npm run bench --")
        .description("Measures a simulated pair in virtual time; all but sim-speed-loaded repeats to the digit.")
        .option("--json", "as one JSON object")
        .option("--seed <n>", "seed of all randomness", count, 1)
        .option("--cuts <n>", "power cuts per failover figure", count, 100)
        .addOption(new Option("--cpu <cpu>", "processor model").choices(["rp2040", "ideal"]).default("rp2040"))
        .parse()
    const options = program.opts<{ json?: boolean; seed: number; cuts: number; cpu: "rp2040" | "ideal" }>()
    const results = await measureAll({ ...options, wallMs: () => performance.now() })
    process.stdout.write(options.json ? `${JSON.stringify({ outputVersion: 1, results })}\n` : table(results))
}

function table(results: readonly Result[]): string {
    const rows = results.map(({ name, value, unit, limit, ratio, binds }) =>
        [
            name.padEnd(24),
            `${value} ${unit}`.padStart(20),
            `${limit}`.padStart(9),
            `${ratio}`.padStart(6),
            ` ${binds}`,
        ].join(" "),
    )
    const [{ array, cpu }] = results
    return `${array}, ${cpu}; figure, limit, ratio, what the limit is\n${rows.join("\n")}\n`
}

main().catch((error: Error) => {
    process.stderr.write(`the bench failed: ${error.stack}\n`)
    process.exitCode = 1
})
