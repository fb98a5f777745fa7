// The contents of a chip, as 4 KB sectors; a sector that is blank takes no memory and reads the image's blank byte: 0xFF for NOR,
// what its erased blocks read for a card.
// A file image is a raw dump of the chip. The file changes only in flush(), sector by sector, so after a flush the file is
// the chip; killing the simulator between flushes loses what was written since, as if it had not been simulated.

import { closeSync, existsSync, fstatSync, openSync, readSync, writeSync } from "node:fs"
import { sectorBytes } from "./spi-nor-parts"

export interface ChipImage {
    readonly bytes: number
    /** Where the contents live, for messages and statistics */
    readonly place: string
    /** What every byte of a blank sector reads */
    readonly blank: number
    /** undefined = all blank. Not to be written through. */
    sector(index: number): Uint8Array | undefined
    /** The sector, to be changed */
    writable(index: number): Uint8Array
    /** All of the sector to blank */
    clear(index: number): void
    clearRange(first: number, count: number): void
    flush(): void
    close(): void
}

export class MemoryImage implements ChipImage {
    private readonly sectors = new Map<number, Uint8Array>()

    constructor(
        readonly bytes: number,
        readonly place = "memory",
        readonly blank = 0xff,
    ) {
        if (bytes % sectorBytes !== 0)
            throw new Error(`image of ${bytes} bytes is not made of ${sectorBytes}-byte sectors`)
    }

    sector(index: number): Uint8Array | undefined {
        return this.sectors.get(index)
    }

    writable(index: number): Uint8Array {
        if (index < 0 || index >= this.bytes / sectorBytes) throw new Error(`${this.place}: no sector ${index}`)
        let sector = this.sectors.get(index)
        if (!sector) this.sectors.set(index, (sector = new Uint8Array(sectorBytes).fill(this.blank)))
        return sector
    }

    clear(index: number): void {
        this.sectors.delete(index)
    }

    clearRange(first: number, count: number): void {
        for (const index of inRange(this.sectors.keys(), first, count)) this.sectors.delete(index)
    }

    flush(): void {}
    close(): void {}
}

/** Those of the keys that lie in the range: bounded by what there is, not by the range. */
export function inRange(keys: Iterable<number>, first: number, count: number): number[] {
    return [...keys].filter(index => index >= first && index < first + count)
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
        readonly blank = 0xff,
    ) {
        this.bytes = bytes
        this.memory = new MemoryImage(bytes, place, blank)
        const opened = openImageFile(place)
        this.file = opened.file
        try {
            if (opened.isNew) this.create(this.file)
            else this.load(this.file)
        } catch (error) {
            this.closeFile()
            throw error
        }
    }

    private create(file: number): void {
        const erased = new Uint8Array(chunkBytes).fill(this.blank)
        for (let at = 0; at < this.bytes; at += chunkBytes)
            writeSync(file, erased, 0, Math.min(chunkBytes, this.bytes - at), at)
    }

    private load(file: number): void {
        checkImageFile(file, this.place, this.bytes)
        const chunk = new Uint8Array(chunkBytes)
        for (let at = 0; at < this.bytes; at += chunkBytes) {
            const count = Math.min(chunkBytes, this.bytes - at)
            if (readSync(file, chunk, 0, count, at) !== count)
                throw new Error(
                    `${this.place} became shorter while it was read: is another simulator using the folder?`,
                )
            for (let offset = 0; offset < count; offset += sectorBytes) {
                const sector = chunk.subarray(offset, offset + sectorBytes)
                if (sector.some(byte => byte !== this.blank))
                    this.memory.writable((at + offset) / sectorBytes).set(sector)
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

    clearRange(first: number, count: number): void {
        for (let index = first; index < first + count; index++) this.clear(index)
    }

    flush(): void {
        if (this.file === undefined || this.dirty.size === 0) return
        const erased = new Uint8Array(sectorBytes).fill(this.blank)
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

/** Makes the file if there is none. */
export function openImageFile(place: string): { file: number; isNew: boolean } {
    const isNew = !existsSync(place)
    try {
        return { file: openSync(place, isNew ? "wx+" : "r+"), isNew }
    } catch (error) {
        throw new Error(
            `cannot open the chip image ${place}: ${(error as Error).message}. It must be a file this user may read and write; ` +
                "set its rights, or choose another folder with --dir",
        )
    }
}

export function checkImageFile(file: number, place: string, bytes: number): void {
    const stat = fstatSync(file)
    if (!stat.isFile()) throw new Error(`${place} is not a file: move it away, or choose another folder with --dir`)
    if (stat.size !== bytes)
        throw new Error(
            `${place} holds ${stat.size} bytes, but the chip has ${bytes}. Choose the --chip the image was made with, ` +
                "or move the folder away to start with erased chips",
        )
}
