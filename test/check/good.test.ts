// The checker says nothing about what is good, and reads all of it.

import assert from "node:assert/strict"
import { checkArray, MemoryImage, PageChecks, type Report } from "../../tools/check"
import { Random } from "../../tools/sim/random"
import { kinds, shapeName, shapes, type Scenario } from "./scenarios"

function check(scenario: Scenario, images = scenario.builder.images): Report {
    return checkArray(images.map((image, i) => new MemoryImage(image, `E${i}`)))
}

const codes = (report: Report) => [...report.faults, ...report.degraded].map(problem => problem.code)

function assertReads(scenario: Scenario, report: Report): void {
    const listed = [...report.faults, ...report.degraded].map(one => `${one.code}: ${one.message}`)
    assert.deepEqual(codes(report), scenario.expected, `${scenario.name}: ${listed.slice(0, 10).join("; ")}`)
    for (const [path, bytes] of scenario.files)
        assert.ok(report.readFile(path)?.equals(bytes), `${scenario.name}: ${path} is read as it was written`)
    const files = [...report.tree.values()].filter(({ type }) => type === "file")
    assert.equal(files.length, scenario.files.size)
}

describe("check: good arrays [R35]", function () {
    for (const shape of shapes)
        for (const kind of kinds)
            it(`${kind.name}, ${shapeName(shape)}: nothing to report, all files read [R35]`, () => {
                const scenario = kind(shape, "good")
                assertReads(scenario, check(scenario))
                // in which slot an element sits does not matter
                const { images } = scenario.builder
                const from = new Random(scenario.name).int(images.length)
                assertReads(scenario, check(scenario, [...images.slice(from), ...images.slice(0, from)].reverse()))
            })

    it("snapshots and open uploads are read as they were [R30] [R35]", () => {
        for (const shape of shapes) {
            const { builder } = kinds[2](shape, "good") as Scenario
            const report = checkArray(builder.images.map(image => new MemoryImage(image)))
            assert.deepEqual([...report.snapshots.keys()], ["before", "with gone"])
            assert.ok(report.readFile("gone", "with gone"))
            assert.equal(report.readFile("gone"), undefined)
            const sizes = [...report.uploads.values()].map(upload => upload.size)
            assert.equal(Math.max(...sizes), 236 * (2 + Math.floor(builder.array.S * 1.4)))
            for (const object of report.uploads.keys()) assert.ok(report.readUpload(object))
        }
    })

    it("one element missing: degraded, no fault, all files read [R24] [R35]", () => {
        for (const shape of shapes) {
            const scenario = kinds[1](shape, "missing") as Scenario
            for (let missing = 0; missing < shape.elements; missing++) {
                const report = check(
                    scenario,
                    scenario.builder.images.filter((_, i) => i !== missing),
                )
                assertReads({ ...scenario, expected: ["element-missing"] }, report)
            }
        }
    })

    it("checks of a small array take milliseconds [R35]", () => {
        const { builder } = kinds[1](shapes[0], "time") as Scenario
        const pageChecks = new PageChecks()
        const images = builder.images.map(image => new MemoryImage(image))
        checkArray(images, { pageChecks })
        const times = Array.from({ length: 20 }, () => {
            const started = performance.now()
            checkArray(images, { pageChecks })
            return performance.now() - started
        }).sort((a, b) => a - b)
        assert.ok(times[10] < 100, `${times[10]} ms`)
        if (process.env.TIMES) console.log(times.map(time => time.toFixed(1)).join(" "))
    })
})
