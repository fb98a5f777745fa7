// `twinfiler campaign`: seeded histories of clients under seeded faults, each held against what a pair promises.

import { Command, InvalidArgumentError } from "commander"
import { availableParallelism } from "node:os"
import { exitCodes } from "../bridge/error"
import { runCampaign, type CampaignResult } from "./campaign"
import { faultKinds, type FaultKind } from "./faults"
import { runSeed, type SeedResult } from "./seed-run"

const outputVersion = 1
const help = `
Each seed is one history: clients put, read, rename, delete and make snapshots while boards lose power, hang and panic, packets are lost,
doubled, late or corrupt, the bus is cut, lines break and elements fail. In some an operator takes over, gives back, scrubs, exchanges and
rebuilds elements meanwhile; in some the elements are cards. Then the faults end, and the pair must become healthy; in some by itself, within
13 s for a giveback that nobody asks for.
Checked: each answer fits one order of all operations; nothing acknowledged is lost or done twice; no array has two controllers;
what is acknowledged as protected was recorded, and what was recorded is done when its node dies; nothing is refused without a reason in the history, and no
upload is lost; a client that waits is answered within what the faults explain, and 20 s after the last (100 s when a board hung for good); no program stops or
starts anew by itself; \`check\` finds nothing; with several pairs, what strikes one disturbs no other's clients.
The trace of every 25th seed is checked to be reproducible: it is run twice and must be the same. To do so for each would take twice the time.
Kinds of faults: ${faultKinds.join(", ")}.
Exit codes: 0 no violation, 1 violations, 2 wrong usage, 130 stopped by Ctrl-C.`

const seedMax = 0xffff_ffff

interface Flags {
    seeds: number
    from: number
    pairs: number
    faults?: FaultKind[]
    beyond?: boolean
    jobs: number
    json?: boolean
    verbose?: boolean
}

function whole(least: number, most: number): (text: string) => number {
    return text => {
        const value = Number(text)
        if (!Number.isInteger(value) || value < least || value > most)
            throw new InvalidArgumentError(`give a whole number from ${least} to ${most}`)
        return value
    }
}

function kinds(text: string): FaultKind[] {
    return text.split(",").map(word => {
        const kind = faultKinds.find(known => known === word.trim())
        if (!kind) throw new InvalidArgumentError(`${JSON.stringify(word)} is none of ${faultKinds.join(", ")}`)
        return kind
    })
}

export function campaignCommand(): Command {
    return new Command("campaign")
        .description("many simulated histories under faults, each checked against what a pair promises")
        .requiredOption("--seeds <n>", "how many histories", whole(1, 1e9))
        .option("--from <s>", "the first seed", whole(0, seedMax), 1)
        .option("--pairs <p>", "pairs of nodes on the bus", whole(1, 4), 1)
        .option("--faults <list>", "only these kinds of faults, separated by commas", kinds)
        .option("--beyond", "more faults than a pair survives: only what is answered is held against it")
        .option("--jobs <n>", "processes", whole(1, 256), availableParallelism())
        .option("--json", "the result as JSON, as the last line")
        .option("-v, --verbose", "with one seed: all that happens but the frames")
        .addHelpText("after", help)
        .action(async (_, command: Command) => {
            process.exitCode = await campaign(command.optsWithGlobals<Flags>())
        })
}

async function campaign(flags: Flags): Promise<number> {
    const say = (text: string) => process.stderr.write(`${text}\n`)
    const print = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`)
    const { seeds, from, faults, pairs, beyond } = flags
    if (from + seeds - 1 > seedMax) {
        say(`error: the last seed is ${seedMax}, so ${seeds} seeds begin at ${seedMax - seeds + 1} at the latest`)
        return exitCodes.usage
    }
    if (flags.verbose && seeds === 1) {
        const one = await runSeed(from, { faults, pairs, beyond, tell: say })
        say(textOf(one, flags))
        const isWrong = one.violations.length > 0
        const counts = { ...one, seeds, firstSeed: from, violations: Number(isWrong) }
        if (flags.json) print(jsonOf({ ...counts, virtualHours: one.virtualMs / 3_600_000 }))
        return one.violations.length > 0 ? exitCodes.error : exitCodes.done
    }
    const stop = new AbortController()
    const interrupt = () => stop.abort()
    process.once("SIGINT", interrupt)
    let result: CampaignResult
    try {
        const shows = process.stderr.isTTY && !flags.json
        result = await runCampaign({
            ...{ seeds, from, faults, pairs, beyond, jobs: flags.jobs, signal: stop.signal },
            onSeed: (one, sofar) => {
                if (shows) process.stderr.write("\r\x1b[K")
                if (one.violations.length > 0) say(textOf(one, flags))
                if (shows) process.stderr.write(`${sofar.seeds} of ${seeds} seeds, ${summary(sofar)}`)
            },
        })
        if (shows) process.stderr.write("\n")
    } finally {
        process.off("SIGINT", interrupt)
    }
    if (flags.json) print(jsonOf(result))
    else process.stdout.write(`${result.seeds} seeds from ${from}: ${summary(result)}\n`)
    if (stop.signal.aborted) return exitCodes.interrupted
    return result.violations > 0 ? exitCodes.error : exitCodes.done
}

type Counts = Omit<CampaignResult, "failed" | "wallMs">

export function jsonOf(result: Counts): Record<string, number> {
    const { seeds, firstSeed, violations, operations, takeovers, givebacks } = result
    const virtualHours = Math.round(1_000 * result.virtualHours) / 1_000
    return { outputVersion, seeds, firstSeed, violations, operations, takeovers, givebacks, virtualHours }
}

export function summary(result: CampaignResult): string {
    const perMinute = result.wallMs > 0 ? (60_000 * result.seeds) / result.wallMs : 0
    return (
        `${result.violations} with violations, ${result.operations} operations, ${result.takeovers} takeovers, ` +
        `${result.givebacks} givebacks, ${result.virtualHours.toFixed(2)} virtual hours, ${perMinute.toFixed(0)} seeds a minute`
    )
}

/** What is wrong with a seed, and the command that shows it again. */
function textOf({ seed, violations, faults }: SeedResult, flags: Flags): string {
    const again = [`npx twinfiler campaign --seeds 1 --from ${seed}`]
    if (flags.pairs > 1) again.push(`--pairs ${flags.pairs}`)
    if (flags.faults) again.push(`--faults ${flags.faults.join(",")}`)
    if (flags.beyond) again.push("--beyond")
    const lines = [`seed ${seed}: ${violations.length} violations; again with: ${again.join(" ")}`]
    for (const fault of faults) lines.push(`  ${fault}`)
    for (const violation of violations) lines.push(`  VIOLATION ${violation}`)
    return lines.join("\n")
}
