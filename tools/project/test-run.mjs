// Runs test files, each in a mocha process of its own, a few at a time, and collects what every test did. A file whose process dies, hangs,
// has no test or leaves something running has failed, whatever its tests say.

import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { join, relative, resolve, sep } from "node:path"
import { root } from "./setup.mjs"

/** The slowest first, so that none is left alone at the end; what is not named comes after, by name. */
const slowFirst = [
    "hw-tests/",
    "test/boards/miswired",
    "test/cabinet/",
    "test/store/cuts",
    "test/pair/",
    "test/store/",
    "test/clients/",
]
const jobsMax = 2
const testTimeoutMs = 60_000
const fileTimeoutMsUsual = 30 * 60_000
/** Connections kept alive may take this long to close. */
const endGraceMs = 15_000
const killGraceMs = 5_000
/** Of what a file with a failure printed, the end is shown. */
const outputCharsMax = 4_000
/** How tests tell of the power cuts they made: "112 power cuts". */
const cutsPattern = /(\d+) power cuts/g
const idPattern = /\[(R\d+(?:[ ,]+R\d+)*)\]/g

/** The test files under `paths` (files or folders; missing folders are none), slow ones first. */
export function testFiles(paths) {
    const files = new Set()
    for (const path of paths) collect(resolve(root, path), files)
    const rank = file => {
        const found = slowFirst.findIndex(prefix => file.startsWith(prefix))
        return found < 0 ? slowFirst.length : found
    }
    return [...files]
        .map(file => relative(root, file).split(sep).join("/"))
        .sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1))
}

function collect(path, files) {
    if (!existsSync(path)) return
    if (!statSync(path).isDirectory()) return files.add(path)
    for (const name of readdirSync(path)) {
        const inside = join(path, name)
        if (statSync(inside).isDirectory()) collect(inside, files)
        else if (name.endsWith(".test.ts")) files.add(inside)
    }
}

/** `[R8 R9]` and `[R8] [R9]` in a title, as `["R8", "R9"]`. */
export function requirementIds(title) {
    return [...new Set([...title.matchAll(idPattern)].flatMap(found => found[1].split(/[ ,]+/)))]
}

/**
 * Runs `files` and prints a line for each test. `options`: grep, invert, jobs, isQuiet (only what did not pass is printed), env,
 * fileTimeoutMs, showsErrors (what a file prints to standard error is for the person, at once), showsOutput (what files print is shown,
 * whether they pass or not). Never throws for a test; returns `{ tests, counts, powerCuts, seconds }`.
 */
export async function runTests(files, options = {}) {
    const started = performance.now()
    const tests = []
    const running = new Set()
    let powerCuts = 0
    const waiting = [...files]
    const stop = signal => {
        for (const child of running) child.kill("SIGTERM")
        process.stderr.write(`\nstopped by ${signal}\n`)
        process.exit(signal === "SIGINT" ? 130 : 143)
    }
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop)
    const print = printer(files.length, options.isQuiet ?? false)
    const lane = async () => {
        for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
            print.began(file)
            const printed = await runFile(file, options, running, test => {
                tests.push(test)
                print.test(test)
            })
            for (const [, count] of printed.matchAll(cutsPattern)) powerCuts += Number(count)
            if (options.showsOutput && printed) print.output(printed)
            print.ended(file)
        }
    }
    const jobs = Math.min(options.jobs ?? Math.min(jobsMax, cpus().length), files.length)
    await Promise.all(Array.from({ length: jobs }, lane))
    for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, stop)
    tests.sort((one, other) => files.indexOf(one.file) - files.indexOf(other.file))
    const count = state => tests.filter(test => test.state === state).length
    const counts = { passed: count("passed"), failed: count("failed"), skipped: count("skipped") }
    print.summary(tests)
    return { tests, counts, powerCuts, seconds: (performance.now() - started) / 1000 }
}

function runFile(file, options, running, tell) {
    const { grep, invert, env, showsErrors, fileTimeoutMs = fileTimeoutMsUsual } = options
    return new Promise(done => {
        const suite = JSON.stringify({ file: join(root, file), grep, invert, timeoutMs: testTimeoutMs })
        const child = spawn(process.execPath, ["--import=tsx", "tools/project/suite.mjs", suite], {
            cwd: root,
            env: { ...process.env, ...env },
            stdio: ["ignore", "pipe", "pipe", "ipc"],
        })
        running.add(child)
        const output = []
        for (const stream of [child.stdout, child.stderr]) stream.on("data", data => output.push(data))
        if (showsErrors) child.stderr.pipe(process.stderr, { end: false })
        let count = 0
        let hasEnded = false
        let current
        let problem
        let failed
        const kill = text => () => {
            problem = text
            child.kill("SIGTERM")
            timer = setTimeout(() => child.kill("SIGKILL"), killGraceMs)
        }
        let timer = setTimeout(kill(`took longer than ${fileTimeoutMs / 60_000} minutes`), fileTimeoutMs)
        child.on("message", message => {
            if (message.kind === "begin") current = message.title
            else if (message.kind === "end") {
                hasEnded = true
                clearTimeout(timer)
                timer = setTimeout(kill("left something running after its last test"), endGraceMs)
            } else {
                count++
                const { kind, title, durationMs, error, reason } = message
                const test = { file, title, ids: requirementIds(title), state: kind, durationMs, error, reason }
                if (kind === "failed") failed = test
                tell(test)
            }
        })
        child.on("error", error => (problem ??= error.message))
        child.on("close", (code, signal) => {
            clearTimeout(timer)
            running.delete(child)
            if (!problem && !hasEnded) problem = `the process ended (${signal ?? `exit code ${code}`})`
            if (!problem && count === 0 && grep === undefined) problem = "has no test"
            if (problem) {
                const during = !hasEnded && current !== undefined ? ` in "${current}"` : ""
                failed = { file, title: "(the file)", ids: [], state: "failed", durationMs: 0, error: problem + during }
                tell(failed)
            }
            // a seed, perhaps; said once, with the last failure
            const printed = Buffer.concat(output).toString().trimEnd()
            if (failed && printed) failed.error += `\n\nprinted by the file:\n${printed.slice(-outputCharsMax)}`
            done(printed)
        })
    })
}

/** Lines that stand on their own: those of files that run at the same time are mixed. On a terminal a last line tells what runs. */
function printer(fileCount, isQuiet) {
    const { stdout } = process
    const isTerminal = Boolean(stdout.isTTY) && !process.env.CI
    const active = new Set()
    let endedCount = 0
    const status = () => {
        if (!isTerminal) return
        const text = `${endedCount} of ${fileCount} files; running ${[...active].join(", ")}`
        stdout.write(`\r\x1b[K${text.slice(0, (stdout.columns ?? 80) - 1)}`)
    }
    const line = text => {
        stdout.write(`${isTerminal ? "\r\x1b[K" : ""}${text}\n`)
        status()
    }
    const word = { passed: "ok  ", failed: "FAIL", skipped: "skip" }
    return {
        began(file) {
            active.add(file)
            status()
        },
        test(test) {
            if (isQuiet && test.state === "passed") return
            const took = test.durationMs >= 1000 ? ` (${(test.durationMs / 1000).toFixed(1)} s)` : ""
            const why = test.reason ? ` (${test.reason})` : ""
            line(`${word[test.state]} ${shortName(test.file)}  ${test.title}${took}${why}`)
        },
        output(text) {
            line(text)
        },
        ended(file) {
            active.delete(file)
            endedCount++
            status()
        },
        summary(tests) {
            if (isTerminal) stdout.write("\r\x1b[K")
            const failed = tests.filter(test => test.state === "failed")
            for (const [index, test] of failed.entries())
                stdout.write(`\n${index + 1}) ${test.file}\n   ${test.title}\n\n${indent(test.error ?? "")}\n`)
        },
    }
}

const shortName = file => file.replace(/^test\//, "").replace(/\.test\.ts$/, "")
const indent = text => text.trimEnd().replace(/^/gm, "   ")

/** For `npm run requirements` and for tools. */
export function writeResults(name, { tests, counts, seconds }) {
    const path = join(root, "test-results", name)
    mkdirSync(join(root, "test-results"), { recursive: true })
    writeFileSync(
        path,
        JSON.stringify({ outputVersion: 1, counts, seconds: Math.round(seconds), tests }, null, 1) + "\n",
    )
    return path
}
