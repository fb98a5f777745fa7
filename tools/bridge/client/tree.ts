/**
 * Looking at a volume: entries found by path, directories listed page by page, figures. Nothing here changes anything,
 * and every question is asked until it is answered.
 */
import { TwinfilerError } from "../error"
import {
    decodeAttributes,
    decodeDirectoryPage,
    decodeFoundCount,
    decodeLookup,
    decodeNode,
    decodeStatfs,
    decodeUpload,
    type Attributes,
    type FoundEntry,
    type ListedEntry,
    type NodeFigures,
    type SnapshotFigures,
    type VolumeFigures,
} from "../protocol/answers"
import { lookupStep, splitPath } from "../protocol/names"
import { rootObject, volumeLetter } from "../protocol/numbers"
import { directoryPagesMax } from "./limits"
import type { Link } from "./link"
import { query, type CallOptions } from "./queries"
import { isInSnapshots, listSnapshots } from "./snapshots"
import { statusError } from "./statuses"

/** As the user writes it: `:/a/dir/file`. */
export function showPath(volume: number, names: readonly string[]): string {
    return [`:/${volumeLetter(volume)}`, ...names].join("/")
}

/** What `.snapshots` at a volume's root looks like: the volume has no such entry. */
const snapshotsDirectory: FoundEntry = {
    type: "directory",
    flags: 0,
    object: 0,
    size: 0,
    mtime: 0,
    change: 0,
    directory: rootObject,
    key: 0,
}

export class Tree {
    constructor(private readonly link: Link) {}

    /** The entry at `path`; throws `notFound` with `details.found`, how many of its names exist. */
    async lookup(volume: number, path: string | readonly string[], options: CallOptions = {}): Promise<FoundEntry> {
        const names = typeof path === "string" ? splitPath(path) : path
        if (!isInSnapshots(names)) return this.walk(volume, names, 0, undefined, options)
        if (names.length === 1) return snapshotsDirectory
        const snapshot = await this.snapshot(volume, names, options)
        const entry = { ...(await this.walk(volume, names, 2, snapshot.number, options)), snapshot: snapshot.number }
        return names.length > 2 ? entry : { ...entry, mtime: snapshot.mtime }
    }

    /** The snapshot that `names`, with at least two names, lead to. */
    private async snapshot(volume: number, names: readonly string[], options: CallOptions): Promise<SnapshotFigures> {
        const found = (await listSnapshots(this.link, volume, options)).find(({ name }) => name === names[1])
        if (!found) throw statusError("notFound", showPath(volume, names), { found: 1 })
        return found
    }

    /** Walks `names` from index `start` on, down from the root of the volume or of a snapshot. */
    private async walk(
        volume: number,
        names: readonly string[],
        start: number,
        snapshot: number | undefined,
        options: CallOptions,
    ): Promise<FoundEntry> {
        const subject = showPath(volume, names)
        let directory = rootObject
        for (;;) {
            const count = lookupStep(names, start)
            const part = names.slice(start, start + count).join("/")
            const body = { op: "lookup", directory, path: part, snapshot } as const
            const answer = await query(this.link, { volume }, body, subject, options)
            if (answer.status === "notFound")
                throw statusError("notFound", subject, { found: start + decodeFoundCount(answer.payload) })
            if (answer.status !== "ok") throw statusError(answer.status, subject)
            const entry = decodeLookup(answer.payload)
            start += count
            if (start >= names.length) return entry
            if (entry.type !== "directory") throw statusError("notDirectory", subject)
            directory = entry.object
        }
    }

    /** Like lookup, but undefined when there is no such entry or a part of its path is a file. */
    async find(volume: number, path: string | readonly string[], options: CallOptions = {}) {
        try {
            return await this.lookup(volume, path, options)
        } catch (error) {
            if (error instanceof TwinfilerError && (error.code === "notFound" || error.code === "notDirectory"))
                return undefined
            throw error
        }
    }

    /** Undefined when there is no such object any more. */
    async getattr(volume: number, object: number, options: CallOptions = {}): Promise<Attributes | undefined> {
        const subject = `object ${object} of volume ${volumeLetter(volume)}`
        const answer = await query(this.link, { volume }, { op: "getattr", object }, subject, options)
        if (answer.status === "notFound" || answer.status === "stale") return undefined
        if (answer.status !== "ok") throw statusError(answer.status, subject)
        return decodeAttributes(answer.payload)
    }

    /** Bytes the volume holds of an upload; undefined when it does not know it (any more). */
    async uploadHeld(volume: number, upload: number, options: CallOptions = {}): Promise<number | undefined> {
        const subject = `upload ${upload} of volume ${volumeLetter(volume)}`
        const answer = await query(this.link, { volume }, { op: "upload", upload }, subject, options)
        if (answer.status === "noUpload" || answer.status === "notFound") return undefined
        if (answer.status !== "ok") throw statusError(answer.status, subject)
        return decodeUpload(answer.payload)
    }

    /** The entries of a directory, in the order of their keys; pages are asked for as they are needed. */
    async *list(
        volume: number,
        path: string | readonly string[],
        options: CallOptions = {},
    ): AsyncGenerator<ListedEntry> {
        const names = typeof path === "string" ? splitPath(path) : path
        const subject = showPath(volume, names)
        if (isInSnapshots(names) && names.length === 1) {
            for (const { number, name, mtime } of await listSnapshots(this.link, volume, options))
                yield { ...snapshotsDirectory, object: rootObject, key: number, name, mtime, snapshot: number }
            return
        }
        const entry = await this.lookup(volume, names, options)
        if (entry.type !== "directory") throw statusError("notDirectory", subject)
        yield* this.listObject(volume, entry, subject, options)
    }

    async *listObject(
        volume: number,
        { object: directory, snapshot }: { object: number; snapshot?: number },
        subject: string,
        options: CallOptions = {},
    ): AsyncGenerator<ListedEntry> {
        const where = snapshot === undefined ? {} : { snapshot }
        const cookies = new Set<number>()
        let cookie = 0
        for (let page = 0; page < directoryPagesMax; page++) {
            const body = { op: "readdir", directory, cookie, ...where } as const
            const answer = await query(this.link, { volume }, body, subject, options)
            if (answer.status !== "ok") throw statusError(answer.status, subject)
            const { entries, end } = decodeDirectoryPage(answer.payload)
            for (const entry of entries) yield { ...entry, ...where }
            if (end) return
            cookie = entries[entries.length - 1].key
            if (cookies.has(cookie)) break
            cookies.add(cookie)
        }
        throw new TwinfilerError("ioError", `${subject}: the node lists this directory without end`)
    }

    async statfs(volume: number, options: CallOptions = {}): Promise<VolumeFigures> {
        const subject = `volume ${volumeLetter(volume)}`
        const answer = await query(this.link, { volume }, { op: "statfs" }, subject, options)
        if (answer.status !== "ok") throw statusError(answer.status, subject)
        return decodeStatfs(answer.payload)
    }

    async node(node: number, options: CallOptions = {}): Promise<NodeFigures> {
        const subject = `node ${volumeLetter(node)}`
        const answer = await query(this.link, { node }, { op: "node" }, subject, options)
        if (answer.status !== "ok") throw statusError(answer.status, subject)
        return decodeNode(answer.payload)
    }
}
