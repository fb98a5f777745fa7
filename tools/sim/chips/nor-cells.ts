// The cells of a NOR array: what program, erase, wear and a power cut do to bits. Kept true:
// - a program only clears bits; only an erase sets them;
// - a torn program changes no bit outside the bytes it was given, and clears only bits it was asked to clear;
// - a torn erase changes no bit outside the sectors it was given;
// - all chance comes from the Random handed in, drawn only for torn operations and bad sectors.

import type { Random } from "../random"
import type { ChipImage } from "./image-file"
import { pageBytes, sectorBytes } from "./spi-nor-parts"

export interface NorWear {
    /** A sector erased more often than this goes bad; undefined = never */
    enduranceCycles?: number
    /** Sectors that are bad from the start: neither erases nor programs hold */
    badSectors?: Iterable<number>
    /** Sectors whose erase leaves bits at 0 */
    badErases?: Iterable<number>
    /** Sectors whose programs leave bits at 1 */
    badPrograms?: Iterable<number>
}

/** Up to 256 bytes for one page, in the order they arrived; the address wraps inside the page. */
export interface PageWrite {
    page: number
    first: number
    data: Uint8Array
}

// A NOR erase programs all cells to 0 first, so that none is erased too deep, then erases, then verifies. A quarter of the
// time for the first phase is an assumption: the datasheets do not say.
const preprogramShare = 0.25
const chanceLooksErased = 1 / 16
const chanceScattered = 1 / 4

export class NorCells {
    readonly eraseCounts: Uint32Array
    /** Sectors whose last erase was cut: they may look erased and not be */
    readonly tornSectors = new Set<number>()
    readonly badSectors: Set<number>
    readonly badErases: Set<number>
    readonly badPrograms: Set<number>
    /** Tests may lower it at any time */
    enduranceCycles: number

    constructor(
        readonly image: ChipImage,
        private readonly random: Random,
        wear: NorWear = {},
    ) {
        this.eraseCounts = new Uint32Array(image.bytes / sectorBytes)
        this.badSectors = new Set(wear.badSectors)
        this.badErases = new Set(wear.badErases)
        this.badPrograms = new Set(wear.badPrograms)
        this.enduranceCycles = wear.enduranceCycles ?? Infinity
    }

    /** Reads on from address 0 past the end (W25Q128JV, Read Data). */
    read(address: number, into: Uint8Array): void {
        let done = 0
        while (done < into.length) {
            const at = (address + done) % this.image.bytes
            const offset = at % sectorBytes
            const count = Math.min(sectorBytes - offset, into.length - done)
            const sector = this.image.sector((at - offset) / sectorBytes)
            if (sector) into.set(sector.subarray(offset, offset + count), done)
            else into.fill(0xff, done, done + count)
            done += count
        }
    }

    /** The first address of the write that is not 0xFF, or -1. */
    programmedAddress(write: PageWrite): number {
        const sector = this.image.sector(Math.floor(write.page / sectorBytes))
        if (!sector) return -1
        const base = write.page % sectorBytes
        for (let i = 0; i < write.data.length; i++) {
            const offset = (write.first + i) % pageBytes
            if (sector[base + offset] !== 0xff) return write.page + offset
        }
        return -1
    }

    program(write: PageWrite): void {
        const index = Math.floor(write.page / sectorBytes)
        const sector = this.image.writable(index)
        const base = write.page % sectorBytes
        const before = this.badPrograms.has(index) ? sector.slice(base, base + pageBytes) : undefined
        for (let i = 0; i < write.data.length; i++) sector[base + ((write.first + i) % pageBytes)] &= write.data[i]
        if (before) this.leaveUnprogrammed(sector.subarray(base, base + pageBytes), before)
        if (!this.badSectors.has(index)) return
        // One to eight cells of the page do not hold: a bad sector loses bits in both directions
        for (let n = 1 + this.random.int(8); n > 0; n--)
            sector[base + ((write.first + this.random.int(write.data.length)) % pageBytes)] ^= 1 << this.random.int(8)
    }

    /** As much of a program as is done when the power goes after `fraction` of its time. */
    tearProgram(write: PageWrite, fraction: number): void {
        const sector = this.image.writable(Math.floor(write.page / sectorBytes))
        const base = write.page % sectorBytes
        const count = write.data.length
        const clear = (i: number, mask: number) => {
            sector[base + ((write.first + i) % pageBytes)] &= write.data[i] | mask
        }
        if (this.random.chance(chanceScattered)) {
            // All cells at once, each at its own speed
            for (let i = 0; i < count; i++) clear(i, this.bits(1 - fraction))
            return
        }
        const whole = Math.min(count, Math.floor(fraction * (count + 1)))
        for (let i = 0; i < whole; i++) clear(i, 0)
        if (whole < count) clear(whole, this.bits(0.5))
    }

    erase(address: number, bytes: number): void {
        for (let index = address / sectorBytes; index < (address + bytes) / sectorBytes; index++) {
            this.tornSectors.delete(index)
            this.image.clear(index)
            if (++this.eraseCounts[index] > this.enduranceCycles) this.badSectors.add(index)
            if (this.badSectors.has(index) || this.badErases.has(index)) this.leaveStuckBits(index)
        }
    }

    /** A new chip: erased, not worn; its endurance is its part's. */
    renew(): void {
        this.image.clearRange(0, this.eraseCounts.length)
        this.eraseCounts.fill(0)
        for (const set of [this.tornSectors, this.badSectors, this.badErases, this.badPrograms]) set.clear()
    }

    /** One to eight of the bits that should have become 0 do not. */
    private leaveUnprogrammed(page: Uint8Array, before: Uint8Array): void {
        const changed = [...page.keys()].filter(at => page[at] !== before[at])
        for (let n = 1 + this.random.int(8); n > 0 && changed.length > 0; n--) {
            const at = changed[this.random.int(changed.length)]
            const wrong = before[at] & ~page[at]
            page[at] |= wrong & -wrong
        }
    }

    private leaveStuckBits(index: number): void {
        const sector = this.image.writable(index)
        for (let n = 1 + this.random.int(8); n > 0; n--)
            sector[this.random.int(sectorBytes)] &= ~(1 << this.random.int(8))
    }

    /** As much of an erase of one pulse (all sectors together) as is done after `fraction` of its time. */
    tearErase(address: number, bytes: number, fraction: number): void {
        if (fraction <= 0) return
        for (let index = address / sectorBytes; index < (address + bytes) / sectorBytes; index++) {
            this.eraseCounts[index]++
            this.tornSectors.add(index)
            this.tearSector(index, fraction)
        }
    }

    private tearSector(index: number, fraction: number): void {
        if (fraction > 0.5 && this.random.chance(chanceLooksErased)) {
            this.image.clear(index)
            return
        }
        const sector = this.image.writable(index)
        if (fraction < preprogramShare) {
            const done = fraction / preprogramShare
            for (let i = 0; i < sectorBytes; i++)
                if (this.random.chance(done)) sector[i] &= this.random.chance(0.9) ? 0 : this.bits(0.5)
            return
        }
        // From all zeros towards all ones; near the end a few cells are left
        const done = (fraction - preprogramShare) / (1 - preprogramShare)
        for (let i = 0; i < sectorBytes; i++) sector[i] = this.random.chance(done) ? 0xff : this.bits(done)
        // A cut erase never looks whole here: that is the rare case above
        sector[this.random.int(sectorBytes)] &= ~(1 << this.random.int(8))
    }

    /** A byte whose bits are each 1 with the given chance. */
    private bits(share: number): number {
        let byte = 0
        for (let bit = 0; bit < 8; bit++) if (this.random.chance(share)) byte |= 1 << bit
        return byte
    }
}
