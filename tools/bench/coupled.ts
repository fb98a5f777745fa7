// Several pairs on one bus: how much of the wire all their uploads together get through, and what it carries while nothing is asked.

import { SimSession, source } from "../sim/session"
import type { Figure } from "./result"

const mtime = 1_700_000_000
const pairCounts = [1, 2, 4]
const fileBytes = 64 * 1024
const idleMs = 5_000
const percent = 100

/** @param wireKBs what the wire carries at most */
export async function coupledPairs(seed: number, cpu: "rp2040" | "ideal", wireKBs: number): Promise<Figure[]> {
    const figures: Figure[] = []
    for (const pairs of pairCounts) figures.push(...(await measure(seed, cpu, pairs, wireKBs)))
    return figures
}

async function measure(seed: number, cpu: "rp2040" | "ideal", pairs: number, wireKBs: number): Promise<Figure[]> {
    const session = new SimSession({ seed, cpu, pairs })
    const { client, simulation, random } = session
    const figures = await session.run(async () => {
        await session.healthy()
        const { wire } = simulation
        const [busyNs, fromNs] = [wire.busyNs, simulation.nowNs]
        await session.sleep(idleMs)
        const idleShare = (wire.busyNs - busyNs) / (simulation.nowNs - fromNs)
        const bytes = random.bytes(fileBytes)
        const fromMs = session.nowMs()
        const volumes = client.volumes()
        await Promise.all(volumes.map(volume => client.put(volume, "together", source(bytes), { mtime })))
        const rate = (volumes.length * fileBytes) / (session.nowMs() - fromMs)
        await client.close()
        return [
            {
                name: `idle-wire-${pairs}-pairs`,
                value: percent * idleShare,
                unit: "%",
                limit: percent,
                binds: "the wire, busy all the time",
            },
            {
                name: `write-all-${pairs}-pairs`,
                value: rate,
                unit: "kB/s",
                limit: wireKBs,
                binds: "the wire: an upload to each volume at once",
            },
        ]
    })
    await session.bus.close()
    return figures
}
