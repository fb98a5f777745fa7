// Data of the SD cards that can be simulated. The specification gives limits, not typical figures: typical ones here are of the
// order that cards of these classes show, and only the maxima bind a driver. Sections are those of the SD Physical Layer Simplified
// Specification, version 4.10.

import type { ElementPart, Span } from "./element"

export interface SdPart extends ElementPart {
    /** 2.1, table 2-1: high capacity to 32 GB, extended above; both are addressed by block */
    capacity: "sdhc" | "sdxc"
    clockHz: number
    /** From the first ACMD41 that asks for high capacity until ready; 4.2.3: at most 1 s */
    initNs: Span
    /** 4.6.2.1: at most 100 ms to the data */
    readNs: Span
    /** The next block of a multiple read */
    readOnNs: Span
    /** 4.6.2.2: busy at most 250 ms, for SDXC 500 ms; by block in a multiple write, and after its end */
    writeNs: Span
    writeOnNs: Span
    stopNs: Span
    /** 4.14: at most 250 ms for each allocation unit */
    eraseNs: Span
    /** Now and then a card tidies up: a write then takes this long instead */
    pause: { chance: number; ns: number }
    /** DATA_STAT_AFTER_ERASE, 5.6: what erased blocks read; also what a new card holds here */
    erasedByte: 0x00 | 0xff
    /** Blocks of a multiple write that the card holds in memory; a power cut may lose or tear each of them */
    bufferBlocks: number
    /** Blocks of one flash page. If `tearsNeighbours`, a cut while one is written may damage the others */
    pageBlocks: number
    tearsNeighbours: boolean
    /** 4.13.1.8, AU_SIZE: what erases are counted by */
    allocationUnitBytes: number
    /** Manufacturer, application and product name of the CID */
    identity: { manufacturer: number; application: string; product: string }
}

export const sdBlockBytes = 512

const us = 1_000
const ms = 1_000_000
const mb = 1 << 20

const common = {
    // 5.3.3, TRAN_SPEED 32h: 25 MHz
    clockHz: 25_000_000,
    initNs: { typical: 120 * ms, maximum: 1_000 * ms },
    readNs: { typical: 400 * us, maximum: 100 * ms },
    readOnNs: { typical: 60 * us, maximum: 100 * ms },
    stopNs: { typical: 3 * ms, maximum: 250 * ms },
    eraseNs: { typical: 4 * ms, maximum: 250 * ms },
    pageBlocks: 32,
    tearsNeighbours: false,
    allocationUnitBytes: 4 * mb,
}

const tiny: SdPart = {
    // Not a real card: far below the least that SDHC allows, so that a test fills, cuts and scans the whole of it quickly
    ...common,
    name: "sd-tiny",
    real: false,
    bytes: 1 * mb,
    capacity: "sdhc",
    initNs: { typical: 20 * ms, maximum: 1_000 * ms },
    writeNs: { typical: 1 * ms, maximum: 250 * ms },
    writeOnNs: { typical: 200 * us, maximum: 250 * ms },
    pause: { chance: 0, ns: 0 },
    erasedByte: 0xff,
    bufferBlocks: 4,
    pageBlocks: 8,
    allocationUnitBytes: 16 << 10,
    identity: { manufacturer: 0x7f, application: "TW", product: "TINY1" },
}

const parts: SdPart[] = [
    {
        ...common,
        name: "SDHC-4GB",
        real: true,
        // 7563 times 512 KB: what cards sold as 4 GB have
        bytes: 7563 * (512 << 10),
        capacity: "sdhc",
        writeNs: { typical: 2 * ms, maximum: 250 * ms },
        writeOnNs: { typical: 250 * us, maximum: 250 * ms },
        pause: { chance: 1 / 500, ns: 60 * ms },
        erasedByte: 0x00,
        bufferBlocks: 16,
        identity: { manufacturer: 0x7f, application: "TW", product: "HC4GB" },
    },
    {
        ...common,
        name: "SDXC-64GB",
        real: true,
        bytes: 121_812 * (512 << 10),
        capacity: "sdxc",
        writeNs: { typical: 1500 * us, maximum: 500 * ms },
        writeOnNs: { typical: 150 * us, maximum: 500 * ms },
        stopNs: { typical: 3 * ms, maximum: 500 * ms },
        pause: { chance: 1 / 500, ns: 120 * ms },
        erasedByte: 0x00,
        bufferBlocks: 32,
        identity: { manufacturer: 0x7f, application: "TW", product: "XC64G" },
    },
    tiny,
    // The same with what cheap cards do: a cut damages blocks that were not being written
    { ...tiny, name: "sd-tiny-tearing", erasedByte: 0x00, tearsNeighbours: true },
]

export const sdParts: ReadonlyMap<string, SdPart> = new Map(parts.map(part => [part.name.toLowerCase(), part]))
