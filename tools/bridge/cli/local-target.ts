/**
 * Where bytes go on the local disk. A file appears under its name when it is whole; cut in the middle, only a `.part` file can be left
 * behind. A symlink stays, and the file it leads to is replaced, in that one's own folder. A device or a fifo is written through.
 */
import { closeSync, constants, openSync } from "node:fs"
import * as fs from "node:fs/promises"
import { Socket } from "node:net"
import * as path from "node:path"
import { sleep, type Clock } from "../bus/clock"
import { TwinfilerError } from "../error"
import { throwLocal } from "./local-error"

export interface LocalOptions {
    replace: boolean
    /** Seconds since 1970; of a file only. */
    mtime?: number
    clock: Clock
    signal: AbortSignal
}

/** Bytes collected before a local write: frames are small, disks like more. */
const chunkBytes = 65_536
const linksMax = 40
const readerPollMs = 100

/** Stores `pieces` as what bears the name `file`, or is to bear it. */
export async function storeLocally(
    file: string,
    pieces: AsyncIterable<Uint8Array>,
    options: LocalOptions,
): Promise<void> {
    const stats = await fs.stat(file).catch(error => unlessMissing(error, file))
    const isTaken = stats !== undefined || (await fs.lstat(file).catch(error => unlessMissing(error, file)))
    if (!options.replace && isTaken) throw new TwinfilerError("exists", `${file}: exists already`)
    if (stats?.isDirectory()) throw new TwinfilerError("isDirectory", `${file}: is a directory`)
    const chunks = gather(pieces)
    try {
        if (stats?.isFIFO()) await writeToFifo(file, chunks, options)
        else if (stats && !stats.isFile()) await writeThrough(file, chunks)
        else await replaceFile(await endOfLinks(file), chunks, options.mtime)
    } catch (error) {
        throwLocal(error, file)
    }
}

function unlessMissing(error: unknown, file: string): undefined {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throwLocal(error, file)
    return undefined
}

/** The place that a path's last name leads to. Nothing need be there, and the path is left as it is written: the system reads `..` its own way. */
async function endOfLinks(file: string): Promise<string> {
    for (let count = 0; count < linksMax; count++) {
        const link = await fs.readlink(file).catch(() => undefined)
        if (link === undefined) return file
        file = path.isAbsolute(link) ? link : `${path.dirname(file)}/${link}`
    }
    throw new TwinfilerError("ioError", `${file}: too many symlinks`)
}

async function replaceFile(file: string, chunks: AsyncIterable<Uint8Array>, mtime: number | undefined): Promise<void> {
    const part = `${path.dirname(file)}/.${path.basename(file)}.${process.pid}.part`
    const handle = await fs.open(part, "w")
    try {
        try {
            for await (const chunk of chunks) await handle.writeFile(chunk)
            if (mtime !== undefined) await handle.utimes(mtime, mtime)
        } finally {
            await handle.close()
        }
        await fs.rename(part, file)
    } catch (error) {
        await fs.rm(part, { force: true })
        throw error
    }
}

async function writeThrough(file: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const handle = await fs.open(file, constants.O_WRONLY)
    try {
        for await (const chunk of chunks) await handle.writeFile(chunk)
    } finally {
        await handle.close()
    }
}

/** Never blocks, as a call that does would keep even a second Ctrl-C from ending the program. */
async function writeToFifo(file: string, chunks: AsyncIterable<Uint8Array>, options: LocalOptions): Promise<void> {
    const { signal } = options
    const pipe = await openWhenRead(file, options)
    const stop = () => pipe.destroy(new TwinfilerError("aborted", `${file}: stopped`))
    signal.addEventListener("abort", stop)
    // each write tells its own
    pipe.on("error", () => undefined)
    try {
        for await (const chunk of chunks)
            await new Promise<void>((done, failed) => pipe.write(chunk, error => (error ? failed(error) : done())))
        await new Promise<void>(done => pipe.end(done))
    } finally {
        signal.removeEventListener("abort", stop)
        pipe.destroy()
    }
}

async function openWhenRead(file: string, { clock, signal }: LocalOptions): Promise<Socket> {
    for (;;) {
        if (signal.aborted) throw new TwinfilerError("aborted", `${file}: stopped`)
        try {
            return pipeOf(openSync(file, constants.O_WRONLY | constants.O_NONBLOCK))
        } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error
        }
        await sleep(clock, readerPollMs) // nobody reads it yet
    }
}

function pipeOf(fd: number): Socket {
    try {
        return new Socket({ fd, readable: false, writable: true })
    } catch (error) {
        closeSync(fd)
        throw error
    }
}

async function* gather(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let held: Uint8Array[] = []
    let count = 0
    for await (const piece of pieces) {
        held.push(piece)
        count += piece.length
        if (count < chunkBytes) continue
        yield Buffer.concat(held)
        held = []
        count = 0
    }
    if (count) yield Buffer.concat(held)
}
