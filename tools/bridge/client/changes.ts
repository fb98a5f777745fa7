/**
 * Changing a volume's names: each change is one request executed exactly once. Where the volume has forgotten the
 * session of a request that may have run, the objects tell: they are never used twice, so that a moved or committed object can be
 * recognised, and their change counters rise. Only what did not happen is asked for again; what may be another client's work is not taken for one's own.
 */
import { isError, TwinfilerError } from "../error"
import type { Attributes } from "../protocol/answers"
import type { RequestBody } from "../protocol/commands"
import { splitPath } from "../protocol/names"
import { replaceFlag, rootObject } from "../protocol/numbers"
import { staleRetryMax } from "./limits"
import type { CallOptions } from "./queries"
import type { Session } from "./session"
import { statusError } from "./statuses"
import { checkChangeable } from "./snapshots"
import { showPath, type Tree } from "./tree"

export interface ChangeOptions extends CallOptions {
    /** Seconds since 1970, for the directories that change. */
    mtime: number
}

export interface OnlyOptions extends ChangeOptions {
    /** Only while this object bears the name; else `replaced`. */
    object?: number
    /** And only while its change counter is this one. */
    change?: number
}

export class Changes {
    constructor(
        private readonly tree: Tree,
        private readonly session: (volume: number) => Session,
    ) {}

    /**
     * Runs a request. When its outcome is unknown, `happened` looks: true, it is done (the value is 0); false, it is
     * run again in a new session; undefined, nobody can tell, and `unknownOutcome` is thrown.
     */
    async run(
        volume: number,
        body: RequestBody,
        subject: string,
        options: CallOptions,
        happened: () => Promise<boolean | undefined>,
    ): Promise<number> {
        for (let tried = 0; ; tried++) {
            try {
                return await this.session(volume).run(body, subject, options)
            } catch (error) {
                if (!isError(error, "unknownOutcome") || tried >= staleRetryMax) throw error
                const isDone = await happened()
                if (isDone === true) return 0
                if (isDone === undefined) throw error
            }
        }
    }

    /** Makes a directory and returns its object. Throws `exists` when there is something of that name. */
    async mkdir(volume: number, path: string, options: ChangeOptions): Promise<number> {
        const names = splitPath(path)
        if (names.length === 0) throw statusError("exists", showPath(volume, names))
        checkChangeable(showPath(volume, names), names)
        const parent = await this.parent(volume, names, options)
        return this.mkdirIn(volume, parent, names, options)
    }

    /** Makes a directory and those above it; returns its object. What exists as a directory is fine. */
    async mkdirs(volume: number, path: string, options: ChangeOptions): Promise<number> {
        const names = splitPath(path)
        checkChangeable(showPath(volume, names), names)
        let directory = rootObject
        for (let depth = 1; depth <= names.length; depth++) {
            const part = names.slice(0, depth)
            const entry = await this.tree.find(volume, part, options)
            if (entry && entry.type !== "directory") throw statusError("notDirectory", showPath(volume, part))
            directory = entry ? entry.object : await this.mkdirUnlessThere(volume, directory, part, options)
        }
        return directory
    }

    /** Removes a file or an empty directory. */
    async remove(volume: number, path: string, options: OnlyOptions): Promise<void> {
        const names = splitPath(path)
        const subject = showPath(volume, names)
        if (names.length === 0) throw new TwinfilerError("badRequest", `${subject}: a volume cannot be removed`)
        checkChangeable(subject, names)
        await this.untilFresh(async () => {
            const entry = await this.tree.lookup(volume, names, options)
            checkOnly(entry, subject, options)
            const { directory, key, object } = entry
            const body = { op: "remove", directory, key, object, mtime: options.mtime } as const
            await this.run(volume, body, subject, options, async () => {
                // It may be another client that removed it: only that it is there is certain.
                return (await this.tree.getattr(volume, object, options)) === undefined ? undefined : false
            })
        })
    }

    /** Moves or renames within a volume. Throws `exists` when `to` is there and not to be replaced. */
    async rename(
        volume: number,
        from: string,
        to: string,
        options: OnlyOptions & { replace?: boolean },
    ): Promise<void> {
        const fromNames = splitPath(from)
        const toNames = splitPath(to)
        const subject = `${showPath(volume, fromNames)} to ${showPath(volume, toNames)}`
        if (fromNames.length === 0 || toNames.length === 0)
            throw new TwinfilerError("badRequest", `${subject}: a volume cannot be moved or replaced`)
        checkChangeable(showPath(volume, fromNames), fromNames)
        checkChangeable(showPath(volume, toNames), toNames)
        const isInside = toNames.length > fromNames.length && fromNames.every((name, index) => name === toNames[index])
        if (isInside) throw new TwinfilerError("badRequest", `${subject}: a directory cannot be moved into itself`)
        await this.untilFresh(async () => {
            const entry = await this.tree.lookup(volume, fromNames, options)
            checkOnly(entry, subject, options)
            const { directory, key, object } = entry
            const newDirectory = await this.parent(volume, toNames, options)
            const name = toNames[toNames.length - 1]
            const flags = options.replace ? replaceFlag : 0
            const { mtime } = options
            const body = { op: "rename", directory, key, object, newDirectory, mtime, flags, name } as const
            await this.run(volume, body, subject, options, async () => {
                if ((await this.tree.find(volume, toNames, options))?.object === object) return true
                const there = await this.tree.find(volume, fromNames, options)
                // with another change counter it may have been moved, and back by another client
                return there?.object === object && there.change === entry.change ? false : undefined
            })
        })
    }

    /** Sets the modification time of a file or directory. */
    async setMtime(volume: number, path: string, options: ChangeOptions): Promise<void> {
        const names = splitPath(path)
        checkChangeable(showPath(volume, names), names)
        const entry = await this.tree.lookup(volume, names, options)
        const body = { op: "setattr", object: entry.object, mtime: options.mtime } as const
        await this.run(volume, body, showPath(volume, names), options, () =>
            this.isSo(volume, entry, options, async ({ mtime }) => mtime === options.mtime),
        )
    }

    /**
     * For `run`, of what sets something of an object that was looked up before: whether it is set. Changed and something else, it may have been
     * set and changed again by another client.
     */
    async isSo(
        volume: number,
        before: { object: number; change: number },
        options: CallOptions,
        look: (now: Attributes) => Promise<boolean>,
    ): Promise<boolean | undefined> {
        const now = await this.tree.getattr(volume, before.object, options)
        // what is gone, the node refuses
        if (!now || now.change === before.change) return false
        return (await look(now)) || undefined
    }

    /** The object of the directory that `names` (not empty) lie in. */
    async parent(volume: number, names: readonly string[], options: CallOptions): Promise<number> {
        const above = names.slice(0, -1)
        const entry = await this.tree.lookup(volume, above, options)
        if (entry.type !== "directory") throw statusError("notDirectory", showPath(volume, above))
        return entry.object
    }

    private async mkdirUnlessThere(
        volume: number,
        directory: number,
        names: readonly string[],
        options: ChangeOptions,
    ): Promise<number> {
        try {
            return await this.mkdirIn(volume, directory, names, options)
        } catch (error) {
            if (!isError(error, "exists")) throw error
            const entry = await this.tree.lookup(volume, names, options) // another client was faster
            if (entry.type !== "directory") throw error
            return entry.object
        }
    }

    private async mkdirIn(
        volume: number,
        directory: number,
        names: readonly string[],
        options: ChangeOptions,
    ): Promise<number> {
        const body = { op: "mkdir", directory, mtime: options.mtime, name: names[names.length - 1] } as const
        const subject = showPath(volume, names)
        const object = await this.run(volume, body, subject, options, async () => {
            // A directory of that name may be another client's: only its absence is certain.
            return (await this.tree.find(volume, names, options)) === undefined ? false : undefined
        })
        return object
    }

    /** `stale` means that the name was changed between looking it up and asking: look again. */
    private async untilFresh(attempt: () => Promise<void>): Promise<void> {
        for (let tried = 0; ; tried++) {
            try {
                return await attempt()
            } catch (error) {
                if (!isError(error, "stale") || tried >= staleRetryMax) throw error
            }
        }
    }
}

/**
 * The node compares the object too, as it acts, and a file's bytes are those of its object for ever. What remains: properties or a time that are
 * set between this look and the request go with it.
 */
function checkOnly({ object, change }: { object: number; change: number }, subject: string, only: OnlyOptions): void {
    const isSo =
        (only.object === undefined || only.object === object) && (only.change === undefined || only.change === change)
    if (!isSo) throw new TwinfilerError("replaced", `${subject}: was changed or replaced by another client meanwhile`)
}
