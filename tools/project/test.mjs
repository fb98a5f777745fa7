// `npm test [-- [--grep RE] [--invert] [--full] [--jobs N] [PATH...]]`: every mocha suite, the hardware suite included, which finds a
// simulated cabinet when there are no boards. Ends with the line `N passed, N failed, N skipped`.

import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { parseArgs } from "node:util"
import { prepare, root } from "./setup.mjs"
import { runTests, testFiles, writeResults } from "./test-run.mjs"

const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        grep: { type: "string", short: "g" },
        invert: { type: "boolean", short: "i" },
        full: { type: "boolean" },
        jobs: { type: "string", short: "j" },
    },
})
process.chdir(root)
const missing = positionals.filter(path => !existsSync(path))
if (missing.length) {
    console.error(
        `no such file or folder: ${missing.join(", ")}; name those of test or hw-tests, as in: npm test -- test/store/model.test.ts`,
    )
    process.exit(1)
}
prepare()
// once, before several would: nothing else can be said of firmware that does not compile
const build = spawnSync(process.execPath, ["--import=tsx", "tools/project/size.ts", "--program"], { encoding: "utf8" })
process.stdout.write(`${build.stdout}${build.stderr}`)
if (build.status !== 0) {
    console.log("\n0 passed, 1 failed, 0 skipped")
    process.exit(1)
}
const files = testFiles(positionals.length ? positionals : ["test", "hw-tests"])
const result = await runTests(files, {
    grep: values.grep,
    invert: values.invert,
    jobs: values.jobs === undefined ? undefined : Math.max(1, Number(values.jobs) || 1),
    env: values.full ? { FULL: "1" } : {},
    showsOutput: values.full,
    // the model alone takes half an hour then
    fileTimeoutMs: values.full ? 120 * 60_000 : undefined,
})
// only a whole run may speak for the requirements
const isWhole = positionals.length === 0 && values.grep === undefined
writeResults(isWhole ? "results.json" : "partial.json", result)
const { passed, failed, skipped } = result.counts
console.log(`\n${files.length} files in ${Math.round(result.seconds)} s`)
if (result.powerCuts > 0) console.log(`${result.powerCuts} power cuts`)
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
