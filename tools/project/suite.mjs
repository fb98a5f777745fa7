// One mocha process of `npm test`: runs one test file and tells its parent about each test as it ends. Started by test-run.mjs
// with `node --import=tsx suite.mjs OPTIONS`; the last message is `end`, so a process that dies has not passed.

import Mocha from "mocha"

const { file, grep, invert, timeoutMs } = JSON.parse(process.argv[2])
const { EVENT_TEST_BEGIN, EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING } = Mocha.Runner.constants

class Messages {
    constructor(runner) {
        runner.on(EVENT_TEST_BEGIN, test => send({ kind: "begin", title: titleOf(test) }))
        runner.on(EVENT_TEST_PASS, test => send({ kind: "passed", ...about(test) }))
        runner.on(EVENT_TEST_PENDING, test => send({ kind: "skipped", ...about(test) }))
        runner.on(EVENT_TEST_FAIL, (test, error) => send({ kind: "failed", ...about(test), error: errorText(error) }))
    }
}

function about(test) {
    return { title: titleOf(test), durationMs: Math.round(test.duration ?? 0), reason: test.skipReason }
}

const titleOf = test => test.titlePath().join(": ")

// node:assert's messages hold the differences
const errorText = error => (error instanceof Error ? (error.stack ?? error.message) : String(error))

function send(message) {
    process.send?.(message)
}

// A rejection that nobody handles fails the test that runs.
process.on("unhandledRejection", reason => {
    throw reason
})
// An orderly end: those who clean up on exit may do it.
process.on("SIGINT", () => process.exit(130))
process.on("SIGTERM", () => process.exit(143))
process.on("disconnect", () => process.exit(143))
process.channel?.unref() // which the listener for its end keeps open

const mocha = new Mocha({ reporter: Messages, timeout: timeoutMs, forbidOnly: Boolean(process.env.CI) })
if (grep !== undefined) mocha.grep(new RegExp(grep))
if (invert) mocha.invert()
mocha.addFile(file)
await mocha.loadFilesAsync()
mocha.run(failures => {
    process.exitCode = failures ? 1 : 0
    send({ kind: "end" })
})
