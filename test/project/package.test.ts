// The command line as a package: what `npm run package` packs, installed from the tarball alone into an empty folder, runs a cabinet.

import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { packCommandLine } from "../../tools/project/package"

describe("package", function () {
    this.timeout(600_000)
    let folder: string
    before(() => (folder = mkdtempSync(join(tmpdir(), "twinfiler-package-"))))
    after(() => rmSync(folder, { recursive: true, force: true }))

    it("from its tarball alone, in an empty folder: sim, put, get [R14 R18]", async () => {
        const tarball = packCommandLine(folder)
        const home = join(folder, "home")
        const install = ["install", "--prefix", home, "--prefer-offline", "--no-audit", "--no-fund", tarball]
        const installed = spawnSync("npm", install, { encoding: "utf8", cwd: folder })
        assert.equal(installed.status, 0, installed.stderr)
        const program = join(home, "node_modules", "twinfiler", "bin", "twinfiler.mjs")
        const sim = spawn(
            process.execPath,
            [program, "sim", "--dir", join(folder, "chips"), "--port", "0", "--pace", "max"],
            { cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
        )
        try {
            const bus = await new Promise<string>((found, failed) => {
                let said = ""
                sim.stderr.on("data", (text: Buffer) => {
                    said += String(text)
                    const [, url] = /bus at (ws:\S+)/.exec(said) ?? []
                    if (url) found(url)
                })
                sim.on("exit", code => failed(new Error(`sim ended with ${code}: ${said}`)))
            })
            const twinfiler = (...args: string[]) => {
                const run = spawnSync(process.execPath, [program, ...args, "--bus", bus], {
                    encoding: "utf8",
                    cwd: folder,
                })
                assert.ok(run.status === 0 || run.status === 4, `${args.join(" ")}: ${run.stdout}${run.stderr}`)
                return run.stdout
            }
            writeFileSync(join(folder, "out.txt"), "from the package\n".repeat(50))
            twinfiler("put", "out.txt", ":/a/in.txt")
            twinfiler("get", ":/a/in.txt", "back.txt")
            assert.equal(readFileSync(join(folder, "back.txt"), "utf8"), readFileSync(join(folder, "out.txt"), "utf8"))
        } finally {
            sim.kill("SIGINT")
            await new Promise(ended => sim.on("close", ended))
        }
    })
})
