// Hosts that vanish in the middle of a put leave their uploads open, as many as a volume can have. A put that comes then waits until one of
// them has been idle for long enough, and must not give up before that.

import assert from "node:assert/strict"
import { SimSession, source } from "../../tools/sim/session"

const mtime = 1_700_000_000
const uploads = 4
const offMs = 1_000

describe("pair: hosts that vanish", function () {
    this.timeout(60_000)

    it("four hosts are gone in mid-put and their board loses power and comes back: the next put is late, not refused [R9 R15]", async () => {
        const session = new SimSession({ seed: 5, chip: "W25Q16JV" })
        const { client, simulation } = session
        await session.run(async () => {
            await session.healthy()
            const gone = await Promise.all(Array.from({ length: uploads }, (_, i) => beginPut(session, `gone${i}`)))
            simulation.wire.fault.cut = (from, to) => from.startsWith("gone") || to.startsWith("gone")
            await Promise.all(gone.map(({ close }) => close()))
            session.power("a", false)
            const beganMs = session.nowMs()
            const put = client.put(0, "x", source(Buffer.alloc(1_000)), { mtime })
            await session.sleep(offMs)
            // given back some 12 s later; each mount takes an upload for one that was just written to
            session.power("a", true)
            await put
            console.log(`      the put took ${((session.nowMs() - beganMs) / 1_000).toFixed(1)} s`)
            await client.close()
        })
        await session.bus.close()
        assert.deepEqual(simulation.panics, [])
    })
})

/** Resolves when a host of that name has its upload open. */
async function beginPut(session: SimSession, name: string): Promise<{ close(): Promise<void> }> {
    const { bus, client } = session.anotherHost(name, { timeoutMs: 1_000 })
    await client.ready()
    await new Promise<void>(resolve => {
        const put = client.put(0, name, source(Buffer.alloc(100_000)), {
            mtime,
            onProgress: () => resolve(),
        })
        // it is cut off
        put.catch(() => undefined)
    })
    return { close: () => bus.close() }
}
