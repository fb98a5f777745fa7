// What a run of a bench did to its chips, as a list of programs and erases in time; and from it what the chips hold when the power goes at
// any instant of the run, without running it again. Kept true:
// - an operation that ended by that instant is there wholly, one that had begun is torn by the chip model itself, nothing else changed;
// - what a fork writes is its own: sectors are shared until then.

import type { Image } from "../../tools/check"
import type { ChipImage } from "../../tools/sim/chips/image-file"
import type { ElementOperation } from "../../tools/sim/chips/element"
import type { SpiNor } from "../../tools/sim/chips/spi-nor"
import { pageBytes, sectorBytes } from "../../tools/sim/chips/spi-nor-parts"
import type { StoreBench } from "./store-bench"

type Sectors = (Uint8Array | undefined)[]

/** Contents that share their sectors with others until they are written to. */
export class ForkedImage implements ChipImage {
    readonly blank = 0xff
    readonly place = "fork"
    private readonly sectors: Sectors
    private readonly isOwn: Uint8Array

    constructor(
        readonly bytes: number,
        sectors: Sectors,
    ) {
        this.sectors = sectors.slice()
        this.isOwn = new Uint8Array(bytes / sectorBytes)
    }

    sector(index: number): Uint8Array | undefined {
        return this.sectors[index]
    }

    writable(index: number): Uint8Array {
        let sector = this.sectors[index]
        if (!sector || !this.isOwn[index]) {
            sector = sector ? new Uint8Array(sector) : new Uint8Array(sectorBytes).fill(0xff)
            this.sectors[index] = sector
            this.isOwn[index] = 1
        }
        return sector
    }

    clear(index: number): void {
        this.sectors[index] = undefined
    }

    clearRange(first: number, count: number): void {
        this.sectors.fill(undefined, first, first + count)
    }

    flush(): void {}
    close(): void {}
}

const blankSector = new Uint8Array(sectorBytes).fill(0xff)

/** A chip of a bench, as the check tool wants it. */
export class ChipContents implements Image {
    readonly name: string
    readonly bytes: number

    constructor(
        private readonly chip: SpiNor,
        readonly slot: number,
    ) {
        this.name = `E${slot}`
        this.bytes = chip.image.bytes
    }

    read(offset: number, length: number): Uint8Array {
        const at = offset % sectorBytes
        if (at + length > sectorBytes) return this.chip.peek(offset, length)
        return (this.chip.image.sector((offset - at) / sectorBytes) ?? blankSector).subarray(at, at + length)
    }
}

/** The elements of a bench that answer. */
export function imagesOf(bench: StoreBench): ChipContents[] {
    return bench.chips
        .map((chip, slot) => new ChipContents(chip, slot))
        .filter(({ slot }) => !(bench.silent & (1 << slot)))
}

interface Begun extends ElementOperation {
    slot: number
    data: Uint8Array
}

/** An operation, or several that began together. */
export interface Moment {
    index: number
    startNs: number
    endNs: number
}

export class Timeline {
    readonly moments: Moment[] = []
    private readonly begun: Begun[] = []
    private readonly first: Sectors[]
    private readonly bytes: number

    /** Records what `bench` does from now on. Nothing may be under way. */
    constructor(bench: StoreBench) {
        this.bytes = bench.part.bytes
        this.first = bench.chips.map(chip => {
            const sectors: Sectors = []
            for (let i = 0; i < this.bytes / sectorBytes; i++) {
                const sector = chip.image.sector(i)
                sectors.push(sector && new Uint8Array(sector))
            }
            return sectors
        })
        bench.onBegun = (slot, operation, data) => {
            const { startNs, endNs } = operation
            const last = this.moments.at(-1)
            if (last?.startNs !== startNs) this.moments.push({ index: this.moments.length, startNs, endNs })
            else last.endNs = Math.max(last.endNs, endNs)
            this.begun.push({ ...operation, slot, data: new Uint8Array(data) })
        }
    }

    /** For instants in rising order. */
    *at(instants: Iterable<number>): Generator<Cut> {
        const sectors = this.first.map(list => list.slice())
        let running: Begun[] = []
        let next = 0
        for (const ns of instants) {
            while (next < this.begun.length && this.begun[next].startNs <= ns) running.push(this.begun[next++])
            const ended = running.filter(({ endNs }) => endNs <= ns).sort((one, other) => one.endNs - other.endNs)
            for (const operation of ended) complete(sectors[operation.slot], operation)
            running = running.filter(({ endNs }) => endNs > ns)
            yield new Cut(ns, this.bytes, sectors, running)
        }
    }
}

/** Old sectors are left as they are: forks have them. */
function complete(sectors: Sectors, { kind, address, bytes, data }: Begun): void {
    const index = Math.floor(address / sectorBytes)
    if (kind !== "program") {
        sectors.fill(undefined, index, index + bytes / sectorBytes)
        return
    }
    const sector = new Uint8Array(sectors[index] ?? blankSector)
    const at = address % sectorBytes
    for (let i = 0; i < bytes; i++) sector[at + i] &= data[i]
    sectors[index] = sector
}

/** The chips as the power went. */
export class Cut {
    constructor(
        readonly ns: number,
        private readonly bytes: number,
        private readonly sectors: Sectors[],
        private readonly running: Begun[],
    ) {}

    images(): ForkedImage[] {
        return this.sectors.map(list => new ForkedImage(this.bytes, list))
    }

    /** Tears what was under way; once for each set of `images`. */
    tear(chips: readonly SpiNor[]): void {
        for (const { kind, slot, address, bytes, data, startNs, endNs } of this.running) {
            const { cells } = chips[slot]
            const fraction = (this.ns - startNs) / (endNs - startNs)
            if (kind === "program") {
                const first = address % pageBytes
                cells.tearProgram({ page: address - first, first, data }, fraction)
            } else cells.tearErase(address, bytes, fraction)
        }
    }
}
