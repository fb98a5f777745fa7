// Power cuts at every program and erase of a scripted workload. Each stage begins with a mount of the same chips; the power is cut
// before, within and right after each program and erase of it, the stage goes on to its end through the cut, and the volume is compared with
// what the host knows.

import assert from "node:assert/strict"
import { PowerCut, smallPart, StoreBench } from "../support/store-bench"
import { checkVolume } from "../support/store-checker"
import { StoreHost } from "../support/store-host"
import { Random } from "../../tools/sim/random"
import { deadIn } from "../../src/array/array"

const part = smallPart(18)
const segmentRows = 64
const random = new Random("cuts")
const bytes = (n: number) => Buffer.from(random.bytes(n))
const content = new Map<number, Buffer>()
/** The same bytes each time a stage is run. */
const file = (n: number) => {
    if (!content.has(n)) content.set(n, bytes(n))
    return content.get(n)!
}
const long = (i: number) => `${i}-`.padEnd(96 + ((i * 31) % 62), "näme")

type Stage = [string, (host: StoreHost) => Promise<void>]

const stages: Stage[] = [
    [
        "hello, mkdir and files of 0, 1, 235, 236 and 237 bytes",
        async h => {
            assert.equal(await h.hello(), 0)
            assert.equal(await h.mkdir("d"), 0)
            assert.equal(await h.mkdir("d"), 2)
            for (const n of [0, 1, 235, 236, 237]) assert.equal(await h.put(`d/${n}`, file(n)), 0)
            assert.equal(await h.setattr("d/1", 99), 0)
        },
    ],
    [
        "a file of several segments",
        async h => {
            assert.equal(await h.put("large", file(150 * 236 + 5), 0, 30 * 236), 0)
        },
    ],
    [
        "replace, rename, rename over, remove, abort",
        async h => {
            assert.equal(await h.put("d/1", file(500)), 2)
            assert.equal(await h.put("d/1", file(501), 1), 0)
            assert.equal(await h.rename("d/235", "d/renamed"), 0)
            assert.equal(await h.rename("d/renamed", "d/1"), 2)
            assert.equal(await h.rename("d/renamed", "d/1", 1), 0)
            assert.equal(await h.mkdir("e"), 0)
            assert.equal(await h.mkdir("d/f"), 0)
            assert.equal(await h.rename("d/f", "e/g"), 0)
            assert.equal(await h.rename("d", "e/g/d"), 0)
            assert.equal(await h.rename("e", "e/g/e"), 8)
            assert.equal(await h.remove("e"), 5)
            assert.equal(await h.remove("e/g/d/237"), 0)
            const object = await h.create()
            await h.write(object, file(3000))
            assert.equal(await h.abort(object), 0)
        },
    ],
    [
        "two uploads at once, with requests between their blocks",
        async h => {
            const a = await h.create()
            const b = await h.create()
            for (let i = 0; i < 6; i++) {
                await h.write(a, file(700).subarray(0, 700 - i))
                if (i === 2) assert.equal(await h.mkdir("between"), 0)
                await h.write(b, file(411))
                if (i === 4) await h.idle(2)
            }
            assert.equal(await h.commit(a, "between/a"), 0)
            assert.equal(await h.commit(b, "between/b"), 0)
        },
    ],
    [
        "long names until nodes split, twice",
        async h => {
            for (let i = 0; i < 24; i++) assert.equal(await h.mkdir(`e/${long(i)}`), 0)
        },
    ],
    [
        "removing until nodes merge, and a large file as an orphan",
        async h => {
            assert.equal(await h.rename("large", "e/large"), 0)
            assert.equal(await h.remove("e/large"), 0)
            for (let i = 0; i < 24; i++) if (i % 8) assert.equal(await h.remove(`e/${long(i)}`), 0)
            await h.idle(12)
        },
    ],
]

async function finish(host: StoreHost): Promise<void> {
    const figures = host.check()
    for (const [path, node] of [...host.tree].slice(0, 3))
        if (node.type === 1) assert.ok((await host.bench.readFile(node.object)).equals(node.content), path)
    assert.equal(figures.uploads, host.uploads.size)
}

const shapes = process.env.ELEMENTS ? [Number(process.env.ELEMENTS)] : [2, 3, 4, 6]

for (const elements of shapes)
    describe(`store: power cuts, ${elements === 2 ? "mirror" : `parity of ${elements}`}`, function () {
        this.timeout(600_000)
        let cuts = 0
        let at: { host: StoreHost; images: (Uint8Array | undefined)[][] } | undefined

        function begin(seed: string | number): StoreHost {
            const bench = new StoreBench(part, segmentRows, seed, elements)
            bench.load(at!.images)
            return at!.host.copy(bench)
        }

        async function runStage(
            stage: Stage,
            seed: string | number,
            operation: number,
            fraction: number,
        ): Promise<StoreHost> {
            const host = begin(seed)
            if (operation >= 0) host.bench.cutPowerAt(operation, fraction)
            // after a torn page, the mount that follows is cut too
            if (fraction === 0.5) host.again = [{ after: operation % 9, fraction: (operation % 5) / 4 }]
            try {
                assert.equal(await host.bench.mount(), true)
            } catch (error) {
                if (!(error instanceof PowerCut)) throw error
                host.cuts++
                assert.equal(host.difference(await host.powerUp()), undefined, "after a cut mount")
            }
            await stage[1](host)
            await finish(host)
            return host
        }

        it("a cut at every program and erase of formatting leaves chips that format or mount [R23]", async () => {
            const counting = new StoreBench(part, segmentRows, 1, elements)
            await counting.mount()
            for (let n = 0; n < counting.operations; n++)
                for (const fraction of [0, 0.3, 0.7, 1]) {
                    const bench = new StoreBench(part, segmentRows, n, elements)
                    const host = new StoreHost(bench)
                    bench.cutPowerAt(n, fraction)
                    await assert.rejects(() => bench.mount(), PowerCut)
                    host.again = [{ after: n % 7, fraction: 0.5 }]
                    await host.powerUp()
                    cuts += host.cuts + 1
                    bench.powerUp()
                    assert.equal(deadIn(bench.volume.array), 0, "both elements are labelled")
                    assert.equal(await host.hello(), 0)
                    host.check()
                    for (const chip of bench.chips) assert.equal(chip.peek(4, 1)[0], 5, "a label")
                }
            const bench = new StoreBench(part, segmentRows, 1, elements)
            await bench.mount()
            at = { host: new StoreHost(bench), images: bench.snapshot() }
        })

        for (const stage of stages) {
            it(`a cut at every program and erase: ${stage[0]} [R23] [R22] [R21] [R29]`, async () => {
                const plain = await runStage(stage, "plain", -1, 0)
                const { operations } = plain.bench
                for (let n = 0; n < operations; n++)
                    for (const fraction of [0, 0.5, 1]) {
                        try {
                            cuts += (await runStage(stage, n, n, fraction)).cuts
                        } catch (error) {
                            ;(error as Error).message +=
                                ` (${stage[0]}: cut in operation ${n} of ${operations}, at ${fraction})`
                            throw error
                        }
                    }
                // where the next stage begins
                at = { host: plain, images: plain.bench.snapshot() }
            })
        }

        after(() => console.log(`      ${cuts} power cuts`))

        it("ten mounts cut in a row, at any place, lose nothing [R23]", async () => {
            for (let seed = 0; seed < 60; seed++) {
                const host = begin(`loop ${seed}`)
                const { bench } = host
                const chance = new Random(`loop ${seed}`)
                assert.equal(await bench.mount(), true)
                const object = await host.create()
                const pieces = 1 + chance.int(90)
                for (let i = 0; i < pieces; i++) await host.write(object, file(1000 + (i % 3)))
                bench.cutPowerAt(bench.operations + chance.int(10), chance.float())
                for (let i = 0; i < 10; i++)
                    host.again.push({ after: chance.int(chance.chance(0.5) ? 3 : 12), fraction: chance.float() })
                await host.write(object, file(5000))
                assert.equal(await host.commit(object, "looped"), 0)
                bench.powerUp()
                await finish(host)
                cuts += host.cuts
            }
        })

        it("a hundred idle mounts use no more than their anchors [R23] [R27]", async () => {
            const host = begin("idle mounts")
            for (let i = 0; i < 100; i++) {
                assert.equal(await host.bench.mount(), true)
                host.bench.cutPowerNow()
                host.bench.powerUp()
            }
            await host.bench.mount()
            assert.equal(await host.mkdir("still here"), 0)
            host.check()
            checkVolume(host.bench)
        })
    })
