// A session that said bye leaves nothing on the volume that would show that its requests were executed. Copies of them must not be, again.

import assert from "node:assert/strict"
import { JacdacBus } from "../../tools/bridge/bus/jacdac-bus"
import { TwinfilerClient } from "../../tools/bridge/client"
import { isError } from "../../tools/bridge/error"
import { Random } from "../../tools/sim/random"
import { SimSession } from "../../tools/sim/session"
import { VirtualHost } from "../../tools/sim/virtual-host"

const mtime = 1_700_000_000

describe("pair: copies of a session that is closed", function () {
    this.timeout(60_000)

    it("a directory made and removed stays removed, when the partner missed the owner's replies and takes over [R21]", async () => {
        const session = new SimSession({ seed: 2, chip: "W25Q16JV" })
        const { client, simulation } = session
        const other = new VirtualHost(simulation, "host2")
        const random = new Random("host2")
        const given = { clock: other.clock, random: () => random.uint32() }
        const bus = new JacdacBus(other, given)
        const brief = new TwinfilerClient(bus, given)
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
})
