import assert from "node:assert/strict"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { diagnose, type NodeReport } from "../../tools/bridge/cli/diagnosis"
import type { NodeState } from "../../tools/bridge/client"
import { TwinfilerError } from "../../tools/bridge/error"
import { beatFlags } from "../../tools/bridge/protocol/numbers"
import { bytes } from "./bench"
import { CliBench } from "./cli-bench"

describe("command line", () => {
    let bench: CliBench
    let dir: string
    beforeEach(async () => {
        bench = new CliBench()
        dir = await fs.mkdtemp(path.join(os.tmpdir(), "twinfiler-"))
    })
    afterEach(() => fs.rm(dir, { recursive: true, force: true }))

    it("a volume whose board is silent and which nobody has yet is waited for; one of no pair is not found [R4] [R9]", async () => {
        bench.cabinet.cut(0, 8_000)
        const made = await bench.run("mkdir", ":/a/dir")
        assert.deepEqual([made.exitCode, made.err], [0, ""])
        assert.ok(bench.clock.now() > 8_000)
        const { exitCode, err } = await bench.run("mkdir", ":/c/dir")
        assert.notEqual(exitCode, 0)
        assert.match(err, /no volume c on this bus; there is a, b/)
    })

    it("usage errors: exit 2 and a word that helps", async () => {
        for (const args of [
            [],
            ["bogus"],
            ["ls", "dir"],
            ["ls", ":a"],
            ["ls", ":/zz/x"],
            ["cat"],
            ["cat", ":/"],
            ["put", "file"],
            ["put", "file", "other"],
            ["get", "file", "."],
            ["cp", "file", "other"],
            ["mv", ":/a/x"],
            ["rm", ":/a"],
            ["mkdir", `:/a/${"x".repeat(201)}`],
            ["ls", ":/a/../../b"],
            ["takeover", "one"],
            ["power", "a", "maybe"],
            ["serve"],
            ["serve", "--webdav", "x"],
            ["ls", "--timeout", "soon"],
            ["ls", "--bus", "http://x"],
        ]) {
            const { exitCode, err } = await bench.run(...args)
            assert.equal(exitCode, 2, `${args.join(" ")}: ${err}`)
            assert.notEqual(err, "")
        }
        assert.equal((await bench.run("--help")).exitCode, 0)
        const { exitCode, out } = await bench.run("--version")
        assert.equal(exitCode, 0)
        assert.match(out, /^\d+\.\d+\.\d+\n$/)
    })

    it("exit codes: 3 not found, 5 no bus and no node, 7 no space, 4 done but degraded", async () => {
        assert.equal((await bench.run("cat", ":/a/none")).exitCode, 3)
        assert.equal((await bench.run("ls", ":/q")).exitCode, 3)
        bench.hasBus = false
        assert.equal((await bench.run("ls")).exitCode, 5)
        bench.hasBus = true
        bench.cabinet.reportFlags = 1
        const degraded = await bench.run("mkdir", ":/a/dir")
        assert.equal(degraded.exitCode, 4)
        assert.match(degraded.err, /no partner keeps copies/)
        bench.cabinet.isMute = true
        assert.equal((await bench.run("ls")).exitCode, 5)
        assert.equal(new TwinfilerError("noSpace", "").exitCode, 7)
        assert.equal(new TwinfilerError("checksum", "").exitCode, 6)
    })

    it("puts and gets files and trees, keeps names, reads back the same [R18]", async () => {
        const data = bytes(5_000)
        await fs.mkdir(path.join(dir, "tree/sub"), { recursive: true })
        await fs.writeFile(path.join(dir, "tree/file"), data)
        await fs.writeFile(path.join(dir, "tree/sub/empty"), "")
        assert.equal((await bench.run("put", path.join(dir, "tree/file"), ":/a/")).exitCode, 0)
        assert.deepEqual(bench.cabinet.volumes[0].file("file"), data)
        assert.equal((await bench.run("put", path.join(dir, "tree"), ":/a/")).exitCode, 1)
        assert.equal((await bench.run("put", "-r", path.join(dir, "tree"), ":/a/")).exitCode, 0)
        assert.equal((await bench.run("cp", "-r", ":/a/tree", ":/b/copy")).exitCode, 0)
        assert.equal((await bench.run("get", "-r", ":/b/copy", path.join(dir, "back"))).exitCode, 0)
        assert.deepEqual(await fs.readFile(path.join(dir, "back/file")), data)
        assert.equal((await fs.readFile(path.join(dir, "back/sub/empty"))).length, 0)
        const { out } = await bench.run("tree", ":/b", "--json")
        assert.deepEqual(
            (JSON.parse(out) as { entries: { path: string }[] }).entries.map(entry => entry.path),
            [":/b/copy", ":/b/copy/file", ":/b/copy/sub", ":/b/copy/sub/empty"],
        )
        assert.equal((await bench.run("mv", ":/b/copy", ":/a/moved")).exitCode, 0)
        assert.deepEqual(bench.cabinet.volumes[0].file("moved/file"), data)
        assert.equal((await bench.run("rm", ":/a/moved")).exitCode, 1)
        assert.equal((await bench.run("rm", "-r", ":/a/moved", ":/a/tree", ":/a/file")).exitCode, 0)
        assert.equal(bench.cabinet.volumes[0].objects.size, 1)
        assert.equal(bench.cabinet.volumes[1].objects.size, 1)
    })

    it("a file larger than what is free is refused before it is sent; what was removed a moment ago is waited for", async () => {
        const [volume] = bench.cabinet.volumes
        await fs.writeFile(path.join(dir, "big"), bytes(200_000))
        volume.bytesFree = 100_000
        const put = ["put", path.join(dir, "big"), ":/a/"]
        const { exitCode, err } = await bench.run(...put)
        assert.equal(exitCode, 7)
        assert.match(err, /:\/a\/big: needs 200000 bytes, 100000 are free\n$/)
        assert.ok(!bench.cabinet.sent.some(command => command.kind === "write"))
        for (const step of [1, 2, 3]) bench.clock.setTimeout(() => (volume.bytesFree += 40_000), step * 1_500)
        assert.equal((await bench.run(...put)).exitCode, 0)
        assert.equal(volume.file("big")?.length, 200_000)
        // of standard input nobody knows the size
        volume.bytesFree = 0
        bench.input = bytes(100_000)
        assert.equal((await bench.run("put", "-", ":/a/stream")).exitCode, 0)
    })

    it("- is standard input and output; sha256 and ls --json print what a script can read", async () => {
        bench.input = Buffer.from("hello\n")
        assert.equal((await bench.run("put", "-", ":/a/hello")).exitCode, 0)
        assert.equal((await bench.run("cat", ":/a/hello")).out, "hello\n")
        assert.equal((await bench.run("get", ":/a/hello", "-")).out, "hello\n")
        const { out } = await bench.run("sha256", ":/a/hello")
        assert.match(out, /^5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 {2}:\/a\/hello\n$/)
        const list = JSON.parse((await bench.run("ls", "--json", ":/a")).out) as Record<string, unknown>
        assert.equal(list.outputVersion, 1)
        assert.equal((await bench.run("put", "-", ":/a/hello", "--no-clobber")).exitCode, 1)
    })

    it("df takes a volume by its letter or by a path on it", async () => {
        for (const text of ["a", ":/a", ":/a/dir"]) {
            const { exitCode, out } = await bench.run("df", text, "--json")
            const { volumes } = JSON.parse(out) as { volumes: { volume: string }[] }
            assert.deepEqual([exitCode, volumes.map(({ volume }) => volume)], [0, ["a"]])
        }
        assert.equal((await bench.run("df", "dir")).exitCode, 2)
    })

    it("Ctrl-C aborts the open upload and ends with 130", async () => {
        bench.input = bytes(100_000)
        bench.cabinet.sawBlock = offset => offset > 20_000 && bench.stop.abort()
        assert.equal((await bench.run("put", "-", ":/a/file")).exitCode, 130)
        assert.equal(bench.cabinet.volumes[0].uploads.size, 0)
    })

    it("takeover and giveback by name; a veto is an error with its reason [R15]", async () => {
        assert.match((await bench.run("takeover", "b", "--dry-run")).out, /is possible/)
        assert.equal((await bench.run("takeover", "b")).exitCode, 0)
        const again = await bench.run("takeover", "b")
        assert.equal(again.exitCode, 1)
        assert.match(again.err, /that is so already/)
        const nobody = await bench.run("takeover", "z")
        assert.equal(nobody.exitCode, 3)
        assert.match(nobody.err, /no node z on this bus; there is a, b/)
        const told = await bench.run("takeover", "b", "--json")
        assert.equal(told.exitCode, 1)
        const reasons = ["that is so already"]
        const about = { outputVersion: 1, verb: "takeover", node: "b", dryRun: false, ok: false, reasons }
        assert.deepEqual(JSON.parse(told.out), about)
        const status = await bench.run("status")
        assert.equal(status.exitCode, 4)
        assert.match(status.out, /`twinfiler giveback b` hands it back/)
        assert.equal((await bench.run("giveback", "b")).exitCode, 0)
        assert.match((await bench.run("status")).out, /all is well/)
    })

    it("a dry run asked of a node that is silent answers at once and names it [R15] [R36]", async () => {
        bench.cabinet.cut(0, 100)
        await bench.clock.drive(bench.clock.sleep(500))
        for (const args of [
            ["takeover", "a"],
            ["giveback", "a"],
            ["mode", "a", "active-standby"],
        ]) {
            const from = bench.clock.now()
            const { exitCode, err } = await bench.run(...args, "--dry-run")
            assert.equal(exitCode, 1)
            assert.match(err, new RegExp(`${args[0]} a is not possible: node a is silent; is its power on\\?`))
            assert.ok(bench.clock.now() - from < 2_000)
        }
        const { out } = await bench.run("takeover", "a", "--dry-run", "--json")
        assert.deepEqual((JSON.parse(out) as { reasons: string[] }).reasons, ["node a is silent; is its power on?"])
    })

    it("status says what is wrong and what to do when a board is dead [R36]", async () => {
        bench.cabinet.cut(0, 100)
        await bench.clock.drive(bench.clock.sleep(500))
        const { exitCode, out } = await bench.run("status", "--json")
        const status = JSON.parse(out) as { ok: boolean; problems: { what: string }[] }
        assert.equal(exitCode, 4)
        assert.match(status.problems[0].what, /node a is silent; node b serves volume a alone/)
        assert.deepEqual(diagnose([], []), [])
    })
    it("status, events and version say that a node which beats does not answer [R36]", async () => {
        bench.cabinet.isDeaf = true
        const status = await bench.run("status")
        assert.equal(status.exitCode, 4)
        assert.match(status.out, /^! node a: no answer for 1.5 s from node a\n {2}ask again; .*\n! node b: no answer/m)
        assert.doesNotMatch(status.out, /all is well|! volume/)
        const events = await bench.run("events")
        assert.equal(events.exitCode, 4)
        assert.match(events.err, /node a does not answer: what happened there is not told\n.*node b does not answer/)
        assert.match((await bench.run("version")).out, /^node a: does not answer\nnode b: does not answer\n$/)
        bench.cabinet.isDeaf = false
        assert.match((await bench.run("status")).out, /all is well/)
        const told = diagnose([], [{ volume: 0, controller: 1, refusal: "volume a: busy" }])
        assert.deepEqual(
            told.map(({ what }) => what),
            ["volume a: busy"],
        )
    })
    it("not protected: whether the partner does not record at all, or missed copies [R8] [R36]", () => {
        const { partnerHeard, protected: isProtected, controlsOwn, records } = beatFlags
        const state = (node: number, flags: number): NodeState =>
            ({ node, isHeard: true, role: 2, flags: flags | partnerHeard | controlsOwn }) as NodeState
        const volumes = [0, 1].map(volume => ({ volume, controller: volume }))
        const said = (a: number, b: number) => diagnose([state(0, a), state(1, b)], volumes).map(({ what }) => what)
        const both = isProtected | records
        assert.deepEqual(said(both, both), [])
        assert.match(said(records, both)[0], /^not protected: node b missed copies of what node a acknowledged/)
        assert.match(said(records, isProtected)[0], /^not protected: writes to node a .* node b does not record them/)
    })

    it("after a takeover: what is not protected is said of who serves, a giveback by itself when one will come [R15] [R36]", () => {
        const { partnerHeard, protected: isProtected, controlsOwn, controlsPartner } = beatFlags
        const said = (bFlags: number, givebackSeconds: number | null) => {
            const a = { node: 0, isHeard: true, role: 1, flags: partnerHeard }
            const figures = { givebackSeconds }
            const b = { node: 1, isHeard: true, role: 4, flags: partnerHeard | controlsOwn | controlsPartner | bFlags }
            const nodes = [a, { ...b, figures }] as NodeReport[]
            return diagnose(
                nodes,
                [0, 1].map(volume => ({ volume, controller: 1 })),
            )
        }
        const what = "node a is up but node b still controls its volume"
        const todo = "`twinfiler giveback b` hands it back"
        assert.deepEqual(said(isProtected, null), [{ what, todo }])
        assert.deepEqual(said(isProtected, 7), [{ what, todo: `${todo} (or wait: it does so by itself in 7 s)` }])
        assert.match(said(0, null)[1].what, /^not protected: writes to node b are not copied, because node a does/)
    })
})
