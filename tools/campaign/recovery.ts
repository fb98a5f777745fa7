// After the faults: the cabinet becomes healthy, with what an operator does for it or by itself, and all that is mended by reading is read.

import { isError } from "../bridge/error"
import { givenUpSlot, type ArrayFigures } from "../bridge/protocol/array-figures"
import { beatFlags, volumeLetter } from "../bridge/protocol/numbers"
import { checkArray, MemoryImage } from "../check"
import { roles, type SimSession } from "../sim/session"
import type { FaultPlan } from "./faults"
import { holders, quietly } from "./operator"
import { leftByScrub } from "./pinned"

/** From the end of the faults until both nodes serve their own volume, record for each other, and no array lacks an element. Longer than a node
 * waits for a holder that it never heard. */
export const healthyMsMax = 120_000
/** A node gives back when its partner has waited for 10 s (docs/PROTOCOL.md, "Roles"); the rest is for the beats that tell, and for what it writes down. */
export const givenBackMsMax = 13_000
const rebuildMsMax = 60_000
const pollMs = 50
const quietMs = 600
const scrubRowsPerSecond = 4_000

export function isHealthy(session: SimSession): boolean {
    const wanted = beatFlags.controlsOwn | beatFlags.protected
    const nodes = session.client.nodes()
    return (
        nodes.length === session.simulation.cabinet.nodeNames.length &&
        nodes.every(node => node.isHeard && node.role === roles.active && (node.flags & wanted) === wanted)
    )
}

export class Recovery {
    /** Nodes that hold their partner's volume, and since when it waits. */
    private readonly holdingSince = new Map<number, number>()
    /** Of them those that were told of as too late. */
    private readonly keeps = new Set<number>()

    constructor(
        private readonly session: SimSession,
        private readonly plan: FaultPlan,
        /** What is broken may stay broken. */
        private readonly isBeyond: boolean,
        /** Nobody gives volumes back but the pair. */
        private readonly givesBackByItself: boolean,
        /** What is wrong is added here. */
        private readonly violations: string[],
    ) {}

    /** Does what an operator does: gives volumes back, unless the pair is to do that, and has elements filled that are there again. */
    async recover(): Promise<boolean> {
        const { session, isBeyond, violations } = this
        const end = session.nowMs() + healthyMsMax
        let isComplete = false
        while (!isComplete) {
            if (!(await this.becomeHealthy(end))) return false
            isComplete = true
            for (const volume of session.client.volumes()) if (isComplete) isComplete = await this.makeComplete(volume)
            if (session.nowMs() >= end + rebuildMsMax) {
                if (!isBeyond)
                    violations.push(`an array was not complete ${healthyMsMax + rebuildMsMax} ms after the last fault`)
                return false
            }
            if (!isComplete) await session.sleep(pollMs)
        }
        return true
    }

    private async becomeHealthy(endMs: number): Promise<boolean> {
        const { session, isBeyond, violations } = this
        while (!isHealthy(session)) {
            if (session.nowMs() >= endMs) {
                const told = session.client
                    .nodes()
                    .map(
                        one => `node ${one.node}: role ${one.role}, flags ${one.flags}${one.isHeard ? "" : ", silent"}`,
                    )
                if (!isBeyond)
                    violations.push(`not healthy ${healthyMsMax} ms after the last fault: ${told.join("; ")}`)
                return false
            }
            if (this.givesBackByItself) this.watchHolders()
            for (const node of holders(session))
                if (!this.givesBackByItself || this.keeps.has(node)) await quietly(session.client.giveback(node))
            await session.sleep(pollMs)
        }
        this.holdingSince.clear()
        return true
    }

    /** A volume whose node waits for it is given back in time, and nobody asks. */
    private watchHolders(): void {
        const now = this.session.nowMs()
        const holding = holders(this.session)
        for (const node of this.holdingSince.keys()) if (!holding.includes(node)) this.holdingSince.delete(node)
        for (const node of holding) {
            const since = this.holdingSince.get(node) ?? now
            this.holdingSince.set(node, since)
            if (now - since < givenBackMsMax || this.keeps.has(node)) continue
            this.keeps.add(node)
            this.violations.push(`node ${volumeLetter(node)} did not give back by itself in ${givenBackMsMax} ms`)
        }
    }

    /** What an element did not write, or was away for when power went, is found by reading all there is. */
    async scrubAfter(): Promise<boolean> {
        for (const volume of this.plan.arraysToRead) if (!(await this.scrub(volume))) return false
        return true
    }

    private async scrub(volume: number): Promise<boolean> {
        const { session, violations } = this
        const { client } = session
        const before = (await client.array(volume)).scrub.passes
        // one that the operator asked for goes on where it is, and may be past what was damaged since
        await client.scrub(volume, 0)
        await client.scrub(volume, scrubRowsPerSecond)
        const end = session.nowMs() + rebuildMsMax
        while ((await client.array(volume)).scrub.passes === before) {
            if (session.nowMs() >= end) {
                violations.push(`volume ${volumeLetter(volume)} was not read through in ${rebuildMsMax} ms`)
                return false
            }
            await session.sleep(pollMs)
        }
        return true
    }

    /** What a power cut left weak in a segment is found when that was left and the node rests, and written again. */
    async untilRepaired(): Promise<void> {
        const { session, violations } = this
        const { client } = session
        const end = session.nowMs() + rebuildMsMax
        await session.sleep(quietMs)
        for (const volume of client.volumes())
            while ((await client.array(volume)).joining !== undefined) {
                if (session.nowMs() >= end) {
                    violations.push(`a segment of volume ${volumeLetter(volume)} was not repaired`)
                    return
                }
                await session.sleep(pollMs)
            }
    }

    /** A segment in which two elements lack something is mended by moving what is in it, which a snapshot forbids as long as it is there. */
    async mendPinned(): Promise<void> {
        const { session, plan, violations } = this
        const { client } = session
        const isDamaged = async (volume: number) => (await client.statfs(volume)).damagedSegments > 0
        for (const volume of plan.arraysToRead) {
            // the snapshot that pinned it may be gone since the last scrub
            if (!(await isDamaged(volume)) || !(await this.scrub(volume)) || !(await isDamaged(volume))) continue
            await session.sleep(quietMs)
            const say = (what: string) => violations.push(`volume ${volumeLetter(volume)} after a scrub: ${what}`)
            leftByScrub(checkArray(imagesOf(session, await memberNames(session, volume)))).forEach(say)
            for (const { name } of await client.snapshots(volume)) await client.deleteSnapshot(volume, name)
            if ((await this.scrub(volume)) && (await isDamaged(volume))) say("damaged, and nothing is pinned")
        }
    }

    /** One step of filling what is missing; true when nothing is. */
    private async makeComplete(volume: number): Promise<boolean> {
        const { session, plan, violations } = this
        try {
            const figures = await session.client.array(volume)
            if (figures.joining !== undefined) return false
            if (figures.members.length === figures.elements) return true
            if (!plan.arraysToRead.has(volume)) {
                plan.arraysToRead.add(volume)
                violations.push(`array ${volumeLetter(volume)} gave up an element, and nothing was wrong with it`)
            }
            await fill(session, volume, figures)
        } catch (error) {
            if (!isError(error)) throw error
        }
        return false
    }
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
export async function memberNames({ client, simulation: { cabinet } }: SimSession, volume: number): Promise<string[]> {
    const { slots } = await client.array(volume)
    return slots.filter(({ state }) => state === "member").map(({ slot }) => `${cabinet.nodeNames[volume]}.E${slot}`)
}

export function imagesOf({ simulation: { cabinet } }: SimSession, names: readonly string[]): MemoryImage[] {
    return names.map((name, i) => {
        const element = cabinet.element(name)
        return new MemoryImage(element.peek(0, element.part.bytes), element.name, i)
    })
}
