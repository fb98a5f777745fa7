// The blocks of an SD card: what writing, erasing and a power cut do to them. Kept true:
// - a torn write leaves its own block old, new, or neither; others only if the part says that it tears neighbours;
// - a block that is neither may also fail to be read until it is written again, as its ECC does not hold;
// - all chance comes from the Random handed in, drawn only for what a cut tears.
// The specification says nothing of any of this: the shares are assumptions, on the cruel side.

import type { Random } from "../random"
import type { ChipImage } from "./image-file"
import { sdBlockBytes, type SdPart } from "./sd-parts"
import { sectorBytes } from "./spi-nor-parts"

const sectorBlocks = sectorBytes / sdBlockBytes
const chanceTornUnreadable = 1 / 8
const chanceTornNoise = 1 / 4
const chanceTorn = 1 / 3
const chanceNeighbourTorn = 1 / 4
/** Blocks on either side of where a cut erase had got to that may go either way */
const eraseEdgeBlocks = 8

export class SdCells {
    /** Reads of these end in an error until they are written again */
    readonly unreadable = new Set<number>()
    readonly blocks: number

    constructor(
        readonly image: ChipImage,
        private readonly part: SdPart,
        private readonly random: Random,
    ) {
        this.blocks = part.bytes / sdBlockBytes
    }

    read(block: number, into: Uint8Array): void {
        const sector = this.image.sector(Math.floor(block / sectorBlocks))
        const offset = (block % sectorBlocks) * sdBlockBytes
        if (sector) into.set(sector.subarray(offset, offset + sdBlockBytes))
        else into.fill(this.image.blank, 0, sdBlockBytes)
    }

    write(block: number, data: Uint8Array): void {
        this.unreadable.delete(block)
        this.place(block).set(data)
    }

    /** Both ends included. */
    erase(first: number, last: number): void {
        for (const block of this.unreadable) if (block >= first && block <= last) this.unreadable.delete(block)
        const firstWhole = Math.ceil(first / sectorBlocks)
        const wholes = Math.floor((last + 1) / sectorBlocks) - firstWhole
        if (wholes > 0) this.image.clearRange(firstWhole, wholes)
        for (let block = first; block <= last; block++) {
            if (wholes > 0 && block === firstWhole * sectorBlocks) block += wholes * sectorBlocks
            if (block <= last && this.image.sector(Math.floor(block / sectorBlocks)))
                this.place(block).fill(this.part.erasedByte)
        }
    }

    /** What a write leaves when the power goes after `fraction` of its time; 1 = it is held in memory only. True if it is torn. */
    tearWrite(block: number, data: Uint8Array, fraction: number): boolean {
        const isTorn = this.random.chance(chanceTorn)
        if (isTorn) this.damage(block, data)
        else if (this.random.chance(fraction)) this.write(block, data)
        return isTorn
    }

    /** The other blocks of the flash page; the number of those damaged. */
    tearNeighbours(block: number): number {
        if (!this.part.tearsNeighbours) return 0
        const first = block - (block % this.part.pageBlocks)
        let count = 0
        for (let other = first; other < first + this.part.pageBlocks; other++) {
            if (other === block || !this.random.chance(chanceNeighbourTorn)) continue
            this.damage(other, this.random.bytes(sdBlockBytes))
            count++
        }
        return count
    }

    /** A card erases from one end; around the place it had reached, blocks are erased or not. */
    tearErase(first: number, last: number, fraction: number): void {
        const edge = first + Math.floor((last + 1 - first) * fraction)
        const sure = edge - eraseEdgeBlocks
        if (sure > first) this.erase(first, sure - 1)
        for (let block = Math.max(first, sure); block <= Math.min(last, edge + eraseEdgeBlocks); block++)
            if (this.random.chance(0.5)) this.erase(block, block)
    }

    private damage(block: number, data: Uint8Array): void {
        const place = this.place(block)
        this.unreadable.delete(block)
        if (this.random.chance(chanceTornUnreadable)) this.unreadable.add(block)
        if (this.random.chance(chanceTornNoise)) place.set(this.random.bytes(sdBlockBytes))
        else place.set(data.subarray(0, 1 + this.random.int(sdBlockBytes - 1)))
    }

    private place(block: number): Uint8Array {
        const offset = (block % sectorBlocks) * sdBlockBytes
        return this.image.writable(Math.floor(block / sectorBlocks)).subarray(offset, offset + sdBlockBytes)
    }
}
