/** The verb scrub: a node reads all of an array and repairs it; with --files the host reads the files as well. */
import type { Command } from "commander"
import { exitCodes, TwinfilerError } from "../error"
import { readThrough, type ReadThrough } from "../client/read-through"
import { volumeLetter } from "../protocol/numbers"
import { parseNumber, volumeOf } from "./array"
import type { Context } from "./context"
import { startProgress } from "./progress"
import type { AddVerb } from "./verb"
import { scrubThrough } from "./watch-array"

const rateDefault = 50
const rateMax = 65_535
const help = `
A scrub knows pages, not files: a page that is good on no element may be one that a power cut broke off, and is not counted.
--files reads every file of the volume and its snapshots after it, and names those that are lost.
Exit codes: 0 done, 1 files are lost (named on standard output) or the scrub was broken off, as by a takeover, 2 wrong usage, 130 stopped by Ctrl-C.`

interface ScrubOptions {
    rate?: number
    stop?: boolean
    wait?: boolean
    files?: boolean
}

export function addScrubVerb(verb: AddVerb): void {
    verb("scrub", "read all of an array once, and repair what is damaged", command =>
        command
            .argument("<volume>", "like a")
            .option("--rate <n>", `rows a second (default ${rateDefault})`, text =>
                parseNumber(text, "--rate", rateMax),
            )
            .option("--stop", "stop it")
            .option("--wait", "wait until all was read once; Ctrl-C leaves it running")
            .option("--files", "and then read every file, and name those that cannot be read")
            .addHelpText("after", help),
    ).does(scrub)
}

async function scrub(context: Context, command: Command): Promise<void> {
    const { rate, stop, wait, files } = command.optsWithGlobals() as ScrubOptions
    if (stop && (wait || files || rate !== undefined)) throw new TwinfilerError("usage", "scrub: --stop goes alone")
    if (rate === 0) throw new TwinfilerError("usage", "scrub: --rate 0 reads nothing; --stop stops it")
    const volume = await volumeOf(context, command)
    const letter = volumeLetter(volume)
    const goesOn = "the scrub goes on"
    const through = wait || files ? await scrubThrough(context, volume, rate ?? rateDefault, goesOn) : undefined
    if (!through) await context.client.scrub(volume, stop ? 0 : (rate ?? rateDefault), context.call)
    const array = through?.array ?? (await context.client.array(volume, context.call))
    const read = files ? await readFiles(context, volume) : undefined
    if (read?.unreadable.length) context.exitCode = exitCodes.error
    const paths = (list: ReadThrough["unreadable"]) => list.map(one => ({ ...one, path: `:/${letter}/${one.path}` }))
    const lost = read && { filesRead: read.files, unreadable: paths(read.unreadable) }
    context.show({ volume: letter, scrub: array.scrub, badPagesFound: through?.badPages, ...lost }, () => {
        if (context.options.quiet) return lost?.unreadable.map(({ path }) => path) ?? []
        if (stop) return [`scrub of ${letter} stopped`]
        if (!through) return [`scrub of ${letter} runs; \`twinfiler array show ${letter}\` shows how far it is`]
        const done = `all of ${letter} was read: ${through.badPages} bad pages, ${through.repaired} segments repaired`
        return lost ? [done, ...fileLines(lost.filesRead, lost.unreadable)] : [done]
    })
}

/** Every file, with a progress bar; of what snapshots share the bar knows nothing. */
async function readFiles(context: Context, volume: number): Promise<ReadThrough> {
    const { bytesTotal, bytesFree } = await context.client.statfs(volume, context.call)
    const used = bytesTotal - bytesFree
    const progress = startProgress(context, `files of ${volumeLetter(volume)}`, used)
    try {
        return await readThrough(context.client, volume, {
            ...context.call,
            onBytes: bytes => progress.at(Math.min(bytes, used)),
        })
    } finally {
        progress.stop()
    }
}

function fileLines(filesRead: number, unreadable: ReadThrough["unreadable"]): string[] {
    if (unreadable.length === 0) return [`${filesRead} files were read: none is lost`]
    return [
        `${filesRead} files were read; ${unreadable.length} cannot be, as something of them is good on no element:`,
        ...unreadable.map(({ path }) => `! ${path}`),
        "  a snapshot may still hold them; else write them anew or remove them",
    ]
}
