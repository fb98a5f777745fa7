// Random operations against a reference in memory: whatever mix of requests, idle work, remounts, power cuts and lost elements came
// before, the volume holds and answers what the reference says.
//
// SEED=<n> [GEOMETRY=<name>] replays one run of one geometry, and shrinks it again when it fails; STEPS=<file> has the steps to be taken
// instead of the seed's, as a failure shows them.

import { uploadOf } from "../../src/store/volume"
import { takenBytes } from "../../src/store/upload"
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import fc from "fast-check"
import { badNameCount, ModelHost } from "../support/model-host"
import { smallGeometries, type Geometry } from "../support/store-geometries"
import { PowerCut, StoreBench } from "../support/store-bench"
import { collidingNames } from "../support/store-names"
import { Random } from "../../tools/sim/random"
import { arrayExtras, type ArrayExtras } from "../support/array-extras"
import { checkArray, MemoryImage, PageChecks, type Problem } from "../../tools/check"

const isFull = process.env.FULL === "1"
const operationsWanted = isFull ? 100_000 : 5_000
const stepsMax = 300
const shrinkTriesMax = 200
/** Nearly full, as a host sees it: with less used the volume may not say that it has no space. */
const noSpaceFrom = 0.6
/** The fourth is for `put`. */
const openUploadsMax = 3
const depthMax = 5
const pageChecks = new PageChecks()
const twins = collidingNames(2, 3)

/** Everything a step needs; which paths it means follows from what the volume holds by then. */
interface Step {
    kind: string
    /** Choices, 0 to 1. */
    a: number
    b: number
    c: number
}

const weights: Record<string, number> = {
    put: 14,
    putLarge: 1,
    overwrite: 8,
    begin: 4,
    append: 10,
    finish: 3,
    abort: 1,
    mkdir: 6,
    move: 7,
    moveIntoItself: 1,
    remove: 10,
    setTime: 3,
    readBack: 4,
    readRange: 4,
    find: 3,
    list: 3,
    outOfOrder: 1,
    badName: 1,
    stale: 1,
    fill: 0.4,
    remount: 2,
    cut: 7,
    idle: 8,
    silence: 0.8,
    back: 1.5,
    swap: 0.5,
    rebuild: 3,
    work: 7,
    damage: 1,
    scrub: 1.5,
    takeSnapshot: 0.7,
    dropSnapshot: 1.2,
    readSnapshot: 2,
    setProperty: 3,
    readProperties: 2,
}

const choice = fc.integer({ min: 0, max: 999_999 }).map(n => n / 1_000_000)
const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.oneof(
        ...Object.entries(weights).map(([kind, weight]) => ({ arbitrary: fc.constant(kind), weight: weight * 10 })),
    ),
    a: choice,
    b: choice,
    c: choice,
})
const steps = fc.array(step, { minLength: 1, maxLength: stepsMax, size: "max" })

interface Tally {
    operations: number
    cuts: number
    noSpaces: number
    fullnessAtNoSpace: number
    kinds: Record<string, number>
}

interface Failure {
    error: Error
    /** Up to the step that failed. */
    list: readonly Step[]
}

function pick<T>(list: readonly T[], part: number): T {
    return list[Math.floor(part * list.length)]
}

class Run {
    readonly bench: StoreBench
    readonly host: ModelHost
    private readonly uploads: number[] = []
    private readonly extras: ArrayExtras
    stepCount = 0

    constructor(
        geometry: Geometry,
        seed: number,
        private readonly tally: Tally,
    ) {
        this.bench = new StoreBench(geometry.part, geometry.segmentRows, seed, geometry.elements)
        const tidies = new Random(`tidies ${seed}`)
        this.bench.isIdleAfterMount = () => tidies.chance(0.5)
        // so few slots that operations append nodes early
        if (seed % 5 === 0) this.bench.cacheSlots = 14
        this.host = new ModelHost(this.bench, noSpaceFrom)
        this.extras = arrayExtras(this.bench, this.host, seed % 2 === 0)
    }

    async all(list: readonly Step[]): Promise<void> {
        assert.equal(await this.bench.mount(), true)
        await this.host.hello()
        try {
            for (const step of list) {
                this.stepCount++
                try {
                    await this.one(step)
                } catch (error) {
                    // while something was read: what changes anything goes on by itself
                    if (!(error instanceof PowerCut)) throw error
                    this.host.cuts++
                    assert.equal(this.host.difference(await this.host.powerUp()), undefined)
                }
                if (this.stepCount % 16 === 0) this.host.check()
            }
            this.host.check()
            this.checkImages(await this.extras.end())
        } catch (error) {
            ;(error as Error).message = `step ${this.stepCount}: ${(error as Error).message}`
            throw error
        }
        this.tally.cuts += this.host.cuts
        this.tally.noSpaces += this.host.noSpaces
        this.tally.fullnessAtNoSpace = Math.min(this.tally.fullnessAtNoSpace, this.host.fullnessAtNoSpace)
    }

    /** As someone who knows nothing but docs/FORMAT.md sees the elements. */
    private checkImages(isWhole: boolean): void {
        const { bench, host } = this
        const images = bench.chips.map(
            (chip, slot) => new MemoryImage(chip.peek(0, bench.part.bytes), `E${slot}`, slot),
        )
        const report = checkArray(images, { pageChecks })
        const lines = (problems: readonly Problem[]) => problems.slice(0, 4).map(p => `${p.code}: ${p.message}`)
        assert.equal(lines(report.faults).join("\n"), "", "faults that tools/check finds")
        if (isWhole) assert.equal(lines(report.degraded).join("\n"), "", "what tools/check calls degraded")
        assert.deepEqual([...report.tree.keys()].sort(), [...host.tree.keys()].sort())
        for (const path of host.files())
            assert.ok(report.readFile(path)?.equals(host.tree.get(path)!.content), `tools/check: content of ${path}`)
        assert.deepEqual([...report.snapshots.keys()].sort(), [...host.snapshots.keys()].sort())
    }

    private path(a: number, b: number): string {
        const random = new Random(`${a} ${b}`)
        const directories = this.host.directories().filter(path => path.split("/").length < depthMax)
        const name = random.chance(0.2)
            ? pick(pick(twins, random.float()), random.float())
            : random.chance(0.2)
              ? "w".repeat(1 + random.int(199)) + random.int(10)
              : `f${random.int(40)}`
        return directories.length && random.chance(0.6) ? `${pick(directories, random.float())}/${name}` : name
    }

    /** Mostly small, around whole pages, sometimes several segments. */
    private content(a: number, b: number, isLarge = false): Buffer {
        const random = new Random(`bytes ${a} ${b}`)
        const size = isLarge
            ? random.int(60_000)
            : random.chance(0.3)
              ? 236 * random.int(6) + random.int(3)
              : random.int(random.chance(0.2) ? 9_000 : 700)
        return Buffer.from(random.bytes(size))
    }

    private async one({ kind, a, b, c }: Step): Promise<void> {
        const { host, bench, uploads } = this
        const files = host.files()
        const paths = [...host.tree.keys()]
        const flags = c < 0.5 ? 1 : 0
        const count = (): void => {
            this.tally.operations++
            this.tally.kinds[kind] = (this.tally.kinds[kind] ?? 0) + 1
        }
        if (kind === "put" || kind === "putLarge") {
            count()
            await host.writeFile(
                this.path(a, b),
                this.content(b, c, kind === "putLarge"),
                flags,
                200 + Math.floor(a * 4000),
            )
        } else if (kind === "overwrite" && files.length) {
            count()
            await host.writeFile(pick(files, a), this.content(b, c), 1, 1500)
        } else if (kind === "begin" && uploads.length < openUploadsMax) {
            count()
            const object = await host.create()
            if (object) uploads.push(object)
        } else if (kind === "append" && uploads.length) {
            count()
            await host.write(pick(uploads, a), this.content(b, c))
        } else if (kind === "finish" && uploads.length) {
            count()
            const object = uploads.splice(Math.floor(a * uploads.length), 1)[0]
            // the volume may have been full in the middle of the last append: then only part of it is there
            const held = takenBytes(uploadOf(bench.volume, object))
            const upload = host.uploads.get(object)!
            upload.sent = upload.sent.subarray(0, held)
            if (!(await host.finishUpload(object, this.path(b, c), 1))) await host.abort(object)
        } else if (kind === "abort" && uploads.length) {
            count()
            await host.abort(uploads.splice(Math.floor(a * uploads.length), 1)[0])
        } else if (kind === "mkdir") {
            count()
            await host.makeDirectory(this.path(a, b))
        } else if (kind === "move" && paths.length) {
            count()
            await host.move(pick(paths, a), this.path(b, c), flags)
        } else if (kind === "moveIntoItself" && host.directories().length) {
            count()
            const from = pick(host.directories(), a)
            await host.move(from, `${from}/itself`, flags)
        } else if (kind === "remove" && paths.length) {
            count()
            await host.removePath(pick(paths, a))
        } else if (kind === "setTime" && paths.length) {
            count()
            await host.setTime(pick(paths, a), Math.floor(b * 0xffffffff))
        } else if (kind === "readBack" && files.length) {
            count()
            await host.readBack(pick(files, a))
        } else if (kind === "readRange" && files.length) {
            count()
            await host.readRange(pick(files, a), b, c)
        } else if (kind === "find") {
            count()
            await host.findPath(paths.length && c < 0.7 ? pick(paths, a) : this.path(a, b))
        } else if (kind === "list") {
            count()
            await host.listDirectory(pick(["", ...host.directories()], a))
        } else if (kind === "outOfOrder") {
            count()
            await host.ignoreOutOfOrder()
        } else if (kind === "badName") {
            count()
            await host.refuseName(Math.floor(a * badNameCount))
        } else if (kind === "stale" && paths.length) {
            count()
            await host.refuseStale(pick(paths, a))
        } else if (kind === "fill") {
            count()
            await this.fill(a, b)
        } else if (kind === "remount") {
            count()
            bench.cutPowerNow()
            await host.powerUp()
        } else if (kind === "cut") {
            // in one of the programs and erases that follow
            bench.cutPowerAt(bench.operations + Math.floor(a * 24), b)
            if (c < 0.2) host.again.push({ after: Math.floor(b * 6), fraction: a })
        } else if (kind === "idle") {
            count()
            await host.idle(1 + Math.floor(a * 6))
        } else if (await this.extras.step(kind, a, b)) count()
    }

    /** Until there is no space, then most of it away again: what is there must be as before, and space must come back. */
    private async fill(a: number, b: number): Promise<void> {
        const { host } = this
        const name = (n: number) => `fill ${Math.floor(a * 1000)} ${n}`
        const content = this.content(a, b, true).subarray(0, 300 + Math.floor(b * 12_000))
        let n = 0
        while (await host.writeFile(name(n), content, 1, 8_000)) assert.ok(n++ < 4_000)
        host.check()
        for (let i = 0; i < n; i++) if (i % 8) await host.removePath(name(i))
        await host.idle(8)
        if (n > 16 && !host.snapshots.size)
            assert.ok(await host.writeFile(name(n), content, 1, 8_000), "space comes back")
    }
}

function newTally(): Tally {
    return { operations: 0, cuts: 0, noSpaces: 0, fullnessAtNoSpace: 1, kinds: {} }
}

async function failure(
    geometry: Geometry,
    seed: number,
    list: readonly Step[],
    tally: Tally,
): Promise<Failure | undefined> {
    const run = new Run(geometry, seed, tally)
    try {
        await run.all(list)
        return undefined
    } catch (error) {
        return { error: error as Error, list: list.slice(0, run.stepCount) }
    }
}

/** What it says without numbers and names, so that a failure is not shrunk to another one. */
function kindOf({ error }: Failure): string {
    return error.message
        .replace(/[^a-z ]/gi, "")
        .replace(/^step /, "")
        .slice(0, 60)
}

/** Leaves out steps, many at a time and then fewer, as long as what is left fails. */
async function shrink(geometry: Geometry, seed: number, found: Failure): Promise<Failure> {
    let best = found
    let tries = 0
    for (let size = best.list.length >> 1; size > 0; size >>= 1)
        for (let at = best.list.length - size; at >= 0 && tries < shrinkTriesMax; at -= size, tries++) {
            const list = [...best.list.slice(0, at), ...best.list.slice(at + size)]
            const other = await failure(geometry, seed, list, newTally())
            if (other && kindOf(other) === kindOf(found)) best = other
        }
    return best
}

/** Steps as a failure shows them. */
function given(path: string): Step[] {
    return readFileSync(path, "utf8")
        .trim()
        .split("\n")
        .map(line => {
            const [kind, ...choices] = line.trim().split(" ")
            const [a, b, c] = choices.map(Number)
            return { kind, a, b, c }
        })
}

async function oneSeed(geometry: Geometry, seed: number, tally: Tally): Promise<void> {
    const [list] = process.env.STEPS
        ? [given(process.env.STEPS)]
        : fc.sample(steps, { seed, numRuns: 1, unbiased: true })
    const found = await failure(geometry, seed, list, tally)
    if (!found) return
    const least = process.env.STEPS ? found : await shrink(geometry, seed, found)
    const shown = least.list.map(({ kind, a, b, c }) => `    ${kind} ${a} ${b} ${c}`).join("\n")
    least.error.message =
        `SEED=${seed} GEOMETRY="${geometry.name}" replays this: ${found.error.message}\n` +
        `shrunk to ${least.list.length} steps: ${least.error.message}\n${shown}`
    // the runner shows a failed comparison by its sides alone
    console.log(least.error.message)
    throw least.error
}

const geometries = smallGeometries().filter(({ name }) => !process.env.GEOMETRY || process.env.GEOMETRY === name)

describe("store: a model of the volume", function () {
    this.timeout(isFull ? 30 * 60_000 : 120_000)

    for (const geometry of geometries)
        it(`${geometry.name}: random operations, remounts, cuts and lost elements agree with a reference [R21] [R23] [R25] [R29] [R30]`, async () => {
            const tally = newTally()
            const wanted = Math.ceil(operationsWanted / geometries.length)
            const first = Number(process.env.SEED ?? 1)
            let seed = first
            do await oneSeed(geometry, seed++, tally)
            while (process.env.SEED === undefined && tally.operations < wanted)
            console.log(
                `      ${tally.operations} operations, seeds ${first} to ${seed - 1}, ${tally.cuts} power cuts, ` +
                    `no space ${tally.noSpaces} times, at ${Math.round(tally.fullnessAtNoSpace * 100)} % full or more`,
            )
            if (isFull) console.log(`      ${JSON.stringify(tally.kinds)}`)
        })
})

/** Seeds that failed once, and why. */
const foundSeeds = [
    { name: "parity of 4", seed: 41, why: "check took a root with a damaged type for none" },
    { name: "mirror of 2", seed: 43, why: "a rebuild cut before its anchor left a label of the next one's generation" },
]

describe("store: histories that failed once", function () {
    this.timeout(60_000)

    for (const { name, seed, why } of foundSeeds)
        it(`${name}, seed ${seed}: ${why} [R23] [R25]`, () =>
            oneSeed(
                smallGeometries().find(geometry => geometry.name === name)!,
                seed,
                newTally(),
            ))
})

describe("store: an element that comes back", function () {
    this.timeout(60_000)

    for (const geometry of geometries)
        it(`${geometry.name}: away for whole turns of the ring of anchors, and back in a later slot: not believed [R23]`, async () => {
            const bench = new StoreBench(geometry.part, geometry.segmentRows, 7, geometry.elements)
            const host = new ModelHost(bench, noSpaceFrom)
            assert.equal(await bench.mount(), true)
            await host.hello()
            for (let i = 0; i < 24; i++) await host.writeFile("first", Buffer.alloc(9000, i), 1, 9000)
            bench.silent = 1
            // anchors come with the segments entered: some more each time, so that the element comes back at every place in the ring
            for (let round = 0; round < 40; round++) {
                for (let i = 0; i < 3; i++) await host.writeFile("again", Buffer.alloc(9000, i + round), 1, 9000)
                const before = bench.snapshot()
                bench.cutPowerNow()
                bench.silent = 0
                await host.powerUp()
                host.check()
                bench.cutPowerNow()
                bench.load(before)
                bench.silent = 1
                await host.powerUp()
                await host.idle(4)
            }
        })
})
