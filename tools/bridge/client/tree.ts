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
    type VolumeFigures,
} from "../protocol/answers"
import { lookupStep, splitPath } from "../protocol/names"
import { rootObject, volumeLetter } from "../protocol/numbers"
import { directoryPagesMax } from "./limits"
import type { Link } from "./link"
import { query, type CallOptions } from "./queries"
import { statusError } from "./statuses"

/** As the user writes it: `:/a/dir/file`. */
export function showPath(volume: number, names: readonly string[]): string {
    return [`:/${volumeLetter(volume)}`, ...names].join("/")
}

export class Tree {
    constructor(private readonly link: Link) {}

    /** The entry at `path`; throws `notFound` with `details.found`, how many of its names exist. */
    async lookup(volume: number, path: string | readonly string[], options: CallOptions = {}): Promise<FoundEntry> {
        const names = typeof path === "string" ? splitPath(path) : path
        const subject = showPath(volume, names)
        let directory = rootObject
        for (let start = 0; ;) {
            const count = lookupStep(names, start)
            const part = names.slice(start, start + count).join("/")
            const body = { op: "lookup", directory, path: part } as const
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
        const entry = await this.lookup(volume, names, options)
        if (entry.type !== "directory") throw statusError("notDirectory", subject)
        yield* this.listObject(volume, entry.object, subject, options)
    }

    async *listObject(
        volume: number,
        directory: number,
        subject: string,
        options: CallOptions = {},
    ): AsyncGenerator<ListedEntry> {
        const cookies = new Set<number>()
        let cookie = 0
        for (let page = 0; page < directoryPagesMax; page++) {
            const answer = await query(this.link, { volume }, { op: "readdir", directory, cookie }, subject, options)
            if (answer.status !== "ok") throw statusError(answer.status, subject)
            const { entries, end } = decodeDirectoryPage(answer.payload)
            yield* entries
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
