// A mount is what a failover waits for: it reads as many pages at ten thousand files as at ten, and the store allocates nothing that grows.

import assert from "node:assert/strict"
import { shapes, type ArrayShape } from "../support/store-geometries"
import { tailPages } from "../../src/store/log"
import { StoreBench } from "../support/store-bench"
import { StoreLoad } from "../../tools/bench/store/load"
import { findSpiNorPart } from "../../tools/sim/chips/spi-nor-parts"

const isFull = process.env.FULL === "1"
const segmentRows = 256
const fileCounts = [10, 1_000, 10_000]
const fileBytes = 200
/** A mount at each of so many places of the log; the most of them counts. */
const mountsPerCount = 8
/** Nodes of a path, and pages of the log's end, by which two mounts may differ: the bisection of a segment, and a tree that is higher. */
const slackReads = 24
/** Data pages of an upload that a commit has not covered: docs/FORMAT.md, "Uploads"; a mount reads each of them, once. */
const tailPagesMax = 192
const tailSlackReads = 24
const longUploadBytes = 236 * 300

interface MountCost {
    reads: number
    bytes: number
    transfers: number
}

async function mountCost(bench: StoreBench): Promise<MountCost> {
    bench.cutPowerNow()
    bench.powerUp()
    const read = () => bench.chips.reduce((sum, chip) => sum + chip.statistics.bytesRead, 0)
    const { reads, transfers } = bench
    const bytes = read()
    assert.equal(await bench.mount(), true)
    return { reads: bench.reads - reads, bytes: read() - bytes, transfers: bench.transfers - transfers }
}

/** The most of several mounts, each after another file was written. */
async function mountCosts(load: StoreLoad): Promise<MountCost> {
    const most = { reads: 0, bytes: 0, transfers: 0 }
    for (let i = 0; i < mountsPerCount; i++) {
        const cost = await mountCost(load.bench)
        most.reads = Math.max(most.reads, cost.reads)
        most.bytes = Math.max(most.bytes, cost.bytes)
        most.transfers = Math.max(most.transfers, cost.transfers)
        await load.put("between mounts", fileBytes * (i + 1))
    }
    return most
}

/** The worst of mounts while an upload grows page by page: one of them meets the longest tail. */
async function longestTailCost(load: StoreLoad): Promise<MountCost & { tail: number }> {
    const tails: number[] = []
    const before = load.bench.snapshot()
    const { sequence } = load.client
    const upload = await load.beginUpload()
    const { log } = load.bench.volume
    let longest = 0
    while (load.uploaded(upload) < longUploadBytes) {
        await load.extend(upload, 236)
        tails.push(tailPages(log))
        longest = Math.max(longest, tailPages(log))
    }
    // once more from the start, as far as the longest tail
    load.bench.cutPowerNow()
    load.bench.load(before)
    load.client.sequence = sequence
    load.bench.powerUp()
    assert.equal(await load.bench.mount(), true)
    const again = await load.beginUpload()
    for (let i = 0; i <= tails.indexOf(longest); i++) await load.extend(again, 236)
    await load.bench.volume.array.settle()
    const tail = tailPages(load.bench.volume.log)
    const cost = await mountCost(load.bench)
    await load.abort(again)
    return { ...cost, tail }
}

/** Bytes of every buffer that can be reached from an object. */
function bufferBytes(root: object): number {
    const seen = new Set<object>()
    const buffers = new Set<ArrayBufferView>()
    const waiting: unknown[] = [root]
    while (waiting.length) {
        const value = waiting.pop()
        if (typeof value !== "object" || value === null || seen.has(value)) continue
        seen.add(value)
        if (ArrayBuffer.isView(value)) buffers.add(value)
        // the chips behind the store's port are not the store's
        else if (!(value instanceof StoreBench)) waiting.push(...Object.values(value))
    }
    return [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0)
}

function row(values: (string | number)[]): string {
    return `      ${values.map(value => String(value).padStart(12)).join("")}`
}

async function measure(shape: ArrayShape): Promise<void> {
    const load = new StoreLoad(findSpiNorPart("W25Q128JV"), segmentRows, shape.elements, 3)
    await load.begin()
    const costs: MountCost[] = []
    const tails: (MountCost & { tail: number })[] = []
    const buffers: number[] = []
    console.log(row(["files", "reads", "bytes", "transfers", "tail", "reads", "bytes", "buffers"]))
    for (const count of fileCounts) {
        while (load.files.size < count) await load.put(`file ${load.files.size}`, fileBytes)
        const cost = await mountCosts(load)
        const tail = await longestTailCost(load)
        costs.push(cost)
        tails.push(tail)
        buffers.push(bufferBytes(load.bench.volume))
        console.log(
            row([count, cost.reads, cost.bytes, cost.transfers, tail.tail, tail.reads, tail.bytes, buffers.at(-1)]),
        )
    }
    for (let i = 0; i < costs.length; i++) {
        assert.ok(costs[i].reads <= costs[0].reads + slackReads, `${fileCounts[i]} files: ${costs[i].reads} reads`)
        assert.ok(
            tails[i].reads <= costs[i].reads + tailPagesMax + tailSlackReads,
            `${fileCounts[i]} files and the longest tail: ${tails[i].reads} reads`,
        )
        assert.equal(buffers[i], buffers[0], "bytes of the store's buffers")
    }
}

describe("store: mounts", function () {
    this.timeout(isFull ? 600_000 : 240_000)

    for (const shape of shapes(isFull ? undefined : [2, 4]))
        it(`${shape.name}: a mount reads as much at 10,000 files as at 10, with the longest tail too [R27] [R26]`, () =>
            measure(shape))
})
