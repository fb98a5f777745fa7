/**
 * The command line in the real world. Ctrl-C once stops cleanly (an open upload is aborted) with exit code 130; twice,
 * at once.
 */
import type { Command } from "commander"
import { realClock, realRandom } from "../bus/clock"
import { exitCodes } from "../error"
import { run } from "./program"

// Paths in variables: the simulator may be missing, and only its own verbs need it.
const simulatorModule = "../../sim/sim-command"
const campaignModule = "../../campaign/campaign-command"
/** Verbs that live outside the bridge and end themselves. */
const simulatorVerbs = ["sim", "campaign"]

export async function main(args: readonly string[]): Promise<void> {
    // jacdac-ts tells its life on standard output, which belongs to the data.
    if (!process.env.TWINFILER_DEBUG) console.debug = () => undefined
    const stop = new AbortController()
    process.on("SIGINT", () => {
        if (stop.signal.aborted) process.exit(exitCodes.interrupted)
        stop.abort()
    })
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "EPIPE") process.exit(exitCodes.error)
    })
    const wantsSimulator =
        simulatorVerbs.includes(args[0]) || args.length === 0 || args[0] === "help" || args[0]?.startsWith("-")
    const exitCode = await run(
        args,
        {
            stdin: process.stdin,
            stdout: process.stdout,
            stderr: process.stderr,
            env: process.env,
            isTerminal: process.stderr.isTTY ?? false,
            clock: realClock,
            random: realRandom,
            now: () => Math.floor(Date.now() / 1_000),
            openBus: async url => (await import("../bus/connect")).connectBus(url),
            signal: stop.signal,
        },
        wantsSimulator ? await simulatorCommands() : [],
    )
    process.exitCode ||= exitCode
    // A command such as sim may go on; the verbs have closed all they opened.
    if (args[0] !== "sim") process.stdout.write("", () => process.exit())
}

async function simulatorCommands(): Promise<Command[]> {
    try {
        const { simCommand } = (await import(simulatorModule)) as { simCommand(): Command }
        const { campaignCommand } = (await import(campaignModule)) as { campaignCommand(): Command }
        return [simCommand(), campaignCommand()]
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return []
        throw error
    }
}
