// `npm run hw-tests [-- --bus URL]`: the hardware suite, against boards or, without --bus, against a simulated cabinet.

import { parseArgs } from "node:util"
import { prepare, root } from "./setup.mjs"
import { runTests, testFiles, writeResults } from "./test-run.mjs"

const { values } = parseArgs({ options: { bus: { type: "string" }, grep: { type: "string", short: "g" } } })
prepare()
process.chdir(root)
const env = values.bus === undefined ? {} : { TWINFILER_HW_BUS: values.bus }
const result = await runTests(testFiles(["hw-tests"]), { grep: values.grep, env, jobs: 1 })
writeResults("hw-tests.json", result)
const { passed, failed, skipped } = result.counts
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped; figures in test-results/hw-report.json`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
