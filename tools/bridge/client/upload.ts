/**
 * A file from a stream, in three steps: (1) `create` an upload, (2) its blocks, (3) `commit` under its name, at once
 * and whole. Cut at any point before (3) is executed, the name is what it was before. A failed or stopped upload is
 * aborted, so that the volume has its space back.
 */
import { isError, TwinfilerError } from "../error"
import { splitPath } from "../protocol/names"
import { replaceFlag } from "../protocol/numbers"
import { BlockSource, type ByteSource } from "./block-source"
import type { Changes, ChangeOptions } from "./changes"
import { farewell } from "./exchange"
import { Gate } from "./gate"
import { uploadRestartMax, uploadsPerVolumeMax } from "./limits"
import type { Link } from "./link"
import type { Session } from "./session"
import { checkChangeable } from "./snapshots"
import { statusError } from "./statuses"
import { showPath, type Tree } from "./tree"
import { sendBlocks } from "./upload-window"

export interface PutOptions extends ChangeOptions {
    /** Whether a file of that name may be replaced; true unless said otherwise. */
    replace?: boolean
    /** Called with the bytes acknowledged so far; they may fall back to 0 when the upload is begun again. */
    onProgress?: (bytes: number) => void
    /** Called with the commit when the volume has all bytes: runs it, or throws and leaves the name as it is. */
    guard?: <T>(commit: () => Promise<T>) => Promise<T>
}

export interface PutResult {
    object: number
    bytes: number
}

export class Uploads {
    private readonly gates = new Map<number, Gate>()

    constructor(
        private readonly link: Link,
        private readonly tree: Tree,
        private readonly changes: Changes,
        private readonly session: (volume: number) => Session,
    ) {}

    /** See TwinfilerClient.put. */
    async put(volume: number, path: string, source: ByteSource, options: PutOptions): Promise<PutResult> {
        let gate = this.gates.get(volume)
        if (!gate) this.gates.set(volume, (gate = new Gate(uploadsPerVolumeMax)))
        await gate.enter()
        try {
            return await this.putInTurn(volume, path, source, options)
        } finally {
            gate.leave()
        }
    }

    private async putInTurn(volume: number, path: string, source: ByteSource, options: PutOptions): Promise<PutResult> {
        const names = splitPath(path)
        const subject = showPath(volume, names)
        const directory = await this.checkTarget(volume, names, options)
        const restarts = typeof source === "function" ? uploadRestartMax : 0
        for (let restarted = 0; ; restarted++) {
            const blocks = new BlockSource(typeof source === "function" ? source() : source)
            try {
                return await this.putOnce(volume, directory, names, blocks, options)
            } catch (error) {
                if (!isError(error, "noUpload")) throw error
                if (restarted >= restarts)
                    throw new TwinfilerError(
                        "noUpload",
                        `${subject}: the volume lost the upload and the source cannot be read again: put it again`,
                    )
                options.onProgress?.(0)
            } finally {
                await blocks.close()
            }
        }
    }

    /** What would make the commit fail is better known before the bytes are sent. */
    private async checkTarget(volume: number, names: readonly string[], options: PutOptions): Promise<number> {
        const subject = showPath(volume, names)
        if (names.length === 0) throw statusError("isDirectory", subject)
        checkChangeable(subject, names)
        const existing = await this.tree.find(volume, names, options)
        if (existing?.type === "directory") throw statusError("isDirectory", subject)
        if (existing && options.replace === false) throw statusError("exists", subject)
        return existing ? existing.directory : this.changes.parent(volume, names, options)
    }

    private async putOnce(
        volume: number,
        directory: number,
        names: readonly string[],
        blocks: BlockSource,
        options: PutOptions,
    ): Promise<PutResult> {
        const { timeoutMs, signal, onProgress, mtime, guard = commit => commit() } = options
        const subject = showPath(volume, names)
        const call = { timeoutMs, signal }
        // An upload begun twice is no harm: nobody else knows its number, and the volume drops it in time.
        const upload = await this.changes.run(volume, { op: "create" }, subject, call, async () => false)
        let isCommitting = false
        try {
            const target = { volume, object: upload, subject }
            const size = await sendBlocks(this.link, target, blocks, { ...call, onProgress })
            const name = names[names.length - 1]
            const flags = options.replace === false ? 0 : replaceFlag
            const body = { op: "commit", upload, size, mtime, directory, flags, name } as const
            const object = await guard(() => {
                isCommitting = true
                return this.changes.run(volume, body, subject, call, async () => {
                    if ((await this.tree.find(volume, names, call))?.object === upload) return true
                    return (await this.tree.uploadHeld(volume, upload, call)) === undefined ? undefined : false
                })
            })
            return { object: object || upload, bytes: size }
        } catch (error) {
            const mayHaveCommitted = isCommitting && isError(error, "timeout", "noNode", "unknownOutcome", "aborted")
            const isGone = isError(error, "noUpload")
            if (!mayHaveCommitted && !isGone) await this.abort(volume, upload, subject)
            throw error
        }
    }

    private async abort(volume: number, upload: number, subject: string): Promise<void> {
        await this.session(volume)
            .run({ op: "abort", upload }, subject, farewell)
            .catch(() => undefined)
    }
}
