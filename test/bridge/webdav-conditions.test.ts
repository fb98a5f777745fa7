// Conditional requests over WebDAV: of two on one state of a file, one is refused; parts are not taken for wholes.

import assert from "node:assert/strict"
import * as http from "node:http"
import { bytes } from "./bench"
import { startWebdavBench, type WebdavBench } from "./webdav-bench"

describe("webdav: conditions", function () {
    this.timeout(30_000)
    let bench: WebdavBench

    before(async () => {
        bench = await startWebdavBench()
    })
    after(() => bench?.close())

    const etagOf = async (path: string) => (await bench.ask("HEAD", path)).headers.etag!
    const stored = (path: string) => bench.fake.cabinet.volumes[0].file(path)
    const patch = (path: string, name: string, headers: Record<string, string> = {}) =>
        bench.statusOf(
            "PROPPATCH",
            path,
            { "Content-Type": "application/xml", ...headers },
            `<propertyupdate xmlns="DAV:" xmlns:x="http://x.example/"><set><prop><x:${name}>v</x:${name}></prop></set></propertyupdate>`,
        )

    it("PUT with Content-Range: 400, and the file stays [R18] [R29]", async () => {
        await bench.plant("ranged")
        const status = await bench.statusOf("PUT", "/a/ranged", { "Content-Range": "bytes 0-2/6" }, "new")
        assert.equal(status, 400)
        assert.equal(await bench.statusOf("PUT", "/a/fresh", { "Content-Range": "bytes 0-2/6" }, "new"), 400)
        bench.assertThere(["ranged"], "after it")
        assert.equal(stored("fresh"), undefined)
    })

    it("a 304 has the ETag of the 200, in quotes [R18]", async () => {
        await bench.plant("tagged")
        const whole = await bench.ask("GET", "/a/tagged")
        assert.match(whole.headers.etag!, /^"[^"]+"$/)
        const unchanged = await bench.ask("GET", "/a/tagged", { "If-None-Match": whole.headers.etag! })
        assert.equal(unchanged.status, 304)
        assert.equal(unchanged.headers.etag, whole.headers.etag)
    })

    it("of PUTs at once with the same If-Match one is stored, the others get 412 [R18] [R29]", async () => {
        await bench.plant("shared")
        for (const header of ["If-Match", "If"]) {
            const etag = await etagOf("/a/shared")
            const bodies = [bytes(2_000), bytes(1_999), bytes(500)]
            const condition = header === "If" ? `([${etag}])` : etag
            const statuses = await Promise.all(
                bodies.map(body => bench.statusOf("PUT", "/a//shared", { [header]: condition }, body)),
            )
            assert.deepEqual([...statuses].sort(), [204, 412, 412], header)
            assert.deepEqual(stored("shared"), bodies[statuses.indexOf(204)])
        }
        assert.equal(bench.fake.cabinet.volumes[0].uploads.size, 0, "what was refused is given up")
    })

    it("of PUTs at once with If-None-Match: * one makes the file, the others get 412 [R18] [R29]", async () => {
        const bodies = [bytes(2_000), bytes(1_999), bytes(500)]
        const statuses = await Promise.all(
            bodies.map(body => bench.statusOf("PUT", "/a/made", { "If-None-Match": "*" }, body)),
        )
        assert.deepEqual([...statuses].sort(), [201, 412, 412])
        assert.deepEqual(stored("made"), bodies[statuses.indexOf(201)])
    })

    it("If-None-Match: * holds against another host, which comes in between [R18] [R29]", async () => {
        const late = await bench.beginPut("/a/contested", { "If-None-Match": "*" }, bytes(6_000))
        await bench.plant("contested")
        assert.equal(await late.finish(), 412)
        bench.assertThere(["contested"], "after it")
    })

    it("a PUT with If-Match that is slower than one without: 412 [R18] [R29]", async () => {
        await bench.plant("slow")
        const etag = await etagOf("/a/slow")
        const late = await bench.beginPut("/a/slow", { "If-Match": etag }, bytes(6_000))
        assert.equal(await bench.statusOf("PUT", "/a/slow", {}, "quick"), 204)
        assert.equal(await late.finish(), 412)
        assert.equal(stored("slow")?.toString(), "quick")
    })

    it("of PUT, DELETE, MOVE and PROPPATCH at once with the same If-Match one is done, the others get 412 [R18] [R29]", async () => {
        await bench.plant("wanted")
        const headers = { "If-Match": await etagOf("/a/wanted") }
        const statuses = await Promise.all([
            bench.statusOf("PUT", "/a/wanted", headers, "new"),
            bench.statusOf("DELETE", "/a/wanted", headers),
            bench.statusOf("MOVE", "/a/wanted", { ...headers, Destination: "/a/elsewhere" }),
            patch("/a/wanted", "p", headers),
        ])
        assert.equal(statuses.filter(status => status === 412).length, 3, String(statuses))
    })

    it("PROPPATCHes at once of different properties are all kept [R18] [R29]", async () => {
        await bench.plant("patched")
        const names = ["one", "two", "three"]
        for (const status of await Promise.all(names.map(name => patch("/a/patched", name)))) assert.equal(status, 207)
        const { packed } = await bench.client.propertiesOf(0, "patched")
        assert.deepEqual(Object.keys(packed).sort(), names.map(name => `http://x.example/%%${name}`).sort())
    })

    it("what takes the source's name at the end of a MOVE to another volume is not removed for it [R18] [R29]", async () => {
        await bench.plant("moving", "newer")
        const [volume, target] = bench.fake.cabinet.volumes
        const entries = [...volume.objects.get(1)!.entries.values()]
        const of = (name: string) => entries.find(entry => entry.name === name)!
        const moved = bench.statusOf("MOVE", "/a/moving", { Destination: "/b/moved" })
        while (!target.file("moved")) await new Promise(resolve => setTimeout(resolve, 1))
        of("moving").object = of("newer").object
        assert.equal(await moved, 207)
        assert.equal(stored("moving")?.toString(), "newer")
    })

    it("requests without conditions at once are all done, and a stalled body keeps nobody waiting [R18]", async () => {
        const headers = { "Content-Length": "5", "If-None-Match": "*" }
        const stalled = http.request(`${bench.origin}/a/busy`, { method: "PUT", headers }).on("error", () => undefined)
        stalled.write("12")
        await new Promise(resolve => setTimeout(resolve, 300))
        const statuses = await Promise.all(["x", "y"].map(body => bench.statusOf("PUT", "/a/busy", {}, body)))
        assert.ok(statuses.every(status => status === 201 || status === 204))
        stalled.destroy()
    })
})
