// What is done while the power is cut, stage after stage on the same array: each begins with the mount of what the one before left.

import { available } from "../../src/store/log"
import { rebuildElement } from "../../src/store/rebuild"
import { repairStep, scrubArray } from "../../src/store/repair"
import { deadIn } from "../../src/array/array"
import assert from "node:assert/strict"
import type { ProblemCode } from "../../tools/check"
import { Random } from "../../tools/sim/random"
import { Explorer, record, type ExploreOptions, type Recording } from "./cut-explorer"
import { CutHost } from "./cut-host"
import { checkVolume } from "./store-checker"
import { smallPart, StoreBench, hasWork } from "./store-bench"

const ok = 0
const exists = 2
const repairStepsMax = 5_000
const any = 0xff

export const part = smallPart(17)
export const segmentRows = 48

export const isFull = process.env.FULL === "1"
export const seed = process.env.SEED ?? "cuts"

const contents = new Map<string, Buffer>()
/** The same bytes each time. */
function bytes(count: number, name: string | number = ""): Buffer {
    const key = `${count} ${name}`
    if (!contents.has(key)) contents.set(key, Buffer.from(new Random(key).bytes(count)))
    return contents.get(key)!
}

const long = (i: number) => `${i}-`.padEnd(96 + ((i * 31) % 62), "näme")

export interface Stage {
    /** One word, then what it is. */
    name: string
    /** Not cut; the stage itself begins with a mount after it. */
    setup?(host: CutHost): Promise<void>
    run(host: CutHost): Promise<void>
    degraded?: ProblemCode[]
    /** After the cut, on some: what was begun comes to its end. */
    afterwards?(host: CutHost): Promise<void>
    degradedAfterwards?: ProblemCode[]
    /** The next stage begins with what this one left. */
    isKept?: boolean
    /** Numbers of elements for which it does not come to what it is about. */
    notFor?: number[]
}

async function put(host: CutHost, path: string, content: Buffer, flags = 0, piece?: number): Promise<void> {
    assert.equal(await host.put(path, content, flags, piece), ok, path)
}

/** The volume's own work, one step. */
async function oneRepairStep(host: CutHost): Promise<void> {
    const { bench } = host
    bench.nowNs += 100e6
    await repairStep(bench.volume.repair, bench.nowNs / 1e6)
}

export async function repairAll(host: CutHost, between?: (step: number) => Promise<void>): Promise<void> {
    const { bench } = host
    for (let i = 0; i < repairStepsMax && hasWork(bench.volume); i++) {
        await host.work(() => oneRepairStep(host))
        await between?.(i)
    }
    assert.equal(hasWork(bench.volume), false, "repairs come to an end")
}

/** What a node does with much time. */
async function rest(host: CutHost): Promise<void> {
    for (let i = 0; i < 400 && host.bench.volume.orphans; i++) await host.idle(1)
}

export const fileStages: Stage[] = [
    {
        name: "small: hello, mkdir, files of 0, 1, 235, 236 and 237 bytes, properties",
        isKept: true,
        async run(h) {
            assert.equal(await h.hello(), ok)
            assert.equal(await h.mkdir("d"), ok)
            assert.equal(await h.mkdir("d"), exists)
            for (const n of [0, 1, 235, 236, 237]) await put(h, `d/${n}`, bytes(n))
            assert.equal(await h.setattr("d/1", 99), ok)
            assert.equal(await h.setProperty("d/1", "colour", "rot"), ok)
        },
    },
    {
        name: "large: a file over several segments",
        isKept: true,
        async run(h) {
            await put(h, "large", bytes(110 * 236 + 5), 0, 30 * 236)
        },
    },
    {
        name: "over: replace, rename, rename over, remove, abort",
        isKept: true,
        async run(h) {
            assert.equal(await h.put("d/1", bytes(500)), exists)
            await put(h, "d/1", bytes(501), 1)
            assert.equal(await h.rename("d/235", "d/renamed"), ok)
            assert.equal(await h.rename("d/renamed", "d/1"), exists)
            assert.equal(await h.rename("d/renamed", "d/1", 1), ok)
            assert.equal(await h.mkdir("e"), ok)
            assert.equal(await h.mkdir("d/f"), ok)
            assert.equal(await h.rename("d/f", "e/g"), ok)
            assert.equal(await h.rename("d", "e/g/d"), ok)
            assert.equal(await h.rename("e", "e/g/e"), 8)
            assert.equal(await h.remove("e"), 5)
            assert.equal(await h.remove("e/g/d/237"), ok)
            const object = await h.create()
            await h.write(object, bytes(3000))
            assert.equal(await h.abort(object), ok)
        },
    },
    {
        name: "append: two uploads continued in pieces, over commits, idle time and a mount",
        isKept: true,
        async run(h) {
            const a = await h.create()
            const b = await h.create()
            for (let i = 0; i < 6; i++) {
                await h.write(a, bytes(700 - i))
                if (i === 2) assert.equal(await h.mkdir("between"), ok)
                if (i === 3) await h.mount()
                await h.write(b, bytes(411))
                if (i === 4) await h.idle(2)
            }
            assert.equal(await h.commit(a, "between/a"), ok)
            assert.equal(await h.commit(b, "between/a", 1), ok)
        },
    },
    {
        name: "split: long names until nodes split, twice",
        isKept: true,
        async run(h) {
            for (let i = 0; i < 24; i++) assert.equal(await h.mkdir(`e/${long(i)}`), ok)
        },
    },
    {
        name: "merge: removing until nodes merge, and a large file given back step by step",
        isKept: true,
        async run(h) {
            assert.equal(await h.rename("large", "e/large"), ok)
            assert.equal(await h.remove("e/large"), ok)
            for (let i = 0; i < 24; i++) if (i % 8) assert.equal(await h.remove(`e/${long(i)}`), ok)
            await h.idle(12)
        },
    },
    {
        name: "snapshot: made, kept over changes, read, deleted",
        async run(h) {
            assert.equal(await h.snapshot("before"), ok)
            await put(h, "between/a", bytes(900), 1)
            assert.equal(await h.remove("e/g/d/0"), ok)
            const object = await h.create()
            await h.write(object, bytes(500))
            assert.equal(await h.snapshot("with an upload"), ok)
            await h.write(object, bytes(500))
            assert.equal(await h.commit(object, "late"), ok)
            assert.equal(await h.dropSnapshot("before"), ok)
            await h.mount()
            assert.equal(await h.dropSnapshot("with an upload"), ok)
            await h.idle(4)
        },
    },
    {
        name: "clean: a fragmented volume whose pages are moved together",
        async setup(h) {
            await rest(h)
            assert.equal(await h.mkdir("c"), ok)
            const { volume } = h.bench
            let count = 0
            for (; count < 200 && available(volume.log) > 4; count++) await put(h, `c/${count}`, bytes(1400, count))
            for (let i = 0; i < count; i++) if (i % 3) assert.equal(await h.remove(`c/${i}`), ok)
        },
        async run(h) {
            for (let i = 0; i < 14; i++) {
                await h.idle(4)
                if (i % 5 === 2) await put(h, "meanwhile", bytes(700, i), 1)
            }
        },
    },
    {
        name: "full: overwrites and removals in a volume with hardly a free segment",
        async setup(h) {
            await rest(h)
            assert.equal(await h.mkdir("f"), ok)
            let count = 0
            while (count < 400 && (await h.put(`f/${count}`, bytes(1000, count))) === ok) count++
            for (let i = 0; i < count; i += 7) assert.equal(await h.remove(`f/${i}`), ok)
        },
        async run(h) {
            for (let i = 1; i < 14; i++) {
                if (!h.tree.has(`f/${i}`)) continue
                const status = await h.put(`f/${i}`, bytes(1100, i), 1)
                assert.ok(status === ok || status === 6, `status ${status}`)
                if (i % 4 === 1) assert.equal(await h.remove(`f/${i}`), ok)
            }
        },
    },
    {
        name: "refresh: what rests too long is moved, for the wear",
        // there is so little room beside what rests that cleaning for space takes it before it has rested too long
        notFor: [4],
        async setup(h) {
            await rest(h)
            assert.equal(await h.mkdir("cold"), ok)
            const { usage } = h.bench.volume.log
            // segments so full that cleaning for space leaves them alone
            const files = Math.ceil((2 * h.bench.volume.array.segmentPages) / 13)
            for (let i = 0; i < files; i++) await put(h, `cold/${i}`, bytes(3000, i))
            // where space is short it is moved in the course of a put, and seen here only by that
            let { cold } = usage
            let hasRested = false
            Object.defineProperty(usage, "cold", {
                configurable: true,
                get: () => cold,
                set: (segment: number) => {
                    cold = segment
                    if (segment) hasRested = true
                },
            })
            for (let i = 0; i < 4_000 && !hasRested; i++) {
                await put(h, "hot", bytes(4000, i % 3), 1)
                if (i % 50 === 49 && !hasRested) await h.idle(1)
            }
            Object.defineProperty(usage, "cold", { value: cold, writable: true, enumerable: true, configurable: true })
            assert.ok(hasRested, "a segment has rested")
        },
        async run(h) {
            for (let i = 0; i < 30; i++) {
                await h.idle(2)
                if (i % 10 === 5) await put(h, "hot", bytes(4000, i % 3), 1)
            }
        },
    },
    {
        name: "mounts: one after the other, with uploads open",
        async run(h) {
            const object = await h.create()
            for (let i = 0; i < 12; i++) {
                await h.write(object, bytes(200 + 31 * i))
                await h.mount()
            }
        },
    },
]

/** Fills the place of a lost element, with a small volume: all of it is copied. */
function rebuildStage(elements: number): Stage {
    return {
        name: "rebuild: onto a blank element, with writes meanwhile",
        degraded: ["element-joining", "element-missing"],
        async setup(h) {
            h.bench.silent = 2
            await put(h, "d/degraded", bytes(700), 1)
            h.bench.insert(1)
        },
        async run(h) {
            await h.work(async () => assert.equal(await rebuildElement(h.bench.volume.repair, any, any, 0), ok))
            await repairAll(h, async step => {
                if (step === 2) await put(h, "d/meanwhile", bytes(300), 1)
                if (step === 9) await h.mount()
                if (step === 14) assert.equal(await h.remove("d/meanwhile"), ok)
            })
            assert.equal(deadIn(h.bench.volume.array), 0)
        },
        degradedAfterwards: ["element-out"],
        async afterwards(h) {
            const { repair, array } = h.bench.volume
            if (deadIn(array) && array.joining < 0) assert.equal(await rebuildElement(repair, any, any, 0), ok)
            await repairAll(h)
            assert.equal(deadIn(h.bench.volume.array), 0, "rebuilt")
            const lost = h.bench.operations % elements
            // the element that was blank is worth as much as any
            h.bench.silent = 1 << h.bench.volume.array.slots[lost]
            await h.mount()
            h.bench.silent = 0
        },
    }
}

/** Another element takes the place of one that lives, into a slot of its own or into the same. */
function replaceStage(elements: number, slot: number): Stage {
    const flags = 2
    return {
        name: `${slot === 1 ? "exchange" : "replace"}: a living element by a blank one in ${slot === 1 ? "its own slot" : "another slot"}, with writes meanwhile`,
        degraded: ["element-joining", "element-missing", "element-out", "label-bad", "element-unknown"],
        notFor: slot > 5 ? [elements] : [],
        async setup(h) {
            if (slot !== 1) h.bench.insert(slot)
            await put(h, "d/before", bytes(700), 1)
        },
        async run(h) {
            await h.work(async () => assert.equal(await rebuildElement(h.bench.volume.repair, 1, slot, flags), ok))
            await repairAll(h, async step => {
                if (step === 2) await put(h, "d/meanwhile", bytes(300), 1)
                if (step === 9) await h.mount()
                if (step === 14) assert.equal(await h.remove("d/meanwhile"), ok)
            })
            assert.equal(deadIn(h.bench.volume.array), 0)
        },
        degradedAfterwards: ["element-out"],
        async afterwards(h) {
            const { repair, array } = h.bench.volume
            if (array.joining < 0 && (deadIn(array) || array.slots[1] !== slot))
                assert.equal(await rebuildElement(repair, 1, slot, flags), ok)
            await repairAll(h)
            assert.equal(deadIn(h.bench.volume.array), 0, "replaced")
            const lost = h.bench.operations % elements
            h.bench.silent = 1 << h.bench.volume.array.slots[lost]
            await h.mount()
            h.bench.silent = 0
        },
    }
}

/** Damages pages of one element that hold something, in rows of which something is in use. */
function damage(bench: StoreBench, slot: number, random: Random, count: number): void {
    const held: number[] = []
    const { array, log } = bench.volume
    const used = new Set([...checkVolume(bench).used.keys()].map(page => Math.floor(page / array.rowPages)))
    for (let page = segmentRows; page < log.segments * segmentRows; page++)
        if (used.has(page) && bench.chips[slot].peek(page * 256, 256).some(byte => byte !== 0xff)) held.push(page)
    for (let i = 0; i < count; i++) {
        const page = held[random.int(held.length)]
        const mask = new Uint8Array(256)
        mask[4 + random.int(250)] = 1 << random.int(8)
        bench.chips[slot].corrupt(page * 256, mask)
    }
}

export function repairStages(elements: number): Stage[] {
    return [
        {
            name: "files: what the elements are to hold",
            isKept: true,
            async run(h) {
                assert.equal(await h.hello(), ok)
                assert.equal(await h.mkdir("d"), ok)
                for (let i = 0; i < 5; i++) await put(h, `d/${i}`, bytes(500 + i * 500))
            },
        },
        {
            name: "degraded: one element dead, writes, the loss noticed in the middle of them",
            degraded: ["element-missing"],
            async run(h) {
                await put(h, "d/0", bytes(1200), 1)
                h.bench.silent = 1 << (elements - 1)
                await put(h, "d/after", bytes(5000))
                assert.equal(await h.rename("d/1", "d/2", 1), ok)
                await h.mount()
                const object = await h.create()
                await h.write(object, bytes(1500))
                assert.equal(await h.snapshot("degraded"), ok)
                await h.write(object, bytes(1500))
                assert.equal(await h.commit(object, "d/late"), ok)
                assert.equal(await h.remove("d/3"), ok)
                await h.idle(6)
            },
        },
        rebuildStage(elements),
        replaceStage(elements, elements),
        replaceStage(elements, 1),
        {
            name: "scrub: damaged segments are found and written again",
            degraded: ["copy-bad", "parity-bad", "element-joining"],
            async setup(h) {
                damage(h.bench, 1, new Random("scrub"), 6)
            },
            async run(h) {
                await h.work(async () => assert.equal(await scrubArray(h.bench.volume.repair, 1000), ok))
                let isWritten = false
                await repairAll(h, async () => {
                    // not before: cleaning may empty what is damaged
                    if (isWritten || !h.bench.volume.repair.repaired) return
                    isWritten = true
                    await put(h, "d/meanwhile", bytes(300), 1)
                })
                assert.ok(h.bench.volume.repair.repaired > 0)
            },
            async afterwards(h) {
                await repairAll(h)
                assert.equal(await scrubArray(h.bench.volume.repair, 1000), ok)
                await repairAll(h)
            },
        },
    ]
}

export function titleOf(elements: number): string {
    return elements === 2 ? "mirror" : `parity of ${elements}`
}

/** A formatted array. */
export async function formatted(elements: number): Promise<CutHost> {
    const bench = new StoreBench(part, segmentRows, `${seed} ${elements}`, elements)
    assert.equal(await bench.mount(), true)
    return new CutHost(bench)
}

/** Declares one test for each stage. */
export function cutStages(
    elements: number,
    allStages: readonly Stage[],
    optionsOf: (stage: Stage) => ExploreOptions,
    tags = "[R23] [R22] [R21] [R29]",
): void {
    const stages = allStages.filter(stage => !stage.notFor?.includes(elements))
    const explorer = new Explorer(seed)
    /** By stage: what it left. */
    const left = new Map<Stage, Recording & { host: CutHost }>()

    async function fork(index: number): Promise<CutHost> {
        const before = stages
            .slice(0, index)
            .filter(stage => stage.isKept)
            .at(-1)
        const from = before ? (await recordingOf(before)).host : await formatted(elements)
        const { bench } = from
        const { name } = stages[index]
        const next = new StoreBench(part, segmentRows, `${seed} ${elements} ${name}`, elements, [], bench.nowNs)
        next.load(bench.snapshot())
        next.silent = bench.silent
        return from.copy(next)
    }

    /** Runs those before it too, if they were not. */
    async function recordingOf(stage: Stage): Promise<Recording & { host: CutHost }> {
        const known = left.get(stage)
        if (known) return known
        const host = await fork(stages.indexOf(stage))
        if (stage.setup) {
            await host.mount()
            await stage.setup(host)
        }
        const recording = await record(stage.name, host, async h => {
            await h.mount()
            await stage.run(h)
        })
        if (stage.isKept) left.set(stage, { ...recording, host })
        return { ...recording, host }
    }

    for (const stage of stages)
        it(`${stage.name} ${tags}`, async () => {
            const { degraded, afterwards, degradedAfterwards } = stage
            const options = { degraded, afterwards, degradedAfterwards, ...optionsOf(stage) }
            await explorer.explore(await recordingOf(stage), options)
        })

    after(() => console.log(`      ${titleOf(elements)}: ${explorer.describe()}`))
}
