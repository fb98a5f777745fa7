// Two hosts on the bus: a node alone speaks to the one its runtime found, and its partner may have found the other.

import assert from "node:assert/strict"
import { TwinfilerClient } from "../../tools/bridge/client"
import { SimSession, source } from "../../tools/sim/session"
import { UpgradeBench } from "./upgrade-bench"

/** Both hosts' clients number their questions from here. */
const firstTag = 1_000
/** A question is heard, and not answered yet. */
const heardMs = 3

/** A host whose client numbers its questions so. */
function hostOf(session: SimSession, name: string): { client: TwinfilerClient; close(): Promise<void> } {
    const { host, bus } = session.anotherHost(name)
    const draw = session.random.fork(`questions of ${name}`)
    let drawn = 0
    const random = () => (drawn++ === 0 ? firstTag : draw.uint32())
    return { client: new TwinfilerClient(bus, { clock: host.clock, random }), close: () => bus.close() }
}

describe("pair: two hosts", function () {
    this.timeout(60_000)

    it("each node found another one: they hear each other all the same, and pair [R7 R1]", async () => {
        const session = new SimSession({ seed: 81, chip: "W25Q16JV" })
        const { bus } = session.anotherHost("second")
        session.simulation.wire.fault.cut = (from, to) =>
            (from === "second" && to === "a") || (from === "host" && to === "b")
        await session.run(() => session.healthy())
        await bus.close()
        await session.bus.close()
        assert.deepEqual(session.simulation.panics, [])
    })

    it("both number their questions alike: none takes the other's answer for its own [R22]", async () => {
        const session = new SimSession({ seed: 82, chip: "W25Q16JV" })
        const [one, other] = ["one", "other"].map(name => hostOf(session, name))
        await session.run(async () => {
            await session.healthy()
            const put = (name: string) => session.client.put(0, name, source(Buffer.alloc(10)), { mtime: 1 })
            const objects = [await put("f"), await put("g")].map(({ object }) => object)
            for (const { client } of [one, other]) await client.settle()
            const first = one.client.stat(0, "f")
            await session.sleep(heardMs)
            const found = await Promise.all([first, other.client.stat(0, "g")])
            assert.deepEqual(
                found.map(({ object }) => object),
                objects,
            )
        })
        for (const { close } of [one, other]) await close()
        await session.bus.close()
    })

    it("one moves a directory to the other volume while the other stores into it: all of that is on one of the two [R18] [R22]", async () => {
        const bench = new UpgradeBench({ seed: 83 })
        const { session } = bench
        const put = (name: string, text: string) =>
            session.client.put(0, `d/${name}`, source(Buffer.from(text)), { mtime: 1, replace: true })
        const read = async (volume: number, name: string) => String(await session.readAll(volume, `d/${name}`))
        try {
            await session.run(async () => {
                await session.healthy()
                await session.client.mkdir(0, "d", { mtime: 1 })
                for (const name of ["f", "g", "h"]) await put(name, name)
                const moved = bench.commandAt("one", ["mv", ":/a/d", ":/b/", "--json"])
                while (!(await session.client.find(1, "d/f"))) await session.sleep(5)
                await Promise.all([put("late", "late"), put("f", "newer")])
                const { exitCode, out, err } = await moved
                assert.equal(exitCode, 1, err)
                assert.deepEqual((JSON.parse(out) as { stayed: string[] }).stayed.sort(), [":/a/d/f", ":/a/d/late"])
                assert.deepEqual([await read(0, "f"), await read(0, "late")], ["newer", "late"])
                for (const name of ["f", "g", "h"]) assert.equal(await read(1, name), name)
                assert.equal(await session.client.find(0, "d/g"), undefined)
                const again = await bench.command(["mv", ":/a/d", ":/b/"])
                assert.equal(again.exitCode, 0, again.err)
                assert.deepEqual([await read(1, "f"), await read(1, "late")], ["newer", "late"])
                assert.equal(await session.client.find(0, "d"), undefined)
            })
        } finally {
            await bench.close()
        }
    })
})
