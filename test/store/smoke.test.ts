import assert from "node:assert/strict"
import { smallPart, StoreBench } from "../support/store-bench"
import { StoreClient } from "../support/store-client"

describe("store", () => {
    it("keeps files, directories and sessions over a remount", async () => {
        const bench = new StoreBench(smallPart(19), 128)
        assert.equal(await bench.mount(), true)
        const c = new StoreClient(bench, 77)
        assert.deepEqual(await c.send(1), { status: 0, value: 0 })
        const dir = await c.send(3, 1, 1000, Buffer.from("hello"))
        assert.equal(dir.status, 0)
        assert.equal((await c.send(3, 1, 1000, Buffer.from("hello"))).status, 2)
        const up = await c.send(4)
        const data = bench.random.bytes(70000)
        assert.equal(await c.write(up.value, Buffer.from(data)), data.length)
        const done = await c.send(5, up.value, data.length, 5, dir.value, Buffer.from("\x00file.bin"))
        assert.deepEqual(done, { status: 0, value: up.value })
        const names: number[] = []
        for (let i = 0; i < 60; i++) {
            const d = await c.send(3, dir.value, i, Buffer.from("d" + "x".repeat((i * 37) % 199) + i % 10))
            assert.equal(d.status, 0, `mkdir ${i}: ${d.status}`)
            names.push(d.value)
        }
        assert.deepEqual(Buffer.compare(await bench.readFile(up.value), Buffer.from(data)), 0)
        assert.equal(await bench.mount(), true)
        assert.deepEqual(Buffer.compare(await bench.readFile(up.value), Buffer.from(data)), 0)
        for (const n of names) assert.equal(await bench.volume.directory.load(n), true)
    })
})
