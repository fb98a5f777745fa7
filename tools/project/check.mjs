// `npm run check`: what to run before a commit, in two minutes, and a little more the first time: firmware build, types, lint, format, unit tests. All are
// run, whatever fails.

import { execFile } from "node:child_process"
import { join } from "node:path"
import { prepare, root } from "./setup.mjs"
import { runTests, testFiles } from "./test-run.mjs"

prepare()
process.chdir(root)

const bin = name => join("node_modules", name)
/** What a run knows of the one before. */
const kept = name => ["--incremental", "--tsBuildInfoFile", join("node_modules", ".cache", `${name}.tsbuildinfo`)]
const cached = ["--cache", "--cache-strategy=content", "--cache-location", join("node_modules", ".cache", "eslint")]
const firmware = ["firmware", ["--import=tsx", "tools/project/size.ts", "--program"]]
const steps = [
    // a file that has not changed is not looked at again, even when a type it uses has: `npm run lint` looks at all
    ["lint", [bin("eslint/bin/eslint.js"), ".", "--max-warnings=0", ...cached]],
    ["format", [bin("prettier/bin/prettier.cjs"), "--check", "--cache", "--log-level=warn", "."]],
    ["types", [bin("typescript/bin/tsc"), "-p", ".", ...kept("types")]],
    ["types, store", [bin("typescript/bin/tsc"), "-p", "tsconfig.firmware.json", ...kept("types-store")]],
]
const failed = []

async function run([name, args]) {
    const startedMs = performance.now()
    const { error, output } = await new Promise(done =>
        execFile(process.execPath, args, { maxBuffer: 1e8 }, (error, stdout, stderr) =>
            done({ error, output: `${stdout}${stderr}` }),
        ),
    )
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    console.log(`${error ? "FAIL" : "ok  "} ${name} (${seconds} s)`)
    if (!error) return
    failed.push(name)
    process.stdout.write(output)
}

// beside the others, as it takes as long as all of them
const building = run(firmware)
for (const step of steps) await run(step)
// the unit tests, and a few seeds of whole pairs; the simulator's own tests are for `npm test`
const quick = ["test/bridge", "test/store", "test/pair", "test/cabinet/determinism.test.ts"]
// of the store all that takes seconds; these take from 8 s to minutes each
const slow = [
    "bad-blocks",
    "bounds",
    "cards",
    "cuts",
    "cuts-mounts",
    "cuts-repair",
    "cuts-second",
    "early-word",
    "elements",
    "histories",
    "in-use",
    "latency",
    "line-glitches",
    "losses",
    "misread-mounts",
    "misread-tails",
    "model",
    "mount-begin",
    "mounts",
    "rebuild-faults",
    "repair",
    "replace",
    "second-loss",
    "snapshots",
    "space",
    "strangers",
    "tail",
    "tree",
    "unseen-losses",
    "wear",
].map(name => join("store", `${name}.test.ts`))
const files = testFiles(quick).filter(file => !slow.some(one => file.endsWith(one)))
const { counts, seconds } = await runTests(files, { isQuiet: true })
console.log(`${counts.failed ? "FAIL" : "ok  "} unit tests (${seconds.toFixed(1)} s): ${counts.passed} passed`)
if (counts.failed) failed.push("unit tests")
await building
console.log(failed.length ? `failed: ${failed.join(", ")}` : "all checks passed")
process.exitCode = failed.length ? 1 : 0
