// Two nodes as the hardware joins them, run by the firmware's own `step`, with everything around it drawn from a seed. The invariants are
// checked after every event; a violation stops the world.
//
// Kept as on the boards: OWN and HOLD are low while a node has no power or is in reset; RESET low holds the partner in reset, and all RAM
// is lost in it; an array hangs on its home node while that one's OWN is high, else on the partner. What a node does about an
// action is what `Control` does: lines at once, one after the other; mounts and releases by a worker, later, one at a time.
//
// Held, after every event:
// - No two nodes serve one array. With the wires whole no node ever serves an array that its partner drives. With one broken, it
//   notices in its own next look at the lines (a tick, 10 ms, and longer only while it stalls); until then its transfers do not reach the
//   elements, because the switch follows OWN alone, and the partner does not serve before its second look, a tick after its OWN rose.
// - A node serves its own array only with OWN high, and the partner's only with HOLD high.
// - HOLD is high whenever RESET falls, and stays so until RESET is released.
// - A node that has seen HOLD high ever since it booted does not serve its array.
// - OWN does not fall while the node mounts its array, but when it gives that mount up.
// - Nothing is served from a mount during which the other node could have changed the array.
// - A takeover for silence has heard others while its partner was silent, and none of the partner's packets waits to be heard.
//
// Not held, because two faults must meet: a broken HOLD wire, and a holder that hangs, and later goes on, while its partner boots, mounts and dies.

import { busQuietMs, fenceTickMs, silentMs, tickMs } from "../../src/config"
import * as role from "../../src/pair/role"
import type { Random } from "../../tools/sim/random"

export const roleNames = [
    "booting",
    "waiting",
    "active",
    "takingOver",
    "takenOver",
    "givingBack",
    "degraded",
    "lettingGo",
]
const eventNames =
    "tick partner bus homeMounted homeFailed partnerMounted partnerFailed partnerReleased takeover giveback homeReleased mode partnerMode".split(
        " ",
    )
const actionNames =
    "- OWN+ OWN- HOLD+ HOLD- RESET- RESETz mountHome mountPartner release dropHome dropPartner releaseHome".split(" ")

export type Wire = "OWN" | "HOLD" | "RESET"
const never = Infinity

class ModelNode {
    partner!: ModelNode
    pair = new role.PairState()
    hasPower = false
    /** In reset, or not booted yet: `bootAt` says when it is. */
    runs = false
    isHung = false
    own = false
    hold = false
    resetLow = false
    /** Wires from this node to its partner that are broken. */
    readonly broken = { OWN: false, HOLD: false, RESET: false }
    /** Wires to its partner that are high whatever this node does. */
    readonly stuck = { OWN: false, HOLD: false }
    // what the node believes, as Control's `serving`
    homeServing = false
    otherServing = false
    // timers, in ms of the world
    bootAt = never
    tickAt = never
    actAt = never
    jobAt = never
    beatAt = never
    inAt = never
    stallMs = 0
    bootMs = 0
    // Control.run
    lastLines = -1
    tickDue = 0
    heardPartner = false
    heardBus = false
    readonly actions: number[] = []
    actIndex = 0
    readonly jobs: number[] = []
    job = 0
    jobPhase = 0
    jobFlips = 0
    jobDropped = false
    readonly arrivals: number[] = []
    readonly packets: number[] = []
    // for the invariants
    sawFree = false
    heardBeats = 0
    partnerHandledMs = -1e9
    partnerArrivedMs = -1e9
    busHandledMs = -1e9
    /** Own ticks completed while the partner drives what this node believes to control. */
    wrongTicks = 0
    ownSinceMs = 0

    constructor(readonly index: number) {}
}

export interface Chances {
    /** Chance of a mount to fail, and of a job to take longer than the role logic waits. */
    mountFails: number
    jobHangs: number
    /** Chance of a node, each tick, to do nothing for a while. */
    stalls: number
    stallMsMax: number
}

const bus = -2

export class PairWorld {
    nowMs = 0
    steps = 0
    readonly nodes: readonly [ModelNode, ModelNode] = [new ModelNode(0), new ModelNode(1)]
    /** Who hears whom. */
    link = true
    readonly hostLink: [boolean, boolean] = [true, true]
    hostTalks = true
    hostMs = 50
    readonly arrayBad: [boolean, boolean] = [false, false]
    chances: Chances = { mountFails: 0, jobHangs: 0, stalls: 0, stallMsMax: 0 }
    /** How often the home node of each array had it, and lost it. */
    readonly flips: [number, number] = [0, 0]
    readonly trace: string[] = []
    readonly seen = new Set<string>()
    /** No wire of this world ever breaks: then nobody is ever wrong about who drives. */
    isEverIntact = true
    private hostAt = 0
    private wiresBroken = 0

    constructor(
        readonly random: Random,
        readonly isTracing = false,
    ) {
        const [a, b] = this.nodes
        a.partner = b
        b.partner = a
    }

    // --- what happens to the pair

    power(index: number, on: boolean): void {
        const node = this.nodes[index]
        if (node.hasPower === on) return
        this.note(node, on ? "power on" : "power off")
        node.hasPower = on
        if (!on) this.stop(node)
        else this.updateReset(node)
        this.check()
    }

    /** The button, a watchdog, a crash of the program. */
    reset(index: number): void {
        const node = this.nodes[index]
        if (!node.hasPower) return
        this.note(node, "reset")
        this.stop(node)
        this.updateReset(node)
        this.check()
    }

    hang(index: number, on: boolean): void {
        const node = this.nodes[index]
        if (node.isHung === on || !node.runs) return
        this.note(node, on ? "hangs" : "goes on")
        node.isHung = on
    }

    breakWire(index: number, wire: Wire, on: boolean): void {
        const node = this.nodes[index]
        if (node.broken[wire] === on) return
        this.note(node, `${wire} ${on ? "broken" : "mended"}`)
        node.broken[wire] = on
        this.wiresBroken += on ? 1 : -1
        this.updateReset(node.partner)
        this.check()
    }

    /** The partner reads this wire as high: for good, or for a moment. */
    stickWire(index: number, wire: "OWN" | "HOLD", on: boolean): void {
        const node = this.nodes[index]
        if (node.stuck[wire] === on) return
        this.note(node, `${wire} ${on ? "stuck high" : "free"}`)
        node.stuck[wire] = on
        this.wiresBroken += on ? 1 : -1
        this.check()
    }

    /** Someone asks for a takeover or giveback. */
    ask(index: number, event: number, arg = 0): void {
        const node = this.nodes[index]
        if (this.isReady(node)) this.event(node, event, arg)
        this.check()
    }

    /** The array cannot be read from now on; who is in the middle of an operation notices. */
    spoil(array: number, bad: boolean): void {
        this.arrayBad[array] = bad
        if (!bad) return
        const home = this.nodes[array]
        const other = home.partner
        if (home.homeServing && this.isReady(home)) {
            this.event(home, role.evHomeFailed, 0)
            if (!home.pair.home) home.homeServing = false
        } else if (other.otherServing && other.job === 0 && this.isReady(other)) {
            this.event(other, role.evPartnerFailed, 0)
            if (other.pair.role !== role.takenOver) other.otherServing = false
        }
        this.check()
    }

    /** Every fault ends, and both nodes have power. */
    mend(): void {
        this.note(this.nodes[0], "all is mended")
        for (const node of this.nodes) {
            for (const wire of ["OWN", "HOLD", "RESET"] as const) this.breakWire(node.index, wire, false)
            for (const wire of ["OWN", "HOLD"] as const) this.stickWire(node.index, wire, false)
            if (node.isHung && !this.isEverIntact) this.reset(node.index)
            this.hang(node.index, false)
            if (node.jobAt !== never) node.jobAt = Math.min(node.jobAt, this.nowMs + 1_000)
            this.power(node.index, true)
            this.spoil(node.index, false)
            this.hostLink[node.index] = true
        }
        this.link = true
        this.hostTalks = true
        this.hostMs = 300
        this.chances = { mountFails: 0, jobHangs: 0, stalls: 0, stallMsMax: 0 }
    }

    /** The node that controls the array and says so; -1 when none does. */
    controller(array: number): number {
        const home = this.nodes[array]
        if (home.homeServing && home.own && !home.isHung) return array
        const other = home.partner
        return other.otherServing && !home.own && !other.isHung ? array ^ 1 : -1
    }

    roles(): string {
        return this.nodes
            .map(node => (node.runs ? roleNames[node.pair.role] : node.hasPower ? "reset" : "off"))
            .join("/")
    }

    // --- time

    /** Runs until `endMs`, or until `isDone`, looked at after every event. @returns whether it was */
    run(endMs: number, isDone?: () => boolean): boolean {
        if (isDone?.()) return true
        const [a, b] = this.nodes
        for (;;) {
            const at = Math.min(this.hostAt, this.nextOf(a), this.nextOf(b))
            if (at > endMs) {
                this.nowMs = Math.max(this.nowMs, endMs)
                return false
            }
            this.nowMs = Math.max(this.nowMs, at)
            if (at === this.hostAt) this.hostSpeaks()
            else this.advance(at === this.nextOf(a) ? a : b, at)
            this.check()
            if (isDone?.()) return true
        }
    }

    private nextOf(node: ModelNode): number {
        if (!node.hasPower) return never
        if (!node.runs) return node.bootAt
        if (node.isHung) return never
        // while lines are being set, nothing else of the program runs
        if (node.actAt !== never) return node.actAt
        return Math.max(node.stallMs, Math.min(node.tickAt, node.jobAt, node.beatAt, node.inAt))
    }

    private advance(node: ModelNode, at: number): void {
        if (!node.runs) this.boot(node)
        else if (node.actAt !== never) this.act(node)
        else {
            // after a stall several are due, and which fiber goes first is nobody's promise
            const tickFirst = node.tickAt <= at && (at !== node.stallMs || this.random.chance(0.5))
            if (tickFirst) this.tick(node)
            else if (node.inAt <= at) this.hear(node)
            else if (node.jobAt <= at) this.work(node)
            else if (node.beatAt <= at) this.beat(node)
            else this.tick(node)
        }
    }

    private isReady(node: ModelNode): boolean {
        return node.hasPower && node.runs && !node.isHung && node.actAt === never
    }

    // --- hardware

    private stop(node: ModelNode): void {
        node.runs = false
        node.isHung = false
        node.bootAt = never
        node.actAt = never
        node.homeServing = false
        node.otherServing = false
        this.setHold(node, false)
        this.setOwn(node, false)
        this.setReset(node, false)
    }

    private setOwn(node: ModelNode, on: boolean): void {
        if (node.own === on) return
        node.own = on
        if (on) node.ownSinceMs = this.nowMs
        // in less than a tick it has not even looked a second time, so it has changed nothing
        else if (this.nowMs - node.ownSinceMs >= tickMs) this.flips[node.index]++
    }

    private setHold(node: ModelNode, on: boolean): void {
        node.hold = on
    }

    private setReset(node: ModelNode, low: boolean): void {
        if (node.resetLow === low) return
        node.resetLow = low
        this.updateReset(node.partner)
    }

    /** Power or the partner's RESET changed. */
    private updateReset(node: ModelNode): void {
        if (!node.hasPower) return
        const isHeld = node.partner.resetLow && !node.partner.broken.RESET
        if (isHeld) {
            if (node.runs || node.bootAt !== never) this.stop(node)
        } else if (!node.runs && node.bootAt === never) {
            const { random } = this
            node.bootAt = this.nowMs + (random.chance(0.1) ? 2500 * random.float() : 150 + 850 * random.float())
        }
    }

    private boot(node: ModelNode): void {
        const at = this.nowMs
        node.runs = true
        node.bootAt = never
        node.bootMs = at
        node.pair = new role.PairState()
        node.lastLines = -1
        node.tickDue = 0
        node.heardPartner = node.heardBus = node.sawFree = false
        node.partnerHandledMs = node.partnerArrivedMs = node.busHandledMs = -1e9
        node.actions.length = node.jobs.length = node.arrivals.length = node.packets.length = 0
        node.actIndex = node.job = node.wrongTicks = node.heardBeats = 0
        node.jobAt = node.inAt = never
        node.tickAt = at + tickMs * this.random.float()
        // roles bind about a second after boot
        node.beatAt = at + 1000
        this.note(node, "runs")
    }

    private lines(node: ModelNode): number {
        const { partner } = node
        const { own, hold, broken, stuck } = partner
        return ((own && !broken.OWN) || stuck.OWN ? 1 : 0) + ((hold && !broken.HOLD) || stuck.HOLD ? 2 : 0)
    }

    // --- the bus

    private hostSpeaks(): void {
        this.hostAt = this.nowMs + this.hostMs * (0.5 + this.random.float())
        if (!this.hostTalks) return
        for (const node of this.nodes) if (this.hostLink[node.index]) this.deliver(node, bus)
    }

    private beat(node: ModelNode): void {
        node.beatAt = this.nowMs + 100
        if (this.link) this.deliver(node.partner, node.pair.role)
    }

    private deliver(node: ModelNode, packet: number): void {
        // its receive queue, while it computes or hangs
        if (!node.hasPower || !node.runs || node.packets.length >= 8) return
        const last = node.arrivals.length ? node.arrivals[node.arrivals.length - 1] : 0
        node.arrivals.push(Math.max(last, this.nowMs + 1 + 20 * this.random.float() ** 4))
        node.packets.push(packet)
        node.inAt = node.arrivals[0]
    }

    private hear(node: ModelNode): void {
        const packet = node.packets.shift()!
        const arrivedMs = node.arrivals.shift()!
        node.inAt = node.arrivals.length ? node.arrivals[0] : never
        if (packet === bus) {
            node.heardBus = true
            return
        }
        node.partnerHandledMs = this.nowMs
        node.partnerArrivedMs = arrivedMs
        node.heardBeats++
        this.event(node, role.evPartner, packet)
    }

    // --- the program, as Control has it

    private tick(node: ModelNode): void {
        const { random, nowMs } = this
        const { stalls, stallMsMax } = this.chances
        const isFencing = node.pair.role === role.takingOver && !node.pair.stepped
        node.tickAt = nowMs + (isFencing ? fenceTickMs : tickMs) + 2 * random.float()
        if (random.chance(stalls)) node.stallMs = nowMs + stallMsMax * random.float()
        const now = Math.floor(nowMs - node.bootMs)
        const lines = this.lines(node)
        if (node.heardPartner) this.event(node, role.evPartner, -1)
        else if (node.heardBus) {
            node.busHandledMs = nowMs
            this.event(node, role.evBus, 0)
        }
        node.heardPartner = node.heardBus = false
        if (lines !== node.lastLines || now >= node.tickDue) {
            node.lastLines = lines
            this.event(node, role.evTick, lines)
            node.tickDue = role.nextTickMs(node.pair, now)
        }
        if (node.actAt === never) this.ticked(node)
    }

    private ticked(node: ModelNode): void {
        if (node.otherServing && node.partner.own) node.wrongTicks++
        else node.wrongTicks = 0
    }

    private event(node: ModelNode, event: number, arg: number): void {
        const { pair, actions } = node
        const before = pair.role
        this.steps++
        role.step(pair, event, arg, Math.floor(this.nowMs - node.bootMs), actions)
        if (pair.role !== before) this.changed(node, before, event)
        if (actions.length > node.actIndex && node.actAt === never) this.act(node)
    }

    private changed(node: ModelNode, before: number, event: number): void {
        const { pair } = node
        this.seen.add(`${roleNames[before]} > ${roleNames[pair.role]}`)
        if (this.isTracing) {
            const what = node.actions.slice(node.actIndex).map(action => actionNames[action])
            this.note(node, `${roleNames[before]} --${eventNames[event]}--> ${roleNames[pair.role]} ${what.join(" ")}`)
        }
        if (pair.role !== role.takingOver || pair.cause !== role.causeSilence) return
        // it must have heard another after its partner had been silent for long, with nothing of the partner left in its queue
        const first = node.packets.findIndex(packet => packet !== bus)
        const waits =
            first >= 0 && node.arrivals[first] < this.nowMs && node.arrivals[first] - node.partnerArrivedMs < silentMs
        if (waits) this.fail(node, "takes over, and its partner's packets wait in its queue")
        if (node.busHandledMs - node.partnerHandledMs < silentMs - 1)
            this.fail(node, "takes over, but not only its partner is silent")
        if (this.nowMs - node.busHandledMs > busQuietMs + 1) this.fail(node, "takes over, but the whole bus is silent")
    }

    /** One action; between two, the world may go on. */
    private act(node: ModelNode): void {
        const { actions } = node
        const action = actions[node.actIndex++]
        if (action === role.doOwnHigh) this.setOwn(node, true)
        else if (action === role.doOwnLow) {
            // one that never ends is given up
            if (node.job === role.doMountHome && node.jobPhase > 0 && node.pair.role !== role.degraded)
                this.fail(node, "cuts its own transfer off: OWN falls while it mounts")
            this.setOwn(node, false)
        } else if (action === role.doHoldHigh) this.setHold(node, true)
        else if (action === role.doHoldLow) {
            if (node.resetLow) this.fail(node, "HOLD falls while RESET is low")
            this.setHold(node, false)
        } else if (action === role.doResetLow) {
            if (!node.hold) this.fail(node, "RESET falls before HOLD rises")
            this.setReset(node, true)
        } else if (action === role.doResetRelease) this.setReset(node, false)
        else if (action === role.doDropHome) {
            node.homeServing = false
            if (node.job === role.doMountHome) node.jobDropped = true
        } else if (action === role.doDropPartner) {
            node.otherServing = false
            if (node.job === role.doMountPartner) node.jobDropped = true
        } else {
            const isMount = action !== role.doReleasePartner && action !== role.doReleaseHome
            if (isMount && (node.job === action || node.jobs.includes(action)))
                this.fail(node, "is to mount what it is still mounting")
            node.jobs.push(action)
            if (node.job === 0) this.startJob(node)
        }
        if (node.actIndex < actions.length) {
            node.actAt = this.nowMs + (this.random.chance(0.3) ? 0.7 * this.random.float() : 0.05)
            return
        }
        actions.length = node.actIndex = 0
        node.actAt = never
        this.ticked(node)
    }

    // --- the worker

    private startJob(node: ModelNode): void {
        const { random } = this
        node.job = node.jobs.shift() ?? 0
        node.jobPhase = 0
        node.jobDropped = false
        // the command it is busy with ends first
        node.jobAt = node.job === 0 ? never : this.nowMs + 40 * random.float()
    }

    private arrayOf(node: ModelNode): number {
        const isHome = node.job === role.doMountHome || node.job === role.doReleaseHome
        return isHome ? node.index : node.index ^ 1
    }

    private drives(node: ModelNode, array: number): boolean {
        return array === node.index ? node.own : !node.partner.own
    }

    private work(node: ModelNode): void {
        const { random, chances } = this
        const { pair, job } = node
        const array = this.arrayOf(node)
        if (node.jobPhase === 0) {
            node.jobPhase = 1
            node.jobFlips = this.flips[array]
            node.jobAt =
                this.nowMs + 20 + 300 * random.float() + (random.chance(chances.jobHangs) ? 40_000 * random.float() : 0)
            if (job === role.doReleasePartner) node.otherServing = false
            else if (job === role.doReleaseHome) node.homeServing = false
            else if (pair.role !== (job === role.doMountHome ? role.booting : role.takingOver)) this.endJob(node, false)
            return
        }
        if (job === role.doReleasePartner) {
            node.otherServing = false
            this.event(node, role.evPartnerReleased, 0)
            this.startJob(node)
            return
        }
        if (job === role.doReleaseHome) {
            node.homeServing = false
            this.event(node, role.evHomeReleased, 0)
            this.startJob(node)
            return
        }
        let isDone = this.drives(node, array) && !this.arrayBad[array] && !random.chance(chances.mountFails)
        // what was dropped reaches no element, but may have been about to ask them anew
        if (node.jobDropped && random.chance(0.5)) isDone = false
        if (job === role.doMountPartner && node.jobPhase === 1 && isDone && pair.role === role.takingOver) {
            node.jobPhase = 2
            node.otherServing = true
            node.jobAt = this.nowMs + 400 * random.float()
            return
        }
        if (node.jobPhase === 2 && !node.otherServing) isDone = false
        this.endJob(node, isDone)
    }

    private endJob(node: ModelNode, isDone: boolean): void {
        const { pair, job } = node
        const array = this.arrayOf(node)
        if (job === role.doMountHome) {
            node.homeServing = isDone
            this.event(node, isDone ? role.evHomeMounted : role.evHomeFailed, 0)
            if (!pair.home) node.homeServing = false
        } else {
            this.event(node, isDone ? role.evPartnerMounted : role.evPartnerFailed, 0)
            if (pair.role !== role.takenOver) node.otherServing = false
        }
        const isServed = job === role.doMountHome ? node.homeServing : node.otherServing
        if (isServed && this.flips[array] !== node.jobFlips)
            this.fail(node, "serves from a mount during which the array changed hands")
        this.startJob(node)
    }

    // --- invariants

    private check(): void {
        this.checkArray(this.nodes[0])
        this.checkArray(this.nodes[1])
    }

    private checkArray(home: ModelNode): void {
        const other = home.partner
        const holdSeen = (other.hold && !other.broken.HOLD) || other.stuck.HOLD
        if (home.runs && !holdSeen) home.sawFree = true
        if (other.otherServing) {
            if (!other.hold) this.fail(other, "serves the partner's array without a claim")
            if (home.own) {
                // the switch keeps it from the elements; two of its own ticks later it knows
                if (this.wiresBroken === 0 && !other.isHung && this.isEverIntact)
                    this.fail(other, "serves what the partner drives")
                if (other.wrongTicks > 1) this.fail(other, "has not noticed that the partner drives its array")
                if (home.homeServing && !other.isHung && other.wrongTicks > 0) this.fail(home, "both serve one array")
            }
        }
        if (!home.homeServing) return
        if (!home.own) this.fail(home, "serves its array without OWN")
        if (!home.sawFree) this.fail(home, "booted while HOLD was high, and serves")
    }

    fail(node: ModelNode, what: string): never {
        throw new Error(`${"ab"[node.index]} ${what}, at ${this.nowMs.toFixed(1)} ms (${this.roles()})`)
    }

    private note(node: ModelNode, what: string): void {
        if (!this.isTracing) return
        this.trace.push(`${this.nowMs.toFixed(1).padStart(9)} ${"ab"[node.index]} ${what}`)
        if (this.trace.length > 120) this.trace.shift()
    }
}
