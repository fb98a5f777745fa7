// One seed, one history: clients at work on a whole cabinet under faults, then the faults end, the cabinet must become healthy, and all
// that was promised is checked.

import { volumeLetter } from "../bridge/protocol/numbers"
import { checkArray } from "../check"
import { Random } from "../sim/random"
import { SimSession } from "../sim/session"
import { BusWatch } from "./bus-watch"
import { FaultPlan, faultKinds, faultKindsOfPair, type FaultKind, type Script } from "./faults"
import { ClientHistory } from "./history"
import { LastWord } from "./last-word"
import { tooLate } from "./lateness"
import { checkLinearizable, describe } from "./linear"
import { ForgetfulHost } from "./forgetful-host"
import { Operator } from "./operator"
import { imagesOf, isHealthy, memberNames, Recovery } from "./recovery"
import { unexplained } from "./refusals"
import { StaleHost } from "./stale-host"

const startMsMax = 30_000
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
/** Of so many histories in a row those in which a board dies right after a word: plain ones, one of slow boards, one of cards with parity. */
const lastWordEvery = 24
const lastWordAt: readonly number[] = [8, 12, 19, 23]
/** Of the histories in which no volume was asked for, those that end with nobody asking for a giveback either. */
const byItselfShare = 0.7
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
    /** What breaks is for one purpose, and nothing else may change control. */
    script: Script | undefined
    isOperated: boolean
    hasCards: boolean
    elements: number
}

function kindOf(seed: number, { beyond, faults, isOperated, image }: SeedOptions): HistoryKind {
    const isBeyond = beyond ?? seed % beyondEvery === 0
    const script = faults === undefined ? scriptOf(seed, isBeyond) : undefined
    return {
        isBeyond,
        script,
        isOperated: script === undefined && (isOperated ?? seed % kindsEvery >= operatedFrom),
        hasCards: image === undefined && seed % cardsEvery === cardsAt,
        elements: seed % parityEvery === 0 ? 3 : 2,
    }
}

function scriptOf(seed: number, isBeyond: boolean): Script | undefined {
    if (seed % staleEvery === 5) return "stale"
    return !isBeyond && lastWordAt.includes(seed % lastWordEvery) ? "lastWord" : undefined
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
    // 0: it started anew because it hung, or had no way to speak
    for (const { node, code, atNs, isPlanted } of session.simulation.panics)
        if (!isPlanted)
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
    { isBeyond, script, isOperated, elements }: HistoryKind,
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
    const isStale = script === "stale"
    const clients = new ClientHistory(session, random.fork("clients"), isStale ? staleImpatientMs : undefined)
    const plan: FaultPlan = new FaultPlan(
        session,
        random.fork("faults"),
        () => (forgetful ? [...clients.hostIds, forgetful.id] : clients.hostIds),
        options.faults ?? kinds,
        isBeyond,
        script,
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
    const lastWord =
        script === "lastWord" ? new LastWord(session, watch, plan, random.fork("last word")).work() : undefined
    await faultsEnd
    if (plan.isWithinPairs) result.violations.push(...disturbances(clients, watch, calm))
    await operations
    await stale
    result.violations.push(...((await lastWord) ?? []))
    const from = session.nowMs()
    const isAsked = isOperated || operations !== undefined || plan.has("control") || isBeyond
    const givesBackByItself = !isAsked && random.fork("giveback").chance(byItselfShare)
    const recovery = new Recovery(session, plan, isBeyond, givesBackByItself, result.violations)
    const isWell =
        (await recovery.recover()) &&
        (await recovery.scrubAfter()) &&
        // reading all there is may have found an element that does not answer
        (await recovery.recover())
    result.healthyMs = session.nowMs() - from
    if (!isWell && isBeyond) {
        // what is broken may stay broken; what was answered counts all the same
        judge(clients, result, isBeyond)
        return
    }
    await work
    if (isWell) await clients.readEverything()
    if (isWell && !isBeyond) await recovery.mendPinned()
    if (isWell && forgetful) result.violations.push(...(await forgetful.judge()))
    await clients.close()
    if (isWell) await recovery.untilRepaired()
    // of an element in which a segment is written again it is not told that it is a member
    const members: string[][] = []
    for (const volume of session.client.volumes()) members[volume] = await memberNames(session, volume)
    await session.client.close()
    judge(clients, result, isBeyond)
    if (!isBeyond) {
        const { spans: faults, isHungForGood } = plan
        result.violations.push(...tooLate(clients.waits, { faults, endMs, isHungForGood, isOperated }))
    }
    if (clients.arrayErrors > 0 && !isBeyond && !plan.has("element", "line"))
        result.violations.push(`${clients.arrayErrors} operations failed at the array, and nothing was wrong with it`)
    await session.sleep(quietMs)
    checkImages(session, watch, members, isBeyond ? plan.arraysLost : undefined, result)
}

function judge(clients: ClientHistory, result: SeedResult, isBeyond: boolean): void {
    if (!isBeyond) result.violations.push(...clients.faults, ...unexplained(clients.refused, clients.operations))
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
