// Programs of other people against a simulated cabinet, over real sockets of this machine: litmus, rclone, curl, cadaver, a browser,
// and a plain jacdac-ts program. They know nothing of nodes, and one of the nodes loses its power.

import assert from "node:assert/strict"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Random } from "../../tools/sim/random"
import { CabinetProcess } from "./cabinet-process"
import { needs, runClient } from "./real-client"

const serviceClass = "0x17f11e50"

describe("real clients", function () {
    this.timeout(300_000)
    let cabinet: CabinetProcess
    let url: string

    before(async () => {
        cabinet = await CabinetProcess.start()
        url = await cabinet.serveWebdav()
    })
    after(() => cabinet?.close())

    const inFolder = (name: string) => {
        const path = join(cabinet.folder, name)
        mkdirSync(path, { recursive: true })
        return path
    }
    const isHealthy = () => cabinet.until("both nodes serve", status => status.ok)

    it("jacdac-ts: a program that is not ours sees both nodes' services on the web socket [R3] [R4] [R20]", async () => {
        const script = join(import.meta.dirname, "plain-jacdac.mjs")
        const args = [script, cabinet.webSocketUrl, serviceClass, "2"]
        const { exitCode, out, err } = await runClient(process.execPath, args)
        assert.equal(exitCode, 0, err)
        const services = JSON.parse(out) as { device: string; index: number }[]
        assert.equal(services.length, 2, out)
        assert.equal(new Set(services.map(({ device }) => device)).size, 2, out)
    })

    for (const [suite, count, passed] of [
        ["basic", 16, 16],
        ["copymove", 13, 13],
        // nephele takes properties of one name in several namespaces for one: `propget` after `propmanyns`
        ["props", 30, 29],
    ] as const)
        it(`litmus: ${suite}, ${passed} of ${count} [R18] [R29]`, async function () {
            needs(this, "litmus")
            await isHealthy()
            const { out, err } = await runClient("litmus", [`${url}a/`], {
                cwd: inFolder("litmus"),
                env: { TESTS: suite },
            })
            assert.match(
                out,
                new RegExp(`of ${count} tests run: ${passed} passed, ${count - passed} failed`),
                `${out}${err}`,
            )
        })

    it("curl: ranges from the start, the middle and the end; one beyond the end is refused [R18]", async function () {
        needs(this, "curl")
        const data = Buffer.from(new Random("curl").bytes(40_000))
        const path = join(cabinet.folder, "ranges")
        writeFileSync(path, data)
        const target = `${url}a/ranges`
        const status = "%{stderr}%{http_code}"
        const stored = await runClient("curl", ["-sS", "-T", path, "-w", status, target])
        assert.equal(stored.err, "201")
        const got = join(cabinet.folder, "got")
        const ask = async (range: string) => {
            const { err } = await runClient("curl", ["-sS", "-r", range, "-o", got, "-w", status, target])
            return { status: err, body: readFileSync(got) }
        }
        for (const [range, start, end] of [
            ["0-99", 0, 100],
            ["235-472", 235, 473],
            ["39990-", 39_990, 40_000],
            ["-500", 39_500, 40_000],
            ["39000-50000", 39_000, 40_000],
        ] as const) {
            const { status, body } = await ask(range)
            assert.equal(status, "206", range)
            assert.ok(body.equals(data.subarray(start, end)), `${range}: ${body.length} bytes`)
        }
        assert.equal((await ask("40000-")).status, "416")
        const whole = await runClient("curl", ["-sS", "-o", got, "-w", status, target])
        assert.equal(whole.err, "200")
        assert.ok(readFileSync(got).equals(data))
    })

    it("cadaver: makes a directory, puts, moves and gets a file [R18]", async function () {
        needs(this, "cadaver")
        const home = inFolder("cadaver")
        const data = Buffer.from(new Random("cadaver").bytes(3_000))
        writeFileSync(join(home, "here"), data)
        const input = "mkcol shelf\ncd shelf\nput here there\nmove there moved\nls\nget moved back\nquit\n"
        const { out, err } = await runClient("cadaver", [`${url}a/`], { cwd: home, env: { HOME: home }, input })
        assert.match(out, /moved\s+3000/, `${out}${err}`)
        assert.ok(readFileSync(join(home, "back")).equals(data))
    })

    it("chromium: a browser shows a page that a volume holds [R18]", async function () {
        needs(this, "chromium")
        const home = inFolder("chromium")
        const page = join(home, "page.html")
        writeFileSync(page, "<!doctype html><title>t</title><p id=x>from two chips</p>")
        await cabinet.verb(["put", page, ":/a/page.html"])
        const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]
        const { out, err } = await runClient("chromium", [...args, `--user-data-dir=${home}`, `${url}a/page.html`], {
            env: { HOME: home },
        })
        assert.match(out, /<p id="x">from two chips<\/p>/, err)
    })

    it("rclone: 50 files copied while the owner's power is pulled; all are there through the partner and after giveback [R4] [R9] [R15] [R18] [R19] [R22]", async function () {
        needs(this, "rclone")
        await isHealthy()
        const source = inFolder("fifty")
        const random = new Random("rclone")
        const fileCount = 50
        const bytesMax = 16_000
        for (let i = 0; i < fileCount; i++)
            writeFileSync(join(source, `file ${i}`), random.bytes(i === 0 ? 0 : random.int(bytesMax)))
        const remote = [":webdav:a/fifty", "--webdav-url", url, "--config", join(cabinet.folder, "rclone.conf")]
        const cutAfter = 20
        let copied = 0
        let power: Promise<string> | undefined
        const copy = await runClient("rclone", ["copy", source, ...remote, "-v", "--retries", "1"], {
            onErrorLine: line => {
                if (!line.includes("Copied")) return
                copied++
                if (copied === cutAfter) power = cabinet.verb(["power", "a", "off"])
            },
        })
        await power
        assert.equal(copy.exitCode, 0, copy.err)
        assert.equal(copied, fileCount, copy.err)
        const check = () => runClient("rclone", ["check", "--download", source, ...remote])
        await cabinet.until("b serves volume a", ({ volumes }) => volumes[0].controller === "b")
        const throughB = await check()
        assert.equal(throughB.exitCode, 0, throughB.err)
        assert.match(throughB.err, new RegExp(`: ${fileCount} matching files`))

        await cabinet.verb(["power", "a", "on"])
        await cabinet.until("a is up", ({ nodes }) =>
            nodes.some(({ node, role }) => node === "a" && role === "waiting"),
        )
        await cabinet.verb(["giveback", "b"])
        await isHealthy()
        const throughA = await check()
        assert.equal(throughA.exitCode, 0, throughA.err)
        assert.match(throughA.err, new RegExp(`: ${fileCount} matching files`))
    })
})
