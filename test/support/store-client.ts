// A host of one volume, in frames: builds requests as docs/PROTOCOL.md says and hands them to the store, with sessions and
// retries, without bus or node.

import { uploadOf } from "../../src/store/volume"
import type { StoreBench } from "./store-bench"
import { bodyBytes } from "../../src/store/page"
import { executeRequest } from "../../src/store/requests"
import { settleUpload, takeBytes, appendFull, appendPartial } from "../../src/store/upload"

export interface Answer {
    status: number
    value: number
}

export class StoreClient {
    sequence = 0
    /** Told what a host would be told after each page. */
    acknowledged: (object: number, bytes: number) => void = () => {}
    constructor(
        private readonly bench: StoreBench,
        readonly session: number,
    ) {}

    /** Opens its session, as a host does that knows what is asked of it. */
    async hello(): Promise<Answer> {
        return await this.send(1, this.bench.volume.challenge)
    }

    frame(op: number, ...args: (number | Buffer)[]): { frame: Buffer; bytes: number } {
        const frame = Buffer.alloc(236)
        frame[5] = op
        frame.writeUInt32LE(this.session, 8)
        frame.writeUInt32LE(this.sequence, 12)
        let at = 16
        for (const arg of args) {
            if (typeof arg === "number") at = frame.writeUInt32LE(arg, at)
            else {
                arg.copy(frame, at)
                at += arg.length
            }
        }
        return { frame, bytes: at }
    }

    async send(op: number, ...args: (number | Buffer)[]): Promise<Answer> {
        this.sequence++
        return await this.again(op, ...args)
    }

    /** The last request once more, as a retry. */
    async again(op: number, ...args: (number | Buffer)[]): Promise<Answer> {
        const { frame, bytes } = this.frame(op, ...args)
        const status = await executeRequest(this.bench.requests, frame, bytes)
        return { status, value: this.bench.requests.value }
    }

    /** Appends to an upload; @returns bytes taken */
    async write(object: number, data: Buffer): Promise<number> {
        const { volume } = this.bench
        const upload = uploadOf(volume, object)
        if (!upload) return 0
        let at = 0
        while (at < data.length) {
            at += takeBytes(upload, data, at, data.length - at)
            if (upload.fill !== bodyBytes) break
            if (!(await volume.prepareData(upload))) return at
            await appendFull(upload, volume.log)
            this.acknowledged(object, upload.durable)
        }
        return at
    }

    async flush(object: number): Promise<number> {
        const { volume } = this.bench
        const upload = uploadOf(volume, object)
        if (!upload) return 0
        if (!(await volume.prepareData(upload))) return upload.durable
        await appendPartial(upload, volume.log)
        await volume.array.settle()
        settleUpload(upload)
        return upload.durable
    }
}
