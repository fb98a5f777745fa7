// The contents of a chip, as 4 KB sectors; a sector that was never written takes no memory and reads 0xFF.
// A file image is a raw dump of the chip. The file changes only in flush(), sector by sector, so after a flush the file is
// the chip; killing the simulator between flushes loses what was written since, as if it had not been simulated.

import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from "node:fs"
import { join } from "node:path"
import { sectorBytes } from "./spi-nor-parts"

export interface ChipImage {
    readonly bytes: number
    /** Where the contents live, for messages and statistics */
    readonly place: string
    /** undefined = all 0xFF. Not to be written through. */
    sector(index: number): Uint8Array | undefined
    /** The sector, to be changed */
    writable(index: number): Uint8Array
    /** All of the sector to 0xFF */
    clear(index: number): void
    flush(): void
    close(): void
}

export class MemoryImage implements ChipImage {
    private readonly sectors: (Uint8Array | undefined)[]

    constructor(
        readonly bytes: number,
        readonly place = "memory",
    ) {
        if (bytes % sectorBytes !== 0)
            throw new Error(`image of ${bytes} bytes is not made of ${sectorBytes}-byte sectors`)
        this.sectors = new Array<Uint8Array | undefined>(bytes / sectorBytes).fill(undefined)
    }

    sector(index: number): Uint8Array | undefined {
        return this.sectors[index]
    }

    writable(index: number): Uint8Array {
        if (index < 0 || index >= this.sectors.length) throw new Error(`${this.place}: no sector ${index}`)
        return (this.sectors[index] ??= new Uint8Array(sectorBytes).fill(0xff))
    }

    clear(index: number): void {
        this.sectors[index] = undefined
    }

    flush(): void {}
    close(): void {}
}

const chunkBytes = 16 * sectorBytes

export class FileImage implements ChipImage {
    readonly bytes: number
    private readonly memory: MemoryImage
    private readonly dirty = new Set<number>()
    private file: number | undefined

    /** Opens the file, or creates it as an erased chip. */
    constructor(
        readonly place: string,
        bytes: number,
    ) {
        this.bytes = bytes
        this.memory = new MemoryImage(bytes, place)
        const isNew = !existsSync(place)
        try {
            this.file = openSync(place, isNew ? "wx+" : "r+")
        } catch (error) {
            throw new Error(
                `cannot open the chip image ${place}: ${(error as Error).message}. It must be a file this user may read and write; ` +
                    "set its rights, or choose another folder with --images",
            )
        }
        try {
            if (isNew) this.create(this.file)
            else this.load(this.file)
        } catch (error) {
            this.closeFile()
            throw error
        }
    }

    private create(file: number): void {
        const erased = new Uint8Array(chunkBytes).fill(0xff)
        for (let at = 0; at < this.bytes; at += chunkBytes)
            writeSync(file, erased, 0, Math.min(chunkBytes, this.bytes - at), at)
    }

    private load(file: number): void {
        const stat = fstatSync(file)
        if (!stat.isFile())
            throw new Error(`${this.place} is not a file: move it away, or choose another folder with --images`)
        if (stat.size !== this.bytes)
            throw new Error(
                `${this.place} holds ${stat.size} bytes, but the chip has ${this.bytes}. Choose the --chip the image was made with, ` +
                    "or move the folder away to start with erased chips",
            )
        const chunk = new Uint8Array(chunkBytes)
        for (let at = 0; at < this.bytes; at += chunkBytes) {
            const count = Math.min(chunkBytes, this.bytes - at)
            if (readSync(file, chunk, 0, count, at) !== count)
                throw new Error(
                    `${this.place} became shorter while it was read: is another simulator using the folder?`,
                )
            for (let offset = 0; offset < count; offset += sectorBytes) {
                const sector = chunk.subarray(offset, offset + sectorBytes)
                if (sector.some(byte => byte !== 0xff)) this.memory.writable((at + offset) / sectorBytes).set(sector)
            }
        }
    }

    sector(index: number): Uint8Array | undefined {
        return this.memory.sector(index)
    }

    writable(index: number): Uint8Array {
        this.dirty.add(index)
        return this.memory.writable(index)
    }

    clear(index: number): void {
        this.dirty.add(index)
        this.memory.clear(index)
    }

    flush(): void {
        if (this.file === undefined || this.dirty.size === 0) return
        const erased = new Uint8Array(sectorBytes).fill(0xff)
        for (const index of [...this.dirty].sort((a, b) => a - b)) {
            const sector = this.memory.sector(index) ?? erased
            if (writeSync(this.file, sector, 0, sectorBytes, index * sectorBytes) !== sectorBytes)
                throw new Error(
                    `${this.place}: the sector at ${index * sectorBytes} could not be written whole; is the disk full?`,
                )
            this.dirty.delete(index)
        }
    }

    close(): void {
        this.flush()
        this.closeFile()
    }

    private closeFile(): void {
        if (this.file !== undefined) closeSync(this.file)
        this.file = undefined
    }
}

/** `DIR/<node>/E<n>.bin`, or nothing on disk when no folder is given. */
export function openChipImage(folder: string | undefined, node: string, element: number, bytes: number): ChipImage {
    if (folder === undefined) return new MemoryImage(bytes, `memory ${node}/E${element}`)
    const under = join(folder, node)
    try {
        mkdirSync(under, { recursive: true })
    } catch (error) {
        throw new Error(
            `cannot make the image folder ${under}: ${(error as Error).message}. Choose another with --images`,
        )
    }
    return new FileImage(join(under, `E${element}.bin`), bytes)
}
