// The record of a run: every frame, pin change and chip command with its time, in order. Two runs are the same if and only if
// their hashes are equal. The hash is kept running; the entries themselves are kept only by a listener that wants them.

import { createHash } from "node:crypto"

export type TraceData = Uint8Array | string

export interface TraceEntry {
    timeNs: number
    kind: string
    data: TraceData
}

const bufferBytes = 1 << 16

export class Trace {
    entries = 0
    onEntry?: (entry: TraceEntry) => void
    private readonly digest = createHash("sha256")
    private readonly buffer = Buffer.alloc(bufferBytes)
    private used = 0

    /** An entry is hashed as: time (8 bytes), length of kind, kind, length of data (4 bytes), data. */
    add(timeNs: number, kind: string, data: TraceData): void {
        this.entries++
        const bytes = typeof data === "string" ? Buffer.byteLength(data) : data.length
        const total = 8 + 1 + kind.length + 4 + bytes
        if (this.used + total > bufferBytes) this.flush()
        if (total > bufferBytes) throw new Error(`trace entry of ${total} bytes`)
        let p = this.buffer.writeDoubleLE(timeNs, this.used)
        this.buffer[p++] = kind.length
        p += this.buffer.write(kind, p, "latin1")
        p = this.buffer.writeUInt32LE(bytes, p)
        if (typeof data === "string") this.buffer.write(data, p, "utf8")
        else this.buffer.set(data, p)
        this.used += total
        this.onEntry?.({ timeNs, kind, data })
    }

    /** Hash of all entries so far; the trace goes on. */
    hash(): string {
        this.flush()
        return this.digest.copy().digest("hex")
    }

    private flush(): void {
        if (this.used > 0) this.digest.update(this.buffer.subarray(0, this.used))
        this.used = 0
    }
}
