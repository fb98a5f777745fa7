/** The verb check: looks at images of elements on this machine; opens no bus. What is found is data, on standard output. */
import type { Command } from "commander"
import { existsSync } from "node:fs"
import {
    arrayTitle,
    checkArray,
    dumpArray,
    dumpPage,
    figuresOf,
    groupImages,
    hasPage,
    idText,
    noteLines,
    printable,
    problemLine,
    repairArray,
    summaryLines,
    verdict,
    type Image,
    type Problem,
    type Repair,
    type Report,
} from "../../check"
import { findImageFiles, foldersOf, openImages, targetsIn, writeImage } from "../../check/files-on-disk"
import { exitCodes, TwinfilerError } from "../error"
import { refuseLocked } from "../folder-lock"
import { outputVersion, type CommonOptions, type World } from "./context"
import type { AddVerb } from "./verb"

interface CheckFlags extends CommonOptions {
    strict?: boolean
    repair?: boolean
    inPlace?: boolean
    out?: string
    dump?: boolean
    page?: number
}

const help = `
Give a folder (such as that of \`twinfiler sim --dir\`) or the image files of one or more arrays, in any order: labels say
what belongs together. Elements may be missing; then all is read from the others. Of copies of elements beside them (a backup) the newest is
read, and each other one is named in a note.

A fault is something promised that does not hold. Degraded: all can be read, but a copy or parity is missing. Notes are neither; of
those on pages three of each kind are shown, --json has all.
Exit codes: 0 no fault (with --strict: and nothing degraded), 1 faults, 2 wrong usage or an array that cannot be read.

--repair says what it would do; with --in-place it does it to the files (each is written anew and then renamed), with --out DIR to copies.
It makes copies, parity, labels, anchors and figures of usage right. It does not touch damaged trees or lost data, and it does not
rebuild missing elements: a board does. While copies of elements are beside them it writes nothing (exit code 2): move them away.
The exit code is that of the images after it. Do not check images that a simulator is using; --in-place refuses to.`

export function addCheckVerb(verb: AddVerb): void {
    verb("check", "check images of chips or cards, and repair them", command =>
        command
            .argument("<path...>", "a folder with images, or image files")
            .option("--strict", "degraded is an error, too")
            .option("--repair", "say what could be repaired")
            .option("--in-place", "with --repair: change the files")
            .option("--out <dir>", "with --repair: write repaired copies into a new folder")
            .option("--dump", "list labels, anchor, root, segments, trees and records")
            .option("--page <number>", "show one page as hex", parsePage)
            .addHelpText("after", help),
    ).doesAlone(check)
}

function parsePage(text: string): number {
    if (!/^\d{1,10}$/.test(text)) throw new TwinfilerError("usage", `--page ${text}: give the number of a page`)
    return Number(text)
}

async function check(world: World, command: Command): Promise<number> {
    const [paths] = command.processedArgs as [string[]]
    const flags = command.optsWithGlobals() as CheckFlags
    if ((flags.inPlace || flags.out !== undefined) && !flags.repair)
        throw new TwinfilerError("usage", "--in-place and --out go with --repair")
    if (flags.inPlace && flags.out !== undefined)
        throw new TwinfilerError("usage", "give --in-place or --out, not both")
    if (flags.out !== undefined && existsSync(flags.out))
        throw new TwinfilerError("usage", `--out ${flags.out}: it exists; give a new folder`)
    const files = orUsage(() => findImageFiles(paths))
    if (flags.inPlace) for (const folder of orUsage(() => foldersOf(files))) refuseLocked(folder)
    const images = orUsage(() => openImages(files))
    try {
        return orUsage(() => checkImages(world, flags, images))
    } finally {
        for (const image of images) image.close()
    }
}

function orUsage<Result>(work: () => Result): Result {
    try {
        return work()
    } catch (error) {
        // files that are missing, forbidden, or change while they are read
        const isFile = (error as NodeJS.ErrnoException).code !== undefined || (error as Error).name === "Error"
        if (isFile && !(error instanceof TwinfilerError)) throw new TwinfilerError("usage", (error as Error).message)
        throw error
    }
}

interface Outcome {
    /** What was found, before a repair. */
    found: Report
    repair: Repair | undefined
}

function checkImages(world: World, flags: CheckFlags, images: Image[]): number {
    const print = (text: string) => world.stdout.write(`${text}\n`)
    const { arrays, strays } = groupImages(images)
    const outcomes = arrays.map(group => checkGroup(world, flags, group))
    checkPage(
        flags.page,
        outcomes.map(({ found }) => found),
    )
    const refusal = outcomes.find(({ repair }) => repair?.refusal)?.repair?.refusal
    const isDone = (flags.inPlace === true || flags.out !== undefined) && refusal === undefined
    const targets =
        flags.out === undefined
            ? images.map(({ name }) => name)
            : targetsIn(
                  flags.out,
                  images.map(one => one.name),
              )
    for (const { repair } of isDone ? outcomes : [])
        for (const image of repair?.images ?? []) {
            const isWanted = flags.out !== undefined || image.changes.size > 0
            if (isWanted) writeImage(image, targets[images.findIndex(({ name }) => name === image.name)])
        }
    // a foreign version is not a clean folder
    const isForeign = arrays.length === 0 || strays.some(({ code }) => code === "label-field")
    const exitCode = exitCodeOf(
        outcomes.map(outcome => reportOf(outcome, isDone)),
        isForeign || refusal !== undefined,
        flags,
    )
    if (flags.json) print(JSON.stringify({ outputVersion, exitCode, ...jsonOf(outcomes, isDone, strays, flags) }))
    else {
        for (const outcome of outcomes) printOutcome(print, outcome, isDone, flags)
        for (const stray of strays) print(problemLine(stray))
    }
    if (arrays.length === 0) world.stderr.write("twinfiler: none of these is the image of an element\n")
    if (refusal !== undefined) world.stderr.write(`twinfiler: nothing is repaired: ${printable(refusal)}\n`)
    return exitCode
}

/** A page that none of the arrays has is a mistake of who asks, and nothing is written then. */
function checkPage(page: number | undefined, reports: Report[]): void {
    const geometries = reports.flatMap(({ reading }) => reading?.pages.geometry ?? [])
    if (page === undefined || geometries.length === 0 || reports.some(report => hasPage(report, page))) return
    const last = Math.max(...geometries.map(({ pageEnd }) => pageEnd)) - 1
    throw new TwinfilerError("usage", `--page ${page}: there is no such page; the last is ${last}`)
}

function checkGroup(world: World, flags: CheckFlags, group: Image[]): Outcome {
    const shows = world.isTerminal && !flags.quiet && !flags.json
    const onProgress = (pages: number, of: number) => {
        if (shows) world.stderr.write(`\rchecking: ${Math.floor((100 * pages) / of)} %`)
    }
    const repair = flags.repair ? repairArray(group, { onProgress }) : undefined
    const found = repair?.before ?? checkArray(group, { onProgress })
    if (shows) world.stderr.write("\r\x1b[K")
    return { found, repair }
}

const reportOf = ({ found, repair }: Outcome, isDone: boolean): Report => (repair && isDone ? repair.after : found)

function exitCodeOf(reports: Report[], isRefused: boolean, flags: CheckFlags): number {
    if (isRefused || reports.some(({ isReadable }) => !isReadable)) return exitCodes.usage
    const isBad = reports.some(({ faults, degraded }) => faults.length > 0 || (flags.strict && degraded.length > 0))
    return isBad ? exitCodes.error : exitCodes.done
}

function printOutcome(print: (text: string) => void, outcome: Outcome, isDone: boolean, flags: CheckFlags): void {
    const { found, repair } = outcome
    const report = reportOf(outcome, isDone)
    print(arrayTitle(found))
    for (const problem of [...found.faults, ...found.degraded]) print(problemLine(problem, found))
    if (!flags.quiet) for (const line of noteLines(found)) print(line)
    if (repair?.refusal) print(printable(`not repaired: ${repair.refusal}`))
    else if (repair) {
        for (const step of repair.steps) print(`${isDone ? "repaired" : "would repair"}: ${step}`)
        if (repair.steps.length === 0) print("nothing to repair")
        else if (isDone)
            for (const problem of [...report.faults, ...report.degraded]) print(`left: ${problemLine(problem, report)}`)
        else print(`after it: ${verdict(repair.after)}; --in-place or --out DIR does it`)
    }
    if (flags.dump) for (const line of dumpArray(report)) print(line)
    if (flags.page !== undefined) for (const line of dumpPage(report, flags.page)) print(line)
    for (const line of summaryLines(report)) print(line)
    print(`${arrayTitle(report).split(":")[0]}: ${verdict(report)}`)
}

function jsonOf(outcomes: Outcome[], isDone: boolean, strays: Problem[], flags: CheckFlags) {
    const of = outcomes.map(outcome => ({ report: reportOf(outcome, isDone), repair: outcome.repair }))
    const arrays = of.map(({ report, repair }) => ({
        arrayId: report.arrayId === undefined ? null : idText(report.arrayId),
        volume: report.volume ?? null,
        readable: report.isReadable,
        verdict: verdict(report),
        images: report.images,
        faults: report.faults,
        degraded: report.degraded,
        notes: report.notes,
        figures: figuresOf(report) ?? null,
        ...(repair && { repair: { done: isDone, steps: repair.steps, refusal: repair.refusal ?? null } }),
        ...(flags.dump && { dump: [...dumpArray(report)] }),
        ...(flags.page !== undefined && { page: [...dumpPage(report, flags.page)] }),
    }))
    return { arrays, strays }
}
