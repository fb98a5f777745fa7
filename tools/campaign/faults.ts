// What is broken in a history, when, and for how long; all of it from the seed. Some faults come at times of their own, others are aimed:
// they wait for a change of control and hit it while it is under way.
//
// The budget: what one pair survives. One element of an array at a time is bad, and it is the same one throughout; one line is broken at
// a time. `beyond` breaks more than that.

import { panicCodes, type PanicCode } from "../sim/board"
import type { LineFault, LineName } from "../sim/cabinet/pair"
import { noFaults } from "../sim/chips/element"
import type { Random } from "../sim/random"
import type { SimSession } from "../sim/session"
import { pieces } from "../sim/wire"
import { unknownMsMax } from "./history"
import type { Span } from "./lateness"

export const faultKinds = [
    "power",
    "reset",
    "panic",
    "loop",
    "hang",
    "loss",
    "duplicate",
    "reorder",
    "corrupt",
    "cut",
    "deaf",
    "line",
    "element",
    "slow",
    "control",
] as const
export type FaultKind = (typeof faultKinds)[number]

/** Those that are within a pair, and no matter of another's clients. */
export const faultKindsOfPair: readonly FaultKind[] = [
    "power",
    "reset",
    "panic",
    "loop",
    "hang",
    "line",
    "element",
    "control",
]

const durationMsMin = 30
const durationMsMax = 3_500
const lossMax = 0.3
const aimedDelayMsMax = 350
/** What ends a board's program, and how long after a request it may do so. */
const deathKinds: readonly FaultKind[] = ["power", "reset", "panic"]
const requestDelayMsMax = 6
const glitchUsMax = 20_000
const slowFactorMax = 12
/** Of a history: how long after its start the first and the last fault may begin. */
const spanMs = 7_000
const faultsMax = 6
/** When all requests that were given up while a board was deaf count for nothing any more, and when that history ends. */
const stalePowerMs = 1_500 + durationMsMax + 2_500 + unknownMsMax
const staleEndMs = stalePowerMs + durationMsMax + 1_000

/** stale: copies that nobody waits for any more, `startStale`. lastWord: a board dies right after its partner's word, as last-word.ts does it. */
export type Script = "stale" | "lastWord"

interface Planned {
    kind: FaultKind
    /** After the start of the history; or after a change of control, when aimed. */
    atMs: number
    isAimed: boolean
    /** It hits while a board is at work on a change that someone asked for. */
    isAtRequest: boolean
}

export class FaultPlan {
    /** In words, with their times. */
    readonly told: string[] = []
    /** Arrays of which an element was bad: it may lack what the array believes it has. */
    readonly arraysToRead = new Set<number>()
    /** Beyond the budget: arrays of which more than one was bad. What one did not write the other may have lost. */
    readonly arraysLost = new Set<number>()
    /** When each fault began and ended, in ms of virtual time; one that is over at once ends when it begins. */
    readonly spans: Span[] = []
    isOver = false
    /** Of a plan of copies that grow stale: the board that hears no host, and what is called when that begins. */
    readonly deafNode: number
    onDeaf?: () => void
    private planned: Planned[] = []
    /** Those that wait for a request. */
    private readonly armed: FaultKind[] = []
    private readonly mends = new Set<() => void>()
    private readonly victims: number[]
    private readonly wereBad = new Map<number, number>()
    private isLineBroken = false
    private hangsForGood: string | undefined

    constructor(
        private readonly session: SimSession,
        private readonly random: Random,
        private readonly hostIds: () => string[],
        kinds: readonly FaultKind[],
        private readonly isBeyond: boolean,
        /** Its faults are those of one purpose, and no others. */
        readonly script: Script | undefined,
        elements: number,
        /** Pairs that faults strike. */
        readonly pairs: readonly number[] = [0],
    ) {
        const of = Array.from({ length: 1 + random.int(3) }, () => kinds[random.int(kinds.length)])
        const count = 1 + random.int(faultsMax)
        for (let i = 0; i < count; i++) {
            const isAimed = i > 0 && random.chance(0.5)
            const kind = of[random.int(of.length)]
            const isAtRequest = deathKinds.includes(kind) && random.chance(0.5)
            const atMs = random.float() * (isAimed ? aimedDelayMsMax : spanMs)
            this.planned.push({ kind, isAimed, isAtRequest, atMs })
        }
        // something that makes control change, for the aimed ones to hit
        if (this.planned.some(({ isAimed }) => isAimed)) {
            const first = (["power", "reset", "control", "panic"] as const).filter(kind => kinds.includes(kind))
            const [kind, atMs] = [first[random.int(first.length)], random.float() * spanMs]
            if (first.length > 0) this.planned.push({ kind, isAimed: false, isAtRequest: random.chance(0.5), atMs })
        }
        if (script === "lastWord") this.planned = []
        this.victims = session.simulation.cabinet.nodeNames.map(() => random.int(elements))
        this.deafNode = random.chance(0.7) ? 0 : 1
    }

    /** Kinds that are in this plan. */
    has(...kinds: FaultKind[]): boolean {
        return this.planned.some(({ kind }) => kinds.includes(kind))
    }

    /** A board hung, and nobody but its partner did something about it. */
    get isHungForGood(): boolean {
        return this.hangsForGood !== undefined
    }

    /** All that is in this plan strikes no other pair than this plan's. */
    get isWithinPairs(): boolean {
        return this.script !== "stale" && this.planned.every(({ kind }) => faultKindsOfPair.includes(kind))
    }

    /** When no fault begins any more, nor lasts. */
    get endMs(): number {
        return this.script === "stale" ? staleEndMs : spanMs + durationMsMax
    }

    start(): void {
        if (this.script === "stale") return this.startStale()
        for (const one of this.planned) if (!one.isAimed) this.after(one.atMs, () => this.due(one))
    }

    /**
     * Copies that nobody waits for any more: a board hears no host, its partner records what they ask; they give up. Long after, the
     * board loses its power and its partner takes over.
     */
    private startStale(): void {
        const { simulation } = this.session
        const node = simulation.cabinet.nodeNames[this.deafNode]
        const say = (what: string) => this.told.push(`${(simulation.nowNs / 1e6).toFixed(3)} ms: ${what}`)
        this.after(500 + this.random.float() * 1_000, () => {
            say(this.deafen(node, durationMsMax))
            this.onDeaf?.()
        })
        this.after(stalePowerMs, () => {
            simulation.power(node, false)
            this.mendIn(durationMsMax, () => simulation.power(node, true))
            say(`power of ${node} off for ${durationMsMax} ms`)
        })
    }

    /** Control changes at present, or an element is being filled. */
    changing(): void {
        if (this.isOver) return
        const index = this.planned.findIndex(({ isAimed }) => isAimed)
        if (index < 0) return
        const [one] = this.planned.splice(index, 1)
        this.planned.push({ ...one, isAimed: false })
        this.after(one.atMs, () => this.due(one))
    }

    /** Someone has just asked for a change. */
    requested(): void {
        const kind = this.armed.shift()
        if (kind) this.after(this.random.float() * requestDelayMsMax, () => this.strike(kind))
    }

    private due({ kind, isAtRequest }: Planned): void {
        if (isAtRequest) this.armed.push(kind)
        else this.strike(kind)
    }

    /** Everything is mended. */
    end(): void {
        this.isOver = true
        for (const mend of [...this.mends]) mend()
    }

    private after(ms: number, run: () => void): void {
        this.session.simulation.queue.after(Math.round(ms * 1e6), run)
    }

    private strike(kind: FaultKind): void {
        if (this.isOver) return
        const { simulation } = this.session
        const forMs = durationMsMin + Math.floor(this.random.float() ** 2 * (durationMsMax - durationMsMin))
        const known = this.spans.length
        const what = this.begin(kind, forMs)
        if (what === undefined) return
        const atMs = simulation.nowNs / 1e6
        if (this.spans.length === known) this.spans.push({ fromMs: atMs, toMs: atMs })
        this.told.push(`${(simulation.nowNs / 1e6).toFixed(3)} ms: ${what}`)
    }

    /** Says what was done; undefined = not possible now. */
    private begin(kind: FaultKind, forMs: number): string | undefined {
        const { random } = this
        const { simulation } = this.session
        const pair = this.pairs.length === 1 ? this.pairs[0] : this.pairs[random.int(this.pairs.length)]
        const nodes = simulation.cabinet.nodeNames.slice(2 * pair, 2 * pair + 2)
        const node = nodes[random.int(nodes.length)]
        const { fault } = simulation.wire
        switch (kind) {
            case "power": {
                const off = random.chance(0.25) ? nodes : [node]
                for (const one of off) simulation.power(one, false)
                this.mendIn(forMs, () => off.forEach(one => simulation.power(one, true)))
                return `power of ${off.join(" and ")} off for ${forMs} ms`
            }
            case "reset":
                simulation.cabinet.pressReset(node, simulation.nowNs)
                return `reset of ${node}`
            case "panic": {
                const codes = Object.values(panicCodes)
                const code: PanicCode = codes[random.int(codes.length)]
                return simulation.board(node).panic(code) ? `panic ${code} of ${node}` : undefined
            }
            case "loop":
                simulation.endlessLoop(node)
                return `endless loop of ${node}`
            case "hang": {
                simulation.board(node).hang()
                // one of them may hang until somebody does something about it
                const isForGood = this.hangsForGood === undefined && random.chance(0.4)
                if (isForGood) this.hangsForGood = node
                else this.mendIn(forMs, () => simulation.board(node).resume())
                return `${node} hangs ${isForGood ? "for good" : `for ${forMs} ms`}`
            }
            case "loss": {
                const p = random.float() * lossMax
                fault.lossP = p
                this.mendIn(forMs, () => (fault.lossP = 0))
                return `${(100 * p).toFixed(0)} % of packets lost for ${forMs} ms`
            }
            case "duplicate":
                fault.duplicateP = random.float() / 2
                this.mendIn(forMs, () => (fault.duplicateP = 0))
                return `packets heard twice for ${forMs} ms`
            case "reorder":
                fault.delayP = random.float() / 2
                fault.delayMsMax = 1 + random.int(300)
                this.mendIn(forMs, () => (fault.delayP = 0))
                return `packets up to ${fault.delayMsMax} ms late for ${forMs} ms`
            case "corrupt":
                fault.corruptP = random.float() * lossMax
                this.mendIn(forMs, () => (fault.corruptP = 0))
                return `${(100 * fault.corruptP).toFixed(0)} % of packets corrupt for ${forMs} ms`
            case "cut":
                return this.cutBus(nodes, forMs)
            case "deaf":
                return this.deafen(node, forMs)
            case "line":
                return this.breakLine(node, forMs)
            case "element":
                return this.breakElement(pair, forMs)
            case "slow":
                return this.slowElements(forMs)
            case "control":
                this.askForChange(node)
                // the next one while the first is under way, or its volume is being mounted
                if (random.chance(0.5))
                    this.after(random.float() * aimedDelayMsMax, () => this.askForChange(nodes[random.int(2)]))
                return `someone asks ${node} for a change of control`
        }
    }

    /** A board has no power, or hangs unless its partner resets it, until what this returns is called, or the faults end. */
    stop(node: string, way: "power" | "hang"): () => void {
        const { simulation } = this.session
        const fromMs = simulation.nowNs / 1e6
        const span = { fromMs, toMs: Infinity }
        this.spans.push(span)
        this.told.push(`${fromMs.toFixed(3)} ms: ${way === "power" ? `power of ${node} off` : `${node} hangs`}`)
        if (way === "power") simulation.power(node, false)
        else simulation.board(node).hang()
        const goOn = () => {
            if (!this.mends.delete(goOn)) return
            span.toMs = simulation.nowNs / 1e6
            if (way === "power") simulation.power(node, true)
            else simulation.board(node).resume()
        }
        this.mends.add(goOn)
        return goOn
    }

    private askForChange(node: string): void {
        if (this.isOver) return
        const { client, simulation } = this.session
        const index = simulation.cabinet.nodeNames.indexOf(node)
        const done = this.random.chance(0.5) ? client.takeover(index) : client.giveback(index)
        done.catch(() => undefined) // vetoes and silence are fine
    }

    private cutBus(nodes: readonly string[], forMs: number): string {
        const [a, b] = nodes
        const hosts = this.hostIds()
        const cuts = [
            [[a, ...hosts], [b]],
            [[b, ...hosts], [a]],
            [[a, b], hosts],
            [hosts, [a], [b]],
        ]
        const cut = cuts[this.random.int(cuts.length)]
        const { fault } = this.session.simulation.wire
        fault.cut = pieces(...cut)
        this.mendIn(forMs, () => (fault.cut = undefined))
        return `the bus in pieces for ${forMs} ms: ${cut.map(piece => piece.join("+")).join(" / ")}`
    }

    /** One board hears no host, and its partner hears them all. */
    private deafen(node: string, forMs: number): string {
        const hosts = this.hostIds()
        const { fault } = this.session.simulation.wire
        fault.cut = (from, to) => to === node && hosts.includes(from)
        this.mendIn(forMs, () => (fault.cut = undefined))
        return `${node} hears no host for ${forMs} ms`
    }

    private breakLine(node: string, forMs: number): string | undefined {
        const { random } = this
        const { simulation } = this.session
        const line = (["OWN", "HOLD", "RESET"] as const)[random.int(3)] as LineName
        const way = (["high", "low", "cut", "glitch"] as const)[random.int(4)]
        if (this.isLineBroken && !this.isBeyond) return undefined
        if (way === "glitch") {
            const us = 1 + Math.floor(random.float() ** 3 * glitchUsMax)
            simulation.glitchLine(node, line, us)
            return `${node}.${line} has a glitch of ${us} us`
        }
        this.isLineBroken = true
        simulation.cabinet.faultLine(node, line, way as LineFault, simulation.nowNs)
        this.mendIn(forMs, () => {
            this.isLineBroken = false
            simulation.cabinet.faultLine(node, line, undefined, simulation.nowNs)
        })
        return `${node}.${line} ${way === "cut" ? "cut" : `stuck ${way}`} for ${forMs} ms`
    }

    private breakElement(pair: number, forMs: number): string {
        const { random } = this
        const { simulation } = this.session
        const array = 2 * pair + random.int(2)
        const index = this.badElement(array)
        const name = `${simulation.cabinet.nodeNames[array]}.E${index}`
        const { faults } = simulation.cabinet.element(name)
        const ways = ["silent", "lies", "busy", "drops"] as const
        const way = ways[random.int(ways.length)]
        if (way === "silent") faults.silent = true
        else if (way === "busy") faults.staysBusy = true
        else if (way === "lies") faults.lies = random.float()
        else faults.dropsWrites = random.float()
        this.noteBad(array, index)
        this.mendIn(forMs, () => Object.assign(simulation.cabinet.element(name).faults, noFaults()))
        return `${name} ${way} for ${forMs} ms`
    }

    /** The element of an array that may be bad; beyond the budget, one of them. */
    badElement(array: number): number {
        return this.isBeyond ? this.random.int(this.session.simulation.cabinet.arraySlots) : this.victims[array]
    }

    /** The one of them that may be taken away for good: who takes all of them has a new array. */
    expendable(array: number): number {
        return this.victims[array]
    }

    /** It was bad, or someone takes it for that. */
    noteBad(array: number, index: number): void {
        this.arraysToRead.add(array)
        if ((this.wereBad.get(array) ?? index) !== index) this.arraysLost.add(array)
        this.wereBad.set(array, index)
    }

    private slowElements(forMs: number): string {
        const { cabinet } = this.session.simulation
        const factor = 1 + this.random.float() * slowFactorMax
        cabinet.setTiming(factor)
        this.mendIn(forMs, () => cabinet.setTiming("typical"))
        return `chips ${factor.toFixed(1)} times slower for ${forMs} ms`
    }

    private mendIn(ms: number, mend: () => void): void {
        const fromMs = this.session.simulation.nowNs / 1e6
        this.spans.push({ fromMs, toMs: fromMs + ms })
        const once = () => {
            if (this.mends.delete(once)) mend()
        }
        this.mends.add(once)
        this.after(ms, once)
    }
}
