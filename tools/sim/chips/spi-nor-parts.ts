// Data of the supported parts, from their datasheets: "AC Electrical Characteristics" for times, "Manufacturer and Device
// Identification" for ids, "Operating Ranges" for clocks. Figures are {typical, maximum}; the models choose by name.

import type { ElementPart, Span } from "./element"

export interface SpiNorPart extends ElementPart {
    /** As answered to 9Fh: manufacturer, type, capacity */
    jedec: [number, number, number]
    /** As answered to ABh */
    deviceId: number
    /** Clock limit of 03h (fR), and of everything else (FR) */
    readHz: number
    clockHz: number
    /** Data sheet endurance per sector, "min. 100K program-erase cycles per sector" (Features, in all of them) */
    enduranceCycles: number
    programNs: Span
    erase4kNs: Span
    erase32kNs: Span
    erase64kNs: Span
    eraseChipNs: Span
}

export const pageBytes = 256
export const sectorBytes = 4096

// The same in all parts: W25Q128JV, AC Electrical Characteristics, tSUS, tRST, tDP, tRES1 (maximum; no typical figure is given)
export const suspendNs = 20_000
export const resetNs = 30_000
export const powerDownNs = 3_000
export const wakeNs = 3_000

const us = 1_000
const ms = 1_000_000
const s = 1_000_000_000

// W25Q128JV, W25Q64JV, W25Q32JV, W25Q16JV, each AC Electrical Characteristics: tPP 0.4/3 ms, tSE 45/400 ms,
// tBE1 120/1600 ms, tBE2 150/2000 ms; only tCE differs.
const jv = {
    real: true,
    readHz: 50_000_000,
    clockHz: 133_000_000,
    enduranceCycles: 100_000,
    programNs: { typical: 400 * us, maximum: 3 * ms },
    erase4kNs: { typical: 45 * ms, maximum: 400 * ms },
    erase32kNs: { typical: 120 * ms, maximum: 1_600 * ms },
    erase64kNs: { typical: 150 * ms, maximum: 2_000 * ms },
}

const parts: SpiNorPart[] = [
    {
        // W25Q256JV, AC Electrical Characteristics: tPP 0.7/3 ms, tSE 50/400 ms, tBE1 120/1600 ms, tBE2 150/2000 ms, tCE 80/400 s
        ...jv,
        name: "W25Q256JV",
        bytes: 32 << 20,
        jedec: [0xef, 0x40, 0x19],
        deviceId: 0x18,
        programNs: { typical: 700 * us, maximum: 3 * ms },
        erase4kNs: { typical: 50 * ms, maximum: 400 * ms },
        eraseChipNs: { typical: 80 * s, maximum: 400 * s },
    },
    {
        ...jv,
        name: "W25Q128JV",
        bytes: 16 << 20,
        jedec: [0xef, 0x40, 0x18],
        deviceId: 0x17,
        eraseChipNs: { typical: 40 * s, maximum: 200 * s },
    },
    {
        ...jv,
        name: "W25Q64JV",
        bytes: 8 << 20,
        jedec: [0xef, 0x40, 0x17],
        deviceId: 0x16,
        eraseChipNs: { typical: 20 * s, maximum: 100 * s },
    },
    {
        ...jv,
        name: "W25Q32JV",
        bytes: 4 << 20,
        jedec: [0xef, 0x40, 0x16],
        deviceId: 0x15,
        eraseChipNs: { typical: 10 * s, maximum: 50 * s },
    },
    {
        ...jv,
        name: "W25Q16JV",
        bytes: 2 << 20,
        jedec: [0xef, 0x40, 0x15],
        deviceId: 0x14,
        eraseChipNs: { typical: 5 * s, maximum: 25 * s },
    },
    {
        // W25Q80DV, AC Electrical Characteristics: tPP 0.8/3 ms, tSE 45/400 ms, tBE1 120/800 ms, tBE2 150/1000 ms, tCE 2/6 s
        ...jv,
        name: "W25Q80",
        bytes: 1 << 20,
        jedec: [0xef, 0x40, 0x14],
        deviceId: 0x13,
        clockHz: 104_000_000,
        programNs: { typical: 800 * us, maximum: 3 * ms },
        erase32kNs: { typical: 120 * ms, maximum: 800 * ms },
        erase64kNs: { typical: 150 * ms, maximum: 1_000 * ms },
        eraseChipNs: { typical: 2 * s, maximum: 6 * s },
    },
    {
        // Not a real part: sixteen sectors, so that a test wears, fills and scans the whole of it quickly
        ...jv,
        name: "tiny",
        real: false,
        bytes: 64 << 10,
        jedec: [0xef, 0x40, 0x10],
        deviceId: 0x0f,
        eraseChipNs: { typical: 150 * ms, maximum: 2_000 * ms },
    },
]

export const spiNorParts: ReadonlyMap<string, SpiNorPart> = new Map(parts.map(part => [part.name.toLowerCase(), part]))

/** What three address bytes reach; a larger chip has the commands of W25Q256JV to reach the rest. */
export const threeByteBytes = 16 << 20

export function findSpiNorPart(name: string): SpiNorPart {
    const part = spiNorParts.get(name.toLowerCase())
    if (!part)
        throw new Error(
            `no such chip: ${name}. Choose one of ${parts.map(p => (p.real ? p.name : `${p.name} (not real)`)).join(", ")}`,
        )
    return part
}
