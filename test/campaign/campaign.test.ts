// The fault campaign itself: so many seeds without a violation, and what its command promises.

import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { availableParallelism } from "node:os"
import { runCampaign } from "../../tools/campaign/campaign"
import { summary } from "../../tools/campaign/campaign-command"
import { projectRoot } from "../../tools/sim/devs-cli"

const full = process.env.FULL === "1"
const seeds = full ? 20_000 : 300
const seedMsMax = 6_000

interface Ended {
    code: number | null
    stdout: string
    stderr: string
}

/** Runs `twinfiler campaign`; interrupted after so many ms. */
function command(args: string[], interruptMs?: number): Promise<Ended> {
    const child = spawn(process.execPath, ["bin/twinfiler.mjs", "campaign", ...args], { cwd: projectRoot })
    const ended: Ended = { code: null, stdout: "", stderr: "" }
    child.stdout.on("data", data => (ended.stdout += String(data)))
    child.stderr.on("data", data => (ended.stderr += String(data)))
    if (interruptMs !== undefined) setTimeout(() => child.kill("SIGINT"), interruptMs)
    return new Promise(resolve =>
        child.on("close", code => {
            ended.code = code
            resolve(ended)
        }),
    )
}

const lastLine = (text: string) => JSON.parse(text.trim().split("\n").at(-1)!) as Record<string, number>

describe("campaign", function () {
    this.timeout(seeds * seedMsMax)

    it(`${seeds} seeds: histories under faults fit one order, nothing is lost or doubled, the pair becomes healthy [R9 R21 R22 R31 R37]`, async () => {
        const result = await runCampaign({ seeds, from: 1, jobs: availableParallelism() })
        console.log(`      ${summary(result)}`)
        const wrong = result.failed.map(
            ({ seed, violations }) => `seed ${seed}: ${violations.join("; ").slice(0, 600)}`,
        )
        assert.deepEqual(wrong, [])
        assert.equal(result.seeds, seeds)
        assert.ok(result.takeovers > seeds / 4, `${result.takeovers} takeovers`)
        assert.ok(result.operations > 20 * seeds, `${result.operations} operations`)
    })

    it("--json: the last line has the counts; the same seeds give the same [R37]", async () => {
        const args = ["--seeds", "4", "--from", "7", "--json", "--jobs"]
        const [one, other] = [await command([...args, "1"]), await command([...args, "2"])]
        assert.equal(one.code, 0, one.stderr)
        const counts = lastLine(one.stdout)
        const { outputVersion, firstSeed, violations } = counts
        assert.deepEqual([outputVersion, counts.seeds, firstSeed, violations], [1, 4, 7, 0])
        assert.ok(counts.operations > 0 && counts.virtualHours > 0)
        assert.deepEqual(lastLine(other.stdout), counts)
    })

    it("wrong usage ends with 2, and says what is wrong", async () => {
        for (const args of [
            [],
            ["--seeds", "0"],
            ["--seeds", "1", "--faults", "flood"],
            ["--seeds", "1", "--pairs", "0"],
        ]) {
            const { code, stderr } = await command(args)
            assert.equal(code, 2, args.join(" "))
            assert.match(stderr, /error: /)
        }
    })

    it("Ctrl-C ends it with 130 and the count so far", async () => {
        const { code, stdout } = await command(["--seeds", "100000", "--json", "--jobs", "1"], 6_000)
        assert.equal(code, 130)
        const counts = lastLine(stdout)
        assert.ok(counts.seeds < 100_000)
        assert.equal(counts.firstSeed, 1)
    })
})
