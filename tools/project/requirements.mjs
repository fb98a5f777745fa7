// `npm run requirements [-- --tests] [--json]`: which requirement is shown by which tests, and whether they passed, from the results
// of the last whole `npm test`. Exit code 1 when a test failed or a title names a requirement that does not exist.

import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { root } from "./setup.mjs"

const { values } = parseArgs({ options: { tests: { type: "boolean" }, json: { type: "boolean" } } })
const resultsPath = join(root, "test-results", "results.json")
if (!existsSync(resultsPath)) {
    console.error("no results yet: run `npm test` first")
    process.exit(1)
}
const { tests } = JSON.parse(readFileSync(resultsPath, "utf8"))
const list = readFileSync(join(root, "docs", "requirements.md"), "utf8")
const requirements = [...list.matchAll(/^\| (R\d+) \| (.+?) \|$/gm)].map(([, id, text]) => ({ id, text }))
const rows = requirements.map(({ id, text }) => {
    const shown = tests.filter(test => test.ids.includes(id))
    const count = state => shown.filter(test => test.state === state).length
    const row = {
        id,
        text,
        tests: shown.length,
        passed: count("passed"),
        failed: count("failed"),
        skipped: count("skipped"),
    }
    return { ...row, result: resultOf(row), titles: shown.map(({ file, title, state }) => ({ file, title, state })) }
})
const known = new Set(requirements.map(({ id }) => id))
const unknown = tests.filter(test => test.ids.some(id => !known.has(id)))

function resultOf({ tests: count, failed, skipped }) {
    if (count === 0) return "no test"
    if (failed > 0) return "FAILED"
    if (skipped === count) return "skipped"
    return skipped > 0 ? "passed, some skipped" : "passed"
}

if (values.json) console.log(JSON.stringify({ outputVersion: 1, requirements: rows, unknown }))
else {
    const width = Math.max(...requirements.map(({ text }) => text.length))
    console.log(`id   ${"requirement".padEnd(width)}  tests  passed  result`)
    for (const row of rows) {
        const figures = `${String(row.tests).padStart(5)}  ${String(row.passed).padStart(6)}`
        console.log(`${row.id.padEnd(4)} ${row.text.padEnd(width)}  ${figures}  ${row.result}`)
        if (values.tests)
            for (const { file, title, state } of row.titles) console.log(`       ${state} ${file}: ${title}`)
    }
    const shown = rows.filter(row => row.tests > 0).length
    console.log(
        `${shown} of ${rows.length} requirements have tests; "passed" speaks for these tests, not for the whole requirement`,
    )
    for (const { file, title } of unknown) console.log(`unknown requirement in ${file}: ${title}`)
}
process.exitCode = unknown.length > 0 || rows.some(row => row.failed > 0) ? 1 : 0
