// One seed, one history: clients at work on a whole cabinet under faults, then the faults end, the cabinet must become healthy, and all
// that was promised is checked.

import { isError } from "../bridge/error"
import { givenUpSlot, type ArrayFigures } from "../bridge/protocol/array-figures"
import { beatFlags, volumeLetter } from "../bridge/protocol/numbers"
import { checkArray, MemoryImage } from "../check"
import { Random } from "../sim/random"
import { roles, SimSession } from "../sim/session"
import { BusWatch } from "./bus-watch"
import { FaultPlan, faultKinds, faultKindsOfPair, type FaultKind } from "./faults"
import { ClientHistory } from "./history"
import { checkLinearizable, describe } from "./linear"
import { ForgetfulHost } from "./forgetful-host"
import { holders, Operator, quietly } from "./operator"
import { leftByScrub } from "./pinned"
import { StaleHost } from "./stale-host"

/** From the end of the faults until both nodes serve their own volume, record for each other, and no array lacks an element. Longer than a node
 * waits for a holder that it never heard. */
export const healthyMsMax = 120_000
const rebuildMsMax = 60_000
const startMsMax = 30_000
const pollMs = 50
const scrubRowsPerSecond = 4_000
const operationsMax = 14
const quietMs = 600
const slowSeedEvery = 8
const beyondEvery = 10
const parityEvery = 6
const staleEvery = 12
/** Of the histories in which copies grow stale: few operations, so that what comes late is not undone by the next. */
const staleOperationsMax = 6
const staleImpatientMs = 1_800
const staleHostEvery = 3
/** Of so many histories in a row those from this one on have an operator who does all sorts of things. */
const kindsEvery = 16
const operatedFrom = 9
/** And in one of so many the elements are SD cards. */
const cardsEvery = 8
const cardsAt = 4
/** Of several pairs, faults strike one only in every second history. What is asked of the others is answered within this time, whatever goes on there: three files of 9 KB at once are 120 packets, of which a node sends 50 a second. */
const calmEvery = 2
const calmMsMax = 4_000

export interface SeedOptions {
    faults?: readonly FaultKind[]
    /** On the bus; 1 when undefined. */
    pairs?: number
    /** More is broken than a pair survives: only what is answered is held against it. Undefined: a share of the seeds. */
    beyond?: boolean
    /** An operator does all sorts of things while faults go on. Undefined: in a share of the seeds. */
    isOperated?: boolean
    /** Instead of the project's firmware, that of chips. */
    image?: Uint8Array
    /** Told what happens, for who looks into one seed. */
    tell?(line: string): void
}

export interface SeedResult {
    seed: number
    /** Empty: nothing is wrong. */
    violations: string[]
    operations: number
    takeovers: number
    givebacks: number
    virtualMs: number
    healthyMs: number
    hash: string
    faults: string[]
}

interface HistoryKind {
    isBeyond: boolean
    /** Copies grow stale, and nothing may change control before its time. */
    isStale: boolean
    isOperated: boolean
    hasCards: boolean
    elements: number
}

function kindOf(seed: number, { beyond, faults, isOperated, image }: SeedOptions): HistoryKind {
    const isStale = faults === undefined && seed % staleEvery === 5
    return {
        isBeyond: beyond ?? seed % beyondEvery === 0,
        isStale,
        isOperated: !isStale && (isOperated ?? seed % kindsEvery >= operatedFrom),
        hasCards: image === undefined && seed % cardsEvery === cardsAt,
        elements: seed % parityEvery === 0 ? 3 : 2,
    }
}

export async function runSeed(seed: number, options: SeedOptions = {}): Promise<SeedResult> {
    const random = new Random(`campaign ${seed}`)
    const kind = kindOf(seed, options)
    const session = new SimSession({
        seed,
        chip: kind.hasCards ? "sd-tiny" : "W25Q16JV",
        elements: kind.elements,
        pairs: options.pairs,
        cpu: seed % slowSeedEvery === 0 ? "rp2040" : "ideal",
        image: options.image,
        timeoutMs: 4_000,
        onLog: options.tell && ((node, line, atNs) => options.tell!(`${(atNs / 1e6).toFixed(3)} ${node} ${line}`)),
    })
    const watch = new BusWatch()
    const result: SeedResult = {
        seed,
        violations: [],
        operations: 0,
        takeovers: 0,
        givebacks: 0,
        virtualMs: 0,
        healthyMs: 0,
        hash: "",
        faults: [],
    }
    try {
        await session.run(() => history(session, watch, random, kind, options, result))
    } catch (error) {
        result.violations.push(session.simulation.violation?.message ?? String((error as Error).stack ?? error))
    } finally {
        await session.bus.close()
    }
    result.violations.push(...watch.faults)
    // 0: a node that has lost its array, or hangs, asks for its restart
    for (const { node, code, atNs, isPlanted } of session.simulation.panics)
        if (!isPlanted && code !== 0)
            result.violations.push(`${(atNs / 1e6).toFixed(3)} ms: node ${node} panicked by itself (${code})`)
    result.takeovers = watch.takeovers
    result.givebacks = watch.givebacks
    result.virtualMs = session.nowMs()
    result.hash = session.simulation.trace.hash()
    return result
}

async function history(
    session: SimSession,
    watch: BusWatch,
    random: Random,
    { isBeyond, isStale, isOperated, elements }: HistoryKind,
    options: SeedOptions,
    result: SeedResult,
): Promise<void> {
    const { simulation } = session
    const aimed: { plan?: FaultPlan } = {}
    simulation.trace.onEntry = ({ timeNs, kind, data }) => {
        if (kind === "frame" && typeof data !== "string") {
            if (watch.frame(data, timeNs)) aimed.plan?.requested()
        }
        if (kind === "line" && /^.\.HOLD=/.test(String(data))) aimed.plan?.changing()
        if (kind !== "frame") options.tell?.(`${(timeNs / 1e6).toFixed(3)} ${kind} ${String(data)}`)
    }
    await session.until("both nodes serve", () => isHealthy(session), startMsMax)
    // not before: a first start takes all that answer for the array
    if (isOperated && random.fork("spares").chance(0.5)) insertSpares(session)
    const { struck, calm } = pairsOf(session, result.seed, random)
    const kinds = calm.length > 0 ? faultKindsOfPair : faultKinds
    const clients = new ClientHistory(session, random.fork("clients"), isStale ? staleImpatientMs : undefined)
    const plan: FaultPlan = new FaultPlan(
        session,
        random.fork("faults"),
        () => (forgetful ? [...clients.hostIds, forgetful.id] : clients.hostIds),
        options.faults ?? kinds,
        isBeyond,
        isStale,
        elements,
        struck,
    )
    const forgetful: ForgetfulHost | undefined = isStale
        ? new ForgetfulHost(session, random.fork("forgetful"), plan.deafNode)
        : undefined
    await forgetful?.begin()
    plan.onDeaf = () => void forgetful?.ask()
    aimed.plan = plan
    result.faults = plan.told
    const endMs = session.nowMs() + plan.endMs
    plan.start()
    const faultsEnd = session.sleep(plan.endMs).then(() => plan.end())
    const work = clients.work(() => endMs, isStale ? staleOperationsMax : operationsMax)
    const operator = new Operator(session, plan, random.fork("operator"))
    const givesBack = random.chance(0.5)
    const operations = isOperated ? operator.workAtAll() : givesBack ? operator.giveBack() : undefined
    const stale =
        result.seed % staleHostEvery === 1 ? new StaleHost(session, random.fork("stale")).work(endMs) : undefined
    await faultsEnd
    if (plan.isWithinPairs) result.violations.push(...disturbances(clients, watch, calm))
    await operations
    await stale
    const from = session.nowMs()
    const isWell =
        (await recover(session, plan, isBeyond, result)) &&
        (await scrubAfter(session, plan, result)) &&
        // reading all there is may have found an element that does not answer
        (await recover(session, plan, isBeyond, result))
    result.healthyMs = session.nowMs() - from
    if (!isWell && isBeyond) {
        // what is broken may stay broken; what was answered counts all the same
        judge(clients, result, isBeyond)
        return
    }
    await work
    if (isWell) await clients.readEverything()
    if (isWell && !isBeyond) await mendPinned(session, plan, result)
    if (isWell && forgetful) result.violations.push(...(await forgetful.judge()))
    await clients.close()
    if (isWell) await untilRepaired(session, result)
    // of an element in which a segment is written again it is not told that it is a member
    const members: string[][] = []
    for (const volume of session.client.volumes()) members[volume] = await memberNames(session, volume)
    await session.client.close()
    judge(clients, result, isBeyond)
    if (clients.arrayErrors > 0 && !isBeyond && !plan.has("element", "line"))
        result.violations.push(`${clients.arrayErrors} operations failed at the array, and nothing was wrong with it`)
    await session.sleep(quietMs)
    checkImages(session, watch, members, isBeyond ? plan.arraysLost : undefined, result)
}

function judge(clients: ClientHistory, result: SeedResult, isBeyond: boolean): void {
    if (!isBeyond) result.violations.push(...clients.faults)
    result.operations = clients.answered
    for (const [volume, operations] of clients.operations.entries()) {
        const verdict = checkLinearizable(operations)
        if (verdict.ok) continue
        result.violations.push(
            `volume ${volumeLetter(volume)}: ${verdict.reason}\n${operations.map(one => `    ${describe(one)}`).join("\n")}`,
        )
    }
}

function insertSpares({ simulation: { cabinet, nowNs } }: SimSession): void {
    for (const node of cabinet.nodeNames) cabinet.insert(`${node}.E${cabinet.arraySlots}`, "blank", nowNs)
}

/** Pairs that faults strike, and those that they do not. */
function pairsOf({ simulation }: SimSession, seed: number, random: Random): { struck: number[]; calm: number[] } {
    const all = Array.from({ length: simulation.cabinet.nodeNames.length / 2 }, (_, pair) => pair)
    if (all.length === 1 || seed % calmEvery === 0) return { struck: all, calm: [] }
    const one = random.fork("pairs").int(all.length)
    return { struck: [one], calm: all.filter(pair => pair !== one) }
}

/** What happened in a pair that no fault struck. */
export function disturbances(
    { operations: all }: Pick<ClientHistory, "operations">,
    watch: Pick<BusWatch, "disturbed">,
    calm: readonly number[],
): string[] {
    const found: string[] = []
    for (const [volume, operations] of all.entries()) {
        if (!calm.includes(volume >> 1)) continue
        const letter = volumeLetter(volume)
        if (watch.disturbed.has(volume))
            found.push(`node ${letter} took over or restarted, and its pair was left alone`)
        for (const one of operations)
            if (one.outcome === "unknown" || one.returnedAt - one.calledAt > calmMsMax)
                found.push(`volume ${letter} of a pair that was left alone: late or failed: ${describe(one)}`)
    }
    return found
}

function isHealthy(session: SimSession): boolean {
    const wanted = beatFlags.controlsOwn | beatFlags.protected
    const nodes = session.client.nodes()
    return (
        nodes.length === session.simulation.cabinet.nodeNames.length &&
        nodes.every(node => node.isHeard && node.role === roles.active && (node.flags & wanted) === wanted)
    )
}

/** Does what an operator does: gives volumes back and has elements filled that are there again. */
async function recover(session: SimSession, plan: FaultPlan, isBeyond: boolean, result: SeedResult): Promise<boolean> {
    const { client } = session
    const end = session.nowMs() + healthyMsMax
    let isComplete = false
    while (!isComplete) {
        while (!isHealthy(session)) {
            if (session.nowMs() >= end) {
                const told = client
                    .nodes()
                    .map(
                        one => `node ${one.node}: role ${one.role}, flags ${one.flags}${one.isHeard ? "" : ", silent"}`,
                    )
                if (!isBeyond)
                    result.violations.push(`not healthy ${healthyMsMax} ms after the last fault: ${told.join("; ")}`)
                return false
            }
            for (const node of holders(session)) await quietly(client.giveback(node))
            await session.sleep(pollMs)
        }
        isComplete = true
        for (const volume of session.client.volumes())
            if (isComplete) isComplete = await makeComplete(session, volume, plan, result)
        if (session.nowMs() >= end + rebuildMsMax) {
            if (!isBeyond)
                result.violations.push(
                    `an array was not complete ${healthyMsMax + rebuildMsMax} ms after the last fault`,
                )
            return false
        }
        if (!isComplete) await session.sleep(pollMs)
    }
    return true
}

/** What an element did not write, or was away for when power went, is found by reading all there is. */
async function scrubAfter(session: SimSession, plan: FaultPlan, result: SeedResult): Promise<boolean> {
    for (const volume of plan.arraysToRead) if (!(await scrub(session, volume, result))) return false
    return true
}

async function scrub(session: SimSession, volume: number, result: SeedResult): Promise<boolean> {
    const { client } = session
    const before = (await client.array(volume)).scrub.passes
    // one that the operator asked for goes on where it is, and may be past what was damaged since
    await client.scrub(volume, 0)
    await client.scrub(volume, scrubRowsPerSecond)
    const end = session.nowMs() + rebuildMsMax
    while ((await client.array(volume)).scrub.passes === before) {
        if (session.nowMs() >= end) {
            result.violations.push(`volume ${volumeLetter(volume)} was not read through in ${rebuildMsMax} ms`)
            return false
        }
        await session.sleep(pollMs)
    }
    return true
}

/** What a power cut left weak in a segment is found when that was left and the node rests, and written again. */
async function untilRepaired(session: SimSession, result: SeedResult): Promise<void> {
    const { client } = session
    const end = session.nowMs() + rebuildMsMax
    await session.sleep(quietMs)
    for (const volume of client.volumes())
        while ((await client.array(volume)).joining !== undefined) {
            if (session.nowMs() >= end) {
                result.violations.push(`a segment of volume ${volumeLetter(volume)} was not repaired`)
                return
            }
            await session.sleep(pollMs)
        }
}

/** A segment in which two elements lack something is mended by moving what is in it, which a snapshot forbids as long as it is there. */
async function mendPinned(session: SimSession, plan: FaultPlan, result: SeedResult): Promise<void> {
    const { client } = session
    const isDamaged = async (volume: number) => (await client.statfs(volume)).damagedSegments > 0
    for (const volume of plan.arraysToRead) {
        // the snapshot that pinned it may be gone since the last scrub
        if (!(await isDamaged(volume)) || !(await scrub(session, volume, result)) || !(await isDamaged(volume)))
            continue
        await session.sleep(quietMs)
        const say = (what: string) => result.violations.push(`volume ${volumeLetter(volume)} after a scrub: ${what}`)
        leftByScrub(checkArray(imagesOf(session, await memberNames(session, volume)))).forEach(say)
        for (const { name } of await client.snapshots(volume)) await client.deleteSnapshot(volume, name)
        if ((await scrub(session, volume, result)) && (await isDamaged(volume))) say("damaged, and nothing is pinned")
    }
}

/** One step of filling what is missing; true when nothing is. */
async function makeComplete(
    session: SimSession,
    volume: number,
    plan: FaultPlan,
    result: SeedResult,
): Promise<boolean> {
    try {
        const figures = await session.client.array(volume)
        if (figures.joining !== undefined) return false
        if (figures.members.length === figures.elements) return true
        if (!plan.arraysToRead.has(volume)) {
            plan.arraysToRead.add(volume)
            result.violations.push(`array ${volumeLetter(volume)} gave up an element, and nothing was wrong with it`)
        }
        await fill(session, volume, figures)
    } catch (error) {
        if (!isError(error)) throw error
    }
    return false
}

/** Has the missing element filled; a slot that was given up has to be named. */
async function fill({ client }: SimSession, volume: number, figures: ArrayFigures): Promise<void> {
    try {
        await client.rebuild(volume)
    } catch (error) {
        const slot = givenUpSlot(figures)
        if (!isError(error, "notFound") || slot === undefined) throw error
        await client.rebuild(volume, { slot })
    }
}

/** The elements that a volume's array is made of, which may have changed. */
async function memberNames({ client, simulation: { cabinet } }: SimSession, volume: number): Promise<string[]> {
    const { slots } = await client.array(volume)
    return slots.filter(({ state }) => state === "member").map(({ slot }) => `${cabinet.nodeNames[volume]}.E${slot}`)
}

function imagesOf({ simulation: { cabinet } }: SimSession, names: readonly string[]): MemoryImage[] {
    return names.map((name, i) => {
        const element = cabinet.element(name)
        return new MemoryImage(element.peek(0, element.part.bytes), element.name, i)
    })
}

/**
 * Both boards lose power; the contents of each array must be what the format promises.
 * @param members of each array
 * @param arraysLost of a history beyond the budget
 */
function checkImages(
    session: SimSession,
    watch: BusWatch,
    members: readonly string[][],
    arraysLost: ReadonlySet<number> | undefined,
    result: SeedResult,
): void {
    const { simulation } = session
    const { cabinet } = simulation
    for (const node of cabinet.nodeNames) simulation.power(node, false)
    for (const [array, node] of cabinet.nodeNames.entries()) {
        const report = checkArray(imagesOf(session, members[array]))
        // beyond the budget an array may lack an element, and pages where two were bad
        const faults = report.faults.filter(({ code }) => !(code === "page-lost" && arraysLost?.has(array)))
        const wrong = arraysLost ? faults : [...faults, ...report.degraded]
        for (const { code, message } of wrong.slice(0, 5))
            result.violations.push(`check of array ${node}: ${code}: ${message}`)
        for (const { session: known } of report.reading?.state.root.sessions ?? [])
            if (known !== 0 && watch.isClosed(array, known))
                result.violations.push(`volume ${node} knows session ${known}, which said bye`)
    }
}
