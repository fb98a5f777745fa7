// Two hosts on the bus: a node alone speaks to the one its runtime found, and its partner may have found the other.

import assert from "node:assert/strict"
import { JacdacBus } from "../../tools/bridge/bus"
import { SimSession } from "../../tools/sim/session"
import { VirtualHost } from "../../tools/sim/virtual-host"

describe("pair: two hosts", function () {
    this.timeout(60_000)

    it("each node found another one: they hear each other all the same, and pair [R7 R1]", async () => {
        const session = new SimSession({ seed: 81, chip: "W25Q16JV" })
        const draw = session.random.fork("second host")
        const second = new VirtualHost(session.simulation, "second")
        const bus = new JacdacBus(second, { clock: second.clock, random: () => draw.uint32() })
        session.simulation.wire.fault.cut = (from, to) =>
            (from === "second" && to === "a") || (from === "host" && to === "b")
        await session.run(() => session.healthy())
        await bus.close()
        await session.bus.close()
        assert.deepEqual(session.simulation.panics, [])
    })
})
