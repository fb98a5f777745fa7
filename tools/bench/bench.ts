// `npm run bench [-- --json]`: figures of a simulated pair in virtual time, each beside the limit that binds it.

import { Command, InvalidArgumentError, Option } from "commander"
import { changeKinds, measureControl, type ChangeKind } from "./control"
import { measureAll, measureStore } from "./measures"
import { percentile, type Result } from "./result"

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
        .option("--cuts <n>", "power cuts or changes of control per figure", count, 100)
        .addOption(new Option("--control [kind...]", "only changes of control, all or these").choices([...changeKinds]))
        .option("--store", "only what the store costs its chips")
        .addOption(new Option("--cpu <cpu>", "processor model").choices(["rp2040", "ideal"]).default("rp2040"))
        .parse()
    const options = program.opts<{
        json?: boolean
        store?: boolean
        control?: true | ChangeKind[]
        seed: number
        cuts: number
        cpu: "rp2040" | "ideal"
    }>()
    const results = options.store
        ? await measureStore(options.seed)
        : options.control
          ? await measureControl(
                { ...options, onChange: sayTimes(options.cuts) },
                options.control === true ? changeKinds : options.control,
            )
          : await measureAll({ ...options, wallMs: () => performance.now() })
    process.stdout.write(options.json ? `${JSON.stringify({ outputVersion: 1, results })}\n` : table(results))
}

/** What is known so far, 20 times in the course of a figure: a thousand changes of control take an hour. */
function sayTimes(cuts: number): (kind: ChangeKind, times: readonly number[]) => void {
    const every = Math.ceil(cuts / 20)
    return (kind, times) => {
        if (times.length % every !== 0 && times.length !== cuts) return
        const [median, high] = [50, 99].map(percent => percentile(times, percent).toFixed(0))
        process.stderr.write(`${kind}: ${times.length} of ${cuts}, median ${median} ms, 99th percentile ${high} ms\n`)
    }
}

function table(results: readonly Result[]): string {
    let text = ""
    let heading = ""
    for (const { array, cpu, name, value, beyondRedundancy, unit, limit, ratio, binds } of results) {
        if (heading !== `${array}, ${cpu}`) {
            heading = `${array}, ${cpu}`
            text += `${heading}; figure, beyond redundancy, limit, ratio, what the limit is\n`
        }
        const cells = [
            name.padEnd(24),
            `${value} ${unit}`.padStart(20),
            `${beyondRedundancy ?? ""}`.padStart(7),
            `${limit}`.padStart(9),
            `${ratio}`.padStart(6),
            ` ${binds}`,
        ]
        text += `${cells.join(" ")}\n`
    }
    return text
}

main().catch((error: Error) => {
    process.stderr.write(`the bench failed: ${error.stack}\n`)
    process.exitCode = 1
})
