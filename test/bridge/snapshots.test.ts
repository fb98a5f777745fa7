// Snapshots, properties and arrays from the command line and over WebDAV, on a fake cabinet.

import assert from "node:assert/strict"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { connectBus, realClock, realRandom, type JacdacBus } from "../../tools/bridge/bus"
import { TwinfilerClient } from "../../tools/bridge/client"
import { pack, unpack } from "../../tools/bridge/client/properties"
import { startWebdav, type WebdavServer } from "../../tools/bridge/webdav/server"
import { bytes } from "./bench"
import { CliBench } from "./cli-bench"
import { startFakeServer, type FakeServer } from "./fake-server"

const json = (out: string) => JSON.parse(out) as Record<string, unknown>

describe("command line: snapshots, properties, arrays", () => {
    let bench: CliBench
    let dir: string
    beforeEach(async () => {
        bench = new CliBench()
        dir = await fs.mkdtemp(path.join(os.tmpdir(), "twinfiler-"))
    })
    afterEach(() => fs.rm(dir, { recursive: true, force: true }))

    const put = async (text: string, at: string) => {
        bench.input = Buffer.from(text)
        assert.equal((await bench.run("put", "-", at)).exitCode, 0)
    }

    it("a snapshot is made, listed, read as it was, and deleted [R30]", async () => {
        await bench.run("mkdir", ":/a/d")
        await put("old", ":/a/d/f")
        const made = await bench.run("snapshot", "create", "a", "before")
        assert.equal(made.exitCode, 0)
        assert.equal(made.out, ":/a/.snapshots/before\n")
        await put("new", ":/a/d/f")
        await bench.run("snapshot", "create", ":/a", "after")
        await bench.run("rm", "-r", ":/a/d")
        assert.equal((await bench.run("cat", ":/a/.snapshots/before/d/f")).out, "old")
        assert.equal((await bench.run("cat", ":/a/.snapshots/after/d/f")).out, "new")
        assert.equal((await bench.run("ls", ":/a")).out, "", "not listed with the root")
        assert.deepEqual((await bench.run("ls", ":/a/.snapshots")).out.split("\n").sort(), ["", "after/", "before/"])
        assert.equal((await bench.run("ls", ":/a/.snapshots/before")).out, "d/\n")
        assert.match((await bench.run("stat", ":/a/.snapshots/before/d/f")).out, /size 3/)
        assert.equal((await bench.run("sha256", ":/a/.snapshots/before/d/f")).exitCode, 0)
        assert.equal((await bench.run("tree", ":/a/.snapshots/before")).exitCode, 0)
        const back = path.join(dir, "back")
        assert.equal((await bench.run("get", "-r", ":/a/.snapshots/before", back)).exitCode, 0)
        assert.equal(await fs.readFile(path.join(back, "d/f"), "utf8"), "old")
        assert.equal((await bench.run("cp", "-r", ":/a/.snapshots/before/d", ":/b/d")).exitCode, 0)
        assert.equal(String(bench.cabinet.volumes[1].file("d/f")), "old")
        const listed = json((await bench.run("snapshot", "list", "a", "--json")).out)
        assert.deepEqual(
            (listed.snapshots as { name: string; created: string; bytesHeld: number }[]).map(one => [
                one.name,
                one.created,
                one.bytesHeld,
            ]),
            [
                ["after", "2023-11-14T22:13:20Z", 2360],
                ["before", "2023-11-14T22:13:20Z", 2360],
            ],
        )
        assert.match((await bench.run("snapshot", "list", "a")).out, /2023-11-14 22:13:20 +2360 {2}before/)
        assert.equal((await bench.run("snapshot", "delete", "a", "before")).exitCode, 0)
        assert.equal((await bench.run("cat", ":/a/.snapshots/before/d/f")).exitCode, 3)
        assert.equal((await bench.run("snapshot", "delete", "a", "before")).exitCode, 3)
        const some = await bench.run("snapshot", "delete", "a", "after", "nosuch")
        assert.equal(some.exitCode, 3)
        assert.match(some.err, /deleted before that: after\n/)
    })

    it("what snapshots refuse, in words that help [R30] [R33]", async () => {
        await put("f", ":/a/f")
        await bench.run("snapshot", "create", "a", "s")
        bench.input = Buffer.from("x")
        for (const args of [
            ["put", "package.json", ":/a/.snapshots"],
            ["put", "-", ":/a/.snapshots/s/f"],
            ["mkdir", ":/a/.snapshots"],
            ["mkdir", "-p", ":/a/.snapshots/s/d/e"],
            ["rm", ":/a/.snapshots/s/f"],
            ["rm", "-r", ":/a/.snapshots/s"],
            ["mv", ":/a/.snapshots/s/f", ":/a/g"],
            ["mv", ":/a/.snapshots/s/f", ":/b/g"],
            ["mv", ":/a/f", ":/a/.snapshots/s/g"],
            ["mv", ":/a/f", ":/a/.snapshots"],
            ["prop", "set", ":/a/.snapshots/s/f", "n", "v"],
        ]) {
            const { exitCode, err } = await bench.run(...args)
            assert.equal(exitCode, 1, `${args.join(" ")}: ${err}`)
            assert.match(err, /snapshot/, args.join(" "))
        }
        assert.equal(bench.cabinet.volumes[1].objects.size, 1, "nothing was copied before it was refused")
        assert.equal((await bench.run("mkdir", ":/a/d")).exitCode, 0)
        assert.equal((await bench.run("mkdir", ":/a/d/.snapshots")).exitCode, 0, "the name is free elsewhere")
        assert.equal((await bench.run("snapshot", "create", "a", "s")).exitCode, 1, "exists")
        assert.equal((await bench.run("snapshot", "create", "a", "x".repeat(101))).exitCode, 2)
        assert.equal((await bench.run("snapshot", "create", "a", "a/b")).exitCode, 2)
        assert.equal((await bench.run("snapshot", "create", ":/a/d", "x")).exitCode, 2)
        assert.equal((await bench.run("snapshot")).exitCode, 2)
        for (let i = 0; i < 7; i++) assert.equal((await bench.run("snapshot", "create", "a", `n${i}`)).exitCode, 0)
        assert.match((await bench.run("snapshot", "create", "a", "ninth")).err, /8 snapshots at most: delete one/)
        assert.equal((json((await bench.run("snapshot", "list", "a", "--json")).out).snapshots as []).length, 8)
    })

    it("properties are set, listed, copied with the file and removed [R29]", async () => {
        await put("f", ":/a/f")
        assert.equal((await bench.run("prop", "set", ":/a/f", "color", "red")).exitCode, 0)
        assert.equal((await bench.run("prop", "set", ":/a/f", "año", "2026")).exitCode, 0)
        assert.equal((await bench.run("prop", "list", ":/a/f")).out, "año=2026\ncolor=red\n")
        await put("again", ":/a/f")
        assert.equal((await bench.run("cp", ":/a/f", ":/b/g")).exitCode, 0)
        assert.deepEqual(json((await bench.run("prop", "list", ":/b/g", "--json")).out).properties, {
            año: "2026",
            color: "red",
        })
        assert.equal((await bench.run("prop", "remove", ":/b/g", "color")).exitCode, 0)
        assert.equal((await bench.run("prop", "list", ":/b/g")).out, "año=2026\n")
        const missing = await bench.run("prop", "remove", ":/b/g", "color")
        assert.equal(missing.exitCode, 3)
        assert.match(missing.err, /has no property "color"/)
        assert.match((await bench.run("prop", "set", ":/b/g", "n", "v".repeat(198))).err, /200 bytes at most/)
        assert.match((await bench.run("prop", "set", ":/b/g", "n", "v".repeat(190))).err, /200 bytes at most/)
        assert.equal((await bench.run("prop", "set", ":/b/g", "n", "")).exitCode, 2)
        assert.equal((await bench.run("prop", "set", ":/b/none", "n", "v")).exitCode, 3)
    })

    it("what WebDAV clients store is packed, and comes back the same; damage counts as nothing [R29] [R33]", () => {
        const windows = {
            "urn:schemas-microsoft-com:%%Win32CreationTime": "Sat, 21 Nov 2026 11:02:03 GMT",
            "urn:schemas-microsoft-com:%%Win32LastAccessTime": "Sun, 22 Nov 2026 12:34:56 GMT",
            "urn:schemas-microsoft-com:%%Win32LastModifiedTime": "Mon, 23 Nov 2026 13:14:15 GMT",
            "urn:schemas-microsoft-com:%%Win32FileAttributes": "00000020",
        }
        const packed = pack(windows)
        assert.ok(packed.length < 100, `${packed.length} bytes`)
        assert.deepEqual(unpack(packed), windows)
        assert.equal(pack({}).length, 0)
        for (const damaged of [undefined, Buffer.alloc(0), Buffer.of(1), Buffer.of(2, 3), packed.subarray(0, 40)])
            assert.deepEqual(unpack(damaged), {})
    })

    it("array show, rebuild with --wait, and what it refuses [R25] [R36]", async () => {
        const { array } = bench.cabinet.volumes[0]
        const shown = await bench.run("array", "show", "a")
        assert.equal(shown.exitCode, 0)
        assert.match(shown.out, /array a: mirror of 2, complete/)
        assert.match(shown.out, /slot 1: position 1, NOR, 16384 pages, in use, 3 bad pages/)
        assert.match(shown.out, /slot 2: SD, 32768 pages, blank, may be used/)
        assert.match((await bench.run("array", "rebuild", "a")).err, /nothing to rebuild/)
        array.slots[1].state = "failed"
        const degraded = await bench.run("array", "show", "--json")
        assert.equal(degraded.exitCode, 4)
        const [first] = json(degraded.out).arrays as { members: number[]; slots: { state: string }[] }[]
        assert.deepEqual(first.members, [0])
        assert.equal(first.slots[1].state, "failed")
        assert.equal((await bench.run("array", "rebuild", "a", "--slot", "3")).exitCode, 3)
        array.slots[2].state = "foreign"
        assert.match((await bench.run("array", "rebuild", "a", "1", "--slot", "2")).err, /--force to overwrite/)
        const done = await bench.run("array", "rebuild", "a", "1", "--slot", "2", "--force", "--wait")
        assert.equal(done.exitCode, 0, done.err)
        assert.match(done.out, /array a is rebuilt/)
        assert.equal(array.slots[2].state, "member")
        for (const args of [
            ["array", "rebuild", "a", "one"],
            ["array", "rebuild", "a", "9"],
            ["array", "rebuild", "a", "--slot", "99"],
            ["array", "replace", "a"],
            ["array", "show", ":/a/d"],
        ])
            assert.equal((await bench.run(...args)).exitCode, 2, args.join(" "))
    })

    it("Ctrl-C while it waits leaves the rebuild running and says so; waiting can be taken up again [R25] [R36]", async () => {
        const { array } = bench.cabinet.volumes[0]
        array.step = 1
        bench.cabinet.executed = command => {
            if (command.kind === "request" && command.op === "rebuild" && command.flags)
                bench.clock.setTimeout(() => bench.stop.abort(), 3_500)
        }
        const stopped = await bench.run("array", "replace", "a", "1", "--wait")
        assert.equal(stopped.exitCode, 130)
        assert.match(stopped.err, /the rebuild goes on; `twinfiler array show a`/)
        bench.cabinet.executed = () => undefined
        bench.stop = new AbortController()
        assert.match((await bench.run("array", "show", "a")).out, /rebuilding position 1: \d\d of 64 segments left/)
        assert.match((await bench.run("array", "replace", "a", "0")).err, /a rebuild is under way already/)
        array.step = 20
        const done = await bench.run("array", "rebuild", "a", "--wait")
        assert.equal(done.exitCode, 0, done.err)
    })

    it("array show without a volume: one that nobody controls is named and hides no other [R36]", async () => {
        bench.cabinet.cut(0, 60_000)
        await bench.clock.drive(bench.clock.sleep(500))
        const from = bench.clock.now()
        const { exitCode, out } = await bench.run("array", "show")
        assert.equal(exitCode, 4)
        assert.match(out, /^array b: mirror of 2, complete/)
        assert.match(out, /\narray a: not shown: no node controls volume a: see `twinfiler status`\n$/)
        assert.ok(bench.clock.now() - from < 2_000)
        const { arrays, notShown } = json((await bench.run("array", "show", "--json")).out)
        assert.deepEqual([(arrays as []).length, (notShown as { volume: string }[])[0].volume], [1, "a"])
        bench.cabinet.nodes[1].controls = []
        assert.notEqual((await bench.run("array", "show")).exitCode, 0)
    })

    it("bad pages that are not repaired: status, array show and --json say so, until a scrub leaves none [R25] [R36]", async () => {
        const { array } = bench.cabinet.volumes[0]
        assert.match((await bench.run("status")).out, /all is well/)
        array.damagedSegments = 3
        const told = await bench.run("status")
        assert.equal(told.exitCode, 4)
        assert.match(told.out, /! array a has bad pages in 3 segments, found and not repaired yet/)
        assert.match(told.out, /`twinfiler scrub a --wait` reads all again and repairs/)
        assert.doesNotMatch(told.out, /all is well/)
        const report = json((await bench.run("status", "--json")).out)
        assert.equal((report.volumes as { damagedSegments: number }[])[0].damagedSegments, 3)
        assert.equal((report.problems as unknown[]).length, 1)
        assert.equal(report.ok, false)
        assert.match((await bench.run("array", "show", "a")).out, /! bad pages in 3 segments are not repaired/)
        array.unrepairable = 1
        assert.equal((await bench.run("scrub", "a", "--wait")).exitCode, 0)
        assert.match((await bench.run("status")).out, /bad pages in 1 segment, found/)
        const refused = await bench.run("array", "replace", "a", "1", "--slot", "2")
        assert.match(refused.err, /bad pages in 1 segments could not be repaired.*nothing was replaced/)
        assert.equal(array.slots[1].state, "member")
        array.unrepairable = 0
        array.scrubRate = 0
        assert.equal((await bench.run("scrub", "a", "--wait")).exitCode, 0)
        assert.match((await bench.run("status")).out, /all is well/)
    })

    it("array replace onto a slot that is in use, or is none: what is wrong, and which to name [R25] [R36]", async () => {
        const { array } = bench.cabinet.volumes[0]
        const taken = await bench.run("array", "replace", "a", "1", "--slot", "0")
        assert.equal(taken.exitCode, 2)
        assert.match(
            taken.err,
            /the element in slot 0 is in use, as position 0 of the array: name another with --slot \(2\)/,
        )
        assert.equal(array.slots[1].state, "member")
        assert.match(
            (await bench.run("array", "replace", "a", "1", "--slot", "9")).err,
            /there is no slot 9, they are 0 to 3/,
        )
        array.slots[2].state = "empty"
        const full = await bench.run("array", "replace", "a", "1", "--slot", "0")
        assert.match(full.err, /in use, as position 0 of the array: put an element into an empty slot/)
        array.slots[1].state = "failed"
        const rebuilt = await bench.run("array", "rebuild", "a", "1", "--slot", "0")
        assert.match(rebuilt.err, /in use, as position 0/)
        for (const { err } of [taken, full, rebuilt]) assert.doesNotMatch(err, /version|all of the array is read/)
    })

    it("array replace and rebuild of a position that is none: which there are, and where [R25] [R36]", async () => {
        for (const verb of ["replace", "rebuild"]) {
            const { exitCode, err } = await bench.run("array", verb, "a", "3")
            assert.equal(exitCode, 2)
            assert.match(
                err,
                /there is no position 3 in the array, they are 0 to 1 \(position 0 in slot 0, position 1 in slot 1\)/,
            )
            assert.match(err, /`twinfiler array show a` lists all slots/)
            assert.doesNotMatch(err, /version|all of the array is read/)
        }
    })

    it("array replace with no element to rebuild onto, or one that will not do: told before the array is read [R25] [R36]", async () => {
        const { array } = bench.cabinet.volumes[0]
        const replace = async (...options: string[]) => {
            const { exitCode, err } = await bench.run("array", "replace", "a", "1", ...options)
            assert.doesNotMatch(err, /all of the array is read/)
            assert.deepEqual([array.scrubRate, array.joining, array.slots[1].state], [0, 0xff, "member"])
            return `${exitCode} ${err}`
        }
        assert.match(await replace("--slot", "3"), /^3 .*no element is there to rebuild onto/)
        array.slots[2].pages = 100
        for (const options of [[], ["--slot", "2"]])
            assert.match(await replace(...options), /^1 .*the element is smaller than the array's/)
        array.slots[2].state = "foreign"
        array.slots[2].pages = 16_384
        assert.match(await replace(), /^3 .*no element is there to rebuild onto: put an empty one into a free slot/)
        assert.match(await replace("--slot", "2"), /^1 .*give --force to overwrite/)
        Object.assign(array.slots[2], { state: "failed", badPages: 255 })
        assert.match(await replace(), /^3 .*the element in slot 2 did not hold what a rebuild wrote to it/)
        // in its own slot there is one
        const own = await bench.run("array", "replace", "a", "1", "--slot", "1")
        assert.match(own.err, /^first all of the array is read/)
    })

    it("an element that does not hold what is written to it: the rebuild says so, and array show [R25] [R36]", async () => {
        const { array } = bench.cabinet.volumes[0]
        array.slots[1].state = "failed"
        array.step = 8
        bench.cabinet.executed = command => {
            if (command.kind === "request" && command.op === "rebuild")
                bench.clock.setTimeout(() => {
                    array.joining = 0xff
                    Object.assign(array.slots[2], { state: "failed", badPages: 255 })
                }, 2_500)
        }
        array.slots[1].badPages = 0
        const ended = await bench.run("array", "rebuild", "a", "--slot", "2", "--wait")
        assert.notEqual(ended.exitCode, 0)
        assert.match(ended.err, /the element in slot 2 does not hold what is written to it and is not used any more/)
        assert.match(
            (await bench.run("array", "show", "a")).out,
            /slot 2: failed: it does not hold what is written to it/,
        )
        const again = await bench.run("array", "rebuild", "a")
        assert.equal(again.exitCode, 3)
        assert.match(again.err, /the element in slot 2 did not hold what a rebuild wrote to it: .* --slot 2/)
    })

    it("scrub runs, is stopped, and tells what it found [R25] [R36]", async () => {
        const { array } = bench.cabinet.volumes[0]
        assert.match((await bench.run("scrub", "a", "--rate", "7")).out, /scrub of a runs/)
        assert.equal(array.scrubRate, 7)
        assert.match((await bench.run("array", "show", "a")).out, /scrub: running, at segment \d+ of 64/)
        assert.match((await bench.run("scrub", "a", "--wait")).out, /all of a was read: 2 bad pages, 1 segments/)
        assert.match((await bench.run("scrub", "a", "--stop")).out, /stopped/)
        assert.equal(array.scrubRate, 0)
        for (const args of [
            ["--rate", "0"],
            ["--rate", "x"],
            ["--stop", "--wait"],
            ["--stop", "--files"],
        ])
            assert.equal((await bench.run("scrub", "a", ...args)).exitCode, 2)
    })

    it("scrub --files reads every file besides, and says how many [R25] [R36]", async () => {
        await bench.run("mkdir", ":/a/d")
        for (const at of [":/a/f", ":/a/d/g"]) {
            bench.input = Buffer.from(at)
            assert.equal((await bench.run("put", "-", at)).exitCode, 0)
        }
        const told = await bench.run("scrub", "a", "--files", "--json")
        assert.equal(told.exitCode, 0)
        const { filesRead, unreadable } = JSON.parse(told.out) as { filesRead: number; unreadable: unknown[] }
        assert.equal(filesRead, 2)
        assert.deepEqual(unreadable, [])
        assert.match(
            (await bench.run("scrub", "a", "--files")).out,
            new RegExp(`${filesRead} files were read: none is lost`),
        )
    })
})

describe("webdav: snapshots and properties", function () {
    this.timeout(20_000)
    let fake: FakeServer
    let bus: JacdacBus
    let client: TwinfilerClient
    let server: WebdavServer
    let rooted: WebdavServer

    before(async () => {
        fake = await startFakeServer()
        bus = await connectBus(fake.url)
        client = new TwinfilerClient(bus, { clock: realClock, random: realRandom })
        await client.ready()
        const now = () => 1_700_000_000
        server = await startWebdav(client, { host: "127.0.0.1", port: 0, now })
        rooted = await startWebdav(client, { host: "127.0.0.1", port: 0, now, volume: 0 })
    })
    after(async () => {
        await server?.close()
        await rooted?.close()
        await client?.close()
        await bus?.close()
        fake?.close()
    })

    const ask = (method: string, at: string, headers: Record<string, string> = {}, body?: Buffer | string) =>
        fetch(new URL(at, server.url), { method, headers, body })
    const xml = { "Content-Type": "application/xml" }
    const patch = (at: string, inner: string) =>
        ask("PROPPATCH", at, xml, `<propertyupdate xmlns="DAV:" xmlns:x="http://x.example/">${inner}</propertyupdate>`)
    const find = async (at: string, prop = "", depth = "0") => {
        const body = prop
            ? `<propfind xmlns="DAV:" xmlns:x="http://x.example/"><prop>${prop}</prop></propfind>`
            : undefined
        return (await ask("PROPFIND", at, { ...(body ? xml : {}), Depth: depth }, body)).text()
    }

    it("a snapshot is a collection one can read and not change, hidden from the listing [R30] [R18]", async () => {
        const data = bytes(1_000)
        assert.equal((await ask("MKCOL", "a/d/")).status, 201)
        assert.equal((await ask("PUT", "a/d/f", {}, data)).status, 201)
        await client.createSnapshot(0, "s 1", { mtime: 1_700_000_000 })
        assert.equal((await ask("PUT", "a/d/f", {}, bytes(10))).status, 204)
        const at = "a/.snapshots/s%201/d/f"
        assert.deepEqual(Buffer.from(await (await ask("GET", at)).arrayBuffer()), data)
        assert.doesNotMatch(await find("a/", "", "1"), /snapshots/)
        assert.match(await find("a/.snapshots/", "", "1"), /s%201/)
        assert.match(await find("a/.snapshots/s%201/", "", "1"), /s%201\/d\//)
        assert.match(await find("a/.snapshots/s%201/", "<quota-used-bytes/>"), /<quota-used-bytes>\d+</)
        const Destination = new URL("a/.snapshots/s%201/g", server.url).href
        const out = new URL("a/restored", server.url).href
        for (const [method, where, headers] of [
            ["PUT", at, {}],
            ["PUT", "a/.snapshots/s%201/new", {}],
            ["PUT", "a/.snapshots", {}],
            ["DELETE", at, {}],
            ["DELETE", "a/.snapshots/s%201/", {}],
            ["DELETE", "a/%2esnapshots/s%201/", {}],
            ["MKCOL", "a/.snapshots/", {}],
            ["MKCOL", "a/.snapshots/t/", {}],
            ["PROPPATCH", at, {}],
            ["COPY", "a/d/f", { Destination }],
            ["MOVE", "a/d/f", { Destination }],
            ["MOVE", at, { Destination: out }],
        ] as [string, string, Record<string, string>][]) {
            const { status } = await ask(method, where, headers, method === "PUT" ? bytes(5) : undefined)
            assert.equal(status, 403, `${method} ${where}`)
        }
        assert.equal((await ask("COPY", at, { Destination: out })).status, 201)
        assert.deepEqual(fake.cabinet.volumes[0].file("restored"), data)
        assert.equal((await ask("GET", "a/.snapshots/none/d/f")).status, 404)
        assert.equal((await ask("MKCOL", "a/d/.snapshots/")).status, 201, "the name is free elsewhere")
        const alone = await fetch(new URL(".snapshots/s%201/d/f", rooted.url), { method: "DELETE" })
        assert.equal(alone.status, 403, "also where a volume is the root")
        assert.equal((await fetch(new URL(".snapshots/s%201/d/f", rooted.url))).status, 200)
        await client.deleteSnapshot(0, "s 1")
        assert.equal((await ask("GET", at)).status, 404)
    })

    it("dead properties: set, found, replaced, removed, kept over PUT, MOVE and COPY, all or nothing [R29] [R18]", async () => {
        await ask("PUT", "b/f", {}, bytes(10))
        const set = (inner: string) => `<set><prop>${inner}</prop></set>`
        assert.equal((await patch("b/f", set("<x:a>one</x:a><x:b><x:c>deep</x:c></x:b>"))).status, 207)
        assert.match(await find("b/f", "<x:a/>"), />one</)
        assert.match(await find("b/f", "<x:b/>"), />deep</)
        assert.match(await find("b/f"), />one</, "allprop has them")
        assert.match(await find("b/", "", "1"), />one</, "in a listing too")
        await patch("b/f", set("<x:a>two</x:a>") + "<remove><prop><x:b/></prop></remove>")
        assert.match(await find("b/f", "<x:a/>"), />two</)
        assert.match(await find("b/f", "<x:b/>"), /404/)
        const tooLarge = await (
            await patch("b/f", set(`<x:a>three</x:a><x:l>${bytes(300).toString("hex")}</x:l>`))
        ).text()
        assert.match(tooLarge, /507/)
        assert.match(tooLarge, /424/)
        const mixed = await (await patch("b/f", set("<x:a>three</x:a><getetag>x</getetag>"))).text()
        assert.match(mixed, /403/)
        assert.match(await find("b/f", "<x:a/>"), />two</, "nothing of what failed")
        await ask("PUT", "b/f", {}, bytes(20))
        assert.match(await find("b/f", "<x:a/>"), />two</, "after PUT")
        await ask("MOVE", "b/f", { Destination: new URL("b/g", server.url).href })
        assert.match(await find("b/g", "<x:a/>"), />two</, "after MOVE")
        await ask("COPY", "b/g", { Destination: new URL("a/copied", server.url).href })
        assert.match(await find("a/copied", "<x:a/>"), />two</, "after COPY")
        await ask("PUT", "b/plain", {}, bytes(20))
        await ask("COPY", "b/plain", { Destination: new URL("a/copied", server.url).href })
        assert.match(await find("a/copied", "<x:a/>"), /404/, "a copy over it has those of its source")
        await client.setProperty(1, "g", "color", "red", { mtime: 0 })
        assert.match(await find("b/g"), /urn:x-twinfiler:property/)
        assert.match(await (await patch("b/g", "<remove><prop><x:none/></prop></remove>")).text(), /200 OK/)
        assert.equal((await patch("", set("<x:a>1</x:a>"))).status, 207)
    })
})
