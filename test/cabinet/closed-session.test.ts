// A session that said bye leaves nothing on the volume that would show that its requests were executed. Copies of them must not be, again.

import assert from "node:assert/strict"
import { isError } from "../../tools/bridge/error"
import { SimSession, source } from "../../tools/sim/session"

const mtime = 1_700_000_000
const restMs = 20
const quietMs = 500

describe("pair: copies of a session that is closed", function () {
    this.timeout(60_000)

    it("a directory made and removed stays removed, when the partner missed the owner's replies and takes over [R21]", async () => {
        const session = new SimSession({ seed: 2, chip: "W25Q16JV" })
        const { client, simulation } = session
        const { bus, client: brief } = session.anotherHost("host2")
        await session.run(async () => {
            await session.healthy()
            await brief.ready()
            // as the command line does it: a session for one request
            simulation.wire.fault.cut = (from, to) => from === "a" && to === "b"
            const fromMs = session.nowMs()
            await brief.mkdir(0, "d", { mtime })
            await brief.close()
            const tookMs = session.nowMs() - fromMs
            simulation.wire.fault.cut = undefined
            assert.ok(tookMs < 390, `${tookMs} ms: the partner takes the owner for silent`)
            await client.remove(0, "d", { mtime })
            session.power("a", false)
            await session.until("b serves both", () => client.controllerOf(0) === 1)
            await assert.rejects(client.stat(0, "d"), error => isError(error, "notFound"))
            await client.close()
        })
        await bus.close()
        await session.bus.close()
        assert.deepEqual(simulation.panics, [])
    })

    it("each packet of its host is heard once more, late: a rename is not done again over what another client stored since [R21]", async () => {
        const session = new SimSession({ seed: 3, chip: "W25Q16JV" })
        const { client, simulation } = session
        const { bus, host, client: brief } = session.anotherHost("host2")
        const send = host.send.bind(host)
        const copies: Buffer[] = []
        await session.run(async () => {
            await session.healthy()
            await client.put(0, "f", source(Buffer.from("old")), { mtime })
            await client.put(0, "new", source(Buffer.from("precious")), { mtime })
            await brief.ready()
            host.send = frame => {
                copies.push(Buffer.from(frame))
                send(frame)
            }
            await brief.rename(0, "f", "g", { mtime, replace: true })
            await brief.close()
            host.send = send
            await client.rename(0, "g", "f", { mtime })
            await client.rename(0, "new", "g", { mtime })
            for (const copy of copies) {
                send(copy)
                await session.sleep(restMs)
            }
            await session.sleep(quietMs)
            assert.equal((await session.readAll(0, "g")).toString(), "precious")
            assert.equal((await session.readAll(0, "f")).toString(), "old")
            await client.close()
        })
        await bus.close()
        await session.bus.close()
        assert.deepEqual(simulation.panics, [])
    })
})
