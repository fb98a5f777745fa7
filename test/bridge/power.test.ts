// Power by Jacdac relays: simulated ones on the simulated wire, found and switched by our client and by plain jacdac-ts; and by a person.

import assert from "node:assert/strict"
import { findPower, type BoardPower } from "../../tools/bridge/power"
import { Relay } from "../../tools/sim/relay"
import { SimSession } from "../../tools/sim/session"

const first = "7f11e501a0000000"
const second = "7f11e501a1000000"

describe("power of the boards", function () {
    this.timeout(60_000)
    let session: SimSession | undefined
    afterEach(() => {
        session?.simulation.cabinet.close()
        session = undefined
    })

    function start(relays: boolean): SimSession {
        return (session = new SimSession({ seed: 7, relays }))
    }

    /** `do` is what the person does who was asked. */
    function find(on: SimSession, relay?: string, ask: (text: string) => void = assert.fail): Promise<BoardPower> {
        const { bus, client, host } = on
        return findPower({ bus, client, clock: host.clock, address: "auto", relay, ask })
    }

    it("a relay for each board, by the order of their ids: off is silent at once, on beats again [R19 R20]", async () => {
        const on = start(true)
        await on.run(async () => {
            await on.healthy()
            const power = await find(on)
            assert.equal(power.by, "relay")
            await power.set(1, false)
            assert.equal(on.simulation.cabinet.nodeState("b"), "off")
            assert.equal(on.simulation.cabinet.nodeState("a"), "run")
            await power.set(0, false)
            assert.equal(on.simulation.cabinet.nodeState("a"), "off")
            // the relays live on
            await power.set(0, true)
            await power.set(1, true)
            assert.equal(on.client.nodes().filter(({ isHeard }) => isHeard).length, 2)
            power.close()
        })
    })

    it("a relay that feeds another board is switched on again, and the error names it and the others [R19 R33]", async () => {
        const on = start(true)
        await on.run(async () => {
            await on.healthy()
            const power = await find(on, first)
            await assert.rejects(power.set(1, false), {
                code: "ioError",
                message: new RegExp(`node b goes on beating with the relay ${first} off.*${first}, ${second}`),
            })
            assert.equal(on.simulation.cabinet.nodeState("a"), "run")
            power.close()
        })
    })

    it("one relay for two boards: it must be named; one that is not there is refused [R19 R33]", async () => {
        const on = start(false)
        const { wire, queue, cabinet } = on.simulation
        const isOn = () => cabinet.nodeState("b") !== "off"
        new Relay(second, wire, queue, isOn, isActive => on.power("b", isActive))
        await on.run(async () => {
            await on.healthy()
            const power = await find(on)
            await assert.rejects(power.set(1, false), { code: "usage", message: /say with --relay which feeds node b/ })
            power.close()
            await assert.rejects(find(on, "0123456789abcdef"), { code: "notFound", message: new RegExp(second) })
            const named = await find(on, second)
            await named.set(1, false)
            assert.equal(cabinet.nodeState("b"), "off")
            named.close()
        })
    })

    it("lost frames: a switch is asked for again until the relay says that it is done [R19]", async () => {
        const on = start(true)
        await on.run(async () => {
            await on.healthy()
            const power = await find(on)
            // it announces itself meanwhile
            on.simulation.wire.fault.cut = (from, to) => from === "host" && to === `relay ${second}`
            on.host.clock.setTimeout(() => (on.simulation.wire.fault.cut = undefined), 1_100)
            await power.set(1, false)
            assert.equal(on.simulation.cabinet.nodeState("b"), "off")
            power.close()
        })
    })

    it("without relays a person is asked, and the bus is watched [R19 R20]", async () => {
        const on = start(false)
        await on.run(async () => {
            await on.healthy()
            const asked: string[] = []
            const power = await find(on, undefined, text => {
                asked.push(text)
                on.host.clock.setTimeout(() => on.power("a", text.startsWith("plug")), 5_000)
            })
            assert.equal(power.by, "person")
            await power.set(0, false)
            assert.equal(on.simulation.cabinet.nodeState("a"), "off")
            await power.set(0, true)
            assert.deepEqual(asked, ["pull the plug of board a now", "plug board a in now"])
            power.close()
        })
    })

    it("a person who does nothing: it gives up and says so [R19 R33]", async () => {
        const on = start(false)
        await on.run(async () => {
            await on.healthy()
            const power = await find(on, undefined, () => undefined)
            await assert.rejects(power.set(0, false), {
                code: "timeout",
                message: /node a goes on beating after 120 s/,
            })
        })
    })

    it("plain jacdac-ts finds the relay service, reads it and switches a board off [R3 R19]", async () => {
        const on = start(true)
        await on.run(async () => {
            await on.healthy()
            await on.sleep(1_000)
            const services = on.bus.jdbus.services({ serviceClass: 0x183fe656 })
            const relay = services.find(({ device }) => device.deviceId === second)
            assert.ok(relay, `${services.length} relays`)
            const active = relay.register(0x01)
            void active.sendGetAsync()
            await on.sleep(100)
            assert.equal(active.boolValue, true)
            void active.sendSetBoolAsync(false)
            await on.sleep(100)
            assert.equal(on.simulation.cabinet.nodeState("b"), "off")
        })
    })
})
