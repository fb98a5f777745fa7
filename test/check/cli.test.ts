// The verb check: exit codes, what it prints, what it changes on disk.

import assert from "node:assert/strict"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough, Readable } from "node:stream"
import type { World } from "../../tools/bridge/cli/context"
import { run } from "../../tools/bridge/cli/program"
import { checkArray, MemoryImage } from "../../tools/check"
import { busyArray, shapes } from "./scenarios"

async function twinfiler(...args: string[]): Promise<{ exitCode: number; out: string; err: string }> {
    const stdout = new PassThrough({ highWaterMark: 1e8 })
    const stderr = new PassThrough()
    const world = {
        stdin: Readable.from([]),
        stdout,
        stderr,
        env: {},
        isTerminal: false,
        now: () => 0,
        openBus: () => assert.fail("check opens no bus"),
        signal: new AbortController().signal,
    } as unknown as World
    const exitCode = await run(args, world)
    return { exitCode, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") }
}

describe("check: command line [R35]", function () {
    this.timeout(60_000)
    let dir: string
    const mirror = busyArray(shapes[0], "cli").builder.images
    const parity = busyArray({ ...shapes[3], arrayId: 0xabc, volume: 1 }, "cli").builder.images
    const file = (node: string, element: number) => join(dir, node, `E${element}.bin`)
    const damage = (path: string, offset: number) => {
        const bytes = fs.readFileSync(path)
        bytes[offset] ^= 0x10
        fs.writeFileSync(path, bytes)
    }

    beforeEach(() => {
        dir = fs.mkdtempSync(join(tmpdir(), "twinfiler-check-"))
        for (const [node, images] of Object.entries({ a: mirror, b: parity })) {
            fs.mkdirSync(join(dir, node))
            images.forEach((image, i) => fs.writeFileSync(file(node, i), image))
        }
    })
    afterEach(() => fs.rmSync(dir, { recursive: true, force: true }))

    it("a folder with two good arrays: exit 0, a summary of each [R35]", async () => {
        const { exitCode, out } = await twinfiler("check", dir, "--strict")
        assert.equal(exitCode, 0, out)
        assert.match(out, /array 7151f11e, volume a: mirror, 2 of 2 elements/)
        assert.match(out, /array 00000abc, volume b: parity, 4 of 4 elements/)
        assert.match(out, /\d+ files \(\d+ bytes\), 3 directories, 2 snapshots, 2 open uploads/)
        assert.match(out, /volume b: clean\n$/)
    })

    it("many rows without use whose parity does not fit, as power cuts leave them: three notes, and how many more; --json has all [R35]", async () => {
        const { marks, pages } = checkArray(parity.map((image, i) => new MemoryImage(image, `E${i}`, i))).reading!
        const { D, n, S } = pages.geometry
        const rows: number[] = []
        for (let row = S / D; row < marks.length / D && rows.length < 5; row++) {
            const bytes = parity[row % n].subarray(row * shapes[3].stride, row * shapes[3].stride + 256)
            const isFree = marks.slice(row * D, row * D + D).every(mark => !mark)
            if (isFree && bytes.some(byte => byte !== 0xff)) rows.push(row)
        }
        assert.equal(rows.length, 5)
        for (const row of rows) damage(file("b", row % n), row * shapes[3].stride + 100)
        const { exitCode, out } = await twinfiler("check", join(dir, "b"))
        assert.equal(exitCode, 0, out)
        assert.equal(out.match(/^note row-stale: row/gm)?.length, 3, out)
        assert.match(out, /^note row-stale: 2 more like these; --json lists them$/m)
        const { arrays } = JSON.parse((await twinfiler("check", join(dir, "b"), "--json")).out) as {
            arrays: { notes: { code: string }[] }[]
        }
        assert.equal(arrays[0].notes.filter(({ code }) => code === "row-stale").length, 5)
    })

    it("files in any order under any name, one missing: degraded, exit 0, with --strict 1 [R24] [R35]", async () => {
        fs.renameSync(file("b", 0), join(dir, "something"))
        const args = ["check", file("b", 3), join(dir, "something"), file("b", 1)]
        const { exitCode, out } = await twinfiler(...args)
        assert.equal(exitCode, 0, out)
        assert.match(out, /degraded element-missing: no element for position 2/)
        assert.equal((await twinfiler(...args, "--strict")).exitCode, 1)
    })

    it("damage on one element: its place is named; --repair plans, --in-place repairs, then clean [R24] [R35]", async () => {
        const offset = 64 * 256 + 8
        damage(file("a", 1), offset)
        const untouched = fs.readFileSync(file("a", 1))
        const { exitCode, out } = await twinfiler("check", dir)
        assert.equal(exitCode, 0)
        assert.match(out, /volume a: (clean|no fault, degraded)/)
        damage(file("a", 1), 0)
        const found = await twinfiler("check", dir)
        assert.match(
            found.out,
            /degraded label-bad: no good label; it belongs at position 1 \[volume a, page 0, element 1, .*E1.bin byte 0\]/,
        )
        const plan = await twinfiler("check", dir, "--repair")
        assert.match(plan.out, /would repair: .*E1.bin: label written/)
        assert.ok(!fs.readFileSync(file("a", 1)).equals(untouched), "still damaged")
        const done = await twinfiler("check", dir, "--repair", "--in-place", "--strict")
        assert.equal(done.exitCode, 0, done.out)
        assert.match(done.out, /repaired: .*label written/)
        assert.equal((await twinfiler("check", dir, "--strict")).exitCode, 0)
        assert.deepEqual(fs.readdirSync(join(dir, "a")), ["E0.bin", "E1.bin"], "nothing is left behind")
    })

    it("--repair --out leaves the images alone and writes a folder that is clean [R35]", async () => {
        damage(file("b", 2), 5)
        const before = fs.readFileSync(file("b", 2))
        const to = join(dir, "..", `${dir.split("/").pop()}-out`)
        try {
            const { exitCode, out } = await twinfiler("check", dir, "--repair", "--out", to, "--strict")
            assert.equal(exitCode, 0, out)
            assert.ok(fs.readFileSync(file("b", 2)).equals(before))
            assert.equal((await twinfiler("check", to, "--strict")).exitCode, 0)
            assert.deepEqual(fs.readdirSync(to).sort(), ["a", "b"])
            assert.equal((await twinfiler("check", dir, "--repair", "--out", to)).exitCode, 2, "never over a folder")
        } finally {
            fs.rmSync(to, { recursive: true, force: true })
        }
    })

    it("--in-place on images that a simulator uses is refused, exit 2; a check is not, nor is a repair after it [R35]", async () => {
        damage(file("a", 1), 0)
        const before = fs.readFileSync(file("a", 1))
        const lock = join(dir, ".twinfiler.lock")
        fs.writeFileSync(lock, `${process.ppid}\n`)
        const repair = ["--repair", "--in-place"]
        for (const paths of [[dir], [join(dir, "a")], [file("a", 0), file("a", 1)]]) {
            const { exitCode, err } = await twinfiler("check", ...paths, ...repair)
            assert.equal(exitCode, 2)
            assert.match(err, new RegExp(`: process ${process.ppid} uses the images in it`))
        }
        assert.ok(fs.readFileSync(file("a", 1)).equals(before))
        const { exitCode, out } = await twinfiler("check", dir)
        assert.equal(exitCode, 0, out)
        assert.doesNotMatch(out, /lock/)
        fs.rmSync(lock)
        assert.equal((await twinfiler("check", dir, ...repair, "--strict")).exitCode, 0)
    })

    it("a copy beside the array: a note; --repair writes nothing, says so, exit 2, for other arrays in the folder neither [R35]", async () => {
        fs.cpSync(join(dir, "b"), join(dir, "backup"), { recursive: true })
        damage(file("a", 1), 0)
        damage(file("b", 1), 70 * 256 + 8)
        const files = () => fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).sort()
        const bytesOf = () => ["a", "b", "backup"].map(node => fs.readFileSync(file(node, 1)).toString("latin1"))
        const before = [files(), bytesOf()]
        const check = await twinfiler("check", dir)
        assert.equal(check.exitCode, 0, check.out)
        assert.match(
            check.out,
            /note element-duplicate: a copy of position 2, which is .*E2.bin: move it away and check again/,
        )
        const to = join(dir, "out")
        for (const how of [[], ["--in-place"], ["--out", to]]) {
            const { exitCode, out, err } = await twinfiler("check", dir, "--repair", "--quiet", ...how)
            assert.equal(exitCode, 2, out)
            assert.match(out, /not repaired: copies of elements are beside them, move them away: .*E0.bin, .*E3.bin\n/)
            assert.match(out, /would repair: .*label written/)
            assert.match(err, /twinfiler: nothing is repaired: copies of elements are beside them/)
            assert.deepEqual([files(), bytesOf()], before)
        }
        const json = JSON.parse((await twinfiler("check", dir, "--repair", "--in-place", "--json")).out)
        for (const { repair, arrayId } of json.arrays)
            assert.deepEqual([repair.done, repair.refusal === null], [false, arrayId !== "00000abc"])
        fs.rmSync(join(dir, "backup"), { recursive: true })
        assert.equal((await twinfiler("check", dir, "--repair", "--in-place", "--strict")).exitCode, 0)
    })

    it("a page lost on all elements: a fault with its file, exit 1; --json says the same [R24] [R35]", async () => {
        const { checkArray, MemoryImage } = await import("../../tools/check")
        const report = checkArray(mirror.map(image => new MemoryImage(image)))
        const { object } = report.tree.get("large.bin")!
        const { page } = report.reading!.records.extents.get(object)![0]
        for (const element of [0, 1]) damage(file("a", element), page * 256 + 77)
        const text = await twinfiler("check", join(dir, "a"))
        assert.equal(text.exitCode, 1)
        assert.match(
            text.out,
            new RegExp(`fault page-lost: .*page ${page}, .*byte ${page * 256}, object ${object}, "large.bin"`),
        )
        const json = await twinfiler("check", join(dir, "a"), "--json")
        assert.equal(json.exitCode, 1)
        const value = JSON.parse(json.out)
        assert.equal(value.outputVersion, 1)
        assert.equal(value.arrays[0].faults[0].code, "page-lost")
        assert.equal(value.arrays[0].faults[0].path, "large.bin")
        assert.equal(value.arrays[0].figures.snapshots, 2)
    })

    it("what cannot be read is exit 2 with a clear word [R35]", async () => {
        assert.equal((await twinfiler("check")).exitCode, 2)
        assert.match((await twinfiler("check", join(dir, "nothing"))).err, /no such file or folder/)
        assert.equal((await twinfiler("check", dir, "--in-place")).exitCode, 2)
        assert.equal((await twinfiler("check", dir, "--page", "x")).exitCode, 2)
        const text = join(dir, "text")
        fs.writeFileSync(text, "no image")
        const foreign = await twinfiler("check", text)
        assert.equal(foreign.exitCode, 2)
        assert.match(foreign.out + foreign.err, /element-unknown.*not the image of an element/)
        // one element of four is not enough
        const few = await twinfiler("check", file("b", 0))
        assert.equal(few.exitCode, 2)
        assert.match(few.out, /1 of 4 elements can be read, at least 3 must/)
        fs.mkdirSync(join(dir, "empty"))
        assert.equal((await twinfiler("check", join(dir, "empty"))).exitCode, 2)
    })

    it("a truncated image: degraded when the others hold all, and named [R24] [R35]", async () => {
        fs.truncateSync(file("b", 1), 100_000)
        const { exitCode, out } = await twinfiler("check", join(dir, "b"))
        assert.equal(exitCode, 0, out)
        assert.match(out, /degraded image-short: 100000 bytes/)
        const repair = await twinfiler("check", join(dir, "b"), "--repair")
        assert.notEqual(repair.exitCode, 2)
    })

    it("--dump and --page [R35]", async () => {
        const { out } = await twinfiler("check", join(dir, "a"), "--dump", "--page", "0")
        assert.match(out, /entry "hello.txt"/)
        assert.match(out, /page 0 of .*E1.bin, byte 0: good/)
        const none = await twinfiler("check", join(dir, "a"), "--page", "9999999")
        assert.deepEqual([none.exitCode, none.out], [2, ""])
        const last = Number(/--page 9999999: there is no such page; the last is (\d+)\n$/.exec(none.err)![1])
        assert.equal((await twinfiler("check", join(dir, "a"), "--page", `${last}`)).exitCode, 0)
        assert.equal((await twinfiler("check", join(dir, "a"), "--page", `${last + 1}`)).exitCode, 2)
        // one of several arrays has it
        const both = await twinfiler("check", dir, "--page", `${last + 1}`)
        assert.equal(both.exitCode, 0, both.err)
        assert.match(both.out, /: the array has no such page\n[^]*, element \d/)
    })
})
