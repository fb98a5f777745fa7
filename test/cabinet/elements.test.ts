// What a node tells of the elements at its selects, and reads at other clocks, for those who build a board.

import assert from "node:assert/strict"
import { SimSession, source } from "../../tools/sim/session"
import { Random } from "../../tools/sim/random"

const mtime = 1_700_000_000
const usualHz = 16_000_000
const fastHz = 20_840_000

async function withSession(
    options: ConstructorParameters<typeof SimSession>[0],
    work: (session: SimSession) => Promise<void>,
): Promise<void> {
    const session = new SimSession(options)
    try {
        await session.run(async () => {
            await work(session)
            await session.client.close()
        })
    } finally {
        await session.bus.close()
    }
    assert.deepEqual(session.simulation.panics, [])
}

/** Array b's wires bear the usual clock and no faster one, as in `wires-long`. */
for (const chip of ["W25Q128JV", "SDHC-4GB"] as const)
    describe(`elements query, ${chip}`, function () {
        this.timeout(120_000)

        it("an array that cannot be served: each node tells what answers, and reads nothing [R17 R20]", async () => {
            await withSession({ seed: 3, chip, miswired: "chip-silent" }, async ({ client }) => {
                await client.ready()
                const found = await client.elements(1, 1, { clockHz: usualHz, slot: 1 })
                assert.deepEqual(
                    found.slots.map(({ pages }) => pages > 0),
                    [false, true, false, false, false, false],
                )
                assert.notEqual(found.slots[1].id, 0)
                assert.equal(found.digest, 0)
            })
        })

        it("read wrong at a clock that is too fast: told, and the element stays in use at the usual one [R17 R20 R24]", async () => {
            await withSession({ seed: 3, chip, miswired: "wires-long" }, async session => {
                const { client } = session
                await session.until("served", () => client.controllerOf(1) === 1, 60_000)
                const digest = async (clockHz: number, slot: number) =>
                    (await client.elements(1, 1, { clockHz, slot })).digest
                const data = new Random("elements").bytes(20_000)
                const written = client.put(1, "during", source(data), { mtime })
                for (const slot of [0, 1]) {
                    const right = await digest(usualHz, slot)
                    assert.notEqual(right, 0)
                    assert.equal(await digest(1_000_000, slot), right)
                    for (let i = 0; i < 3; i++) assert.notEqual(await digest(fastHz, slot), right)
                    assert.equal(await digest(usualHz, slot), right)
                }
                await written
                assert.ok((await session.readAll(1, "during")).equals(Buffer.from(data)))
                assert.deepEqual((await client.array(1)).members, [0, 1])
            })
        })

        it("clocks and slots beyond all bounds are not used [R33]", async () => {
            await withSession({ seed: 3, chip }, async session => {
                const { client } = session
                await session.until("served", () => client.controllerOf(0) === 0, 60_000)
                for (const clockHz of [1, 399_999, 80_000_001, 0xffffffff])
                    assert.equal((await client.elements(0, 0, { clockHz, slot: 0 })).digest, 0)
                for (const slot of [6, 31, 32, 255])
                    assert.equal((await client.elements(0, 0, { clockHz: usualHz, slot })).digest, 0)
                assert.deepEqual((await client.array(0)).members, [0, 1])
            })
        })
    })
