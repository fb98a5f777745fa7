// Coupled pairs: two to four pairs on one bus, the flashed image in the VM. Volumes are named across them.

import assert from "node:assert/strict"
import { SimSession, source, type SimSessionOptions } from "../../tools/sim/session"

const mtime = 1_700_000_000

async function coupled(options: SimSessionOptions, work: (session: SimSession) => Promise<void>): Promise<void> {
    const session = new SimSession({ chip: "W25Q16JV", ...options })
    await session.run(async () => {
        await session.healthy()
        await work(session)
        await session.client.close()
    })
    await session.bus.close()
    assert.deepEqual(session.simulation.panics, [])
}

/** Bytes that are a volume's own. */
function content(volume: number, bytes = 30_000): Buffer {
    return Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 8) * 13 + volume * 29) & 0xff))
}

describe("coupled pairs", function () {
    this.timeout(120_000)

    it("four pairs, eight nodes: all healthy, each volume keeps its own files [R13]", async () => {
        await coupled({ seed: 1301, pairs: 4 }, async session => {
            const { client } = session
            assert.deepEqual(client.volumes(), [0, 1, 2, 3, 4, 5, 6, 7])
            const volumes = client.volumes()
            await Promise.all(
                volumes.map(volume => client.put(volume, "same name", source(content(volume)), { mtime })),
            )
            for (const volume of volumes) {
                assert.equal(client.controllerOf(volume), volume)
                assert.ok((await session.readAll(volume, "same name")).equals(content(volume)), `volume ${volume}`)
            }
        })
    })
})
