// What the store costs its chips: bytes programmed and read for each byte a user writes and reads, and how long the slowest small write
// waits for them. The firmware's store in Node over the chip models: the same code, exact counts, virtual time of the chips alone.

import { shapes, type ArrayShape } from "../../../test/support/store-geometries"
import { findSpiNorPart } from "../../sim/chips/spi-nor-parts"
import { percentile, type Figure } from "../result"
import { StoreLoad } from "./load"
import type { PageCounts } from "./programs"

const part = findSpiNorPart("W25Q128JV")
const segmentRows = 256
const kB = 1024
const largeBytes = 1024 * kB
const fillBytes = 64 * kB
const smallFiles = 200
const fullnesses = [0.5, 0.9]
/** Asked for: of a large file written in order, beyond the redundancy. */
const sequentialLimit = 1.15
const latencyWrites = 300
const gapsMs = [0, 50]
/** A page of 1 KB after the other, both commits, and nothing in the way: five pages, and what two commits took on an empty volume. */
const latencyLimitMs = 30

export interface StoreFigure extends Figure {
    array: string
    /** Pages by kind for each write of the workload; "parity" apart. */
    pages?: PageCounts
}

interface Workload {
    name: string
    fileBytes: number
    warmUps: number
    writes: number
    limit: number
    binds: string
    /** The files that are there before, without which `write` has nothing to replace. */
    begin(load: StoreLoad, fullness: number): Promise<void>
    /** One write of it. @returns false when there is no space */
    write(load: StoreLoad, index: number): Promise<boolean>
    /** What is read back. */
    names(load: StoreLoad): string[]
}

const pagesAlone = "the data's pages alone"

const workloads: Workload[] = [
    {
        name: "seq-1M",
        fileBytes: largeBytes,
        warmUps: 18,
        writes: 8,
        limit: sequentialLimit,
        binds: "asked for",
        // so full with the file being written and the one it replaces
        begin: (load, fullness) => load.fillTo(fullness - (2 * largeBytes) / load.capacityBytes(), fillBytes),
        write: (load, index) => load.tryReplace(`large ${index % 2}`, `large ${(index + 1) % 2}`, largeBytes),
        names: load => [...load.files.keys()].filter(name => name.startsWith("large")),
    },
    {
        name: "rnd-4K",
        fileBytes: 4 * kB,
        warmUps: 600,
        writes: 400,
        limit: StoreLoad.leastAmplification(4 * kB),
        binds: pagesAlone,
        begin: (load, fullness) => load.fillTo(fullness, 4 * kB),
        write: load => load.tryPut(load.anyFile(), 4 * kB),
        names: load => [...load.files.keys()].slice(0, 200),
    },
    {
        name: "200x1K",
        fileBytes: kB,
        warmUps: 2 * smallFiles,
        writes: 2 * smallFiles,
        limit: StoreLoad.leastAmplification(kB),
        binds: pagesAlone,
        begin: async (load, fullness) => {
            for (let i = 0; i < smallFiles; i++) await load.put(`small ${i}`, kB)
            await load.fillTo(fullness, fillBytes)
        },
        write: (load, index) => load.tryPut(`small ${index % smallFiles}`, kB),
        names: () => Array.from({ length: smallFiles }, (_, i) => `small ${i}`),
    },
]

/** @param seed of the files' bytes and order */
export async function measureStore(seed: number): Promise<StoreFigure[]> {
    const figures: StoreFigure[] = []
    for (const shape of shapes([2, 4]))
        for (const fullness of fullnesses)
            for (const workload of workloads) figures.push(...(await measureOne(seed, shape, fullness, workload)))
    return figures
}

async function measureOne(
    seed: number,
    shape: ArrayShape,
    fullness: number,
    workload: Workload,
): Promise<StoreFigure[]> {
    const load = new StoreLoad(part, segmentRows, shape.elements, seed)
    await load.begin()
    await workload.begin(load, fullness)
    let refused = 0
    let index = 0
    const run = async (times: number): Promise<void> => {
        for (const end = index + times; index < end; index++) if (!(await workload.write(load, index))) refused++
    }
    await run(workload.warmUps)
    const reached = load.fullness()
    load.restart()
    await run(workload.writes)
    const pages = load.programs.take()
    const programmed = load.bytesProgrammed() / load.userBytes
    load.restart()
    for (const name of workload.names(load)) await load.read(name)
    const read = load.bytesRead() / load.userBytes
    const at = Math.round(fullness * 100)
    const { limit } = workload
    let binds = workload.binds
    if (reached < fullness - 0.02) binds += `; ${Math.round(reached * 100)} % full is all that was reached`
    if (refused) binds += `; ${refused} writes refused for want of space`
    const array = `${shape.name} ${part.name}`
    for (const kind of Object.keys(pages)) pages[kind] = Math.round((pages[kind] / workload.writes) * 100) / 100
    const figures: StoreFigure[] = [
        {
            array,
            name: `write-amp-${workload.name}-${at}`,
            value: programmed,
            beyondRedundancy: programmed / shape.redundancy,
            unit: "x",
            limit,
            binds,
            pages,
        },
        {
            array,
            name: `read-amp-${workload.name}-${at}`,
            value: read,
            unit: "x",
            limit: StoreLoad.leastAmplification(workload.fileBytes),
            binds: pagesAlone,
        },
    ]
    // the volume is as it must be for this one
    if (workload.name === "200x1K" && fullness === 0.9) figures.push(...(await slowestWrites(load, array)))
    return figures
}

/** Small writes one after the other, or each some time after the one before: then idle work goes on between, and may be in the way. */
async function slowestWrites(load: StoreLoad, array: string): Promise<StoreFigure[]> {
    const figures: StoreFigure[] = []
    for (const gapMs of gapsMs) {
        const times: number[] = []
        for (let i = 0; i < latencyWrites; i++) {
            const dueNs = load.bench.nowNs + gapMs * 1e6
            await load.idle(gapMs)
            const isDone = await load.tryPut(`small ${load.random.int(smallFiles)}`, kB)
            times.push(isDone ? (load.bench.nowNs - dueNs) / 1e6 : Infinity)
        }
        const refused = times.filter(ms => ms === Infinity).length
        const binds =
            "five data pages and two commits, nothing in the way" + (refused ? `; ${refused} writes refused` : "")
        for (const [name, percent] of [
            ["max", 100],
            ["p99", 99],
        ] as const)
            figures.push({
                array,
                name: `write-1K-90-gap${gapMs}-${name}`,
                value: percentile(times, percent),
                unit: "chip ms",
                limit: latencyLimitMs,
                binds,
            })
    }
    return figures
}
