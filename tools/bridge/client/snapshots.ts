/**
 * Snapshots of a volume: listed, made and deleted; and read below `.snapshots` at the volume's root, which no listing of the root
 * shows. Below it nothing can be changed, and nothing of that name can be made there.
 */
import { isError, TwinfilerError } from "../error"
import { decodeSnapshots, type SnapshotFigures } from "../protocol/answers"
import { checkName } from "../protocol/names"
import { snapshotNameBytesMax, snapshotsMax, volumeLetter } from "../protocol/numbers"
import type { ChangeOptions, Changes } from "./changes"
import type { Link } from "./link"
import { query, type CallOptions } from "./queries"
import { statusError } from "./statuses"

export const snapshotsName = ".snapshots"

export const isInSnapshots = (names: readonly string[]): boolean => names[0] === snapshotsName

/** Throws `readOnly` for what lies in a snapshot. */
export function checkChangeable(subject: string, names: readonly string[]): void {
    if (!isInSnapshots(names)) return
    throw new TwinfilerError(
        "readOnly",
        names.length <= 2
            ? `${subject}: \`.snapshots\` is kept for snapshots, which \`twinfiler snapshot\` makes and deletes`
            : `${subject}: a snapshot cannot be changed; copy what you want out of it`,
    )
}

export async function listSnapshots(link: Link, volume: number, options: CallOptions = {}): Promise<SnapshotFigures[]> {
    const subject = `snapshots of volume ${volumeLetter(volume)}`
    const all: SnapshotFigures[] = []
    // one more page than there can be snapshots
    for (let page = 0; page <= snapshotsMax; page++) {
        const cookie = all.at(-1)?.number ?? 0
        const answer = await query(link, { volume }, { op: "snapshots", cookie }, subject, options)
        if (answer.status !== "ok") throw statusError(answer.status, subject)
        const { snapshots, end } = decodeSnapshots(answer.payload)
        all.push(...snapshots)
        if (end) break
    }
    return all.sort((one, other) => one.mtime - other.mtime || (one.name < other.name ? -1 : 1))
}

export class SnapshotChanges {
    constructor(
        private readonly link: Link,
        private readonly changes: Changes,
    ) {}

    /** Makes a snapshot of all that is committed; returns its number. Throws `exists`, `noSpace`, `tooLarge` (eight are there). */
    async create(volume: number, name: string, options: ChangeOptions): Promise<number> {
        const subject = `snapshot ${JSON.stringify(name)} of volume ${volumeLetter(volume)}`
        if (Buffer.byteLength(checkName(name)) > snapshotNameBytesMax)
            throw new TwinfilerError(
                "badName",
                `${subject}: the name is longer than ${snapshotNameBytesMax} bytes of UTF-8`,
            )
        const find = async () => (await listSnapshots(this.link, volume, options)).find(one => one.name === name)
        try {
            const body = { op: "snapshotCreate", mtime: options.mtime, name } as const
            const number = await this.changes.run(volume, body, subject, options, async () => {
                const found = await find()
                // one of that name may be another client's: only its absence is certain
                return found ? (found.mtime === options.mtime ? true : undefined) : false
            })
            return number || (await find())?.number || 0
        } catch (error) {
            throw explained(error, subject)
        }
    }

    /** By name. Throws `notFound`. */
    async delete(volume: number, name: string, options: CallOptions = {}): Promise<void> {
        const subject = `snapshot ${JSON.stringify(name)} of volume ${volumeLetter(volume)}`
        const found = (await listSnapshots(this.link, volume, options)).find(one => one.name === name)
        if (!found) throw statusError("notFound", subject)
        const body = { op: "snapshotDelete", number: found.number } as const
        await this.changes.run(volume, body, subject, options, async () => {
            // it may be another client that deleted it: only that it is there is certain
            const all = await listSnapshots(this.link, volume, options)
            return all.some(one => one.number === found.number) ? false : undefined
        })
    }
}

function explained(error: unknown, subject: string): unknown {
    if (isError(error, "tooLarge"))
        return new TwinfilerError(
            "tooLarge",
            `${subject}: a volume keeps ${snapshotsMax} snapshots at most: delete one (\`twinfiler snapshot list\`)`,
        )
    if (isError(error, "noSpace"))
        return new TwinfilerError(
            "noSpace",
            `${subject}: too little of the volume is free: a snapshot holds what it shows for as long as it is there; ` +
                `delete files or another snapshot`,
        )
    return error
}
