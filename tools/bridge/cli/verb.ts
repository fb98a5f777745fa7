/** How a family of verbs adds itself to the program: its words to commander, its work to the runner. */
import type { Command } from "commander"
import { withClient, withCommonOptions, type Context, type World } from "./context"

/** Work on a bus; arguments are in `command.processedArgs`, options in `command.optsWithGlobals()`. */
export type Work = (context: Context, command: Command) => Promise<void>

export interface Verb {
    does(work: Work): void
    /** Work that opens no bus by itself; returns the exit code. */
    doesAlone(work: (world: World, command: Command) => Promise<number>): void
}

export type AddVerb = (name: string, description: string, describe: (command: Command) => Command) => Verb

/** A family of verbs under a common word; returns what adds to it. */
export type AddVerbs = (name: string, description: string) => AddVerb

/** Adds verbs to `program`; the exit code of the one that ran is told to `ended`. */
export function verbAdder(program: Command, world: World, ended: (exitCode: number) => void): AddVerb {
    return (name, description, describe) => {
        const command = withCommonOptions(describe(program.command(name).description(description)))
        return {
            does: work =>
                void command.action(async () =>
                    ended(await withClient(world, command.optsWithGlobals(), context => work(context, command))),
                ),
            doesAlone: work => void command.action(async () => ended(await work(world, command))),
        }
    }
}
