// The contents of a card of gigabytes on the host's disk: a raw dump whose blank parts are holes, which take no room. Kept true:
// - memory holds only what changed since the last flush, and the file changes only in flush();
// - blank is 0x00, because that is what a hole reads; nothing here ever goes through the whole of a card but its own erase.

import { closeSync, ftruncateSync, readSync, writeSync } from "node:fs"
import { checkImageFile, inRange, openImageFile, type ChipImage } from "./image-file"
import { sectorBytes } from "./spi-nor-parts"

/** A longer erase is remembered as a range, not as its sectors. */
const sectorsOneByOneMax = 1024
const chunkSectors = 256
const zeros = Buffer.alloc(chunkSectors * sectorBytes)

export class SparseFileImage implements ChipImage {
    readonly blank = 0
    /** Changed since the last flush; undefined = cleared. Stands before the ranges, and they before the file. */
    private readonly changed = new Map<number, Uint8Array | undefined>()
    private ranges: { first: number; count: number }[] = []
    private file: number | undefined
    private last: { index: number; sector: Uint8Array | undefined } | undefined

    /** Opens the file, or creates it as a blank card. */
    constructor(
        readonly place: string,
        readonly bytes: number,
    ) {
        const { file, isNew } = openImageFile(place)
        this.file = file
        try {
            if (isNew) ftruncateSync(file, bytes)
            checkImageFile(file, place, bytes)
        } catch (error) {
            this.closeFile()
            throw error
        }
    }

    sector(index: number): Uint8Array | undefined {
        if (this.changed.has(index)) return this.changed.get(index)
        if (this.ranges.some(({ first, count }) => index >= first && index < first + count)) return undefined
        if (this.last?.index !== index) this.last = { index, sector: this.load(index) }
        return this.last.sector
    }

    writable(index: number): Uint8Array {
        if (index < 0 || index >= this.bytes / sectorBytes) throw new Error(`${this.place}: no sector ${index}`)
        const changed = this.changed.get(index)
        if (changed) return changed
        const sector = this.sector(index)?.slice() ?? new Uint8Array(sectorBytes)
        this.changed.set(index, sector)
        return sector
    }

    clear(index: number): void {
        this.changed.set(index, undefined)
    }

    clearRange(first: number, count: number): void {
        if (count <= sectorsOneByOneMax) {
            for (let index = first; index < first + count; index++) this.clear(index)
            return
        }
        for (const index of inRange(this.changed.keys(), first, count)) this.changed.delete(index)
        this.ranges.push({ first, count })
    }

    flush(): void {
        if (this.file === undefined) return
        this.last = undefined
        for (const range of this.ranges) this.blankOut(this.file, range)
        this.ranges = []
        const run = { first: 0, count: 0 }
        for (const [index, sector] of [...this.changed].sort(([a], [b]) => a - b)) {
            if (sector) this.write(this.file, sector, index)
            else if (index === run.first + run.count) run.count++
            else {
                this.blankOut(this.file, run)
                Object.assign(run, { first: index, count: 1 })
            }
        }
        this.blankOut(this.file, run)
        this.changed.clear()
    }

    close(): void {
        this.flush()
        this.closeFile()
    }

    private load(index: number): Uint8Array | undefined {
        if (this.file === undefined) return undefined
        const sector = new Uint8Array(sectorBytes)
        if (readSync(this.file, sector, 0, sectorBytes, index * sectorBytes) !== sectorBytes)
            throw new Error(`${this.place} became shorter: is another simulator using the folder?`)
        return sector.some(byte => byte !== 0) ? sector : undefined
    }

    private blankOut(file: number, { first, count }: { first: number; count: number }): void {
        if (first === 0 && count * sectorBytes === this.bytes) {
            ftruncateSync(file, 0)
            ftruncateSync(file, this.bytes)
            return
        }
        const chunk = Buffer.alloc(chunkSectors * sectorBytes)
        for (let index = first; index < first + count; index += chunkSectors) {
            const sectors = Math.min(chunkSectors, first + count - index)
            readSync(file, chunk, 0, sectors * sectorBytes, index * sectorBytes)
            if (isZero(chunk, 0, sectors)) continue
            // A hole stays a hole
            for (let at = 0; at < sectors; at++)
                if (!isZero(chunk, at, 1)) this.write(file, zeros.subarray(0, sectorBytes), index + at)
        }
    }

    private write(file: number, sector: Uint8Array, index: number): void {
        if (writeSync(file, sector, 0, sectorBytes, index * sectorBytes) !== sectorBytes)
            throw new Error(
                `${this.place}: the sector at ${index * sectorBytes} could not be written whole; is the disk full?`,
            )
    }

    private closeFile(): void {
        if (this.file !== undefined) closeSync(this.file)
        this.file = undefined
    }
}

function isZero(chunk: Buffer, first: number, count: number): boolean {
    return chunk.compare(zeros, 0, count * sectorBytes, first * sectorBytes, (first + count) * sectorBytes) === 0
}
