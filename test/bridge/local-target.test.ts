// Where `get` and `cp` put bytes on the local disk: devices, fifos and symlinks that are there stay what they are.

import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { bytes } from "./bench"
import { CliBench } from "./cli-bench"

/** More than a pipe holds. */
const data = bytes(150_000)

describe("command line: local targets", () => {
    let bench: CliBench
    let dir: string
    const at = (...names: string[]) => path.join(dir, ...names)
    beforeEach(async () => {
        bench = new CliBench()
        dir = await fs.mkdtemp(path.join(os.tmpdir(), "twinfiler-"))
        bench.input = data
        assert.equal((await bench.run("put", "-", ":/a/f")).exitCode, 0)
    })
    afterEach(() => fs.rm(dir, { recursive: true, force: true }))

    const get = async (target: string, ...options: string[]) => {
        const { exitCode, err } = await bench.run("get", ":/a/f", target, ...options)
        return `${exitCode} ${err}`
    }
    const make = (command: string, ...args: string[]) => spawnSync(command, args).status === 0

    it("a symlink stays, and the file it leads to is replaced whole in its own folder, also one that is not there yet [R18]", async () => {
        await fs.mkdir(at("far", "real"), { recursive: true })
        await fs.writeFile(at("far", "real", "file"), "old")
        await fs.link(at("far", "real", "file"), at("other name"))
        await fs.symlink("far/real", at("way"))
        await fs.symlink("way/file", at("one"))
        await fs.symlink(at("one"), at("two"))
        assert.equal(await get(at("two")), "0 ")
        assert.deepEqual(await fs.readFile(at("far", "real", "file")), data)
        assert.equal(await fs.readFile(at("other name"), "utf8"), "old", "replaced, not written over")
        // `..` is that of the folder the link leads through
        await fs.symlink("way/../new", at("none"))
        assert.equal(await get(at("none")), "0 ")
        assert.deepEqual(await fs.readFile(at("far", "new")), data)
        for (const name of ["one", "two", "none"]) assert.ok((await fs.lstat(at(name))).isSymbolicLink(), name)
        assert.deepEqual(await fs.readdir(at("far")), ["new", "real"])
        assert.deepEqual(await fs.readdir(at("far", "real")), ["file"])
    })

    it("a symlink that leads nowhere is an error, and with --no-clobber there is something [R18]", async () => {
        await fs.symlink("nowhere/file", at("lost"))
        assert.match(await get(at("lost")), /^3 .*lost: no such file or directory/)
        assert.match(await get(at("lost"), "--no-clobber"), /^1 .*lost: exists already/)
        await fs.symlink("round", at("round"))
        assert.match(await get(at("round")), /^1 .*round: ELOOP/)
        assert.deepEqual((await fs.readdir(dir)).sort(), ["lost", "round"])
    })

    it("a directory of the name of a file in a tree is an error that leaves nothing behind [R18]", async () => {
        await bench.run("mkdir", ":/a/d")
        await bench.run("mv", ":/a/f", ":/a/d/f")
        await fs.mkdir(at("d", "f"), { recursive: true })
        const { exitCode, err } = await bench.run("get", "-r", ":/a/d", dir)
        assert.equal(exitCode, 1)
        assert.match(err, /d\/f: is a directory/)
        assert.deepEqual(await fs.readdir(at("d")), ["f"])
    })

    it("a device is written through [R18]", async function () {
        // the same device as /dev/null, which itself is better left alone
        if (!make("mknod", at("null"), "c", "1", "3")) this.skip()
        if (!make("test", "-c", at("null"))) this.skip()
        assert.equal(await get(at("null")), "0 ")
        assert.ok((await fs.lstat(at("null"))).isCharacterDevice())
        await fs.symlink("null", at("way"))
        assert.equal(await get(at("way")), "0 ")
        assert.ok((await fs.lstat(at("way"))).isSymbolicLink())
        assert.ok((await fs.lstat(at("null"))).isCharacterDevice())
        assert.deepEqual((await fs.readdir(dir)).sort(), ["null", "way"])
    })

    it("a fifo is written through once someone reads it; Ctrl-C ends the wait for that [R18]", async function () {
        if (!make("mkfifo", at("fifo"))) this.skip()
        bench.clock.setTimeout(() => bench.stop.abort(), 3_000)
        assert.equal(await get(at("fifo")), "130 ")
        bench.stop = new AbortController()
        const reader = spawn("cat", [at("fifo")])
        const read: Buffer[] = []
        reader.stdout.on("data", (piece: Buffer) => read.push(piece))
        const ended = new Promise(resolve => reader.on("close", resolve))
        assert.equal(await get(at("fifo")), "0 ")
        await ended
        assert.deepEqual(Buffer.concat(read), data)
        assert.ok((await fs.lstat(at("fifo"))).isFIFO())
        assert.deepEqual(await fs.readdir(dir), ["fifo"])
    })

    it("a fifo whose reader stops reading, or leaves: Ctrl-C ends it, and the error tells [R18]", async function () {
        if (!make("mkfifo", at("fifo"))) this.skip()
        const idle = await fs.open(at("fifo"), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
        bench.clock.setTimeout(() => bench.stop.abort(), 20_000)
        assert.equal(await get(at("fifo")), "130 ")
        bench.stop = new AbortController()
        bench.clock.setTimeout(() => void idle.close(), 20_000)
        assert.match(await get(at("fifo")), /^1 .*fifo: .*EPIPE/)
    })
})
