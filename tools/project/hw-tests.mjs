// `npm run hw-tests [-- --bus URL] [--pulls N] [--soak SECONDS] [--grep RE] [--miswired FAULT] [--chip NAME]`: the hardware suite, against boards or,
// without --bus, against a simulated cabinet, sound or with a mistake in its wiring.

import { statSync } from "node:fs"
import { parseArgs } from "node:util"
import { prepare, root } from "./setup.mjs"
import { runTests, testFiles, writeResults } from "./test-run.mjs"

const fileTimeoutMs = 24 * 3600_000 // a soak may be long, and a person slow

const help = `npm run hw-tests -- [options]

  --bus URL         boards: auto, serial:PATH, ws://HOST:PORT, tcp://HOST:PORT; without it a simulated cabinet
  --pulls N         power is pulled at N moments (3 by itself; of boards without relays you are asked only when you give it)
  --soak SECONDS    files are written and read for so long (5)
  -g, --grep RE     these tests only
  --miswired FAULT  a simulated cabinet with a mistake in its wiring: hw-tests/README.md lists them
  --chip NAME       a simulated cabinet of these chips or cards, as SDHC-4GB`

function optionsGiven() {
    try {
        return parseArgs({
            options: {
                bus: { type: "string" },
                grep: { type: "string", short: "g" },
                pulls: { type: "string" },
                soak: { type: "string" },
                miswired: { type: "string" },
                chip: { type: "string" },
                help: { type: "boolean", short: "h" },
            },
        }).values
    } catch (error) {
        console.error(`${error.message}\n\n${help}`)
        process.exit(2)
    }
}

const values = optionsGiven()
if (values.help) {
    console.log(help)
    process.exit(0)
}
for (const name of ["pulls", "soak"])
    if (values[name] !== undefined && !/^\d{1,6}$/.test(values[name])) {
        console.error(`--${name} ${values[name]}: give a whole number`)
        process.exit(2)
    }
for (const name of ["miswired", "chip"])
    if (values.bus !== undefined && values[name] !== undefined) {
        console.error(`--${name} is for the simulated cabinet: leave out --bus`)
        process.exit(2)
    }
const report = "test-results/hw-report.json"
const changedMs = () => statSync(report, { throwIfNoEntry: false })?.mtimeMs ?? 0

prepare()
process.chdir(root)
const changedBeforeMs = changedMs()
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
const figures = changedMs() > changedBeforeMs ? `; figures in ${report}` : ""
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped${figures}`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
