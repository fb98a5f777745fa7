// A copy whose host has long given up must not be executed at a later takeover, over what was acknowledged since.

import assert from "node:assert/strict"
import { SimSession, source } from "../../tools/sim/session"

const mtime = 1_700_000_000
/** A host that waits sends again within 2 s; src/pair/journal.ts believes after 6 s that nobody does. */
const longMs = 7_000

describe("pair: stale copies", function () {
    this.timeout(60_000)

    it("a rename that only the partner heard is not done at a takeover 7 s later [R9] [R22]", async () => {
        const session = new SimSession({ seed: 1, chip: "W25Q16JV" })
        const { bus, client: impatient } = session.anotherHost("host2", { timeoutMs: 2_000 })
        const { client, simulation } = session
        await session.run(async () => {
            await session.healthy()
            await impatient.ready()
            await client.put(0, "f", source(Buffer.from("old f")), { mtime })
            await client.put(0, "g", source(Buffer.from("old g")), { mtime })
            await impatient.mkdir(0, "d", { mtime })
            // the owner hears nothing more of this host; its partner does
            const send = bus.send.bind(bus)
            bus.send = (node, code, frame) => {
                if (code === 0x81) simulation.wire.fault.cut = (from, to) => from === "host2" && to === "a"
                send(node, code, frame)
            }
            await assert.rejects(impatient.rename(0, "f", "g", { mtime, replace: true }))
            simulation.wire.fault.cut = undefined
            await client.put(0, "g", source(Buffer.from("new g")), { mtime })
            await session.sleep(longMs)
            session.power("a", false)
            await session.until("b serves both", () => client.controllerOf(0) === 1)
            assert.equal(String(await session.readAll(0, "g")), "new g")
            assert.equal(String(await session.readAll(0, "f")), "old f")
            await client.close()
        })
        await bus.close()
        await session.bus.close()
        assert.deepEqual(simulation.panics, [])
    })
})
