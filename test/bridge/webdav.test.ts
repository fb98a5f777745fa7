import assert from "node:assert/strict"
import * as http from "node:http"
import { connectBus, realClock, realRandom, type JacdacBus } from "../../tools/bridge/bus"
import { TwinfilerClient } from "../../tools/bridge/client"
import { startWebdav, type WebdavServer } from "../../tools/bridge/webdav/server"
import { bytes } from "./bench"
import { startFakeServer, type FakeServer } from "./fake-server"

// Real time: HTTP is real. The fake wire is as slow as a bus.
describe("webdav", function () {
    this.timeout(20_000)
    let fake: FakeServer
    let bus: JacdacBus
    let client: TwinfilerClient
    let server: WebdavServer

    before(async () => {
        fake = await startFakeServer()
        bus = await connectBus(fake.url)
        client = new TwinfilerClient(bus, { clock: realClock, random: realRandom })
        await client.ready()
        server = await startWebdav(client, { host: "127.0.0.1", port: 0, now: () => 1_700_000_000 })
    })
    after(async () => {
        await server?.close()
        await client?.close()
        await bus?.close()
        fake?.close()
    })

    const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: Buffer) =>
        fetch(new URL(path, server.url), { method, headers, body })

    // fetch would add `no-cache` to this.
    const conditional = (path: string, etag: string) =>
        new Promise<number | undefined>(resolve =>
            http.get(new URL(path, server.url), { headers: { "If-None-Match": etag } }, response => {
                response.resume()
                resolve(response.statusCode)
            }),
        )

    it("stores, reads, reads ranges, moves and removes [R18]", async () => {
        const data = bytes(3_000)
        assert.equal((await ask("MKCOL", "a/dir/")).status, 201)
        assert.equal((await ask("PUT", "a/dir/file%20%C3%A4", {}, data)).status, 201)
        assert.deepEqual(fake.cabinet.volumes[0].file("dir/file ä"), data)
        const got = await ask("GET", "a/dir/file%20%C3%A4")
        assert.deepEqual(Buffer.from(await got.arrayBuffer()), data)
        const etag = got.headers.get("etag")!
        const part = await ask("GET", "a/dir/file%20%C3%A4", { Range: "bytes=1000-1999" })
        assert.equal(part.status, 206)
        assert.deepEqual(Buffer.from(await part.arrayBuffer()), data.subarray(1_000, 2_000))
        assert.equal(await conditional("a/dir/file%20%C3%A4", etag), 304)
        assert.equal((await ask("PUT", "a/dir/file%20%C3%A4", {}, data.subarray(1))).status, 204)
        assert.notEqual((await ask("HEAD", "a/dir/file%20%C3%A4")).headers.get("etag"), etag)
        const Destination = new URL("a/moved/", server.url).href
        assert.equal((await ask("MOVE", "a/dir/", { Destination })).status, 201)
        assert.ok(fake.cabinet.volumes[0].file("moved/file ä"))
        assert.equal(
            (await ask("MOVE", "a/moved/", { Destination: new URL("a/moved/in/", server.url).href })).status,
            403,
        )
        assert.equal((await ask("DELETE", "a/moved/")).status, 204)
        assert.equal((await ask("GET", "a/moved/")).status, 404)
    })

    it("a listing reads no file and asks for no entry by itself", async () => {
        for (const name of ["one", "two", "three"]) await ask("PUT", `b/${name}`, {}, bytes(500))
        fake.cabinet.sent.length = 0
        const listed = await ask("PROPFIND", "b/", { Depth: "1" })
        assert.equal(listed.status, 207)
        assert.match(await listed.text(), /three/)
        assert.ok(fake.cabinet.sent.every(({ kind }) => kind === "query"))
        assert.ok(fake.cabinet.sent.length <= 3, `${fake.cabinet.sent.length} commands`)
    })

    it("a client that goes away in mid-upload leaves nothing behind", async () => {
        const request = http.request(new URL("a/half", server.url), {
            method: "PUT",
            headers: { "Content-Length": "100000" },
        })
        request.on("error", () => undefined)
        request.write(bytes(5_000))
        await new Promise(resolve => setTimeout(resolve, 500))
        assert.equal(fake.cabinet.volumes[0].uploads.size, 1)
        request.destroy()
        await new Promise(resolve => setTimeout(resolve, 800))
        assert.equal(fake.cabinet.volumes[0].uploads.size, 0)
        assert.equal(fake.cabinet.volumes[0].file("half"), undefined)
    })

    it("a door that opens while a board is silent and nobody has its volume yet: late, not missing [R4] [R9]", async () => {
        const other = await startFakeServer()
        other.cabinet.cut(0, 2_000)
        const otherBus = await connectBus(other.url)
        const late = new TwinfilerClient(otherBus, { clock: realClock, random: realRandom })
        await late.settle()
        const door = await startWebdav(late, { host: "127.0.0.1", port: 0, now: () => 1_700_000_000 })
        try {
            const statusOf = async (path: string) => (await fetch(new URL(path, door.url))).status
            assert.equal(late.controllerOf(0), undefined)
            assert.equal((await fetch(new URL("a/new", door.url), { method: "PUT", body: "x" })).status, 201)
            assert.equal(late.controllerOf(0), 1)
            assert.equal(await statusOf("a/new"), 200)
            assert.equal(await statusOf("c/new"), 404)
        } finally {
            await door.close()
            await late.close()
            await otherBus.close()
            other.close()
        }
    })

    it("volumes themselves cannot be made, changed or removed; damaged compression ends nobody [R33]", async () => {
        assert.equal((await ask("DELETE", "a/")).status, 403)
        assert.equal((await ask("MKCOL", "c/")).status, 403)
        assert.equal((await ask("PUT", "top", {}, bytes(1))).status, 403)
        assert.equal((await ask("PUT", "a/x", { "Content-Encoding": "gzip" }, bytes(50))).status, 415)
        assert.equal((await ask("GET", `a/${"x".repeat(201)}`)).status, 403)
        assert.equal((await ask("GET", "a/%00")).status, 403)
        assert.equal((await ask("OPTIONS", "a/")).status, 200)
    })
})
