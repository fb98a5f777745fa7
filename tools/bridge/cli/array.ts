/** Verbs about the elements of an array: array show, replace and rebuild. The node does the work. */
import type { Command } from "commander"
import { exitCodes, isError, TwinfilerError } from "../error"
import { badPagesMax, type ArrayFigures, type SlotFigures } from "../protocol/array-figures"
import { refusePosition, refuseTaken, refuseUnfit } from "../client/rebuild-checks"
import { partnerOf, volumeLetter } from "../protocol/numbers"
import type { Context } from "./context"
import { parseVolume } from "./paths"
import type { AddVerbs } from "./verb"
import { scrubThrough, watch } from "./watch-array"

const positionMax = 5
const slotMax = 31
/** Before an element is replaced. */
const scrubRateFirst = 2_000
/** Looks in which nothing is rebuilt, while a node that took the volume over begins it anew. */
const restingLooksMax = 10

interface RebuildCliOptions {
    slot?: number
    force?: boolean
    wait?: boolean
}

export function addArrayVerbs(verbs: AddVerbs): void {
    const array = verbs("array", "the elements (chips or cards) a volume is made of")
    array("show", "show the elements and what is under way", command =>
        command.argument("[volume]", "like a; all unless given"),
    ).does(show)
    const options = (command: Command) =>
        command
            .option("--slot <n>", "the slot of the element to use (default: the node finds one)", text =>
                parseNumber(text, "--slot", slotMax),
            )
            .option("--force", "overwrite an element that holds another array or was left out of this one")
            .option("--wait", "wait until it is done; Ctrl-C leaves it running")
    array("rebuild", "rebuild the element that is missing, while the volume is served", command =>
        options(command.argument("<volume>", "like a").argument("[position]", "its position, like 1")),
    ).does((context, command) => rebuild(context, command, false))
    array(
        "replace",
        "let another element take the place of one that is there, which stays in use until then; or write it anew",
        command => options(command.argument("<volume>", "like a").argument("<position>", "its position, like 1")),
    ).does((context, command) => rebuild(context, command, true))
}

export function parseNumber(text: string, what: string, max: number): number {
    const number = /^\d{1,5}$/.test(text) ? Number(text) : -1
    if (number < 0 || number > max) throw new TwinfilerError("usage", `${what} ${text}: give a number from 0 to ${max}`)
    return number
}

export async function volumeOf(context: Context, command: Command): Promise<number> {
    const volume = parseVolume(command.processedArgs[0] as string)
    await context.checkOnBus(volume)
    return volume
}

// --- show

type ShownArray = { volume: string; damagedSegments: number } & ArrayFigures

async function show(context: Context, command: Command): Promise<void> {
    const [text] = command.processedArgs as [string | undefined]
    const { arrays, notShown } =
        text === undefined
            ? await allArrays(context)
            : { arrays: [await arrayOf(context, await volumeOf(context, command))], notShown: [] }
    if (notShown.length || arrays.some(isIncomplete)) context.exitCode = exitCodes.degraded
    context.show({ arrays, notShown }, () => [
        ...arrays.flatMap(array => lines(array.volume, array, array.damagedSegments)),
        ...notShown.map(({ volume, reason }) => `array ${volume}: not shown: ${reason}`),
    ])
}

async function arrayOf(context: Context, volume: number): Promise<ShownArray> {
    const { damagedSegments } = await context.client.statfs(volume, context.call)
    const array = await context.client.array(volume, context.call)
    return { volume: volumeLetter(volume), damagedSegments, ...array }
}

/** Those that can be shown now: one whose volume nobody controls hides no other. Throws when there is none. */
async function allArrays(context: Context) {
    await context.settle()
    const arrays: ShownArray[] = []
    const notShown: { volume: string; reason: string }[] = []
    let first: TwinfilerError | undefined
    // a node that was never heard has a volume, too
    const volumes = new Set(context.client.volumes().flatMap(volume => [volume, partnerOf(volume)]))
    for (const volume of [...volumes].sort((one, other) => one - other)) {
        const letter = volumeLetter(volume)
        try {
            if (context.client.controllerOf(volume) === undefined)
                throw new TwinfilerError("timeout", `no node controls volume ${letter}: see \`twinfiler status\``)
            arrays.push(await arrayOf(context, volume))
        } catch (error) {
            if (!isError(error) || error.code === "aborted") throw error
            first ??= error
            notShown.push({ volume: letter, reason: error.message })
        }
    }
    if (first && arrays.length === 0) throw first
    return { arrays, notShown }
}

function isIncomplete({ elements, members }: ArrayFigures): boolean {
    return members.length < elements
}

function lines(letter: string, array: ArrayFigures, damaged: number): string[] {
    const { elements, kind, members, joining, scrub, segments } = array
    const state = isIncomplete(array) ? `${elements - members.length} of ${elements} missing` : "complete"
    const out = [`array ${letter}: ${kind} of ${elements}, ${state}`]
    for (const slot of array.slots) out.push(`  slot ${slot.slot}: ${slotText(slot)}`)
    if (joining !== undefined)
        out.push(`  rebuilding position ${joining}: ${array.segmentsLeft} of ${segments} segments left`)
    else if (isIncomplete(array)) out.push(`! \`twinfiler array rebuild ${letter}\` rebuilds what is missing`)
    if (damaged)
        out.push(
            `! bad pages in ${damaged} segments are not repaired: \`twinfiler scrub ${letter} --wait\` reads all again and repairs`,
        )
    out.push(
        `  scrub: ${scrub.running ? `running, at segment ${scrub.segment} of ${segments}` : "off"}, ` +
            `${scrub.passes} passes, ${scrub.badPages} bad pages found, ${scrub.repaired} segments repaired`,
        `  wear: ${array.wearBase} erases a segment or more, ${array.retiredSegments} segments retired`,
    )
    return out
}

const stateTexts: Record<SlotFigures["state"], string> = {
    empty: "empty",
    member: "in use",
    rebuilding: "being rebuilt",
    stale: "left out: it fell behind",
    blank: "blank, may be used",
    foreign: "holds something else",
    failed: "failed",
}

function slotText({ state, position, kind, badPages, pages }: SlotFigures): string {
    if (state === "empty") return stateTexts.empty
    if (state === "failed" && badPages) return `${stateTexts.failed}: it does not hold what is written to it`
    return [
        position === undefined ? undefined : `position ${position}`,
        kind === "none" ? undefined : kind.toUpperCase(),
        `${pages} pages`,
        stateTexts[state],
        badPages ? `${badPages}${badPages === badPagesMax ? " or more" : ""} bad pages` : undefined,
    ]
        .filter(Boolean)
        .join(", ")
}

// --- rebuild

async function rebuild(context: Context, command: Command, replace: boolean): Promise<void> {
    const volume = await volumeOf(context, command)
    const letter = volumeLetter(volume)
    const text = command.processedArgs[1] as string | undefined
    const position = text === undefined ? undefined : parseNumber(text, "position", positionMax)
    const { slot, force, wait } = command.optsWithGlobals() as RebuildCliOptions
    if (replace) await readAllFirst(context, volume, position!, slot, force)
    // when it is not the element itself that is written anew, it stays in use until the other holds everything
    const old = replace && wait ? slotOf(await context.client.array(volume, context.call), position!) : undefined
    const from = old === slot ? undefined : old
    try {
        await context.client.rebuild(volume, { ...context.call, position, slot, force, replace })
    } catch (error) {
        // then it is that one which is waited for
        if (!wait || replace || !isError(error, "busy")) throw error
    }
    if (!wait) {
        const array = await context.client.array(volume, context.call)
        context.show({ volume: letter, ...array }, () =>
            context.options.quiet
                ? []
                : [`the rebuild has begun; \`twinfiler array rebuild ${letter} --wait\` shows how far it is`],
        )
        return
    }
    const isDone = (array: ArrayFigures) =>
        position === undefined
            ? !isIncomplete(array)
            : array.members.includes(position) && (from === undefined || slotOf(array, position) !== from)
    let resting = 0
    const array = await watch(context, volume, `rebuild ${letter}`, "the rebuild goes on", array => {
        if (array.joining !== undefined) resting = 0
        // after a takeover it is begun anew, not at once
        else if (from === undefined || isDone(array) || ++resting > restingLooksMax) return undefined
        return array.segments - array.segmentsLeft
    })
    const liar = array.slots.find(({ state, badPages }) => state === "failed" && badPages > 0)
    if (!isDone(array) && liar)
        throw new TwinfilerError(
            "ioError",
            `volume ${letter}: the element in slot ${liar.slot} does not hold what is written to it and is not used any more: ` +
                `put another one in, and \`twinfiler array rebuild ${letter} --slot ${liar.slot}\``,
        )
    if (!isDone(array))
        throw new TwinfilerError(
            "ioError",
            `volume ${letter}: the rebuild ended before it was done; \`twinfiler array show ${letter}\` says what is there`,
        )
    context.show({ volume: letter, ...array }, () => (context.options.quiet ? [] : [`array ${letter} is rebuilt`]))
}

function slotOf({ slots }: ArrayFigures, position: number): number | undefined {
    return slots.find(one => one.state === "member" && one.position === position)?.slot
}

/** What only the element to be replaced still holds right would go with it: all is read, and repaired from it, before. */
async function readAllFirst(
    context: Context,
    volume: number,
    position: number,
    slot: number | undefined,
    force = false,
): Promise<void> {
    const before = await context.client.array(volume, context.call)
    // not after all of that reading
    refusePosition(volume, before, position)
    if (slot !== undefined) refuseTaken(volume, before, slot, position)
    if (!before.members.includes(position) || before.joining !== undefined) return
    const now = await context.client.arrayOfNow(volume, position, context.call)
    refuseUnfit(volume, now, slot, force)
    // the look may have found that it is gone
    if (!now.members.includes(position)) return
    if (!context.options.quiet)
        context.world.stderr.write("first all of the array is read, and repaired where need be\n")
    // one that runs would go on where it is
    if (before.scrub.running) await context.client.scrub(volume, 0, context.call)
    await scrubThrough(context, volume, scrubRateFirst, "the scrub goes on; nothing was replaced")
    const { damagedSegments } = await context.client.statfs(volume, context.call)
    if (damagedSegments && !force)
        throw new TwinfilerError(
            "ioError",
            `bad pages in ${damagedSegments} segments could not be repaired, and what is right of them may be on the element that ` +
                `is to go; nothing was replaced. \`twinfiler status\` says more; --force replaces it all the same`,
        )
}
