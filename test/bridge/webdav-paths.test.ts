// Nothing is lost over WebDAV by where a COPY, MOVE or DELETE points, however it is spelled.

import assert from "node:assert/strict"
import { Readable } from "node:stream"
import { startWebdavBench, type WebdavBench } from "./webdav-bench"

describe("webdav: paths", function () {
    this.timeout(30_000)
    let bench: WebdavBench

    beforeEach(async () => {
        bench = await startWebdavBench()
    })
    afterEach(() => bench?.close())

    /** Each must be refused with one of `statuses`, and nothing planted may be gone. */
    const assertRefused = async (statuses: number[], planted: string[], tries: [string, string, string?][]) => {
        await bench.plant(...planted)
        for (const [method, path, destination] of tries)
            for (const Overwrite of destination === undefined ? ["T"] : ["T", "F"]) {
                const title = `${method} ${path} to ${destination}, Overwrite: ${Overwrite}`
                const headers = { Overwrite, ...(destination === undefined ? {} : { Destination: destination }) }
                assert.ok(statuses.includes(await bench.statusOf(method, path, headers)), title)
                bench.assertThere(planted, title)
            }
    }

    it("COPY and MOVE onto the source itself: 403, whatever the spelling [R18] [R29] [R33]", async () => {
        const { origin } = bench
        const tries = ["COPY", "MOVE"].flatMap(method =>
            [
                ["/a/e1", `${origin}/a/e1`],
                ["/a/e1/", `${origin}/a/e1`],
                ["/a/e1", `${origin}/a/e1/`],
                ["/a/e1", "/a/%651"],
                ["/a/e1/", "/a//e1//"],
                ["/a//e1", "/a/e1"],
                ["/a/%C3%A9/", "/a/%c3%a9/"],
                ["/a/e1/f", "/a/e1/f"],
                ["/a/e1/f", "/a/e1/%66/"],
            ].map(([path, to]) => [method, path, to] as [string, string, string]),
        )
        await assertRefused([403], ["e1/f", "e1/d/g", "é/f"], tries)
    })

    it("COPY and MOVE onto what the source lies in: 403, and all of it stays [R18] [R29] [R33]", async () => {
        const planted = ["x/y/f", "x/y/z/h", "x/g", "é/é/f", "é/s"]
        const tries = ["COPY", "MOVE"].flatMap(method =>
            [
                ["/a/x/y/", "/a/%78/"],
                ["/a/x/y/", "/a//x/"],
                ["/a//x/y/", "/a/x"],
                ["/a/x/y/z/", "/a/%78"],
                ["/a/x/g", "/a/%78"],
                ["/a/x/g", "/a/x/"],
                ["/a/%C3%A9/%C3%A9/", "/a/%c3%a9/"],
            ].map(([path, to]) => [method, path, to] as [string, string, string]),
        )
        await assertRefused([403], planted, tries)
    })

    it("COPY and MOVE into the source itself: 403, also when something is there [R18] [R29] [R33]", async () => {
        await assertRefused(
            [403],
            ["x/y/f", "x/g"],
            ["COPY", "MOVE"].flatMap(method =>
                [
                    ["/a/x", "/a/x/y"],
                    ["/a/x/", "/a/%78/y/"],
                    ["/a/x/", "/a//x/new"],
                    ["/a/x/", "/a/x/g"],
                ].map(([path, to]) => [method, path, to] as [string, string, string]),
            ),
        )
        assert.equal(await bench.statusOf("COPY", "/a/x/", { Depth: "0", Destination: "/a/x/y/" }), 403)
        assert.equal(await bench.statusOf("COPY", "/a/x/y/", { Depth: "0", Destination: "/a/%78/" }), 403)
        bench.assertThere(["x/y/f", "x/g"], "Depth: 0")
    })

    it("volumes and their list are not removed, moved or replaced, nor emptied before the refusal [R18] [R29] [R33]", async () => {
        const onto = ["COPY", "MOVE"].flatMap(method =>
            ["/a/x/g", "/a/x/", "/b/f"].flatMap(path =>
                ["/", "/a", "/a/", "/a//", "/a/.snapshots", "/a/.snapshots/s/x"].map(
                    to => [method, path, to] as [string, string, string],
                ),
            ),
        )
        await bench.client.put(1, "f", Readable.from([Buffer.from("f")]), { mtime: 1 })
        await bench.client.createSnapshot(0, "s", { mtime: 1 })
        await assertRefused(
            [403],
            ["x/g", "x/y/f", "top"],
            [
                ["DELETE", "/"],
                ["DELETE", "/a"],
                ["DELETE", "/a/"],
                ["DELETE", "/a//"],
                ["DELETE", "/%61/"],
                ["MOVE", "/a/", "/b/n/"],
                ["MOVE", "/a/", "/b/f"],
                ["MOVE", "/", "/b/n/"],
                ...onto,
            ],
        )
        assert.ok(bench.fake.cabinet.volumes[1].file("f"))
    })

    it("a path that could be taken for another is refused: dots, slashes, queries, bad encoding [R33]", async () => {
        const planted = ["x/g", "x/y/f", "a/x/g", "top"]
        const odd = [
            "/a/x/y/..",
            "/a/x/y/%2e%2e/",
            "/a/x/%2e",
            "/a/x/../x/y/",
            "/%2e//",
            "/a/%2E%2e//",
            "//a/a/x/g",
            "/\\a/a/x/g",
            "/a/x\\g",
            "/a/x?y",
            "/a/x#y",
            "/a/x/%ff",
            "/a/x/%",
        ]
        await assertRefused(
            [400],
            planted,
            odd.flatMap(path => [
                ["DELETE", path] as [string, string],
                ["MOVE", path, "/a/new"] as [string, string, string],
                ["MOVE", "/a/top", path] as [string, string, string],
                ["COPY", "/a/top", `${bench.origin}${path.replace(/^\/[/\\]/, "/a\\")}`] as [string, string, string],
            ]),
        )
        for (const path of odd) assert.equal(await bench.statusOf("PUT", path, {}, "new"), 400, path)
        for (const to of ["new", "../x", "x/../../b/"])
            assert.equal(await bench.statusOf("COPY", "/a/x/g", { Destination: to }), 400, to)
        assert.equal(await bench.statusOf("GET", "//a/a/x/g"), 400)
        assert.equal(await bench.statusOf("GET", "/a/x/g?again=1"), 200)
        bench.assertThere(planted, "after all")
    })

    it("a Destination on another server is 502; one without a host or by another scheme is here [R18] [R33]", async () => {
        const { host, statusOf } = bench
        const at = (Destination: string) => statusOf("COPY", "/a/f", { Destination })
        await bench.plant("f", "g")
        for (const to of ["http://elsewhere/a/g", `ftp://${host}/a/g`, "http://127.0.0.1:1/a/g", "urn:a:g"])
            assert.ok([502, 400].includes(await at(to)), to)
        assert.equal(await at("http://elsewhere/a/g"), 502)
        bench.assertThere(["f", "g"], "elsewhere")
        assert.equal(await at("/a/h"), 201)
        assert.equal(await at(`https://${host}/a/i`), 201)
        assert.equal(await at(`http://user@${host}/a//j`), 201)
        for (const name of ["h", "i", "j"]) assert.equal(bench.fake.cabinet.volumes[0].file(name)?.toString(), "f")
    })

    it("Overwrite: f is F, and what is neither is refused [R18] [R29]", async () => {
        await bench.plant("f", "g", "d/h", "e/i")
        for (const method of ["COPY", "MOVE"])
            for (const [path, Destination] of [
                ["/a/f", "/a/g"],
                ["/a/d/", "/a/e/"],
            ]) {
                assert.equal(await bench.statusOf(method, path, { Destination, Overwrite: "f" }), 412)
                assert.equal(await bench.statusOf(method, path, { Destination, Overwrite: "no" }), 400)
            }
        bench.assertThere(["f", "g", "d/h", "e/i"], "after all")
    })

    it("odd spellings that mean one thing are served: doubled slashes, names alike [R18]", async () => {
        await bench.plant("x/g", "xy/f")
        assert.equal(await bench.statusOf("MKCOL", "/a//x/new//"), 201)
        assert.equal(await bench.statusOf("MKCOL", "/a/%78/"), 405)
        assert.equal(await bench.statusOf("COPY", "/a/x/", { Destination: "/a/xy/n/" }), 201, "a longer name")
        assert.equal(await bench.statusOf("MOVE", "/a/xy/f", { Destination: "/a//x//f" }), 201)
        assert.equal(await bench.statusOf("COPY", "/a/x/", { Destination: "/b/x/" }), 201, "another volume")
        assert.equal(await bench.statusOf("MOVE", "/a/x/", { Destination: "/a/xy/" }), 204)
        assert.equal(bench.fake.cabinet.volumes[0].file("xy/f")?.toString(), "xy/f")
        assert.equal(await bench.statusOf("DELETE", "/a//xy//g"), 204)
        assert.equal(bench.fake.cabinet.volumes[1].file("x/g")?.toString(), "x/g")
    })
})

describe("webdav: paths where a volume is the root", function () {
    this.timeout(20_000)

    it("the volume is not removed, moved or replaced [R18] [R29] [R33]", async () => {
        const bench = await startWebdavBench(0)
        try {
            const planted = ["x/y/f", "x/g", "top"]
            await bench.plant(...planted)
            for (const [method, path, Destination] of [
                ["DELETE", "/", ""],
                ["COPY", "/top", "/"],
                ["MOVE", "/top", "/"],
                ["MOVE", "/x/", "/"],
                ["COPY", "/x/y/", "/%78/"],
                ["MOVE", "/x/g", "//x"],
                ["DELETE", "/%2e//", ""],
            ]) {
                const status = await bench.statusOf(method, path, Destination ? { Destination } : {})
                assert.ok([400, 403].includes(status), `${method} ${path} ${Destination}: ${status}`)
                bench.assertThere(planted, `${method} ${path} ${Destination}`)
            }
        } finally {
            await bench.close()
        }
    })
})
