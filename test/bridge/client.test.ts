import assert from "node:assert/strict"
import { TwinfilerError } from "../../tools/bridge/error"
import { bench, bytes, collect, stream } from "./bench"

const mtime = 1_700_000_000

describe("client: files over a faultless bus", () => {
    it("puts, stats, lists, reads, renames and removes [R18]", async () => {
        const { clock, cabinet, client } = await bench()
        const data = bytes(50_000)
        await clock.drive(client.mkdirs(0, "one/two", { mtime }))
        const put = await clock.drive(client.put(0, "one/two/file", stream(data), { mtime }))
        assert.equal(put.bytes, data.length)
        assert.deepEqual(cabinet.volumes[0].file("one/two/file"), data)
        const entry = await clock.drive(client.stat(0, "/one/two/file"))
        assert.equal(entry.size, data.length)
        assert.deepEqual(await clock.drive(collect(client.get(0, "one/two/file"))), data)
        assert.deepEqual(
            await clock.drive(collect(client.get(0, "one/two/file", { offset: 1_001, length: 5_000 }))),
            data.subarray(1_001, 6_001),
        )
        await clock.drive(client.rename(0, "one/two/file", "moved", { mtime }))
        const names: string[] = []
        await clock.drive(
            (async () => {
                for await (const { name } of client.list(0, "")) names.push(name)
            })(),
        )
        assert.deepEqual(names, ["one", "moved"])
        await clock.drive(client.remove(0, "moved", { mtime }))
        await assert.rejects(clock.drive(client.stat(0, "moved")), { code: "notFound", exitCode: 3 })
        await clock.drive(client.close())
    })

    it("throughput on the fake wire is that of the wire", async () => {
        const { clock, client } = await bench()
        const data = bytes(100_000)
        const start = clock.now()
        await clock.drive(client.put(0, "file", stream(data), { mtime }))
        const writeKbps = data.length / (clock.now() - start)
        assert.ok(writeKbps > 50, `write ${writeKbps} kB/s`)
        const readStart = clock.now()
        assert.deepEqual(await clock.drive(collect(client.get(0, "file"))), data)
        const readKbps = data.length / (clock.now() - readStart)
        assert.ok(readKbps > 9, `read ${readKbps} kB/s`)
    })
    it("a path longer than a frame is looked up in steps", async () => {
        const { clock, client } = await bench()
        const path = Array.from({ length: 6 }, (_, index) => String(index).repeat(190)).join("/")
        await clock.drive(client.mkdirs(0, path, { mtime }))
        await clock.drive(client.put(0, `${path}/file`, stream(bytes(10)), { mtime }))
        assert.equal((await clock.drive(client.stat(0, `${path}/file`))).size, 10)
        await assert.rejects(clock.drive(client.stat(0, `${path}/none`)), (error: TwinfilerError) => {
            assert.equal(error.details.found, 6)
            return error.code === "notFound"
        })
    })
})
