// Runs the pinned DeviceScript command line in a folder of its own, so that a build depends on its inputs only: no git, no
// clock, nothing left behind. What it prints is shown only when it fails.

import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { cliPath } from "./vm/vm-image"

export const projectRoot = fileURLToPath(new URL("../..", import.meta.url))

/**
 * Calls `work` with an empty folder outside any checkout (the compiler embeds the commit and, in a dirty tree, the time when it
 * finds a .git up to ten levels above), then removes it.
 */
export function inScratchFolder<T>(work: (folder: string) => T): T {
    const folder = mkdtempSync(join(tmpdir(), "twinfiler-"))
    try {
        return work(folder)
    } finally {
        rmSync(folder, { recursive: true, force: true })
    }
}

/** Without what would point git somewhere else. */
function cleanEnvironment(): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1" }
    for (const name of Object.keys(env)) if (name.startsWith("GIT_")) delete env[name]
    return env
}

export function runCli(folder: string, args: string[]): void {
    const run = spawnSync(process.execPath, [cliPath(), ...args], {
        cwd: folder,
        encoding: "utf8",
        env: cleanEnvironment(),
    })
    if (run.status === 0) return
    throw new Error(`devs ${args.join(" ")} failed:\n${run.stdout ?? ""}${run.stderr ?? ""}${run.error?.message ?? ""}`)
}

/**
 * The compiler puts a version into the image only from a git tag: make the folder a checkout that stands exactly on one. Tags
 * are like `v1.2.3`, without a dash, which would add the time of the build.
 */
export function tagVersion(folder: string, version: string): void {
    if (!/^[0-9][0-9a-z.+]*$/i.test(version)) throw new Error(`version ${version} cannot be put into an image`)
    const env = { ...cleanEnvironment(), GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" }
    const who = ["-c", "user.name=twinfiler", "-c", "user.email=twinfiler@localhost"]
    for (const args of [
        ["init", "-q"],
        [...who, "commit", "-q", "--allow-empty", "-m", "build"],
        ["tag", `v${version}`],
    ]) {
        const run = spawnSync("git", args, { cwd: folder, encoding: "utf8", env })
        // without git the compiler leaves the version out, and the image works all the same
        if ((run.error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return
        if (run.status !== 0) throw new Error(`git ${args.join(" ")} failed: ${run.stderr ?? run.error?.message}`)
    }
}

/** Writes a file whole or not at all: others may be reading the same cache. */
export function writeWhole(path: string, bytes: Uint8Array): void {
    mkdirSync(dirname(path), { recursive: true })
    const temporary = `${path}.${process.pid}`
    writeFileSync(temporary, bytes)
    renameSync(temporary, path)
}
