/**
 * One program at a time writes the images in a folder: it holds a file there with its process id. The lock of a process that does not run
 * any more, after a kill or a power cut, is taken over.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { TwinfilerError } from "./error"

/** Smaller than any image, and hidden: who looks for images does not see it. */
const lockName = ".twinfiler.lock"
const triesMax = 5
/** Between the making of a lock and the id in it. */
const writtenMsMax = 2_000
/** Those that this process holds: a lock with its id that is not among them is of an earlier one that bore the same. */
const held = new Set<string>()

export interface FolderLock {
    release(): void
}

/** Makes the folder if need be. Throws `usage` when another process that runs holds it. */
export function lockFolder(folder: string): FolderLock {
    const path = resolve(folder, lockName)
    orUsage(folder, () => mkdirSync(folder, { recursive: true }))
    for (let tries = 0; tries < triesMax; tries++) {
        refuseLocked(folder)
        if (orUsage(folder, () => create(path))) return hold(path)
        removeStale(path)
    }
    throw new TwinfilerError("usage", `${folder}: others begin to use it at the same time; try again`)
}

/** Throws `usage` when a process that runs holds the folder. */
export function refuseLocked(folder: string): void {
    const path = resolve(folder, lockName)
    const holder = holderOf(path, path)
    if (holder !== undefined)
        throw new TwinfilerError(
            "usage",
            `${folder}: ${holder} uses the images in it: end that first (if it is no simulator, remove ${path})`,
        )
}

function hold(path: string): FolderLock {
    held.add(path)
    const release = () => {
        process.off("exit", release)
        if (held.delete(path) && ownerOf(path) === process.pid) rmSync(path, { force: true })
    }
    // a second Ctrl-C ends the process at once
    process.once("exit", release)
    return { release }
}

/** @returns false when there is one already */
function create(path: string): boolean {
    try {
        writeFileSync(path, `${process.pid}\n`, { flag: "wx" })
        return true
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") return false
        throw error
    }
}

/** Of several that find a stale lock each moves one away; what it moved may be the new one of another, and goes back. */
function removeStale(path: string): void {
    const aside = `${path}.${process.pid}`
    try {
        renameSync(path, aside)
    } catch {
        return
    }
    if (holderOf(aside, path) !== undefined) renameSync(aside, path)
    else rmSync(aside, { force: true })
}

/** Who holds the lock that is at `place` and belongs at `path`; undefined when nobody does. */
function holderOf(place: string, path: string): string | undefined {
    const owner = ownerOf(place)
    if (owner !== undefined) return isRunning(owner, path) ? `process ${owner}` : undefined
    const made = statSync(place, { throwIfNoEntry: false })
    return made && Date.now() - made.mtimeMs < writtenMsMax ? "another process" : undefined
}

/** Undefined when there is no lock, or one without a process's id. */
function ownerOf(place: string): number | undefined {
    try {
        const text = readFileSync(place, "utf8").trim()
        return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined
    } catch {
        return undefined
    }
}

function isRunning(owner: number, path: string): boolean {
    if (owner === process.pid) return held.has(path)
    try {
        process.kill(owner, 0)
        return true
    } catch (error) {
        // one of another user's runs, too
        return (error as NodeJS.ErrnoException).code === "EPERM"
    }
}

function orUsage<T>(folder: string, work: () => T): T {
    try {
        return work()
    } catch (error) {
        throw new TwinfilerError(
            "usage",
            `cannot use the folder ${folder}: ${(error as Error).message}. Choose another with --dir`,
        )
    }
}
