// Programs of other people. At home a test whose program is not installed is skipped and says so; where CI is set it fails.

import { spawn } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import type { Context } from "mocha"

/** Skips the test, or fails it under CI, unless `name` is installed. */
export function needs(test: Context, name: string): void {
    if (isInstalled(name)) return
    const reason = `${name} is not installed`
    if (process.env.CI) throw new Error(`${reason}; .ci/run installs it`)
    Object.assign(test.runnable(), { skipReason: reason })
    test.skip()
}

function isInstalled(name: string): boolean {
    return (process.env.PATH ?? "").split(delimiter).some(folder => {
        try {
            accessSync(join(folder, name), constants.X_OK)
            return true
        } catch {
            return false
        }
    })
}

export interface Ended {
    exitCode: number | null
    out: string
    err: string
}

export interface RunOptions {
    cwd?: string
    env?: Record<string, string>
    input?: string
    /** Told each line of standard error as it comes. */
    onErrorLine?(line: string): void
}

const runMsMax = 240_000

/** Runs a program to its end. Throws only when it cannot be started. */
export function runClient(command: string, args: string[], options: RunOptions = {}): Promise<Ended> {
    return new Promise((resolve, reject) => {
        const child = spawn(command, args, {
            cwd: options.cwd,
            env: { ...process.env, ...options.env },
            stdio: "pipe",
            timeout: runMsMax,
        })
        const ended: Ended = { exitCode: null, out: "", err: "" }
        const kill = () => child.kill("SIGKILL")
        process.once("exit", kill)
        child.stdout.on("data", data => (ended.out += data))
        let seenLines = 0
        child.stderr.on("data", data => {
            ended.err += data
            const lines = ended.err.split("\n")
            for (; seenLines < lines.length - 1; seenLines++) options.onErrorLine?.(lines[seenLines])
        })
        child.stdin.on("error", () => undefined)
        child.stdin.end(options.input ?? "")
        child.on("error", reject)
        child.on("close", code => {
            process.off("exit", kill)
            resolve({ ...ended, exitCode: code })
        })
    })
}
