// How evenly the elements wear: after the whole volume was overwritten fifty times (ten, when not FULL), two fifths of it never touched
// again since it was written, the erase counts of the log's segments lie close together. The reserved segment's sectors are reported on their own.

import assert from "node:assert/strict"
import { smallPart, type StoreBench } from "../support/store-bench"
import { shapes, type ArrayShape } from "../support/store-geometries"
import { StoreLoad } from "../../tools/bench/store/load"
import { findSpiNorPart } from "../../tools/sim/chips/spi-nor-parts"

const isFull = process.env.FULL === "1"
const overwrites = isFull ? 50 : 10
const coldPart = 0.4
/** Cold and hot together, of what a host may use: the rest is what the log turns in. */
const filledPart = 0.6
const sectorRows = 16
/** Of a segment, when not FULL: on parity it has pages enough to be a wide one, which is cleaned at another pace. FULL, all are wide. */
const smallRows = { mirror: 64, parity: 96 }
const idleEveryFiles = 4
const idleMs = 400
/** Files between two losses of power, where there are any; each right after the node idled. */
const remountEveryFiles = 100
/** For want of space, though a third of it is free. */
const refusalsMax = 20
/** What an extent of a file at rest has at least in the mean, however often it was moved: so much of a segment, when it is not the whole file. */
const extentPart = 1 / 24
const rootObject = 1
const objectMax = 0x6fffffff

interface Spread {
    min: number
    mean: number
    max: number
}

interface Worn {
    bench: StoreBench
    /** Files the volume had no space for, though a third of it was free. */
    refusals: number
    remounts: number
    overwritten: number
    atRest: Pieces
}

/** Of the files that nobody touched again. */
interface Pieces {
    files: number
    extents: number
    pages: number
}

function spreadOf(counts: readonly number[]): Spread {
    const sum = counts.reduce((a, b) => a + b, 0)
    return { min: Math.min(...counts), mean: sum / counts.length, max: Math.max(...counts) }
}

/** Erases of each segment of the log, from segment 1 on. */
function segmentErases(bench: StoreBench, element: number): number[] {
    const sectorsPerSegment = bench.segmentRows / sectorRows
    const { eraseCounts } = bench.chips[element].cells
    return Array.from({ length: bench.volume.log.segments - 1 }, (_, i) => eraseCounts[(i + 1) * sectorsPerSegment])
}

/** Erases of the sectors of the ring of anchors. */
function ringErases(bench: StoreBench, element: number): number[] {
    const sectors = Math.min(15, bench.segmentRows / sectorRows - 1)
    return Array.from(bench.chips[element].cells.eraseCounts.subarray(1, 1 + sectors))
}

function show(name: string, { min, mean, max }: Spread): string {
    return `${name} ${min} / ${mean.toFixed(1)} / ${max}`
}

/** What the volume itself counts for each segment of the log, from segment 1 on. */
function countedErases({ volume }: StoreBench): number[] {
    const { usage, segments } = volume.log
    return Array.from({ length: segments - 1 }, (_, i) => usage.wearBase + usage.wear[i + 1])
}

async function lastObject({ volume }: StoreBench): Promise<number> {
    await volume.tree.findAtMost(objectMax, 0)
    return volume.tree.object
}

/** Objects up to `last`: how many files there are, and of how many extents and pages. */
async function piecesUpTo(last: number, { volume }: StoreBench): Promise<Pieces> {
    const { tree } = volume
    const pieces = { files: 0, extents: 0, pages: 0 }
    for (let object = rootObject + 1, sub = 0; await tree.seek(object, sub); sub++) {
        object = tree.object
        if (object > last) break
        sub = tree.sub
        if (sub === 0) pieces.files++
        else {
            pieces.extents++
            pieces.pages += tree.leaf.getAt(tree.valueAt + 4, "u16")
        }
    }
    return pieces
}

async function remount({ bench }: StoreLoad): Promise<void> {
    bench.cutPowerNow()
    bench.powerUp()
    assert.equal(await bench.mount(), true)
}

/** @param remountEvery power is lost each so many files; 0 = never */
async function wornVolume(shape: ArrayShape, remountEvery: number): Promise<Worn> {
    const part = isFull ? findSpiNorPart("W25Q16JV") : smallPart(19)
    const rows = shape.elements === 2 ? smallRows.mirror : smallRows.parity
    const load = new StoreLoad(part, isFull ? 256 : rows, shape.elements, 5)
    await load.begin()
    const empty = load.fullness()
    await load.fillTo(empty + (1 - empty) * coldPart, 8_000)
    const lastAtRest = await lastObject(load.bench)
    const hot: string[] = []
    const { random } = load
    const size = () => 500 + random.int(6_000)
    while (load.fullness() < empty + (1 - empty) * filledPart) {
        hot.push(`hot ${hot.length}`)
        await load.put(hot[hot.length - 1], size())
    }
    const volumeBytes = (load.bench.volume.log.segments - 1) * load.segmentPages() * 236
    load.userBytes = 0
    let refusals = 0
    let remounts = 0
    const worn = async (): Promise<Worn> => {
        const atRest = await piecesUpTo(lastAtRest, load.bench)
        return { bench: load.bench, refusals, remounts, overwritten: load.userBytes / volumeBytes, atRest }
    }
    for (let n = 0; load.userBytes < overwrites * volumeBytes; n++) {
        // most of what is hot is very hot
        const among = random.chance(0.8) ? hot.length >> 2 : hot.length
        const name = hot[random.int(among)]
        const bytes = size()
        while (!(await load.tryPut(name, bytes))) {
            if (++refusals >= refusalsMax) return await worn()
            await load.idle(idleMs)
        }
        if (n % idleEveryFiles === 0) await load.idle(idleMs)
        // a segment was erased ahead, and nothing was committed since
        if (remountEvery && n % remountEvery === 0) {
            await remount(load)
            remounts++
        }
    }
    return await worn()
}

/** What the volume has not counted, it cannot level: a segment may be the one that was erased ahead at several losses of power. */
function slackOf(remountEvery: number): number {
    return remountEvery ? 5 : 2
}

/** Power is lost in runs of their own; on parity only in the full run, as it takes long. */
function runs(): { shape: ArrayShape; every: number }[] {
    const all = [0, remountEveryFiles].flatMap(every => shapes([2, 4]).map(shape => ({ shape, every })))
    return all.filter(({ shape, every }) => isFull || !every || shape.elements === 2)
}

describe("store: wear", function () {
    this.timeout(isFull ? 3_600_000 : 240_000)

    for (const { shape, every } of runs())
        it(`${shape.name}: after ${overwrites} overwrites, cold data among the hot, ${every ? `power lost each ${every} files, ` : ""}erase counts differ by 10 % and ${slackOf(every)} at most [R28]`, async () => {
            const { bench, refusals, remounts, overwritten, atRest } = await wornVolume(shape, every)
            console.log(
                `      overwritten ${overwritten.toFixed(1)} times, refused for want of space ${refusals} times; ` +
                    `${atRest.files} files at rest, ${atRest.pages} pages, in ${atRest.extents} extents`,
            )
            let isEven = true
            for (let element = 0; element < bench.chips.length; element++) {
                const log = spreadOf(segmentErases(bench, element))
                const ring = spreadOf(ringErases(bench, element))
                const label = bench.chips[element].cells.eraseCounts[0]
                console.log(
                    `      element ${element}, min / mean / max: ${show("segments of the log", log)}; ` +
                        `${show("sectors of the ring", ring)}; label's sector ${label}`,
                )
                if (log.max - log.min > log.mean * 0.1 + slackOf(every)) isEven = false
                // the ring turns sector after sector
                assert.ok(ring.max - ring.min <= ring.mean * 0.1 + 2, `ring of element ${element}`)
            }
            const counted = spreadOf(countedErases(bench))
            console.log(
                `      as the volume counts them: ${show("segments of the log", counted)}; ${remounts} losses of power`,
            )
            // an erase that no commit follows is not counted: one at each loss of power, and formatting's
            const segments = countedErases(bench).length
            const uncounted = segments * (spreadOf(segmentErases(bench, 0)).mean - counted.mean)
            assert.ok(counted.max - counted.min <= counted.mean * 0.1 + 2, "as the volume counts them")
            assert.ok(uncounted > -0.5 && uncounted < remounts + 1.5, `${uncounted} erases are not counted`)
            if (every) assert.ok(remounts >= 10)
            assert.equal(refusals, 0, "refused for want of space, with a third free")
            // more and more of them would make emptying a segment cost more and more nodes
            const extentPages = extentPart * bench.volume.array.segmentPages
            assert.ok(atRest.extents <= atRest.files + atRest.pages / extentPages, "files at rest fall into pieces")
            assert.ok(isEven, "the spread of the segments' erases is too wide")
        })
})
