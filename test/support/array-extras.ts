// Steps of the model that need what only newer stores can do: elements lost and rebuilt, scrubbing, snapshots. Each is looked for by name
// on the bench or the volume, and left out where it is not there.

import assert from "node:assert/strict"
import type { ModelHost } from "./model-host"
import type { StoreBench } from "./store-bench"

export interface ArrayExtras {
    /** @returns whether the step was one of these, and could be done now */
    step(kind: string, a: number, b: number): Promise<boolean>
}

/** What the volume may have. A step of work says whether it did anything. */
interface Capable {
    beginRebuild?(position: number): Promise<unknown>
    rebuildStep?(): Promise<boolean>
    scrubStep?(): Promise<boolean>
}

/** `StoreBench.snapshots`, once there are any. */
interface Snapshots {
    /** @returns status */
    create(name: string): Promise<number>
    remove(name: string): Promise<number>
    /** Contents of its files by path. */
    read(name: string): Promise<Map<string, Buffer>>
}

const snapshotsMax = 8
const noSpace = 6

export function arrayExtras(bench: StoreBench, host: ModelHost): ArrayExtras {
    /** Elements that stay behind until they are rebuilt. */
    let behind = 0
    /** Files by path as each snapshot must have them. */
    const kept = new Map<string, Map<string, Buffer>>()
    const snapshots = () => (bench as unknown as { snapshots?: Snapshots }).snapshots
    const one = (part: number) => [...kept.keys()][Math.floor(part * kept.size)]
    const capable = () => bench.volume as unknown as Capable

    const steps: Record<string, (a: number, b: number) => Promise<boolean>> = {
        async silence(a) {
            if (behind) return false
            behind = 1 << Math.floor(a * bench.chips.length)
            bench.silent = behind
            return true
        },
        /** The wire is back, with a boot: what the element missed keeps it out. */
        async back() {
            if (!bench.silent) return false
            bench.cutPowerNow()
            bench.silent = 0
            await host.powerUp()
            return true
        },
        async rebuild() {
            const volume = capable()
            if (!volume.beginRebuild || !behind || bench.silent) return false
            await volume.beginRebuild(31 - Math.clz32(behind))
            return true
        },
        async rebuildStep() {
            const volume = capable()
            if (!volume.rebuildStep || !behind) return false
            if (!(await volume.rebuildStep())) behind = 0
            return true
        },
        async snapshot(a, b) {
            const name = `snapshot ${a} ${b}`
            if (!snapshots() || kept.has(name) || kept.size === snapshotsMax) return false
            const status = await snapshots().create(name)
            if (status === noSpace) return true
            assert.equal(status, 0, `create ${name}`)
            kept.set(name, new Map(host.files().map(path => [path, host.tree.get(path)!.content])))
            return true
        },
        async dropSnapshot(a) {
            if (!snapshots() || !kept.size) return false
            const name = one(a)
            assert.equal(await snapshots().remove(name), 0, `remove ${name}`)
            return kept.delete(name)
        },
        async readSnapshot(a) {
            if (!snapshots() || !kept.size) return false
            assert.deepEqual(await snapshots().read(one(a)), kept.get(one(a)), one(a))
            return true
        },
        async scrub() {
            const volume = capable()
            if (!volume.scrubStep) return false
            await volume.scrubStep()
            return true
        },
    }
    return {
        async step(kind, a, b) {
            return steps[kind] ? await steps[kind](a, b) : false
        },
    }
}
