// `npm run check`: what to run before a commit, in less than two minutes: firmware build, types, lint, format, unit tests. All are
// run, whatever fails.

import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { prepare, root } from "./setup.mjs"
import { runTests, testFiles } from "./test-run.mjs"

prepare()
process.chdir(root)

const bin = name => join("node_modules", name)
const steps = [
    ["firmware", ["--import=tsx", "tools/project/size.ts", "--program"]],
    ["types", [bin("typescript/bin/tsc"), "-p", "."]],
    ["types, store", [bin("typescript/bin/tsc"), "-p", "tsconfig.firmware.json"]],
    ["lint", [bin("eslint/bin/eslint.js"), ".", "--max-warnings=0"]],
    ["format", [bin("prettier/bin/prettier.cjs"), "--check", "--log-level=warn", "."]],
]
const failed = []
for (const [name, args] of steps) {
    const startedMs = performance.now()
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" })
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    console.log(`${status === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`)
    if (status === 0) continue
    failed.push(name)
    process.stdout.write(`${stdout}${stderr}`)
}
// the unit tests, and a few seeds of whole pairs
const quick = [
    "test/bridge",
    "test/store",
    "test/pair",
    "test/sim",
    "test/cabinet/copies.test.ts",
    "test/cabinet/determinism.test.ts",
]
// of the store all that takes seconds; these take from 12 s to minutes each
const slow = [
    "bad-blocks",
    "bounds",
    "cards",
    "cuts",
    "cuts-mounts",
    "cuts-repair",
    "cuts-second",
    "early-word",
    "in-use",
    "latency",
    "line-glitches",
    "losses",
    "misread-tails",
    "model",
    "mount-begin",
    "mounts",
    "rebuild-faults",
    "repair",
    "replace",
    "space",
    "strangers",
    "tail",
    "unseen-losses",
    "wear",
].map(name => join("store", `${name}.test.ts`))
const files = testFiles(quick).filter(file => !slow.some(one => file.endsWith(one)))
const { counts, seconds } = await runTests(files, { isQuiet: true })
console.log(`${counts.failed ? "FAIL" : "ok  "} unit tests (${seconds.toFixed(1)} s): ${counts.passed} passed`)
if (counts.failed) failed.push("unit tests")
console.log(failed.length ? `failed: ${failed.join(", ")}` : "all checks passed")
process.exitCode = failed.length ? 1 : 0
