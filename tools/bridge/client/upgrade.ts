/**
 * New firmware for both nodes of each pair while they serve: one node has both volumes, the other gets the program, starts and
 * takes its volume back; then the other way round. Crash order for a node: 1 its partner takes its volume over, 2 the board's
 * program is gone, 3 the new one is whole, 4 it starts and waits, 5 giveback. A cut at any of them leaves the partner serving
 * both volumes, or the pair as it was; the next upgrade begins with the node that serves nothing. A pair that is active/standby is so at each
 * of them, whichever node serves; not between 5 and the next 1. One that is active/active is so again when an upgrade ends in 1 or 5, if both nodes live.
 */
import type { Runtimes } from "../bus/runtimes"
import { deploy, imageSha256, startProgram } from "../bus/manager"
import { sleep, type Clock } from "../bus/clock"
import { isError, TwinfilerError } from "../error"
import { readImage, type ImageFacts } from "../image"
import {
    beatFlags,
    modeNames,
    partnerOf,
    protocolVersion,
    roleNames,
    silentAfterMs,
    vetoAlready,
    vetoUnderWay,
    volumeLetter,
} from "../protocol/numbers"
import type { TwinfilerClient } from "./client"
import type { NodeProgram } from "./programs"

export interface Firmware {
    path: string
    image: Uint8Array
}

export interface NodePlan extends NodeProgram {
    firmware: Firmware
    /** Facts of the new program. */
    wanted: ImageFacts
    isNeeded: boolean
}

export type UpgradeStep = "takeover" | "deploy" | "start" | "giveback" | "done"

export interface UpgradeOptions {
    signal?: AbortSignal
    onStep?: (node: number, step: UpgradeStep) => void
    onBytes?: (node: number, bytes: number, total: number) => void
}

export interface NodeUpgrade {
    node: number
    before?: string
    after: string
    sha256: string
    changed: boolean
    ms: number
    deployMs: number
}

const pollMs = 50
const waitMs = 30_000
/** For the boot of both boards and a mount after it, twice. */
const insistMs = 60_000
const briefMs = 5_000
/** For the pair's mode, or a giveback, when an upgrade has ended in the middle. */
const putBackMs = 20_000
/** The same with a node that is silent: one that was reset has its volume back by then, and one without a program never has. */
const putBackSilentMs = 6_000
const refusalsMax = 20
const refusedMs = 1_000
/** A program starts at once; it binds its roles within 3 s. */
const startMs = 20_000

interface Bounds {
    signal?: AbortSignal
    msMax?: number
}

/** Vetoes that need no one to do anything. */
const passing = new Set<unknown>([vetoAlready, vetoUnderWay])

type Role = (typeof roleNames)[number]
const activeStandby = modeNames.indexOf("active-standby")

/** Waits with a bound, and for a stop. */
async function until(clock: Clock, what: string, met: () => boolean, signal?: AbortSignal, ms = waitMs): Promise<void> {
    const end = clock.now() + ms
    while (!met()) {
        if (signal?.aborted) throw new TwinfilerError("aborted", "upgrade: stopped")
        if (clock.now() >= end) throw new TwinfilerError("timeout", `${what}: not within ${ms / 1_000} s`)
        await sleep(clock, pollMs)
    }
}

/**
 * What is to be done, node by node in the order in which it is done. Throws before anything is touched when the firmware is not for these
 * nodes, or a node is not to be had.
 * @param firmwareFor by kind of elements
 */
export function planUpgrade(
    programs: readonly NodeProgram[],
    client: TwinfilerClient,
    firmwareFor: (elements: "nor" | "sd") => Firmware,
): NodePlan[] {
    const plans: NodePlan[] = []
    for (const one of programs) {
        const letter = volumeLetter(one.node)
        const partner = programs.find(({ node }) => node === partnerOf(one.node))
        const facts = one.facts ?? partner?.facts
        if (!one.board || !one.program)
            throw new TwinfilerError(
                "noNode",
                `node ${letter} is silent, and no board without a program is on the bus: check its power and its bus plug`,
            )
        if (!facts)
            throw new TwinfilerError(
                "badRequest",
                `node ${letter} does not tell what its program serves (version ${JSON.stringify(one.program.version)}): ` +
                    `flash it over USB once`,
            )
        const firmware = firmwareFor(facts.elements)
        const wanted = readImage(firmware.image, firmware.path)
        const no = (what: string): never => {
            throw new TwinfilerError("badRequest", `${firmware.path}: ${what}`)
        }
        if (wanted.elements !== facts.elements)
            no(
                `this is for boards with ${elementWords[wanted.elements]}; node ${letter} has ${elementWords[facts.elements]}`,
            )
        if (wanted.protocol !== protocolVersion || wanted.protocol !== facts.protocol)
            no(
                `it speaks version ${wanted.protocol} of the protocol, node ${letter} ${facts.protocol} and this command ` +
                    `${protocolVersion}: a pair must speak one version, so this needs a stop`,
            )
        if (wanted.format !== facts.format)
            no(`it serves volumes of format ${wanted.format}; those of node ${letter} have format ${facts.format}`)
        if (!takesBytecode(one.program.runtime, wanted.bytecode))
            no(
                `its bytecode is of version ${wanted.bytecode}; the runtime of node ${letter} takes ${one.program.runtime}`,
            )
        plans.push({ ...one, firmware, wanted, isNeeded: one.program.sha256 !== imageSha256(firmware.image) })
    }
    // a node that serves nothing first: it may be one that an upgrade left behind
    const serves = ({ node }: NodePlan) =>
        client.nodes().some(state => state.node === node && state.isHeard && has(state))
    return plans.sort(
        (one, other) =>
            pairOf(one) - pairOf(other) || Number(serves(one)) - Number(serves(other)) || other.node - one.node,
    )
}

const elementWords = { nor: "SPI-NOR chips", sd: "SD cards" } as const
const pairOf = ({ node }: { node: number }) => node >> 1
const has = ({ flags }: { flags: number }) => (flags & (beatFlags.controlsOwn | beatFlags.controlsPartner)) !== 0

/** devs_verify: the same major version, and no newer minor one. */
function takesBytecode(runtime: string, image: string): boolean {
    const [major, minor] = runtime.split(".").map(Number)
    const [wantedMajor, wantedMinor] = image.split(".").map(Number)
    return major === wantedMajor && minor >= wantedMinor
}

/**
 * The nodes that serve both volumes of an active/standby pair. Where one has the new program and its partner has not, an upgrade was stopped,
 * which began with the node that served nothing: it was the partner then.
 */
function standbyHolders(client: TwinfilerClient, plans: readonly NodePlan[]): number[] {
    const isNeeded = (node: number) => plans.find(plan => plan.node === node)?.isNeeded ?? false
    return client
        .nodes()
        .filter(state => state.isHeard && state.mode === activeStandby && has(state))
        .map(({ node }) => (isNeeded(partnerOf(node)) && !isNeeded(node) ? partnerOf(node) : node))
}

/** Whether an upgrade was stopped between a pair's nodes. It has left the mode in the beats, unless its host was lost; the pair's power, too. */
export function wasStopped(plans: readonly NodePlan[], node: number): boolean {
    const pair = plans.filter(plan => pairOf(plan) === pairOf({ node }))
    return pair.some(({ isNeeded }) => isNeeded) && pair.some(({ isNeeded }) => !isNeeded)
}

export class Upgrade {
    /** By pair, of those that are active/standby: the node that serves both volumes before and after. */
    readonly holders = new Map<number, number>()

    constructor(
        private readonly client: TwinfilerClient,
        private readonly runtimes: Runtimes,
        private readonly clock: Clock,
        private readonly options: UpgradeOptions = {},
    ) {}

    /** Carries a plan out. What it throws says how the pair stands; another upgrade goes on from there. */
    async run(plans: readonly NodePlan[]): Promise<NodeUpgrade[]> {
        const done: NodeUpgrade[] = []
        for (const node of standbyHolders(this.client, plans)) this.holders.set(pairOf({ node }), node)
        for (const [index, plan] of plans.entries()) {
            const holder = this.holders.get(pairOf(plan))
            try {
                done.push(await this.one(plan))
                // its giveback made the pair active/active
                if (index + 1 < plans.length && pairOf(plans[index + 1]) === pairOf(plan)) continue
                if (holder !== undefined) await this.standBy(holder)
            } catch (error) {
                throw holder === undefined ? error : withState(error, await this.putBack(holder))
            }
        }
        return done
    }

    /** The node serves both volumes of its pair, and keeps them, as before. */
    private async standBy(node: number): Promise<void> {
        await this.insist(
            `node ${volumeLetter(node)} does not serve both volumes again`,
            () => this.isStandby(node),
            async () => void (await this.client.mode(node, "active-standby", this.brief)),
        )
    }

    /**
     * An upgrade that ends in the middle leaves its pair active/standby, by whichever node can serve both volumes: the next one finds that in the beats.
     * @returns what to say of it
     */
    private async putBack(holder: number): Promise<string> {
        const partner = partnerOf(holder)
        const [letter, other] = [holder, partner].map(volumeLetter)
        const options = { timeoutMs: briefMs }
        // what was asked for last may not be in the beats yet
        await sleep(this.clock, silentAfterMs)
        try {
            await this.insist(
                `the pair of node ${letter}`,
                () => this.isStandby(holder) || this.isStandby(partner),
                async () => {
                    const node = this.role(partner) === "taken-over" ? partner : holder
                    await this.client.mode(node, "active-standby", options)
                },
                { msMax: putBackMs },
            )
        } catch (error) {
            if (!isError(error)) throw error
            return `the pair may be active/active now: \`twinfiler mode ${letter} active-standby\` makes it active/standby again`
        }
        if (this.isStandby(holder)) return `the pair is active/standby, by node ${letter} as before`
        return (
            `the pair is active/standby, by node ${other} now; after the upgrade \`twinfiler giveback ${other}\` and ` +
            `\`twinfiler mode ${letter} active-standby\` make it node ${letter} again`
        )
    }

    /** Throws what ended a step, with how the pair stands: nobody else would give back what was asked for. One that is active/standby is put back at the end. */
    private async backOut(node: number, error: unknown): Promise<never> {
        throw this.holders.has(pairOf({ node })) ? error : withState(error, await this.handBack(node))
    }

    /**
     * Both nodes of an active/active pair serve again, where that is soon possible.
     * @returns what to say of it
     */
    private async handBack(node: number): Promise<string> {
        // what was asked for last may not be in the beats yet
        await sleep(this.clock, silentAfterMs)
        const areHeard = [node, partnerOf(node)].every(one => this.role(one) !== undefined)
        try {
            await this.insistBack(node, { msMax: areHeard ? putBackMs : putBackSilentMs })
            return `each node serves its own volume; ${again}`
        } catch (error) {
            if (!isError(error)) throw error
        }
        const holder = [node, partnerOf(node)].find(one => this.role(one) === "taken-over")
        if (holder === undefined) return `not both nodes serve: see \`twinfiler status\``
        const letter = volumeLetter(holder)
        return `node ${letter} serves both volumes and keeps them until \`twinfiler giveback ${letter}\`; ${again}`
    }

    private isStandby(node: number): boolean {
        return this.role(node) === "taken-over" && this.state(node)?.mode === activeStandby
    }

    /** Says whether the first node's partner could take over now; throws `vetoed` when it could not. */
    async rehearse(plans: readonly NodePlan[]): Promise<void> {
        for (const plan of plans) {
            if (!plan.isNeeded || this.role(partnerOf(plan.node)) !== "active") continue
            try {
                await this.client.takeover(partnerOf(plan.node), { ...this.call, dryRun: true })
            } catch (error) {
                // what goes on just now will be over when it is its turn
                if (!isError(error, "vetoed") || !passing.has(error.details.reason)) throw error
            }
        }
    }

    private async one(plan: NodePlan): Promise<NodeUpgrade> {
        const { node, firmware, wanted } = plan
        const beginMs = this.clock.now()
        const result = {
            node,
            before: plan.facts?.version,
            after: wanted.version,
            sha256: imageSha256(firmware.image),
            changed: plan.isNeeded,
        }
        let deployMs = 0
        if (plan.isNeeded) {
            await this.takeOver(node).catch(error => this.backOut(node, error))
            deployMs = await this.give(plan)
        } else if (this.role(node) === undefined && plan.board) {
            // an upgrade was stopped before it let the program start
            await startProgram(this.runtimes, plan.board, { signal: this.options.signal })
        }
        await this.giveBack(node).catch(error => this.backOut(node, error))
        this.step(node, "done")
        return { ...result, ms: Math.round(this.clock.now() - beginMs), deployMs: Math.round(deployMs) }
    }

    /** The partner has both volumes, and the node serves nothing. */
    private async takeOver(node: number): Promise<void> {
        const partner = partnerOf(node)
        // active/standby stays so while the other node serves, so that it is not lost when the upgrade is
        const isKept = this.holders.has(pairOf({ node }))
        const isIdle = () =>
            this.role(partner) === "taken-over" && !this.serves(node) && (!isKept || this.isStandby(partner))
        if (!isIdle()) this.step(node, "takeover")
        // what a failover brought is given back by itself: only what was asked for stays, and no beat says which it is
        let isAsked = false
        const isMet = () => isAsked && isIdle()
        await this.insist(`node ${volumeLetter(partner)} does not get both volumes`, isMet, async () => {
            isAsked = await this.askFor(partner, isKept)
        })
    }

    /** Asks a node for both volumes; where a failover went the other way, its partner to hand back first. @returns whether it has them now, and keeps them */
    private async askFor(node: number, isKept: boolean): Promise<boolean> {
        const partner = partnerOf(node)
        const role = this.role(node)
        if (role === "active" || role === "taken-over") {
            if (isKept) await this.client.mode(node, "active-standby", this.brief)
            else await this.client.takeover(node, this.brief)
            return true
        }
        if (role === "waiting" && this.role(partner) === "taken-over") await this.client.giveback(partner, this.brief)
        return false
    }

    /** Asks again and again, because a power cut may undo what was asked for, or a node may not be ready for it. */
    private async insist(
        what: string,
        met: () => boolean,
        ask: () => Promise<void>,
        { signal, msMax = insistMs }: Bounds = this.call,
    ): Promise<void> {
        const end = this.clock.now() + msMax
        for (let refused = 0; !met();) {
            if (signal?.aborted) throw new TwinfilerError("aborted", "upgrade: stopped")
            if (this.clock.now() >= end) throw new TwinfilerError("timeout", `${what}: not within ${msMax / 1_000} s`)
            try {
                await ask()
                await sleep(this.clock, pollMs)
            } catch (error) {
                if (!isError(error, "vetoed", "timeout", "noNode")) throw error
                // a takeover that fails has reset the other node: not without end
                if (++refused >= refusalsMax) throw new TwinfilerError(error.code, `${what}: ${error.message}`)
                await sleep(this.clock, refusedMs)
            }
        }
    }

    /** The node's board gets the program and starts it. Returns how long the bytes took. */
    private async give(plan: NodePlan): Promise<number> {
        const { node, firmware, wanted } = plan
        const letter = volumeLetter(node)
        const { signal } = this.options
        const board = await this.runtimes.find(plan.board!.device, waitMs, signal).catch((error: unknown) => {
            throw left(error, `node ${letter} keeps its program, and its partner serves both volumes`)
        })
        this.step(node, "deploy")
        const beginMs = this.clock.now()
        let isErased = false
        try {
            const at = (bytes: number) => this.options.onBytes?.(node, bytes, firmware.image.length)
            await deploy(this.runtimes, board, firmware.image, at, {
                signal,
                // the board may have been waited for, and others may ask for changes
                beforeErase: () => this.takeOver(node),
                onErase: () => (isErased = true),
            })
        } catch (error) {
            await sleep(this.clock, silentAfterMs)
            // it ended before the erase; a node that is not heard now is starting
            if (!isErased || this.role(node) !== undefined) return this.backOut(node, error)
            throw left(error, `node ${letter} has no whole program now, and its partner serves both volumes`)
        }
        const deployMs = this.clock.now() - beginMs
        this.step(node, "start")
        // the last beat of the program before is not to be taken for one of the new
        await sleep(this.clock, silentAfterMs)
        try {
            await until(
                this.clock,
                `node ${letter} does not start with firmware ${wanted.version}`,
                () => this.role(node) !== undefined,
                signal,
                startMs,
            )
            const { firmware: told } = await this.client.nodeFigures(node, this.call)
            if (told !== wanted.version)
                throw new TwinfilerError(
                    "checksum",
                    `node ${letter} says that it runs firmware ${told}, not ${wanted.version}`,
                )
        } catch (error) {
            throw left(error, `its partner serves both volumes and keeps its own firmware`)
        }
        return deployMs
    }

    /** Both nodes serve their own volumes, each recording for the other. */
    private async giveBack(node: number): Promise<void> {
        const partner = partnerOf(node)
        const { signal } = this.options
        const wanted = beatFlags.controlsOwn | beatFlags.protected
        const isWell = (one: number) => this.role(one) === "active" && (this.flags(one) & wanted) === wanted
        if (isWell(node) && isWell(partner)) return
        this.step(node, "giveback")
        await this.insistBack(node, this.call)
        const names = `nodes ${volumeLetter(node)} and ${volumeLetter(partner)}`
        await until(this.clock, `${names} do not both serve and record`, () => isWell(node) && isWell(partner), signal)
    }

    private async insistBack(node: number, bounds: Bounds): Promise<void> {
        const pair = [node, partnerOf(node)]
        const isBack = () => pair.every(one => this.role(one) === "active")
        // after a failover it may be the other one that has both volumes
        const holder = () =>
            pair.find(one => this.role(one) === "taken-over" && this.role(partnerOf(one)) === "waiting")
        const ask = async () => {
            const from = holder()
            if (from !== undefined) await this.client.giveback(from, { signal: bounds.signal, timeoutMs: briefMs })
        }
        await this.insist(`node ${volumeLetter(node)} does not get its volume back`, isBack, ask, bounds)
    }

    private get call() {
        return { signal: this.options.signal }
    }

    /** For what is asked again. */
    private get brief() {
        return { ...this.call, timeoutMs: briefMs }
    }

    private step(node: number, step: UpgradeStep): void {
        this.options.onStep?.(node, step)
    }

    private state(node: number) {
        return this.client.nodes().find(state => state.node === node && state.isHeard)
    }

    private role(node: number): Role | undefined {
        const state = this.state(node)
        return state && roleNames[state.role]
    }

    private flags(node: number): number {
        return this.state(node)?.flags ?? 0
    }

    private serves(node: number): boolean {
        return has({ flags: this.flags(node) })
    }
}

const again = "`twinfiler upgrade` again finishes the work"

/** What went wrong, with what it leaves behind. */
function left(error: unknown, state: string): unknown {
    return withState(error, `${state}: ${again}`)
}

function withState(error: unknown, state: string): unknown {
    return isError(error) ? new TwinfilerError(error.code, `${error.message}; ${state}`, error.details) : error
}
