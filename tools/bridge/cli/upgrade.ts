/** The verbs `upgrade` and `version`: which firmware the nodes run, and giving them another while they serve. */
import type { Command } from "commander"
import { sleep } from "../bus/clock"
import { nodePrograms, type NodeProgram } from "../client/programs"
import { planUpgrade, Upgrade, wasStopped, type Firmware, type NodePlan } from "../client/upgrade"
import { imageSha256 } from "../bus/manager"
import { isError } from "../error"
import { partnerOf, volumeLetter } from "../protocol/numbers"
import type { Context } from "./context"
import { ownFirmware, readFirmware, verifyFirmware } from "./firmware"
import { startProgress, type Progress } from "./progress"
import type { AddVerb } from "./verb"

/** Every board announces itself within this time. */
const announceMs = 700
const shownHashDigits = 12

export function addUpgradeVerbs(verb: AddVerb): void {
    verb("upgrade", "give both nodes new firmware, one after the other, without stopping service", command =>
        command
            .option("--firmware <file>", "the image; without it, the one built from this project's sources")
            .option("--dry-run", "only say what would be done, or what hinders it"),
    ).does(upgrade)
    verb("version", "show the firmware of each node", command => command).does(version)
}

async function upgrade(context: Context, command: Command): Promise<void> {
    const { firmware: path, dryRun } = command.optsWithGlobals() as { firmware?: string; dryRun?: boolean }
    const { client, runtimes, world } = context
    const offClock = world.offClock ?? (async <T>(work: Promise<T>): Promise<T> => work)
    const beginMs = world.clock.now()
    // before anything is asked: a file that is no image is none on any bus
    const given = path === undefined ? undefined : await offClock(readFirmware(path))
    const programs = await programsOf(context)
    const images = new Map<string, Firmware>()
    for (const elements of new Set(programs.flatMap(({ facts }) => (facts ? [facts.elements] : []))))
        images.set(elements, given ?? (await offClock(ownFirmware(elements))))
    const plans = planUpgrade(programs, client, elements => images.get(elements)!)
    for (const { firmware } of plans) await offClock(verifyFirmware(firmware))
    const bar: { progress?: Progress } = {}
    const work = new Upgrade(client, runtimes, world.clock, {
        signal: world.signal,
        onStep: (node, step) => {
            bar.progress?.stop()
            const letter = volumeLetter(node)
            const partner = volumeLetter(node ^ 1)
            const words = {
                takeover: `node ${partner} takes volume ${letter} over`,
                deploy: `node ${letter} gets its program`,
                start: `node ${letter} starts`,
                giveback: `node ${partner} hands volume ${letter} back`,
                done: `node ${letter} is done`,
            }
            context.note(words[step])
            const size = plans.find(plan => plan.node === node)?.firmware.image.length
            bar.progress = step === "deploy" ? startProgress(context, `node ${letter}`, size) : undefined
        },
        onBytes: (_, bytes) => bar.progress?.at(bytes),
    })
    await work.rehearse(plans)
    if (dryRun) return showPlan(context, plans)
    try {
        const nodes = await work.run(plans)
        noteModes(context, plans, work)
        const ms = Math.round(world.clock.now() - beginMs)
        const shown = nodes.map(one => ({ ...one, node: volumeLetter(one.node), before: one.before ?? null }))
        context.show({ ok: true, nodes: shown, ms }, () => shown.map(doneLine))
    } catch (error) {
        // a stop is told by its exit code only; here it matters what it leaves
        if (isError(error, "aborted")) context.note(error.message)
        throw error
    } finally {
        bar.progress?.stop()
    }
}

/** An upgrade moves the volumes about: who serves them afterwards. */
function noteModes(context: Context, plans: readonly NodePlan[], { holders }: Upgrade): void {
    for (const node of plans.map(plan => plan.node).filter(node => node < partnerOf(node))) {
        const names = `nodes ${volumeLetter(node)} and ${volumeLetter(partnerOf(node))}`
        const holder = holders.get(node >> 1)
        if (holder !== undefined)
            context.note(`${names} are active/standby: node ${volumeLetter(holder)} serves both volumes`)
        else if (wasStopped(plans, node))
            context.note(
                `${names} are active/active. If they were active/standby before an upgrade was stopped, ` +
                    "`twinfiler mode NODE active-standby` makes them so again",
            )
    }
}

function doneLine({
    node,
    before,
    after,
    changed,
    ms,
}: {
    node: string
    before: string | null
    after: string
    changed: boolean
    ms: number
}) {
    return changed
        ? `node ${node}: firmware ${before ?? "(none)"} -> ${after} in ${(ms / 1_000).toFixed(1)} s`
        : `node ${node}: runs this very firmware already, ${after}`
}

async function programsOf(context: Context): Promise<NodeProgram[]> {
    await context.settle()
    await sleep(context.world.clock, announceMs)
    return nodePrograms(context.client, context.runtimes)
}

function showPlan(context: Context, plans: readonly NodePlan[]): void {
    const nodes = plans.map(({ node, program, facts, wanted, isNeeded, firmware }) => ({
        node: volumeLetter(node),
        before: facts?.version ?? null,
        beforeSha256: program?.sha256 ?? null,
        after: wanted.version,
        sha256: imageSha256(firmware.image),
        needed: isNeeded,
    }))
    context.show({ ok: true, dryRun: true, nodes }, () =>
        nodes.map(({ node, before, after, needed }) =>
            needed
                ? `node ${node} would get firmware ${after} instead of ${before ?? "no program"}`
                : `node ${node} runs this very firmware already, ${after}`,
        ),
    )
}

async function version(context: Context): Promise<void> {
    const nodes = await programsOf(context)
    const shown = await Promise.all(
        nodes.map(async ({ node, isHeard, program, facts }) => {
            const figures = isHeard
                ? await context.client.nodeFigures(node, context.call).catch(unlessSilent)
                : undefined
            return {
                node: volumeLetter(node),
                firmware: figures?.firmware ?? facts?.version ?? null,
                protocol: facts?.protocol ?? null,
                format: facts?.format ?? null,
                elements: facts?.elements ?? null,
                sha256: program?.sha256 ?? null,
                runtime: program?.runtime ?? null,
                running: isHeard,
            }
        }),
    )
    context.show({ nodes: shown }, () =>
        shown.map(({ node, firmware, protocol, format, elements, sha256, runtime, running }) => {
            if (!runtime && !firmware) return `node ${node}: ${running ? "does not answer" : "silent"}`
            if (!sha256) return `node ${node}: firmware ${firmware ?? "none"}, its board does not tell more`
            const serves = protocol === null ? "" : `, protocol ${protocol}, volumes of format ${format}, ${elements}`
            const state = running ? "" : ", not running"
            return `node ${node}: firmware ${firmware}, image ${sha256.slice(0, shownHashDigits)}${serves}, runtime ${runtime}${state}`
        }),
    )
}

function unlessSilent(error: unknown): undefined {
    if (!isError(error)) throw error
    return undefined
}
