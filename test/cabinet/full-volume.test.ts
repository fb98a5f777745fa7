// A volume written until it is full, on the flashed image: an answer, not an end.

import assert from "node:assert/strict"
import { isError } from "../../tools/bridge/client"
import { SimSession, source } from "../../tools/sim/session"

const mtime = 1_700_000_000
const fileBytes = 400_000

describe("pair: a full volume", function () {
    this.timeout(120_000)

    it("files until nothing fits: noSpace, no panic, what is there stays, and room comes back with a removal [R22] [R29]", async () => {
        const session = new SimSession({ seed: 3, chip: "W25Q16JV", timeoutMs: 60_000 })
        const { client } = session
        await session.run(async () => {
            await session.healthy()
            const bytes = Buffer.from(session.random.bytes(fileBytes))
            const names: string[] = []
            let refused = 0
            for (let i = 0; refused < 3; i++) {
                try {
                    await client.put(0, `big${i}`, source(bytes), { mtime })
                    names.push(`big${i}`)
                } catch (error) {
                    if (!isError(error, "noSpace")) throw error
                    refused++
                }
            }
            assert.ok(names.length >= 3, `${names.length} files of ${fileBytes} bytes on 2 MB`)
            for (const name of names) assert.ok((await session.readAll(0, name)).equals(bytes), name)
            await client.remove(0, names[0], { mtime })
            await session.sleep(5_000)
            await client.put(0, "again", source(bytes.subarray(0, fileBytes / 2)), { mtime })
            await client.close()
        })
        await session.bus.close()
        assert.deepEqual(session.simulation.panics, [])
    })
})
