/**
 * The program `twinfiler`: verbs by family, one exit code. `run` never throws and never exits the process; it prints
 * one line for what went wrong.
 */
import { Command, CommanderError } from "commander"
import { version } from "../../../package.json"
import { exitCodes, isError, TwinfilerError } from "../error"
import { addArrayVerbs } from "./array"
import { addScrubVerb } from "./scrub"
import { addBoardVerbs } from "./board"
import { addChangeVerbs } from "./change"
import { addCheckVerb } from "./check"
import { withCommonOptions, type World } from "./context"
import { addEventsVerb } from "./events"
import { addLookVerbs } from "./look"
import { addMemoryVerbs } from "./memory"
import { addNodeVerbs } from "./node"
import { addServeVerb } from "./serve"
import { addPropertyVerbs, addSnapshotVerbs } from "./snapshot"
import { addTransferVerbs } from "./transfer"
import { addUpgradeVerbs } from "./upgrade"
import { verbAdder, type AddVerbs } from "./verb"

const helpEnd = `
Remote paths look like :/a/dir/file; :/ is the list of volumes, :/a/.snapshots/NAME a snapshot.
Exit codes: 0 done, 1 error, 2 usage, 3 not found, 4 done but degraded, 5 no node reachable, 6 checksum, 7 no space.`

/** `extra` commands (such as `sim`) are added as they are; they end with `process.exitCode`. */
export async function run(args: readonly string[], world: World, extra: Command[] = []): Promise<number> {
    let exitCode: number = exitCodes.done
    const program = withCommonOptions(new Command("twinfiler"))
        .enablePositionalOptions()
        .version(version, "--version", "of this program; `version` tells those of the nodes")
        .description("Files on pairs of microcontroller boards that keep serving when you pull one's power")
        .addHelpText("after", helpEnd)
        .showHelpAfterError("(twinfiler --help tells more)")
        .exitOverride()
        .configureOutput({
            writeOut: text => void world.stdout.write(text),
            writeErr: text => void world.stderr.write(text),
        })
    const ended = (code: number) => (exitCode = code)
    const verb = verbAdder(program, world, ended)
    const verbs: AddVerbs = (name, description) =>
        verbAdder(program.command(name).description(description).enablePositionalOptions(), world, ended)
    addLookVerbs(verb)
    addTransferVerbs(verb)
    addChangeVerbs(verb)
    addSnapshotVerbs(verbs)
    addPropertyVerbs(verbs)
    addArrayVerbs(verbs)
    addScrubVerb(verb)
    addNodeVerbs(verb)
    addEventsVerb(verb)
    addUpgradeVerbs(verb)
    addMemoryVerbs(verbs)
    addServeVerb(verb)
    addCheckVerb(verb)
    addBoardVerbs(verb)
    for (const command of extra) program.addCommand(command)
    for (const command of program.commands) command.exitOverride().copyInheritedSettings(program)
    try {
        if (args.length === 0) throw new TwinfilerError("usage", "give a verb; `twinfiler --help` lists them")
        await program.parseAsync(args, { from: "user" })
        return exitCode
    } catch (error) {
        return failed(error, world)
    }
}

function failed(error: unknown, world: World): number {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    if (isError(error, "aborted")) return error.exitCode
    if (isError(error)) {
        world.stderr.write(`twinfiler: ${error.message}\n`)
        return error.exitCode
    }
    if ((error as NodeJS.ErrnoException)?.code === "EPIPE") return exitCodes.error
    world.stderr.write(`twinfiler: this is a bug: ${(error as Error)?.stack ?? error}\n`)
    return exitCodes.error
}
