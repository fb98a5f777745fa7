// Power that comes and goes, faster and slower than a board boots, and hosts that meet at one file or go away in the middle of it: what was
// answered is there, nobody drives twice, and the pair is well soon after.

import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { roles, SimSession, source } from "../../tools/sim/session"
import { underLoad } from "./under-load"

const isFull = process.env.FULL === "1"
const flapMs = isFull ? 60_000 : 20_000
/** A giveback of its own accord, and a mount. */
const wellMs = 20_000
const mtime = 1_700_000_000

const bothServe = (session: SimSession) => [0, 1].every(node => session.roleOf(node) === roles.active)

describe("cabinet: power that flaps", function () {
    this.timeout(300_000)

    for (const [i, everyMs] of [60, 300, 1_000, 3_000].entries())
        for (const [j, who] of ["one board", "both boards at once", "one board, then the other"].entries())
            it(`each ${everyMs} ms, of ${who}: nothing is lost, and the pair is well soon after [R22 R31 R9]`, async () => {
                const seed = 8_000 + 10 * i + j
                const random = new Random(`flapping ${seed}`)
                await underLoad(seed, async ({ session }) => {
                    const end = session.nowMs() + flapMs
                    for (let turn = 0; session.nowMs() < end; turn++) {
                        const nodes = j === 0 ? ["a"] : j === 1 ? ["a", "b"] : ["ab"[turn % 2]]
                        for (const node of nodes) session.power(node, false)
                        await session.sleep(1 + 0.6 * everyMs * random.float())
                        for (const node of nodes) {
                            session.power(node, true)
                            if (j === 1) await session.sleep(50 * random.float())
                        }
                        await session.sleep(everyMs * (0.5 + random.float()))
                    }
                    const from = session.nowMs()
                    while (!bothServe(session)) {
                        assert.ok(session.nowMs() - from < wellMs + 5_000, "the pair is not well")
                        // after three givebacks of its own accord a holder waits to be asked
                        const holder = [0, 1].find(node => session.roleOf(node) === roles.takenOver)
                        if (session.nowMs() - from > wellMs && holder !== undefined)
                            await session.client.giveback(holder).catch(() => undefined)
                        await session.sleep(100)
                    }
                })
            })
})

describe("cabinet: hosts at one file", function () {
    this.timeout(300_000)

    const seeds = isFull ? 120 : 10
    it(`two hosts put one file, one of them may go away in the middle, its board may lose power: one of both is there, whole [R21 R22 R29]`, async () => {
        for (let seed = 8_100; seed < 8_100 + seeds; seed++) {
            const random = new Random(`hosts ${seed}`)
            const session = new SimSession({ seed, chip: "W25Q16JV", timeoutMs: 60_000 })
            await session.run(async () => {
                await session.healthy()
                const [one, other] = ["one", "other"].map(id => session.anotherHost(id, { timeoutMs: 60_000 }))
                await Promise.all([one.client.ready(), other.client.ready()])
                const contents = [Buffer.alloc(40_000, 1), Buffer.alloc(30_000, 2)]
                const first = one.client.put(0, "same", source(contents[0]), { mtime })
                const isAnswered = first.then(
                    () => true,
                    () => false,
                )
                await session.sleep(300 * random.float())
                const second = other.client.put(0, "same", source(contents[1]), { mtime })
                if (seed % 2) {
                    await session.sleep(1_000 * random.float())
                    session.power("a", false)
                }
                const isGone = seed % 3 === 0
                if (isGone) {
                    await session.sleep(600 * random.float())
                    one.host.close()
                }
                await second
                if (!isGone) assert.ok(await isAnswered, `seed ${seed}: not late, but failed`)
                session.power("a", true)
                const found = await session.readAll(0, "same")
                assert.ok(
                    contents.some(bytes => bytes.equals(found)),
                    `seed ${seed}: ${found.length} bytes that are neither`,
                )
                await session.until("both serve", () => bothServe(session), 40_000)
                assert.ok(
                    (await session.readAll(0, "same")).equals(found),
                    `seed ${seed}: another one after the giveback`,
                )
            })
            await session.bus.close()
        }
    })
})
