// Power cuts of what comes before any request: formatting and mounting, and mounts cut again and again.

import { deadIn } from "../../src/array/array"
import assert from "node:assert/strict"
import { PageChecks } from "../../tools/check"
import { Random } from "../../tools/sim/random"
import { checkBench, differenceOf } from "../support/cut-compare"
import { choicesOf, instantOf } from "../support/cut-explorer"
import { CutHost } from "../support/cut-host"
import { formatted, isFull, part, seed, segmentRows, titleOf } from "../support/cut-stages"
import { Timeline } from "../support/flash-timeline"
import { StoreBench } from "../support/store-bench"
import { checkVolume } from "../support/store-checker"
import { StoreHost } from "../support/store-host"

const shapes = process.env.ELEMENTS ? [Number(process.env.ELEMENTS)] : [2, 3, 4, 6]
const loopsMax = isFull ? 1_000 : 15

for (const elements of shapes) {
    describe(`store: power cuts of formats and mounts, ${titleOf(elements)}`, function () {
        this.timeout(3_600_000)
        let cuts = 0
        const pageChecks = new PageChecks()
        after(() => console.log(`      ${titleOf(elements)}: ${cuts} power cuts, seed ${seed}`))

        it("a cut at every program and erase of formatting leaves chips that format or mount [R23] [R31]", async () => {
            const bench = new StoreBench(part, segmentRows, seed, elements)
            const timeline = new Timeline(bench)
            assert.equal(await bench.mount(), true)
            const random = new Random(`format ${seed}`)
            const choices = choicesOf(timeline.moments, random, isFull ? undefined : 60)
            let n = 0
            for (const cut of timeline.at(choices.map(instantOf))) {
                const images = cut.images()
                const again = new StoreBench(part, segmentRows, n++, elements, images, cut.ns + 1e9)
                cut.tear(again.chips)
                const host = new StoreHost(again)
                // and once more, while it formats or mounts
                host.again = [{ after: n % 7, fraction: 0.5 }]
                await host.powerUp()
                cuts += host.cuts + 1
                again.powerUp()
                assert.equal(deadIn(again.volume.array), 0, "all elements are labelled")
                checkBench(again, pageChecks)
                assert.equal(await host.hello(), 0)
                host.check()
            }
        })

        it("ten mounts cut in a row, at any place, lose nothing [R23]", async () => {
            for (let loop = 0; loop < loopsMax; loop++) {
                const name = `loop ${seed} ${loop}`
                const chance = new Random(name)
                const bench = new StoreBench(part, segmentRows, name, elements)
                bench.isIdleAfterMount = () => chance.chance(0.5)
                assert.equal(await bench.mount(), true)
                const host = new CutHost(bench)
                assert.equal(await host.hello(), 0)
                const object = await host.create()
                const pieces = 1 + chance.int(60)
                for (let i = 0; i < pieces; i++) await host.write(object, Buffer.alloc(300 + (i % 3), i))
                bench.cutPowerAt(bench.operations + chance.int(10), chance.float())
                for (let i = 0; i < 10; i++)
                    host.again.push({ after: chance.int(chance.chance(0.5) ? 3 : 12), fraction: chance.float() })
                await host.write(object, Buffer.alloc(5000, 1))
                assert.equal(await host.commit(object, "looped"), 0)
                bench.powerUp()
                host.check()
                await bench.tidyAfterMount()
                assert.equal(differenceOf(checkBench(bench, pageChecks), host.known()), undefined, name)
                cuts += host.cuts
            }
        })

        it("a hundred idle mounts use no more than their anchors [R23] [R27]", async () => {
            const host = await formatted(elements)
            const { bench } = host
            assert.equal(await host.hello(), 0)
            for (let i = 0; i < 100; i++) await host.mount()
            assert.equal(await host.mkdir("still here"), 0)
            host.check()
            checkVolume(bench)
            checkBench(bench, pageChecks)
        })
    })
}
