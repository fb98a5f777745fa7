// An operator at work while faults go on: volumes change hands, the mode is set, arrays are read through, elements are exchanged, missing
// ones filled. What is refused, or not answered, is left; only what clients see and what is on the elements counts.

import { isError } from "../bridge/error"
import { partnerOf, type ModeName } from "../bridge/protocol/numbers"
import type { Random } from "../sim/random"
import { roles, type SimSession } from "../sim/session"
import type { FaultPlan } from "./faults"

const pauseMsMax = 900
const pulledMsMax = 400
const scrubRatesPerSecond = [0, 200, 1_000, 4_000]
const modes: readonly ModeName[] = ["active-active", "active-standby"]
const pollMs = 50
const givebackDelayMsMax = 800

export class Operator {
    constructor(
        private readonly session: SimSession,
        private readonly plan: FaultPlan,
        private readonly random: Random,
    ) {}

    /** Gives volumes back, and nothing else, until the faults end. */
    async giveBack(): Promise<void> {
        while (!this.plan.isOver) {
            await this.session.sleep(pollMs)
            const holder = holders(this.session)[0]
            if (holder === undefined) continue
            await this.session.sleep(this.random.float() * givebackDelayMsMax)
            await quietly(this.session.client.giveback(holder))
        }
    }

    /** Does whatever an operator may do to the pairs that faults strike, until the faults end. */
    async workAtAll(): Promise<void> {
        while (!this.plan.isOver) {
            await this.session.sleep(this.random.float() * pauseMsMax)
            if (!this.plan.isOver) await quietly(this.act())
        }
    }

    private async act(): Promise<void> {
        const { session, plan, random } = this
        const { client } = session
        const pair = plan.pairs[random.int(plan.pairs.length)]
        const node = 2 * pair + random.int(2)
        const draw = random.int(20)
        if (draw < 5) {
            const holder = holders(session).find(one => one >> 1 === pair)
            if (holder !== undefined) await client.giveback(holder)
        } else if (draw < 7) await client.takeover(node)
        else if (draw < 9) await client.mode(node, modes[random.int(modes.length)])
        else if (draw < 11) await client.scrub(node, scrubRatesPerSecond[random.int(scrubRatesPerSecond.length)])
        else if (draw < 15) await this.rebuilt(client.rebuild(node))
        else if (draw < 18) await this.replace(node)
        else await this.exchange(node)
    }

    /** The element that may be bad gives its place to another, or to itself, or gets it back; or any other gives its place to a free one. */
    private async replace(volume: number): Promise<void> {
        const { session, plan, random } = this
        const { slots } = await session.client.array(volume)
        const members = slots.filter(({ state }) => state === "member")
        const { arraySlots } = session.simulation.cabinet
        const index = plan.badElement(volume)
        const free = slots.filter(({ state }) => state === "blank" || state === "stale").map(({ slot }) => slot)
        const bad = members.find(({ slot }) => slot === index) ?? members.find(({ slot }) => slot >= arraySlots)
        const isAny = free.length > 0 && random.int(2) === 0
        const from = isAny ? members[random.int(members.length)] : bad
        if (!from) return
        const to = isAny ? free : [from.slot, from.slot === index ? undefined : index, ...free]
        const slot = to[random.int(to.length)]
        plan.noteBad(volume, index)
        const { client } = session
        await this.rebuilt(client.rebuild(volume, { position: from.position, slot, replace: true, force: true }))
    }

    /** Pulls an element that may be bad out of its slot, and puts a blank one there. */
    private async exchange(volume: number): Promise<void> {
        const { session, plan, random } = this
        const { simulation } = session
        const { cabinet } = simulation
        const index = plan.expendable(volume)
        const name = `${cabinet.nodeNames[volume]}.E${index}`
        if (!cabinet.isPresent(name)) return
        plan.noteBad(volume, index)
        cabinet.pull(name, simulation.nowNs)
        await session.sleep(random.float() * pulledMsMax)
        cabinet.insert(name, "blank", simulation.nowNs)
        plan.told.push(`${(simulation.nowNs / 1e6).toFixed(3)} ms: a blank element for ${name}`)
        await this.rebuilt(session.client.rebuild(volume))
    }

    /** Some faults aim at a rebuild as they do at a change of control. */
    private async rebuilt(asked: Promise<void>): Promise<void> {
        await asked
        this.plan.changing()
    }
}

/** Nodes that serve both volumes of their pair, and whose partners wait for theirs. */
export function holders(session: SimSession): number[] {
    return session.client
        .nodes()
        .map(({ node }) => node)
        .filter(node => session.roleOf(node) === roles.takenOver && session.roleOf(partnerOf(node)) === roles.waiting)
}

export async function quietly(work: Promise<unknown>): Promise<void> {
    try {
        await work
    } catch (error) {
        if (!isError(error)) throw error
    }
}
