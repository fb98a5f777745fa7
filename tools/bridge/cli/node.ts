/** Verbs about the nodes: status, takeover, giveback, power. */
import { Argument, type Command } from "commander"
import { sleep } from "../bus/clock"
import { exitCodes, TwinfilerError, isError } from "../error"
import { rivalsText, TwinfilerClient } from "../client"
import { findPower } from "../power"
import { beatFlags, modeNames, partnerOf, volumeLetter, type ModeName } from "../protocol/numbers"
import { busUrl, outputVersion, type CommonOptions, type Context, type World } from "./context"
import { diagnose, roleName, type NodeReport, type VolumeReport } from "./diagnosis"
import { FactsReader, type NodeFacts } from "./node-facts"
import { parseLetter } from "./paths"
import type { AddVerb } from "./verb"

const figuresTimeoutMs = 1_500
const watchMs = 1_000
const powerCycleOffMs = 1_000
/** From a giveback until its volume is served: more than a mount takes, also with an element that is busy all the time. */
const mountMsMax = 10_000
/** From a reset until the node waits, with nothing to serve: it starts in about 2 s. */
const restartMsMax = 4_000
const pollMs = 50
const shownHashDigits = 12

export function addNodeVerbs(verb: AddVerb): void {
    verb("status", "show the nodes and volumes, what is wrong and what to do", command =>
        command.option("-w, --watch", "again each second, until Ctrl-C"),
    ).does(status)
    const dryRun = (command: Command) => command.option("--dry-run", "only say whether it is possible, and if not, why")
    verb("takeover", "let NODE take its partner's volume", command =>
        dryRun(command.argument("<node>", "the node that is to serve both volumes, like b: it takes volume a")).option(
            "--force",
            "reset the partner at once instead of letting it finish and let go",
        ),
    ).does((context, command) => changeRole(context, command, "takeover"))
    verb("giveback", "let NODE hand its partner's volume back", command =>
        dryRun(command.argument("<node>", "the node that hands back, like b: node a serves volume a again")),
    ).does((context, command) => changeRole(context, command, "giveback"))
    verb("mode", "let each node of a pair serve its own volume, or one both", command =>
        dryRun(
            command
                .argument("<node>", "with active-standby the node that is to serve both volumes, like b")
                .addArgument(new Argument("<mode>").choices(modeNames)),
        ),
    ).does(setMode)
    verb("power", "switch a board's power: by its relay, in the simulator, or by asking you", command =>
        command
            .argument("<node>", "like a")
            .argument("<on|off|cycle>")
            .option(
                "--relay <device>",
                "the Jacdac relay that feeds the board (default: by the order of the relays' ids)",
            ),
    ).doesAlone(power)
}

async function status(context: Context, command: Command): Promise<void> {
    const { watch } = command.optsWithGlobals() as { watch?: boolean }
    const { signal, clock } = context.world
    const facts = new FactsReader(context)
    do {
        await context.settle()
        const report = await gather(context, facts)
        context.exitCode = report.problems.length ? exitCodes.degraded : exitCodes.done
        context.show({ ok: report.problems.length === 0, ...report }, () => lines(report))
        if (watch && !signal.aborted) await sleep(clock, watchMs)
    } while (watch && !signal.aborted)
}

interface Report {
    nodes: ReturnType<typeof shownNode>[]
    volumes: ReturnType<typeof shownVolume>[]
    problems: ReturnType<typeof diagnose>
}

async function gather({ client }: Context, reader: FactsReader): Promise<Report> {
    const quick = { timeoutMs: figuresTimeoutMs }
    const nodes: NodeReport[] = await Promise.all(
        client.nodes().map(async state => ({
            ...state,
            ...(state.isHeard && !state.rivals ? await orRefusal(client.nodeFigures(state.node, quick)) : {}),
        })),
    )
    const facts = await Promise.all(
        nodes.map(({ node, device, isHeard }) => (isHeard ? reader.of(node, device) : Promise.resolve(none))),
    )
    const volumes: VolumeReport[] = await Promise.all(
        client.volumes().map(async volume => {
            const controller = client.controllerOf(volume)
            const told = controller === undefined ? {} : await orRefusal(client.statfs(volume, quick))
            return { volume, controller, ...told }
        }),
    )
    return {
        nodes: nodes.map((node, index) => shownNode(node, facts[index])),
        volumes: volumes.map(shownVolume),
        problems: diagnose(nodes, volumes),
    }
}

const none: NodeFacts = { imageSha256: null, lastEvent: null }

async function orRefusal<T>(asked: Promise<T>): Promise<{ figures: T } | { refusal: string }> {
    try {
        return { figures: await asked }
    } catch (error) {
        if (!isError(error)) throw error
        return { refusal: error.message }
    }
}

function shownNode(node: NodeReport, facts: NodeFacts) {
    const has = (flag: number) => (node.flags & flag) !== 0
    return {
        node: volumeLetter(node.node),
        device: node.device,
        heard: node.isHeard,
        rivals: node.rivals ?? [],
        role: roleName(node.role),
        partnerHeard: has(beatFlags.partnerHeard),
        protected: has(beatFlags.protected),
        records: has(beatFlags.records),
        controlsOwn: has(beatFlags.controlsOwn),
        controlsPartner: has(beatFlags.controlsPartner),
        ownFault: has(beatFlags.ownFault),
        partnerFault: has(beatFlags.partnerFault),
        epoch: node.ownEpoch,
        uptimeMs: node.uptimeMs,
        firmware: node.figures?.firmware ?? null,
        image: node.figures?.image ?? null,
        mode: modeNames[node.mode] ?? null,
        givebackSeconds: node.figures?.givebackSeconds ?? null,
        takeovers: node.figures?.takeovers ?? null,
        givebacks: node.figures?.givebacks ?? null,
        wrongChecks: node.figures?.wrongChecks ?? null,
        heapLowBytes: node.figures?.heapLowBytes ?? null,
        copiesHeld: node.figures?.copiesHeld ?? null,
        ...facts,
    }
}

function shownVolume({ volume, controller, figures }: VolumeReport) {
    return {
        volume: volumeLetter(volume),
        controller: controller === undefined ? null : volumeLetter(controller),
        epoch: figures?.epoch ?? null,
        bytesTotal: figures?.bytesTotal ?? null,
        bytesFree: figures?.bytesFree ?? null,
        elements: figures?.elements ?? null,
        deadElements: figures?.deadElements ?? null,
        damagedSegments: figures?.damagedSegments ?? null,
    }
}

function lines({ nodes, volumes, problems }: Report): string[] {
    const out: string[] = []
    for (const node of nodes) {
        const volumesServed = [node.controlsOwn && "its own", node.controlsPartner && "its partner's"].filter(Boolean)
        const serves = volumesServed.length ? `controls ${volumesServed.join(" and ")} volume` : "controls no volume"
        const copies = node.protected ? "writes are copied at the partner" : "writes are not protected"
        const state = node.heard
            ? `${node.role}, ${serves}, ${copies}, up ${Math.round(node.uptimeMs / 1_000)} s`
            : "silent"
        const image = node.imageSha256 ? ` (image ${node.imageSha256.slice(0, shownHashDigits)})` : ""
        out.push(`node ${node.node}: ${state}${node.firmware ? `, firmware ${node.firmware}${image}` : ""}`)
        if (node.mode === "active-standby")
            out.push(`  active-standby: it keeps what it serves until \`twinfiler mode\` says otherwise`)
        if (node.givebackSeconds !== null) out.push(`  hands its partner's volume back in ${node.givebackSeconds} s`)
        if (node.lastEvent) out.push(`  ${Math.round(node.lastEvent.agoMs / 1_000)} s ago: ${node.lastEvent.text}`)
    }
    for (const volume of volumes) {
        const by = volume.controller === null ? "controlled by nobody" : `served by ${volume.controller}`
        const space = volume.bytesTotal === null ? "" : `, ${volume.bytesFree} of ${volume.bytesTotal} bytes free`
        out.push(`volume ${volume.volume}: ${by}${space}`)
    }
    if (problems.length === 0) out.push("all is well")
    for (const { what, todo } of problems) out.push(`! ${what}`, `  ${todo}`)
    return out
}

async function changeRole(context: Context, command: Command, verb: "takeover" | "giveback"): Promise<void> {
    const [text] = command.processedArgs as [string]
    const { dryRun, force } = command.optsWithGlobals() as { dryRun?: boolean; force?: boolean }
    const node = parseLetter(text, "node")
    await context.checkOnBus(node, "node")
    const about = { verb, node: text, dryRun: dryRun ?? false }
    const asked = async () => {
        if (dryRun) await refuseSilent(context, node, verb)
        return context.client[verb](node, { ...context.call, dryRun, force })
    }
    const result = await orReasons(context, about, asked())
    const done = dryRun ? `${verb} by node ${text} is possible` : `${verb} by node ${text} is done`
    if (verb === "giveback" && !dryRun) await awaitServed(context, partnerOf(node), verb)
    if (force && !dryRun) await awaitWaiting(context, node, verb)
    context.show({ ...result, node: text, ok: true }, () => (context.options.quiet ? [] : [done]))
}

/** What was handed back is served at home only if its node can read its array: a word when it is not, after the time a mount takes, or when nobody waits so long. */
async function awaitServed(context: Context, volume: number, done: string): Promise<void> {
    // the last beat of the node that handed it back may be of before
    await waitFor(context, mountMsMax, () => context.client.controllerOf(volume) === volume)
    noteUnserved(context, volume, volume, done)
}

/** A partner that was reset starts anew, and has its volume back when it does not see that the other holds it. */
async function awaitWaiting(context: Context, node: number, done: string): Promise<void> {
    const partner = partnerOf(node)
    const isWaiting = () =>
        context.client.nodes().some(state => state.node === partner && roleName(state.role) === "waiting")
    await waitFor(context, restartMsMax, () => isWaiting() && context.client.controllerOf(partner) === node)
    noteUnserved(context, partner, node, done)
}

async function waitFor({ world: { clock, signal } }: Context, msMax: number, met: () => boolean): Promise<void> {
    for (let waitedMs = 0; waitedMs < msMax && !met() && !signal.aborted; waitedMs += pollMs) await sleep(clock, pollMs)
}

/** A word when a volume is not served by the node that was to serve it after what is done. */
function noteUnserved(context: Context, volume: number, node: number, done: string): void {
    const letter = volumeLetter(volume)
    const controller = context.client.controllerOf(volume)
    if (controller === node) return
    if (context.world.signal.aborted) {
        context.note(`the ${done} is done; stopped waiting until volume ${letter} is served: see \`twinfiler status\``)
        context.exitCode = exitCodes.interrupted
    } else {
        context.note(
            controller === undefined
                ? `volume ${letter} is served by nobody: see \`twinfiler status\``
                : `node ${volumeLetter(controller)} serves volume ${letter} again: see \`twinfiler events\``,
        )
        context.exitCode = exitCodes.degraded
    }
}

/** Whether something is possible now is known at once of a node that is silent, or whose number two boards bear: it is not. */
async function refuseSilent(context: Context, node: number, verb: string): Promise<void> {
    await context.settle()
    const state = context.client.nodes().find(one => one.node === node)
    if (state?.isHeard && !state.rivals) return
    const letter = volumeLetter(node)
    const reason = state?.rivals ? rivalsText(node, state.rivals) : `node ${letter} is silent; is its power on?`
    throw new TwinfilerError("vetoed", `${verb} ${letter} is not possible: ${reason}`, { reasons: [reason] })
}

/** With `--json`, what stands in the way is the object; the error follows all the same. */
async function orReasons<T>(context: Context, about: object, asked: Promise<T>): Promise<T> {
    try {
        return await asked
    } catch (error) {
        if (context.options.json && isError(error, "vetoed"))
            context.show({ ...about, ok: false, reasons: error.details?.reasons }, () => [])
        throw error
    }
}

async function setMode(context: Context, command: Command): Promise<void> {
    const [text, mode] = command.processedArgs as [string, ModeName]
    const { dryRun } = command.optsWithGlobals() as { dryRun?: boolean }
    const node = parseLetter(text, "node")
    await context.checkOnBus(node, "node")
    const about = { verb: "mode", node: text, mode, dryRun: dryRun ?? false }
    const asked = async () => {
        if (dryRun) await refuseSilent(context, node, "mode")
        return context.client.mode(node, mode, { ...context.call, dryRun })
    }
    const result = await orReasons(context, about, asked())
    if (mode === "active-active" && !dryRun) await awaitServed(context, partnerOf(node), "change of mode")
    const who = mode === "active-standby" ? `: node ${text} serves both volumes` : ""
    const done = dryRun ? `${mode} is possible${who}` : `the pair is ${mode}${who}`
    context.show({ ...result, node: text, mode, ok: true }, () => (context.options.quiet ? [] : [done]))
}

/** Needs no node that lives: both may be off. */
async function power(world: World, command: Command): Promise<number> {
    const [letter, state] = command.processedArgs as [string, string]
    const options = command.optsWithGlobals() as CommonOptions & { relay?: string }
    const node = parseLetter(letter, "node")
    if (!["on", "off", "cycle"].includes(state)) throw new TwinfilerError("usage", `power: give on, off or cycle`)
    const address = busUrl(world, options)
    const bus = await world.openBus(address)
    const client = new TwinfilerClient(bus, { clock: world.clock, random: world.random })
    try {
        const { clock, signal } = world
        const ask = (text: string) => void world.stderr.write(`twinfiler: ${text}\n`)
        const switches = await findPower({ bus, client, clock, address, relay: options.relay, ask, signal })
        try {
            if (state !== "on") await switches.set(node, false)
            if (state === "cycle") await sleep(clock, powerCycleOffMs)
            if (state !== "off") await switches.set(node, true)
        } finally {
            switches.close()
        }
        const isOn = state !== "off"
        const result = { node: letter, on: isOn, by: switches.by }
        if (options.json) world.stdout.write(JSON.stringify({ outputVersion, ...result }) + "\n")
        else if (!options.quiet) world.stdout.write(`node ${letter}: power ${isOn ? "on" : "off"}\n`)
        return exitCodes.done
    } finally {
        await client.close()
        await bus.close()
    }
}
