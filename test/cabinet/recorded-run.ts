// One run with file traffic, a power cut, a takeover and a giveback, told by its trace hash and what the processors counted.
// As a program: `recorded-run.ts SEED` prints it as JSON.

import { fileURLToPath } from "node:url"
import { roles, SimSession, source } from "../../tools/sim/session"

export interface Recorded {
    hash: string
    entries: number
    takeovers: number
    counts: Record<string, object>
}

export async function runRecorded(seed: number): Promise<Recorded> {
    const session = new SimSession({ seed, chip: "W25Q16JV" })
    const { client, simulation } = session
    let takeovers = 0
    simulation.trace.onEntry = ({ kind, data }) => {
        if (kind === "line" && data === "b.HOLD=1") takeovers++
    }
    await session.run(async () => {
        await session.healthy()
        session.host.clock.setTimeout(() => session.power("a", false), 400 + session.random.float() * 300)
        await client.put(0, "one", source(session.random.bytes(30_000)), { mtime: 1 })
        await client.rename(0, "one", "two", { mtime: 2 })
        await session.readAll(0, "two")
        session.power("a", true)
        await session.until("board a waits", () => session.roleOf(0) === roles.waiting)
        await client.giveback(1)
        await session.healthy()
        await client.close()
    })
    await session.bus.close()
    const counts: Record<string, object> = {}
    for (const [name, board] of simulation.boards) counts[name] = board.counters()
    return { hash: simulation.trace.hash(), entries: simulation.trace.entries, takeovers, counts }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
    process.stdout.write(JSON.stringify(await runRecorded(Number(process.argv[2]))))
