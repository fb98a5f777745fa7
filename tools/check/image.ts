/** The bytes of one element, wherever they are. Reading never changes them. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import { pageBytes } from "./page"

export interface Image {
    /** For people: the path of the file. */
    readonly name: string
    readonly bytes: number
    /** The slot of the board it sits in, when that is known. Matters for an element without a label only. */
    readonly slot?: number
    /** Bytes that stay as they are and are not to be written to; the caller stays below `bytes`. */
    read(offset: number, length: number): Uint8Array
}

export class MemoryImage implements Image {
    constructor(
        readonly memory: Uint8Array,
        readonly name = "memory",
        readonly slot?: number,
    ) {}

    get bytes(): number {
        return this.memory.length
    }

    read(offset: number, length: number): Uint8Array {
        return this.memory.subarray(offset, offset + length)
    }
}

const chunkBytes = 65_536
const chunksMax = 64

/** A file, read in chunks when they are needed. */
export class FileImage implements Image {
    readonly bytes: number
    readonly slot?: number
    private readonly file: number
    /** By index, the one used last at the end. */
    private readonly chunks = new Map<number, Uint8Array>()

    constructor(readonly name: string) {
        this.file = openSync(name, "r")
        this.bytes = fstatSync(this.file).size
        // E3.bin sat in slot 3
        const digits = /(\d{1,2})\D*$/.exec(name.replace(/^.*[\\/]/, ""))
        if (digits) this.slot = Number(digits[1])
    }

    read(offset: number, length: number): Uint8Array {
        const index = Math.floor(offset / chunkBytes)
        const from = offset - index * chunkBytes
        if (from + length <= chunkBytes) return this.chunk(index).subarray(from, from + length)
        const whole = new Uint8Array(length)
        for (let done = 0; done < length;) {
            const at = offset + done
            const chunk = this.chunk(Math.floor(at / chunkBytes))
            const part = chunk.subarray(at % chunkBytes, (at % chunkBytes) + length - done)
            if (part.length === 0) throw new Error(`${this.name} became shorter while it was read`)
            whole.set(part, done)
            done += part.length
        }
        return whole
    }

    private chunk(index: number): Uint8Array {
        const known = this.chunks.get(index)
        if (known) {
            this.chunks.delete(index)
            this.chunks.set(index, known)
            return known
        }
        const start = index * chunkBytes
        const chunk = new Uint8Array(Math.max(0, Math.min(chunkBytes, this.bytes - start)))
        if (readSync(this.file, chunk, 0, chunk.length, start) !== chunk.length)
            throw new Error(`${this.name} became shorter while it was read`)
        if (this.chunks.size >= chunksMax) this.chunks.delete(this.chunks.keys().next().value!)
        this.chunks.set(index, chunk)
        return chunk
    }

    close(): void {
        closeSync(this.file)
    }
}

/** An image with changes that are not written anywhere. */
export class ChangedImage implements Image {
    readonly name: string
    readonly bytes: number
    readonly slot?: number
    readonly changes = new Map<number, Uint8Array>()

    constructor(private readonly under: Image) {
        this.name = under.name
        this.bytes = under.bytes
        this.slot = under.slot
    }

    /** Changes are whole pages. */
    write(offset: number, page: Uint8Array): void {
        this.changes.set(offset, new Uint8Array(page))
    }

    read(offset: number, length: number): Uint8Array {
        const changed = this.changes.get(offset)
        if (changed && length <= changed.length) return changed.subarray(0, length)
        const bytes = this.under.read(offset, length)
        let copy: Uint8Array | undefined
        if (length > pageBytes)
            for (const [at, page] of this.changes) {
                if (at < offset || at + page.length > offset + length) continue
                copy ??= new Uint8Array(bytes)
                copy.set(page, at - offset)
            }
        return copy ?? bytes
    }
}
