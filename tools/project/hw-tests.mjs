// `npm run hw-tests [-- --bus URL] [--pulls N] [--soak SECONDS] [--grep RE] [--miswired FAULT]`: the hardware suite, against boards or,
// without --bus, against a simulated cabinet, sound or with a mistake in its wiring.

import { parseArgs } from "node:util"
import { prepare, root } from "./setup.mjs"
import { runTests, testFiles, writeResults } from "./test-run.mjs"

const fileTimeoutMs = 24 * 3600_000 // a soak may be long, and a person slow

const { values } = parseArgs({
    options: {
        bus: { type: "string" },
        grep: { type: "string", short: "g" },
        pulls: { type: "string" },
        soak: { type: "string" },
        miswired: { type: "string" },
    },
})
for (const name of ["pulls", "soak"])
    if (values[name] !== undefined && !/^\d{1,6}$/.test(values[name])) {
        console.error(`--${name} ${values[name]}: give a whole number`)
        process.exit(2)
    }
if (values.bus !== undefined && values.miswired !== undefined) {
    console.error("--miswired is for the simulated cabinet: leave out --bus")
    process.exit(2)
}
prepare()
process.chdir(root)
// its figures are to be compared with boards'
const env = values.bus === undefined ? { TWINFILER_HW_PACE: "real" } : {}
for (const [name, value] of Object.entries(values))
    if (name !== "grep" && value !== undefined) env[`TWINFILER_HW_${name.toUpperCase()}`] = value
const result = await runTests(testFiles(["hw-tests"]), {
    grep: values.grep,
    env,
    jobs: 1,
    fileTimeoutMs,
    showsErrors: true,
})
writeResults("hw-tests.json", result)
const { passed, failed, skipped } = result.counts
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped; figures in test-results/hw-report.json`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
