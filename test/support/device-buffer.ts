// The Buffer of DeviceScript, as far as the firmware uses it, on top of Node's: what its runtime does for out-of-range and
// negative numbers is kept (runtime/devicescript/impl_buffer.c), so that firmware code tested here behaves as on a board.

import { createHash } from "node:crypto"
import { pageBufferBytes } from "../../src/flash/bank"
import type { Platform } from "../../src/platform"

type Format = "u8" | "u16" | "u32" | "i32"

declare global {
    interface Buffer {
        getAt(offset: number, format: Format): number
        setAt(offset: number, format: Format, value: number): void
        blitAt(offset: number, source: Buffer | string, sourceOffset: number, bytes: number): void
        fillAt(offset: number, bytes: number, value: number): void
    }
}

Buffer.prototype.getAt = function (offset, format) {
    if (format === "u8") return this[offset]
    if (format === "u16") return this.readUInt16LE(offset)
    return format === "u32" ? this.readUInt32LE(offset) : this.readInt32LE(offset)
}

Buffer.prototype.setAt = function (offset, format, value) {
    // an unsigned field takes a negative number as 0 and one too large as its largest
    const clamp = (max: number) => (value < 0 ? 0 : value > max ? max : Math.floor(value))
    if (format === "u8") this[offset] = clamp(0xff)
    else if (format === "u16") this.writeUInt16LE(clamp(0xffff), offset)
    else if (format === "u32") this.writeUInt32LE(clamp(0xffffffff), offset)
    else this.writeInt32LE(Math.max(-0x80000000, Math.min(0x7fffffff, Math.trunc(value))), offset)
}

Buffer.prototype.blitAt = function (offset, source, sourceOffset, bytes) {
    const from = typeof source === "string" ? Buffer.from(source) : source
    if (offset >= this.length || sourceOffset >= from.length) return
    from.copy(this, offset, sourceOffset, sourceOffset + bytes)
}

Buffer.prototype.fillAt = function (offset, bytes, value) {
    if (offset < this.length) this.fill(value & 0xff, offset, offset + bytes)
}

/** What the firmware's platform does with buffers. */
export const buffersInNode: Pick<Platform, "sha256" | "view" | "isSame"> = {
    sha256: parts => {
        const hash = createHash("sha256")
        for (const part of parts) hash.update(part)
        return hash.digest()
    },
    view: page => page,
    isSame: (one, other) => (one as Buffer).compare(other as Buffer, 4, pageBufferBytes, 4, pageBufferBytes) === 0,
}
