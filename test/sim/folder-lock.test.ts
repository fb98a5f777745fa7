// One simulator at a time over a folder of images.

import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { lockFolder, refuseLocked } from "../../tools/bridge/folder-lock"

const program = fileURLToPath(new URL("../../bin/twinfiler.mjs", import.meta.url))

describe("lock of a folder of images", function () {
    this.timeout(60_000)
    let folder: string
    let lock: string
    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), "twinfiler-lock-"))
        lock = join(folder, ".twinfiler.lock")
    })
    afterEach(() => rmSync(folder, { recursive: true, force: true }))

    it("holds the process's id, refuses a second, and is gone after it", () => {
        const first = lockFolder(folder)
        assert.equal(readFileSync(lock, "utf8"), `${process.pid}\n`)
        assert.throws(() => lockFolder(folder), new RegExp(`process ${process.pid} uses the images in it`))
        first.release()
        first.release()
        assert.deepEqual(readdirSync(folder), [])
        lockFolder(folder).release()
        lockFolder(join(folder, "made")).release()
        writeFileSync(join(folder, "file"), "")
        assert.throws(() => lockFolder(join(folder, "file")), /cannot use the folder .*--dir/)
    })

    it("one of a process that is gone is taken over, one without an id when it is old, one of a live process never", () => {
        const { pid } = spawnSync(process.execPath, ["-e", ""])
        for (const text of [`${pid}\n`, `${process.pid}\n`]) {
            writeFileSync(lock, text)
            lockFolder(folder).release()
            assert.deepEqual(readdirSync(folder), [])
        }
        writeFileSync(lock, "")
        assert.throws(() => lockFolder(folder), /another process uses/)
        utimesSync(lock, 1, 1)
        const mine = lockFolder(folder)
        // another's that came in its place is left alone
        writeFileSync(lock, `${process.ppid}\n`)
        mine.release()
        assert.ok(existsSync(lock))
        assert.throws(() => refuseLocked(folder), new RegExp(`process ${process.ppid} uses`))
    })

    it("twinfiler sim: a second over the same folder is refused with 2, Ctrl-C leaves no lock", async () => {
        const args = [program, "sim", "--dir", folder, "--port", "0", "--chip", "W25Q16JV"]
        const first = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] })
        const ended = new Promise<number | null>(resolve => first.on("close", resolve))
        try {
            await new Promise<void>((ready, failed) => {
                let said = ""
                first.stderr.on("data", text => /bus at/.test((said += text)) && ready())
                first.on("close", code => failed(new Error(`ended with ${code}: ${said}`)))
            })
            const second = spawnSync(process.execPath, args, { encoding: "utf8" })
            assert.equal(second.status, 2, second.stderr)
            assert.match(second.stderr, new RegExp(`: process ${first.pid} uses the images in it: end that first`))
        } finally {
            first.kill("SIGINT")
        }
        assert.equal(await ended, 0)
        assert.deepEqual(readdirSync(folder).sort(), ["a", "b"])
    })
})
