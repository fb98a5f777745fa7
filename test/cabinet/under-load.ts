// A pair with clients at work on both volumes, for tests of what happens to it meanwhile. Every operation must be answered in the end, and
// what is there afterwards must be what was answered, to the byte.

import { BusWatch } from "../../tools/campaign/bus-watch"
import { Random } from "../../tools/sim/random"
import { SimSession } from "../../tools/sim/session"
import { History } from "./history"

const restMs = 100
/** src/config.ts, bootGraceMs, and a little: silence right after a start counts for nothing. */
const settledMs = 4_500

export class Load {
    readonly watch = new BusWatch()
    /** Starts of a node after the first, by the node's name: by power, reset or of its own. */
    readonly resets = new Map<string, number>()
    slowestMs = 0
    isOver = false
    /** Called when a line between the nodes changes, as `b.HOLD=1`. */
    onLine?: (line: string) => void

    constructor(readonly session: SimSession) {
        session.simulation.trace.onEntry = ({ timeNs, kind, data }) => {
            if (kind === "frame" && typeof data !== "string") this.watch.frame(data, timeNs)
            if (kind === "line") this.onLine?.(String(data))
            if (kind !== "node") return
            const [node, state] = String(data).split(" ")
            if (state !== "run") this.resets.set(node, (this.resets.get(node) ?? 0) + 1)
        }
    }
}

/** Runs `work` under load; then the pair is to become healthy by itself, or by what `work` did. */
export async function underLoad(seed: number, work: (load: Load) => Promise<void>): Promise<Load> {
    const session = new SimSession({ seed, chip: "W25Q16JV", timeoutMs: 120_000 })
    const load = new Load(session)
    try {
        await session.run(async () => {
            await session.healthy()
            const histories = [0, 1].map(
                volume => new History(session, new Random(`load ${seed} ${volume}`), volume, 1_000),
            )
            const worked = Promise.all(
                histories.map(async history => {
                    while (!load.isOver) {
                        const fromMs = session.nowMs()
                        await history.step()
                        load.slowestMs = Math.max(load.slowestMs, Math.round(session.nowMs() - fromMs))
                        await session.sleep(restMs)
                    }
                }),
            ).then(
                () => undefined,
                (error: unknown) => error,
            )
            await session.sleep(settledMs)
            await work(load)
            load.isOver = true
            const error = await worked
            if (error) throw error as Error
            await session.healthy()
            for (const [volume, history] of histories.entries()) await history.check(`volume ${"ab"[volume]}`)
            await session.client.close()
        })
        if (load.watch.faults.length > 0) throw new Error(load.watch.faults.join("\n"))
    } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).stack}`)
    } finally {
        await session.bus.close()
    }
    return load
}
