// The whole simulation repeats: every frame, line, pin and chip command, in this process and in another.

import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { runRecorded } from "./recorded-run"

const script = fileURLToPath(new URL("recorded-run.ts", import.meta.url))

describe("simulation: repeats exactly", function () {
    this.timeout(120_000)

    it("traffic, a power cut and a takeover: same seed, same trace hash, same counts, also in another process [R37]", async () => {
        const first = await runRecorded(7)
        assert.equal(first.takeovers, 1, "the run has a takeover")
        assert.deepEqual(await runRecorded(7), first)
        const child = spawnSync(process.execPath, ["--import=tsx", script, "7"], { encoding: "utf8" })
        assert.equal(child.status, 0, child.stderr)
        assert.deepEqual(JSON.parse(child.stdout), first)
    })

    it("another seed is another run [R37]", async () => {
        assert.notEqual((await runRecorded(8)).hash, (await runRecorded(7)).hash)
    })
})
