// Worlds under random faults, in rounds: faults, then a check that the pair comes back, then the loss of one node.

import * as role from "../../src/pair/role"
import { Random } from "../../tools/sim/random"
import { PairWorld, type Wire } from "./pair-world"

/** From the end of all faults until each array has one controller. */
export const settleMsMax = 12_000
/** From then, with a giveback asked for, until both nodes are active. */
export const givebackMsMax = 5_000
/** From the loss of one node until the other controls both arrays; the host speaks every 300 ms. */
export const loneMsMax = 6_000

export interface Kind {
    title: string
    wires: boolean
    bus: boolean
    hangs: boolean
    mounts: boolean
}

export interface Result {
    steps: number
    rounds: number
    settleMs: number
    givebackMs: number
    loneMs: number
    seen: Set<string>
}

const wires: Wire[] = ["OWN", "HOLD", "RESET"]

function oneFault(world: PairWorld, random: Random, kind: Kind): void {
    const i = random.int(2)
    const dice = random.int(100)
    const node = world.nodes[i]
    if (dice < 16) world.power(i, !node.hasPower)
    else if (dice < 22) {
        // a brown-out, shorter than a tick or not
        world.power(i, false)
        world.run(world.nowMs + (random.chance(0.5) ? 10 : 100) * random.float())
        world.power(i, true)
    } else if (dice < 28) world.reset(i)
    else if (dice < 36) world.ask(i, role.evTakeover, random.int(3) === 0 ? 1 : 0)
    else if (dice < 46) world.ask(i, role.evGiveback)
    else if (dice < 58) {
        if (kind.hangs && (!node.isHung || !kind.wires)) world.hang(i, !node.isHung)
        else if (node.isHung) world.reset(i)
    } else if (dice < 68) {
        if (kind.bus) world.link = !world.link
    } else if (dice < 76) {
        if (kind.bus) world.hostLink[i] = !world.hostLink[i]
    } else if (dice < 80) {
        world.hostTalks = !world.hostTalks
        world.hostMs = random.chance(0.5) ? 10 : 500
    } else if (dice < 88) {
        if (kind.mounts) world.spoil(i, !world.arrayBad[i])
    } else if (kind.wires) {
        const wire = wires[random.int(3)]
        // one at a time: with two broken, nobody could tell a partner from a stranger
        const isBroken = world.nodes.some(
            n => n.broken.OWN || n.broken.HOLD || n.broken.RESET || n.stuck.OWN || n.stuck.HOLD,
        )
        if (!isBroken && wire !== "RESET" && random.chance(0.5)) {
            world.stickWire(i, wire, true)
            // a glitch, or for good
            if (random.chance(0.5)) {
                world.run(world.nowMs + 30 * random.float())
                world.stickWire(i, wire, false)
            }
        } else if (!isBroken || node.broken[wire]) world.breakWire(i, wire, !node.broken[wire])
        else
            for (const n of [0, 1]) {
                for (const w of wires) world.breakWire(n, w, false)
                for (const w of ["OWN", "HOLD"] as const) world.stickWire(n, w, false)
            }
    }
}

/** Pauses that hit what has just begun, and pauses in which the pair comes to rest. */
function pauseMs(random: Random): number {
    const dice = random.int(10)
    if (dice < 3) return 15 * random.float()
    if (dice < 7) return 400 * random.float()
    return (dice < 9 ? 3_000 : 9_000) * random.float()
}

function isControlled(world: PairWorld): boolean {
    if (world.controller(0) < 0 || world.controller(1) < 0) return false
    const roles = world.nodes.map(node => (node.runs ? node.pair.role : -1))
    return roles.every(r => r === role.active || r === role.takenOver || r === role.waiting)
}

function bothActive(world: PairWorld): boolean {
    return world.nodes.every(node => node.pair.role === role.active && node.homeServing)
}

export function runWorld(seed: string | number, kind: Kind, rounds: number, isTracing = false): Result {
    const random = new Random(seed)
    const world = new PairWorld(random.fork("world"), isTracing)
    world.isEverIntact = !kind.wires
    const result: Result = { steps: 0, rounds, settleMs: 0, givebackMs: 0, loneMs: 0, seen: world.seen }
    try {
        for (let round = 0; round < rounds; round++) {
            world.chances = {
                mountFails: kind.mounts && random.chance(0.5) ? 0.3 : 0,
                jobHangs: kind.mounts && random.chance(0.2) ? 0.2 : 0,
                stalls: random.chance(0.5) ? 0.002 : 0,
                // with a wire broken, shorter than a boot: a holder that does not hear its partner's HOLD wire break, and sleeps while
                // that one boots, mounts and dies, is two faults
                stallMsMax: kind.wires ? 100 : 600,
            }
            for (let n = 4 + random.int(30); n > 0; n--) {
                oneFault(world, random, kind)
                world.run(world.nowMs + pauseMs(random))
            }
            world.mend()
            result.settleMs = Math.max(result.settleMs, settle(world))
            result.givebackMs = Math.max(result.givebackMs, giveBack(world))
            // what was missed in a stall just now is seen
            world.run(world.nowMs + 1_500)
            giveBack(world)
            if (world.run(world.nowMs + 6_000, () => !bothActive(world)))
                world.fail(world.nodes[0], "left active without a cause")
            result.loneMs = Math.max(result.loneMs, loseOne(world, random, kind))
        }
    } catch (error) {
        if (isTracing) throw new Error(`seed ${seed}: ${(error as Error).message}\n${world.trace.join("\n")}`)
        runWorld(seed, kind, rounds, true)
        throw error
    }
    result.steps = world.steps
    return result
}

function settle(world: PairWorld): number {
    const from = world.nowMs
    if (!world.run(from + settleMsMax, () => isControlled(world)))
        world.fail(world.nodes[0], "and b have not come to rest")
    return world.nowMs - from
}

function giveBack(world: PairWorld): number {
    const from = world.nowMs
    while (!world.run(world.nowMs + 200, () => bothActive(world))) {
        if (world.nowMs > from + settleMsMax) world.fail(world.nodes[0], "and b: giveback does not lead to active")
        for (const i of [0, 1]) world.ask(i, role.evGiveback)
    }
    return world.nowMs - from
}

function loseOne(world: PairWorld, random: Random, kind: Kind): number {
    const lost = random.int(2)
    const left = lost ^ 1
    if (kind.hangs && random.chance(0.3)) {
        // a node that holds both arrays hangs, while its partner waits for giveback
        const isHeld = () => world.nodes[left].pair.role === role.waiting && world.nodes[left].heardBeats > 3
        do world.ask(lost, role.evTakeover)
        while (!world.run(world.nowMs + 3_000, isHeld))
    }
    const from = world.nowMs
    if (kind.hangs && random.chance(0.5)) world.hang(lost, true)
    else world.power(lost, false)
    const isAlone = () => world.controller(0) === left && world.controller(1) === left
    if (!world.run(from + loneMsMax, isAlone)) world.fail(world.nodes[left], "does not serve for its partner")
    return world.nowMs - from
}
