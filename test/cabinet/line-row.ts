// One row of the table "Line and bus faults" in docs/PROTOCOL.md: clients at work on both volumes, the fault, what the nodes do while it
// lasts, and how long the pair takes to become healthy when it is mended.

import { beatFlags } from "../../tools/bridge/protocol/numbers"
import { BusWatch } from "../../tools/campaign/bus-watch"
import type { LineFault, LineName } from "../../tools/sim/cabinet/pair"
import { Random } from "../../tools/sim/random"
import { roles, SimSession } from "../../tools/sim/session"
import { pieces } from "../../tools/sim/wire"
import { History } from "./history"

/** Longer than every wait of the role logic but that for a holder that was never heard. */
export const usualMs = 9_000
/** Of the fault's end: when a volume was served then, it is served under this fault. */
const lastMs = 3_000
const healthyMsMax = 60_000
const glitchUs = 15_000

export type Fault =
    /** `us`: how long a glitch lasts. */
    | { node: "a" | "b"; line: LineName; way: LineFault | "glitch"; us?: number }
    /** Who is on one piece of the bus hears the others there. A host that is called `second` is on it besides. */
    | { bus: string[][] }
    /** A node that does not hear its partner, and is heard. */
    | { deaf: "a" | "b" }
    /** Every packet comes up to so many ms late. */
    | { lateMs: number }
    /** The node's program stands still, its lines as they are; goes on after so many ms, or when the fault is over. */
    | { stops: "a" | "b"; ms?: number }

export interface Shown {
    /** Roles by the names of docs/PROTOCOL.md, as the host has them at the end of the fault; silent = it does not hear that node. */
    roles: string
    /** Volumes of which commands were answered in the last third of the fault. */
    served: string
    /** The same in the second third: while one without power, if there is one. */
    servedThen: string
    takeovers: number
    resets: number
    /** From the end of the fault until both nodes serve their own volume and record for each other. */
    healthyMs: number
    /** The longest that an operation took. */
    slowestMs: number
}

const otherOf: Record<string, "a" | "b"> = { a: "b", b: "a" }
const roleNames = ["booting", "waiting", "active", "takingOver", "takenOver", "givingBack", "degraded", "lettingGo"]

/** @param dies a node whose power goes off for the second third of the fault */
export async function showRow(seed: number, fault: Fault, faultMs = usualMs, dies?: string): Promise<Shown> {
    const session = new SimSession({ seed, chip: "W25Q16JV", timeoutMs: 120_000 })
    const { simulation } = session
    const watch = new BusWatch()
    const shown: Shown = { roles: "", served: "", servedThen: "", takeovers: 0, resets: 0, healthyMs: 0, slowestMs: 0 }
    // it asks for nothing; that it announces itself is what a node hears
    const isSecond = "bus" in fault && fault.bus.flat().includes("second")
    const second = isSecond ? session.anotherHost("second") : undefined
    simulation.trace.onEntry = ({ timeNs, kind, data }) => {
        if (kind === "frame" && typeof data !== "string") watch.frame(data, timeNs)
        if (kind === "node" && /reset$/.test(String(data))) shown.resets++
    }
    try {
        await session.run(async () => {
            await session.healthy()
            const histories = [0, 1].map(
                volume => new History(session, new Random(`line ${seed} ${volume}`), volume, 1_000),
            )
            for (const history of histories) while (history.answered < 3) await history.step()
            let isOver = false
            const lastAnswerMs = [0, 0]
            const servedSince = (ms: number) => ["a", "b"].filter((_, volume) => lastAnswerMs[volume] > ms).join("")
            const work = histories.map(async (history, volume) => {
                while (!isOver) {
                    const fromMs = session.nowMs()
                    await history.step()
                    lastAnswerMs[volume] = session.nowMs()
                    shown.slowestMs = Math.max(shown.slowestMs, Math.round(lastAnswerMs[volume] - fromMs))
                    await session.sleep(150)
                }
            })
            // a client that fails ends the test below; not before
            const worked = Promise.all(work).then(
                () => undefined,
                (error: unknown) => error,
            )
            await session.sleep(500)
            const mend = begin(session, fault)
            await session.sleep(faultMs / 3)
            if (dies) session.power(dies, false)
            await session.sleep(faultMs / 3)
            shown.servedThen = servedSince(session.nowMs() - lastMs / 2)
            if (dies) session.power(dies, true)
            await session.sleep(faultMs / 3)
            const mendedMs = session.nowMs()
            shown.roles = [0, 1].map(node => nameOf(session.roleOf(node))).join(" ")
            shown.served = servedSince(mendedMs - lastMs)
            mend()
            isOver = true
            await session.until("both nodes active and protected", () => isHealthy(session), healthyMsMax)
            shown.healthyMs = Math.round(session.nowMs() - mendedMs)
            const error = await worked
            if (error) throw error as Error
            for (const [volume, history] of histories.entries()) {
                await history.step()
                await history.check(`volume ${"ab"[volume]}`)
            }
            await session.client.close()
        })
        if (watch.faults.length > 0) throw new Error(watch.faults.join("\n"))
    } catch (error) {
        throw new Error(`seed ${seed}, ${JSON.stringify(fault)}, ${JSON.stringify(shown)}: ${(error as Error).stack}`)
    } finally {
        await second?.bus.close()
        await session.bus.close()
    }
    shown.takeovers = watch.takeovers
    return shown
}

function nameOf(role: number | undefined): string {
    return role === undefined ? "silent" : roleNames[role]
}

function begin({ simulation }: SimSession, fault: Fault): () => void {
    if ("bus" in fault) {
        simulation.wire.fault.cut = pieces(...fault.bus)
        return () => (simulation.wire.fault.cut = undefined)
    }
    if ("deaf" in fault) {
        simulation.wire.fault.cut = (from, to) => to === fault.deaf && from === otherOf[to]
        return () => (simulation.wire.fault.cut = undefined)
    }
    if ("lateMs" in fault) {
        Object.assign(simulation.wire.fault, { delayP: 1, delayMsMax: fault.lateMs })
        return () => (simulation.wire.fault.delayP = 0)
    }
    if ("stops" in fault) {
        const board = simulation.board(fault.stops)
        board.hang()
        if (fault.ms !== undefined) simulation.queue.after(fault.ms * 1e6, () => board.resume())
        return () => board.resume()
    }
    const { node, line, way, us } = fault
    if (way === "glitch") {
        simulation.glitchLine(node, line, us ?? glitchUs)
        return () => undefined
    }
    simulation.cabinet.faultLine(node, line, way, simulation.nowNs)
    return () => simulation.cabinet.faultLine(node, line, undefined, simulation.nowNs)
}

/** A beat heard since the fault ended counts only: what was known before it may be old. */
function isHealthy({ client }: SimSession): boolean {
    const wanted = beatFlags.controlsOwn | beatFlags.protected
    return client.nodes().every(node => node.isHeard && node.role === roles.active && (node.flags & wanted) === wanted)
}

/** The same fault with the nodes exchanged. */
export function otherNode(fault: Fault): Fault {
    if ("bus" in fault) return { bus: fault.bus.map(part => part.map(id => otherOf[id] ?? id)) }
    if ("lateMs" in fault) return fault
    if ("deaf" in fault) return { deaf: otherOf[fault.deaf] }
    if ("stops" in fault) return { ...fault, stops: otherOf[fault.stops] }
    return { ...fault, node: fault.node === "a" ? "b" : "a" }
}
