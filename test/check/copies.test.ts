// Images of one array from different times in one folder: a backup beside the live ones, and old images in place of them.

import assert from "node:assert/strict"
import { checkArray, MemoryImage, repairArray, type Problem, type Report } from "../../tools/check"
import { Random } from "../../tools/sim/random"
import { busyArray, bytesOf, shapeName, shapes, type Scenario } from "./scenarios"

const imagesOf = (folder: string, buffers: readonly Buffer[]) =>
    buffers.map((buffer, i) => new MemoryImage(buffer, `${folder}/E${i}.bin`, i))
const copyOf = (buffers: readonly Buffer[]) => buffers.map(buffer => Buffer.from(buffer))
const linesOf = (problems: readonly Problem[]) =>
    problems.map(({ code, image, message }) => `${code} ${image}: ${message}`).sort()
const copiesIn = (report: Report) =>
    report.notes
        .filter(({ code }) => code === "element-duplicate")
        .map(({ image, message }) => `${image}: ${message}`)
        .sort()
const usedIn = (report: Report) => report.reading?.members.elements.map(element => element?.image.name)

/** Goes on over some segments, which were free before. */
function writeMore({ builder, files }: Scenario): void {
    const random = new Random("more")
    for (let i = 0; i < 4; i++) {
        const bytes = bytesOf(random, 236 * Math.floor(builder.array.S / 3))
        files.set(`more ${i}`, bytes)
        builder.writeFile(1, `more ${i}`, bytes)
        builder.commit()
    }
}

/** A little, behind the same anchor. */
function writeLittle({ builder, files }: Scenario): void {
    const { sequence } = anchorOf(builder.images)
    files.set("little", Buffer.from("a little"))
    builder.writeFile(1, "little", files.get("little")!)
    builder.commit()
    assert.equal(anchorOf(builder.images).sequence, sequence)
}

const anchorOf = (buffers: readonly Buffer[]) => checkArray(imagesOf("live", buffers)).reading!.members.anchor

function assertAsLive(report: Report, live: Report, files: Map<string, Buffer>): void {
    assert.deepEqual(linesOf(report.faults), linesOf(live.faults))
    assert.deepEqual(linesOf(report.degraded), linesOf(live.degraded))
    assert.deepEqual(usedIn(report), usedIn(live))
    for (const [path, bytes] of files) assert.ok(report.readFile(path)?.equals(bytes), path)
}

function assertRefuses(images: MemoryImage[], names: readonly string[]): void {
    const { refusal, steps, images: changed } = repairArray(images)
    assert.equal(refusal, `copies of elements are beside them, move them away: ${names.join(", ")}`)
    assert.deepEqual(steps, [])
    assert.ok(changed.every(image => image.changes.size === 0))
}

describe("check: copies of elements [R35]", function () {
    this.timeout(60_000)
    const ways: [string, (scenario: Scenario) => void][] = [
        ["segments", writeMore],
        ["rows", writeLittle],
    ]

    for (const shape of shapes)
        for (const [what, goOn] of ways)
            it(`an older copy, by some ${what}, beside ${shapeName(shape)}: what is there is that of the array alone, and nothing is repaired [R35]`, () => {
                const scenario = busyArray(shape, "older")
                scenario.builder.commit()
                scenario.builder.enterSegment()
                const old = copyOf(scenario.builder.images)
                goOn(scenario)
                const live = scenario.builder.images
                const { marks, pages } = checkArray(imagesOf("live", live)).reading!
                // and something to repair
                const row = pages.geometry.rowOf(marks.lastIndexOf(1))
                live[1][row * shape.stride + 50] ^= 1
                const alone = checkArray(imagesOf("live", live))
                assert.deepEqual(alone.faults, [])
                for (const images of [
                    [...imagesOf("backup", old), ...imagesOf("live", live)],
                    [...imagesOf("live", live), ...imagesOf("zip", old).reverse()],
                ]) {
                    const report = checkArray(images)
                    assertAsLive(report, alone, scenario.files)
                    const notes = copiesIn(report)
                    assert.equal(notes.length, shape.elements)
                    const wanted =
                        /^(backup|zip)\/E(\d).bin: an? (older )?copy of position \2, which is live\/E\2.bin: move it away and check again$/
                    for (const note of notes) assert.match(note, wanted)
                    // of a few rows an element may have nothing
                    const older = notes.filter(note => note.includes("an older copy"))
                    assert.ok(older.length >= (goOn === writeMore ? shape.elements : 2), notes.join("\n"))
                    assertRefuses(
                        images,
                        notes.map(note => note.split(":")[0]),
                    )
                }
                if (shape.elements === 2) assert.ok(repairArray(imagesOf("live", live)).steps.length > 0)
            })

    for (const shape of [shapes[0], shapes[3]]) {
        const name = shapeName(shape)
        const names = (folder: string) =>
            imagesOf(folder, busyArray(shape, "names").builder.images).map(one => one.name)
        /** An array, and what it was some segments ago. */
        const twoTimes = () => {
            const scenario = busyArray(shape, "times")
            const old = copyOf(scenario.builder.images)
            writeMore(scenario)
            return { old, live: scenario.builder.images, files: scenario.files }
        }

        it(`an identical copy beside ${name}: one of both is read, the other one named, the damaged page of one no matter [R35]`, () => {
            const { live, files } = twoTimes()
            const same = copyOf(live)
            const reading = checkArray(imagesOf("live", live)).reading!
            const { page } = reading.records.extents.values().next().value![0]
            const position = reading.pages.geometry.positionOf(page)
            same[position][reading.pages.geometry.rowOf(page) * shape.stride + 99] ^= 1
            const images = [...imagesOf("backup", same), ...imagesOf("live", live)]
            const report = checkArray(images)
            assert.deepEqual(linesOf([...report.faults, ...report.degraded]), [])
            for (const [path, bytes] of files) assert.ok(report.readFile(path)?.equals(bytes), path)
            assert.equal(usedIn(report)![position], `live/E${position}.bin`)
            assert.equal(copiesIn(report).length, shape.elements)
            for (const note of copiesIn(report)) assert.match(note, /: a copy of position \d, which is /)
            const unused = images.map(one => one.name).filter(image => !usedIn(report)!.includes(image))
            assert.deepEqual(
                copiesIn(report).map(note => note.split(":")[0]),
                unused.sort(),
            )
            assert.ok(repairArray(images).refusal)
        })

        it(`a copy of one element only, older or identical, beside ${name} [R35]`, () => {
            const { old, live, files } = twoTimes()
            for (const [copy, what] of [
                [old[1], "an older copy"],
                [Buffer.from(live[1]), "a copy"],
            ] as const) {
                const images = [...imagesOf("live", live), new MemoryImage(copy, "live/E1 (2).bin")]
                const report = checkArray(images)
                assertAsLive(report, checkArray(imagesOf("live", live)), files)
                assert.deepEqual(copiesIn(report), [
                    `live/E1 (2).bin: ${what} of position 1, which is live/E1.bin: move it away and check again`,
                ])
                assertRefuses(images, ["live/E1 (2).bin"])
            }
        })

        it(`an older copy in place of an element of ${name} that is not here: it is named and not read [R35]`, () => {
            const { old, live, files } = twoTimes()
            for (const missing of live.keys()) {
                const images = imagesOf("live", live)
                images[missing] = imagesOf("backup", old)[missing]
                const report = checkArray(images)
                assert.deepEqual(report.faults, [])
                assert.deepEqual(
                    report.degraded.map(({ code, image, position }) => [code, image, position]),
                    [["element-old", `backup/E${missing}.bin`, missing]],
                )
                assert.match(report.degraded[0].message, /^is older than anchor \d+, after which the others went on/)
                for (const [path, bytes] of files) assert.ok(report.readFile(path)?.equals(bytes), path)
                const { steps, refusal } = repairArray(images)
                assert.deepEqual([steps, refusal], [[], undefined])
                // the rest of the backup changes nothing
                const both = checkArray([...imagesOf("backup", old), ...images.filter((_, i) => i !== missing)])
                assert.deepEqual(linesOf(both.degraded), linesOf(report.degraded))
                assert.deepEqual(both.faults, [])
                assert.equal(copiesIn(both).length, shape.elements - 1)
            }
        })

        it(`an element of ${name} that lost its label or newest anchor, beside an older copy: it is the live one [R35]`, () => {
            const { old, live, files } = twoTimes()
            const { anchorSlot } = checkArray(imagesOf("live", live)).reading!.members
            for (const [offset, code] of [
                [5, "label-bad"],
                [anchorSlot * shape.stride + 40, "anchor-copy"],
            ] as const) {
                const bad = copyOf(live)
                bad[0][offset] ^= 1
                const alone = checkArray(imagesOf("live", bad))
                assert.deepEqual(
                    alone.degraded.map(one => one.code),
                    [code],
                )
                const report = checkArray([...imagesOf("backup", old), ...imagesOf("live", bad)])
                assertAsLive(report, alone, files)
                assert.equal(copiesIn(report).length, shape.elements)
            }
        })

        it(`an anchor of ${name} that was cut, all that is older beside it: no element is old [R23] [R35]`, () => {
            const { builder } = busyArray(shape, "cut")
            builder.commit()
            for (const position of builder.images.keys()) {
                const before = Buffer.from(builder.images[position])
                builder.anchor()
                const images = imagesOf("live", builder.images)
                images[position] = new MemoryImage(before, `live/E${position}.bin`, position)
                const report = checkArray(images)
                assert.deepEqual(report.faults, [])
                assert.deepEqual(
                    report.degraded.map(({ code, image }) => [code, image]),
                    [["anchor-copy", `live/E${position}.bin`]],
                )
            }
        })

        it(`an element of ${name} that was left out, and older ones of all: it stays out [R25] [R35]`, () => {
            const scenario = busyArray(shape, "out")
            const { builder } = scenario
            const old = copyOf(builder.images)
            builder.array.members &= ~2
            builder.anchor()
            builder.array.writeLabel(1, builder.epoch, 1)
            writeMore(scenario)
            const alone = checkArray(imagesOf("live", builder.images))
            assert.deepEqual(
                alone.degraded.map(({ code }) => code),
                ["element-out"],
            )
            const report = checkArray([...imagesOf("backup", old), ...imagesOf("live", builder.images)])
            assertAsLive(report, alone, scenario.files)
            assert.deepEqual(
                copiesIn(report).map(note => note.split(":")[0]),
                names("backup"),
            )
        })
    }

    it("a backup is whole, and most of the array is gone: unreadable, and what to do [R35]", () => {
        const scenario = busyArray(shapes[3], "few")
        const old = copyOf(scenario.builder.images)
        writeMore(scenario)
        const report = checkArray([...imagesOf("backup", old), ...imagesOf("live", scenario.builder.images).slice(3)])
        assert.equal(report.isReadable, false)
        assert.match(
            report.faults[0].message,
            /^1 of 4 elements can be read, at least 3 must; a check of the older ones alone may read what was then$/,
        )
    })
})
