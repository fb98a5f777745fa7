// What the runtime's heap holds at most, of the firmware in the VM: the store allocates at boot, so neither the files of a volume nor its size show in it.

import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { SimSession, source } from "../../tools/sim/session"
import { loadFilled } from "./filled"

const mtime = 1_700_000_000
const fileBytes = 200
const seed = 1
/** Never within 8 KB of the 64 that the runtime has. */
const highWaterMax = 56 * 1024
/** The largest piece of the heap that is free: a frame that is received, or the locals of any function. */
const pieceLeast = 248
/** Between the collections after which what is alive is counted more of what is short-lived is there, or less. */
const slackBytes = 2048

interface Case {
    title: string
    chip: "W25Q80" | "W25Q128JV"
    elements: number
    files: number
}

const cases: Case[] = [
    { title: "1 MB, 10 files", chip: "W25Q80", elements: 2, files: 10 },
    { title: "1 MB, 1,000 files", chip: "W25Q80", elements: 2, files: 1_000 },
    { title: "48 MB, 10 files", chip: "W25Q128JV", elements: 4, files: 10 },
    { title: "48 MB, 10,000 files", chip: "W25Q128JV", elements: 4, files: 10_000 },
]

/** A pair whose first volume holds so many files; then files are written, listed, read, and removed, and one of the nodes fails. @returns the most that was alive on each node */
async function highWater({ chip, elements, files }: Case): Promise<number[]> {
    const session = new SimSession({ seed, chip, elements })
    const { client, simulation } = session
    await loadFilled(session, { node: "a", chip, elements, files, fileBytes })
    const data = new Random("memory").bytes(20_000)
    const highs: number[] = []
    await session.run(async () => {
        await session.healthy()
        const work = async (name: string) => {
            await client.put(0, name, source(data), { mtime })
            let listed = 0
            for await (const entry of client.list(0, "")) {
                assert.ok(entry)
                if (++listed === 50) break
            }
            assert.ok((await session.readAll(0, name)).equals(Buffer.from(data)))
            const last = await session.readAll(0, `file ${files - 1}`)
            assert.equal(last.length, fileBytes)
            await client.remove(0, name, { mtime })
        }
        for (let i = 0; i < 3; i++) await work(`new ${i}`)
        highs.push(simulation.boards.get("a")!.heap()!.liveBytesHigh)
        session.power("a", false)
        await work("without a")
        await client.close()
    })
    await session.bus.close()
    assert.deepEqual(simulation.panics, [])
    for (const { name, heap } of ["a", "b"].map(name => ({ name, heap: simulation.boards.get(name)!.heap() })))
        if (heap)
            assert.ok(heap.largestPieceLow >= pieceLeast, `largest free piece of ${name}: ${heap.largestPieceLow}`)
    return [...highs, simulation.boards.get("b")!.heap()!.liveBytesHigh]
}

describe("pair: memory", function () {
    this.timeout(600_000)

    it("as much at 1 MB as at 48 MB, at 10 files as at 10,000 [R26]", async () => {
        const found: number[] = []
        for (const one of cases) {
            const bytes = await highWater(one)
            console.log(`      ${one.title.padEnd(20)} ${bytes.join(" and ")} bytes of heap at most`)
            found.push(Math.max(...bytes))
        }
        assert.ok(Math.max(...found) <= highWaterMax, `${Math.max(...found)} bytes`)
        assert.ok(Math.max(...found) - Math.min(...found) <= slackBytes, found.join(", "))
    })
})
