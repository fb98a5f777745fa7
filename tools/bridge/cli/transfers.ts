/** Copies of files and trees between local disk, volumes and standard streams, streamed. */
import { createReadStream } from "node:fs"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { showPath } from "../client"
import type { FoundEntry } from "../protocol/answers"
import { TwinfilerError } from "../error"
import { checkName } from "../protocol/names"
import type { Context } from "./context"
import { throwLocal } from "./local-error"
import { storeLocally } from "./local-target"
import type { AnyPath, LocalPath, RemotePath } from "./paths"
import { startProgress } from "./progress"
import { checkRoom } from "./room"

export interface Copied {
    from: string
    to: string
    bytes: number
}
export interface TransferOptions {
    recursive: boolean
    replace: boolean
}

export interface RemoteSource {
    kind: "remote"
    at: RemotePath
    entry: FoundEntry
}
type Source =
    | RemoteSource
    | { kind: "local"; at: LocalPath; isDirectory: boolean; size: number | undefined; mtime: number }
    | { kind: "stream" }

const treeDepthMax = 256

export class Transfers {
    readonly copied: Copied[] = []
    /** What was read from volumes, as it was before it was read: each directory before what is in it. */
    readonly sources: RemoteSource[] = []

    constructor(
        private readonly context: Context,
        private readonly options: TransferOptions,
    ) {}

    /** Copies `sources` to `target` as cp does: into it when it is a directory, ends in a slash, or there are several. */
    async copy(sources: AnyPath[], target: AnyPath): Promise<void> {
        const isInto = target.isDirectory || sources.length > 1 || (await this.isDirectory(target))
        if (isInto && !(await this.isDirectory(target)))
            throw new TwinfilerError("notDirectory", `${target.text}: is not a directory`)
        for (const source of sources) await this.copyTo(source, isInto ? into(target, nameOf(source)) : target)
    }

    /** Copies one source to be exactly `target`. */
    async copyTo(from: AnyPath, target: AnyPath): Promise<void> {
        const source = await this.open(from)
        const isDirectory =
            source.kind === "remote" ? source.entry.type === "directory" : source.kind === "local" && source.isDirectory
        if (isDirectory && !this.options.recursive)
            throw new TwinfilerError("isDirectory", `${from.text}: is a directory; give -r to copy it and all in it`)
        if (isDirectory && target.kind === "stream")
            throw new TwinfilerError("usage", `${from.text}: a directory cannot go to standard output`)
        checkNotInside(from, target)
        if (isDirectory) await this.copyTree(source, from, target, 0)
        else await this.copyFile(source, from, target)
    }

    /** Nothing is left open; for the eye only. */
    finish(): void {
        if (this.copied.length === 0) this.context.note("nothing to copy")
    }

    private async copyTree(source: Source, from: AnyPath, target: AnyPath, depth: number): Promise<void> {
        if (depth > treeDepthMax)
            throw new TwinfilerError("tooLarge", `${from.text}: deeper than ${treeDepthMax} directories`)
        const { client, change, call } = this.context
        if (target.kind === "remote") await client.mkdirs(target.volume, target.names.join("/"), change)
        else if (target.kind === "local") await fs.mkdir(target.path, { recursive: true })
        if (source.kind === "remote") this.sources.push(source)
        if (from.kind === "remote") {
            if (source.kind === "remote" && target.kind === "remote")
                await this.copyProperties(from, source.entry, target)
            const names: string[] = []
            for await (const { name } of client.list(from.volume, from.names.join("/"), call)) names.push(name)
            for (const name of names) await this.copyEntry(into(from, name), into(target, name), depth)
        } else if (from.kind === "local") {
            for (const name of (await fs.readdir(from.path)).sort())
                await this.copyEntry(into(from, name), into(target, name), depth)
        }
    }

    private async copyEntry(from: AnyPath, target: AnyPath, depth: number): Promise<void> {
        const source = await this.open(from)
        if (
            source.kind === "remote" ? source.entry.type === "directory" : source.kind === "local" && source.isDirectory
        )
            await this.copyTree(source, from, target, depth + 1)
        else await this.copyFile(source, from, target)
    }

    private async open(from: AnyPath): Promise<Source> {
        if (from.kind === "stream") return { kind: "stream" }
        if (from.kind === "remote") {
            await this.context.checkOnBus(from.volume)
            const entry = await this.context.client.stat(from.volume, from.names.join("/"), this.context.call)
            return { kind: "remote", at: from, entry }
        }
        const stats = await fs.stat(from.path).catch(error => throwLocal(error, from.path))
        return {
            kind: "local",
            at: from,
            isDirectory: stats.isDirectory(),
            size: stats.isFile() ? stats.size : undefined,
            mtime: Math.max(0, Math.floor(stats.mtimeMs / 1_000)),
        }
    }

    private async copyFile(source: Source, from: AnyPath, target: AnyPath): Promise<void> {
        const { context } = this
        const progress = startProgress(context, from.text, sizeOf(source))
        try {
            const bytes =
                target.kind === "remote"
                    ? await this.put(source, target, at => progress.at(at))
                    : await this.get(source, target, at => progress.at(at))
            this.copied.push({ from: from.text, to: target.text, bytes })
            if (source.kind === "remote") this.sources.push(source)
        } finally {
            progress.stop()
        }
    }

    private async put(source: Source, target: RemotePath, onProgress: (bytes: number) => void): Promise<number> {
        const { context } = this
        await context.checkOnBus(target.volume)
        const size = sizeOf(source)
        if (size !== undefined) await checkRoom(context, target, size)
        const mtime =
            source.kind === "remote" ? source.entry.mtime : source.kind === "local" ? source.mtime : context.world.now()
        const stream = source.kind === "stream" ? this.read(source) : () => this.read(source)
        const path = target.names.join("/")
        const { bytes } = await context.client.put(target.volume, path, stream, {
            signal: context.world.signal,
            mtime,
            replace: this.options.replace,
            onProgress,
        })
        if (source.kind === "remote") await this.copyProperties(source.at, source.entry, target)
        return bytes
    }

    private async copyProperties(from: RemotePath, entry: FoundEntry, to: RemotePath): Promise<void> {
        await this.context.client.copyProperties(
            { volume: from.volume, entry, path: from.names.join("/") },
            { volume: to.volume, path: to.names.join("/") },
            this.context.change,
        )
    }

    private async get(
        source: Source,
        target: AnyPath & { kind: "local" | "stream" },
        onProgress: (bytes: number) => void,
    ): Promise<number> {
        let bytes = 0
        const read = this.read(source)
        const counted = async function* () {
            for await (const piece of read) {
                bytes += piece.length
                onProgress(bytes)
                yield piece
            }
        }
        if (target.kind === "stream") await writeAll(this.context.world.stdout, counted())
        else
            await storeLocally(target.path, counted(), {
                replace: this.options.replace,
                mtime: source.kind === "remote" ? source.entry.mtime : undefined,
                clock: this.context.world.clock,
                signal: this.context.world.signal,
            })
        return bytes
    }

    private async *read(source: Source): AsyncGenerator<Uint8Array> {
        const { client, call, world } = this.context
        if (source.kind === "remote")
            yield* client.read(source.at.volume, source.entry, { ...call, path: source.at.names.join("/") })
        else if (source.kind === "stream") yield* world.stdin as AsyncIterable<Uint8Array>
        else {
            try {
                yield* createReadStream(source.at.path) as AsyncIterable<Uint8Array>
            } catch (error) {
                throwLocal(error, source.at.path)
            }
        }
    }

    private async isDirectory(at: AnyPath): Promise<boolean> {
        if (at.kind === "stream") return false
        if (at.kind === "local")
            return fs.stat(at.path).then(
                stats => stats.isDirectory(),
                () => false,
            )
        await this.context.checkOnBus(at.volume)
        return (await this.context.client.find(at.volume, at.names.join("/"), this.context.call))?.type === "directory"
    }
}

/** The entry `name` of a directory. */
export function into(directory: AnyPath, name: string): AnyPath {
    if (directory.kind === "stream") throw new TwinfilerError("usage", "standard output holds one file only")
    if (directory.kind === "local") {
        if (name.includes("/") || name === "." || name === "..")
            throw new TwinfilerError("badName", `the name ${JSON.stringify(name)} cannot be a local file's`)
        const file = path.join(directory.path, name)
        return { kind: "local", path: file, text: file, isDirectory: false }
    }
    const names = [...directory.names, checkName(name)]
    return {
        kind: "remote",
        volume: directory.volume,
        names,
        text: showPath(directory.volume, names),
        isDirectory: false,
    }
}

/** In bytes, where it is known. */
function sizeOf(source: Source): number | undefined {
    if (source.kind === "stream") return undefined
    return source.kind === "remote" ? source.entry.size : source.size
}

function nameOf(from: AnyPath): string {
    if (from.kind === "stream") throw new TwinfilerError("usage", "standard input has no name: give one at the target")
    if (from.kind === "local") return path.basename(path.resolve(from.path))
    const name = from.names[from.names.length - 1]
    return name ?? from.text.replace(/[:/]/g, "") // a volume's letter
}

function checkNotInside(from: AnyPath, target: AnyPath): void {
    if (from.kind !== "remote" || target.kind !== "remote" || from.volume !== target.volume) return
    const isInside = from.names.every((name, index) => name === target.names[index])
    if (isInside) throw new TwinfilerError("usage", `${from.text} cannot be copied onto or into itself`)
}

export async function writeAll(to: NodeJS.WritableStream, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of pieces)
        await new Promise<void>((resolve, reject) => to.write(piece, error => (error ? reject(error) : resolve())))
}
