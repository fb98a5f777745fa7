// Whole pairs, the flashed image in the VM: power is cut at seeded virtual instants while a client puts, renames, replaces and deletes.
// Every operation is answered in the end, though late; so the final state must be the reference's, to the byte: an operation lost,
// half done or done twice would show.

import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { roles, SimSession } from "../../tools/sim/session"
import { CopyWatch } from "./copy-watch"
import { History } from "./history"

const full = process.env.FULL === "1"
const operations = 8
/** The operations take about this long undisturbed. */
const spanMs = 2_600
const offMsMax = 1_500

type Victim = "owner" | "partner" | "both"

async function cutOnce(seed: number, victim: Victim): Promise<void> {
    const session = new SimSession({ seed, chip: "W25Q16JV", timeoutMs: 60_000 })
    const random = new Random(`cut ${seed}`)
    let watch: CopyWatch | undefined
    try {
        await session.run(async () => {
            await session.healthy()
            const history = new History(session, random)
            watch = new CopyWatch(session)
            const victims = victim === "both" ? ["a", "b"] : [victim === "owner" ? "a" : "b"]
            let isCut = false
            session.host.clock.setTimeout(() => {
                isCut = true
                for (const node of victims) session.power(node, false)
                if (victim === "both")
                    session.host.clock.setTimeout(
                        () => {
                            for (const node of victims) session.power(node, true)
                        },
                        100 + random.float() * offMsMax,
                    )
            }, random.float() * spanMs)
            while (history.answered < operations || !isCut) await history.step()
            await history.check(`${victim} cut`)
            if (victim === "both") await session.healthy()
            else {
                for (const node of victims) session.power(node, true)
                const [back, holder] = victim === "owner" ? [0, 1] : [1, 0]
                await session.until("the board waits for its volume", () => session.roleOf(back) === roles.waiting)
                await session.client.giveback(holder)
                await session.healthy()
            }
            await history.check(`after ${victim} came back`)
            await session.client.close()
        })
        assert.deepEqual(session.simulation.panics, [])
        assert.deepEqual(watch?.faults, [])
    } catch (error) {
        throw new Error(`seed ${seed}, ${victim}: ${(error as Error).stack}`)
    } finally {
        await session.bus.close()
    }
}

function campaign(title: string, victim: Victim, first: number, count: number): void {
    it(title, async function () {
        this.timeout(count * 20_000)
        for (let seed = first; seed < first + count; seed++) await cutOnce(seed, victim)
    })
}

describe("pair: power cuts under load", () => {
    const runs = full ? 10 : 1
    campaign(
        "200 cuts of the owner: nothing acknowledged is lost, nothing runs twice [R8 R9 R21 R22 R23]",
        "owner",
        1,
        200 * runs,
    )
    campaign(
        "60 cuts of the partner: the owner goes on, unprotected, then protected again [R8 R22]",
        "partner",
        10_001,
        60 * runs,
    )
    campaign("60 cuts of both at once: the state is the last acknowledged [R22 R23]", "both", 20_001, 60 * runs)
})
