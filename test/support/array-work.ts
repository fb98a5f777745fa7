// What tests of whole arrays do again and again, over chips as over cards.

import { eraseAhead } from "../../src/store/log"
import { repairStep, scrubArray } from "../../src/store/repair"
import { deadIn } from "../../src/array/array"
import assert from "node:assert/strict"
import { checkArray, MemoryImage, PageChecks, type Report } from "../../tools/check"
import { Random } from "../../tools/sim/random"
import { hasWork, smallPart, StoreBench } from "./store-bench"
import { StoreHost } from "./store-host"

const repairStepsMax = 5_000
const pageChecks = new PageChecks()

/** A power-up, and what a host asks then. */
export async function remount(host: StoreHost): Promise<boolean> {
    host.bench.cutPowerNow()
    host.bench.powerUp()
    return await host.bench.mount()
}

/** Lets the volume's own work run to its end. */
export async function repairAll(bench: StoreBench, between?: () => Promise<void>): Promise<void> {
    for (let i = 0; i < repairStepsMax && hasWork(bench.volume); i++) {
        bench.nowNs += 100e6
        // a cut in between makes another volume of the bench
        await repairStep(bench.volume.repair, Math.floor(bench.nowNs / 1e6))
        if (between) await between()
    }
    assert.equal(hasWork(bench.volume), false, "repairs come to an end")
}

/** One step of what an idle node does, in its order (`tidy` in src/server/worker.ts). */
export async function tidyStep(bench: StoreBench): Promise<void> {
    const { volume } = bench
    bench.nowNs += 100e6
    if (volume.orphans) await volume.reclaim()
    else if (!(await eraseAhead(volume.log))) await repairStep(volume.repair, Math.floor(bench.nowNs / 1e6))
}

/** All that is held, each page looked at. */
export async function scrubAll(bench: StoreBench): Promise<void> {
    assert.equal(await scrubArray(bench.volume.repair, 1000), 0)
    await repairAll(bench)
}

/** On the elements themselves, and through the store. */
export async function readAll(host: StoreHost): Promise<void> {
    host.check()
    for (const [path, node] of host.tree)
        if (node.type === 1) assert.ok((await host.bench.readFile(node.object)).equals(node.content), path)
}

/** With each one of the elements gone, everything can still be read. */
export async function survivesAnyLoss(host: StoreHost): Promise<void> {
    const { bench } = host
    const { array } = bench.volume
    assert.equal(deadIn(array), 0)
    const slots = array.slots.slice(0, array.elements)
    const images = bench.snapshot()
    for (const slot of slots) {
        bench.silent = 1 << slot
        assert.equal(await remount(host), true, `without slot ${slot}`)
        await readAll(host)
        bench.silent = 0
        bench.load(images)
    }
    assert.equal(await remount(host), true)
}

/** What someone sees who knows nothing but docs/FORMAT.md. */
export function reportOf(bench: StoreBench): Report {
    const images = bench.elements.map(
        (element, slot) => new MemoryImage(element.peek(0, element.part.bytes), `E${slot}`, slot),
    )
    return checkArray(images, { pageChecks })
}

export function assertNoFaults(host: StoreHost, isWhole: boolean): void {
    const report = reportOf(host.bench)
    const lines = (problems: Report["faults"]) =>
        problems
            .slice(0, 4)
            .map(({ code, message }) => `${code}: ${message}`)
            .join("\n")
    assert.equal(lines(report.faults), "", "faults that tools/check finds")
    if (isWhole) assert.equal(lines(report.degraded), "", "what tools/check calls degraded")
    assert.deepEqual([...report.tree.keys()].sort(), [...host.tree.keys()].sort())
    for (const [path, node] of host.tree)
        if (node.type === 1) assert.ok(report.readFile(path)?.equals(node.content), `tools/check: content of ${path}`)
}

/** Of the arrays that `fresh` makes. */
export const segmentRows = 48
export const part = smallPart(17)

/** A host at a new array with eight files, f0 to f7. */
export async function fresh(elements: number, seed: string): Promise<StoreHost> {
    const bench = new StoreBench(part, segmentRows, seed, elements)
    assert.equal(await bench.mount(), true)
    const host = new StoreHost(bench)
    assert.equal(await host.hello(), 0)
    const random = new Random(seed)
    for (let i = 0; i < 8; i++) assert.equal(await host.put(`f${i}`, Buffer.from(random.bytes(500 + i * 500))), 0)
    return host
}

/** Writes some of them anew. */
export async function change(host: StoreHost, random: Random, count: number): Promise<void> {
    for (let i = 0; i < count; i++)
        assert.equal(await host.put(`f${random.int(8)}`, Buffer.from(random.bytes(random.int(3000))), 1), 0)
}
