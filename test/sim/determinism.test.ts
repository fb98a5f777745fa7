import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { testProgram } from "./bench-rig"
import { loadedPair, summary } from "./child-run"

const frames = 1000

describe("determinism", function () {
    this.timeout(60_000)
    before(() => void testProgram("echo.ts"))

    it("replay: a pair that was sent 1,000 frames leaves the same trace, counts and heap twice and in another process [R37]", () => {
        const first = summary(loadedPair(11, frames))
        assert.ok(first.entries > frames)
        assert.ok(first.counters.every(c => c.framesReceived >= frames))
        assert.deepEqual(summary(loadedPair(11, frames)), first)
        const child = fileURLToPath(new URL("child-run.ts", import.meta.url))
        const run = spawnSync(process.execPath, ["--import", "tsx", child, "11", String(frames)], { encoding: "utf8" })
        assert.equal(run.status, 0, run.stderr)
        assert.deepEqual(JSON.parse(run.stdout), JSON.parse(JSON.stringify(first)))
    })

    it("replay: another seed leaves another trace [R37]", () => {
        assert.notEqual(summary(loadedPair(12, 100)).hash, summary(loadedPair(13, 100)).hash)
    })
})
