// The fault campaign itself: so many seeds without a violation, and what its command promises.

import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { availableParallelism } from "node:os"
import { runCampaign } from "../../tools/campaign/campaign"
import { summary } from "../../tools/campaign/campaign-command"
import type { Operation } from "../../tools/campaign/linear"
import { disturbances, runSeed } from "../../tools/campaign/seed-run"
import { projectRoot } from "../../tools/sim/devs-cli"

const full = process.env.FULL === "1"
const seeds = full ? 20_000 : 300
const seedMsMax = 6_000
/** Of several pairs. */
const coupledSeeds = full ? 2_000 : 30

/**
 * Each failed once, and was a defect: of the firmware (3237, 19168; 730 beyond the budget), the bridge (1474, 4947), `check` (17430, which takes
 * long), the simulator (7512, 107, 236, 10893) or the campaign itself (7142, 9816, 16561, 10250, 10953).
 */
const mendedSeeds = [
    ...[107, 236, 730, 1474, 3237, 4947, 7142, 7512, 9816, 10250, 10893, 10953, 16561, 19168],
    ...(full ? [17430] : []),
]

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
    this.timeout((seeds + 2 * coupledSeeds) * seedMsMax)

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

    for (const seed of mendedSeeds)
        it(`seed ${seed}, which failed once [R37]`, async () => {
            assert.deepEqual((await runSeed(seed)).violations, [])
        })

    for (const pairs of [2, 4])
        it(`${pairs} pairs, ${coupledSeeds / (pairs - 1)} seeds: the same; what strikes one pair disturbs no other's clients [R13 R21 R22 R31]`, async () => {
            const count = coupledSeeds / (pairs - 1)
            const from = 1_000_000 * pairs
            const result = await runCampaign({ seeds: count, from, pairs, jobs: availableParallelism() })
            console.log(`      ${summary(result)}`)
            const wrong = result.failed.map(
                ({ seed, violations }) => `seed ${seed}: ${violations.join("; ").slice(0, 600)}`,
            )
            assert.deepEqual(wrong, [])
            assert.ok(result.takeovers > count / 4, `${result.takeovers} takeovers`)
            assert.ok(result.operations > 20 * count, `${result.operations} operations`)
        })

    it("a pair that is left alone: what is late or fails there, and a takeover there, count as violations [R13]", () => {
        const operation = (calledAt: number, returnedAt: number, outcome: Operation["outcome"]): Operation => ({
            ...{ client: "c", calledAt, returnedAt, outcome },
            action: { kind: "remove", name: "f" },
        })
        const late = operation(10_000, 14_100, "done")
        const failed = operation(10_000, 10_100, "unknown")
        const operations = [[late, failed], [], [operation(10_000, 10_900, "done")], []]
        assert.deepEqual(disturbances({ operations }, { disturbed: new Set([0]) }, [1]), [])
        const found = disturbances({ operations: [[], [], ...operations] }, { disturbed: new Set([3]) }, [1])
        assert.equal(found.length, 3, found.join("\n"))
        assert.match(found[0], /^volume c .*late or failed/)
        assert.match(found[2], /^node d took over or restarted/)
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
        const told = await command(["--seeds", "1", "--from", "7", "--json", "--verbose"])
        assert.equal(lastLine(told.stdout).violations, 0)
        assert.match(told.stderr, /twinfiler node 0/)
    })

    it("wrong usage ends with 2, and says what is wrong", async () => {
        for (const args of [
            [],
            ["--seeds", "0"],
            ["--seeds", "1", "--faults", "flood"],
            ["--seeds", "1", "--pairs", "0"],
            ["--seeds", "1", "--pairs", "5"],
            ["--seeds", "2", "--from", "4294967295"],
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
