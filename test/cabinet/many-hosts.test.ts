// More hosts than a volume remembers, which begin at the same moment: each hello is right for one of them, and the others try again.

import assert from "node:assert/strict"
import { SimSession } from "../../tools/sim/session"

const mtime = 1_700_000_000
const each = 3

describe("pair: many hosts", function () {
    this.timeout(120_000)

    for (const count of [2, 8, 12])
        it(`${count} hosts begin at once: each is served, none is refused [R22] [R26]`, async () => {
            const session = new SimSession({ seed: 7, chip: "W25Q16JV" })
            const hosts = Array.from({ length: count }, (_, i) => session.anotherHost(`host ${i}`))
            await session.run(async () => {
                await session.healthy()
                await Promise.all(hosts.map(({ client }) => client.ready()))
                for (let round = 0; round < 2; round++)
                    await Promise.all(
                        hosts.map(async ({ client }, i) => {
                            for (let k = 0; k < each; k++) await client.mkdir(0, `d${round} ${i} ${k}`, { mtime })
                        }),
                    )
                const names: string[] = []
                for await (const { name } of session.client.list(0, "")) names.push(name)
                assert.equal(names.length, 2 * count * each)
                for (const { client } of hosts) await client.close()
                await session.client.close()
            })
            for (const { bus } of hosts) await bus.close()
            await session.bus.close()
            assert.deepEqual(session.simulation.panics, [])
        })
})
