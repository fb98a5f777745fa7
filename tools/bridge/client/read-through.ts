/**
 * Reads every file of a volume and of its snapshots. A scrub knows pages and not files: what is good on no element it cannot tell from what a
 * power cut broke off. Who reads through knows which files are lost.
 */
import { isError, type ErrorCode } from "../error"
import type { TwinfilerClient } from "./client"
import type { CallOptions } from "./queries"
import { snapshotsName } from "./snapshots"

export interface Unreadable {
    /** Below the volume's root; that of a directory when it cannot be listed. */
    path: string
    code: ErrorCode
}

export interface ReadThrough {
    files: number
    bytes: number
    unreadable: Unreadable[]
}

/** What is lost for good; other errors end the reading. */
const lostCodes: readonly ErrorCode[] = ["ioError", "checksum"]
/** Replaced or removed while it was read: nothing is wrong. */
const goneCodes: readonly ErrorCode[] = ["notFound", "replaced"]

/** @param onBytes told what was read so far. Throws what `get` and `list` throw, but for files that are lost or gone. */
export async function readThrough(
    client: TwinfilerClient,
    volume: number,
    options: CallOptions & { onBytes?(bytes: number): void } = {},
): Promise<ReadThrough> {
    const { onBytes, ...call } = options
    const result: ReadThrough = { files: 0, bytes: 0, unreadable: [] }
    const noted = async (path: string, work: () => Promise<void>) => {
        try {
            await work()
        } catch (error) {
            if (lostCodes.some(code => isError(error, code)))
                result.unreadable.push({ path, code: isError(error, "checksum") ? "checksum" : "ioError" })
            else if (!goneCodes.some(code => isError(error, code))) throw error
        }
    }
    const readFile = async (path: string) => {
        for await (const piece of client.get(volume, path, call)) {
            result.bytes += piece.length
            onBytes?.(result.bytes)
        }
        result.files++
    }
    const readDirectory = async (path: string): Promise<void> => {
        const directories: string[] = []
        for await (const { name, type } of client.list(volume, path, call)) {
            const below = path ? `${path}/${name}` : name
            if (type === "directory") directories.push(below)
            else await noted(below, () => readFile(below))
        }
        for (const below of directories) await noted(below, () => readDirectory(below))
    }
    await noted("", () => readDirectory(""))
    for (const { name } of await client.snapshots(volume, call))
        await noted(`${snapshotsName}/${name}`, () => readDirectory(`${snapshotsName}/${name}`))
    return result
}
