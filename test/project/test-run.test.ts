import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"

interface TestRun {
    requirementIds(title: string): string[]
    runTests(files: string[], options: object): Promise<{ tests: { state: string; title: string; error?: string }[] }>
}

const root = fileURLToPath(new URL("../..", import.meta.url))
const module: string = "../../tools/project/test-run.mjs"
const { requirementIds, runTests } = (await import(module)) as TestRun

describe("npm test", () => {
    let folder: string
    before(() => (folder = mkdtempSync(join(tmpdir(), "twinfiler-project-"))))
    after(() => rmSync(folder, { recursive: true, force: true }))

    const run = async (source: string) => {
        const path = join(folder, "one.test.ts")
        writeFileSync(path, source)
        return (await runTests([relative(root, path)], { isQuiet: true })).tests
    }

    for (const [hazard, source, error] of [
        ["a process that ends in mid-test, with exit code 0", `it("x", () => process.exit(0))`, /exit code 0\) in "x"/],
        ["a file without a test", "export {}", /has no test/],
        ["a file that does not compile", "const a = = 1", /process ended/],
        [
            "a rejection nobody handles",
            `it("x", done => { Promise.reject(Error("lost")); setTimeout(done, 20) })`,
            /lost/,
        ],
        ["a hook that fails", `before(() => { throw Error("hook") }); it("x", () => undefined)`, /hook/],
    ] as const)
        it(`${hazard} has failed`, async () => {
            const tests = await run(source)
            assert.ok(
                tests.some(test => test.state === "failed" && error.test(test.error ?? "")),
                JSON.stringify(tests),
            )
            assert.ok(tests.every(test => test.state !== "passed"))
        })

    it("passed, failed and skipped are told apart, and what a failing file printed is shown", async () => {
        const tests = await run(
            `it("good", () => console.log("seed 7")); it("todo"); it("bad", () => { throw Error("bad") })`,
        )
        assert.deepEqual(
            tests.map(({ title, state }) => `${title} ${state}`),
            ["good passed", "todo skipped", "bad failed"],
        )
        assert.match(tests[2].error ?? "", /seed 7/)
    })

    it("requirement ids are read from titles in either form", () => {
        assert.deepEqual(requirementIds("a: cut [R8 R9], then [R21] and [R9]"), ["R8", "R9", "R21"])
        assert.deepEqual(requirementIds("R8 [8] [RX] (R9)"), [])
    })
})
