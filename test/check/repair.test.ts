// Repair and dump of images in memory: what redundancy holds is made again, nothing becomes worse, whatever the bytes are.

import assert from "node:assert/strict"
import { checkArray, dumpArray, dumpPage, MemoryImage, repairArray, type Repair, type Report } from "../../tools/check"
import { Random } from "../../tools/sim/random"
import { seal } from "./image-pages"
import { Mutator } from "./mutations"
import { busyArray, longTail, lostElement, shapeName, shapes } from "./scenarios"

const imagesOf = (buffers: Buffer[]) => buffers.map((buffer, i) => new MemoryImage(buffer, `E${i}`, i))
const check = (buffers: Buffer[]): Report => checkArray(imagesOf(buffers))
const copyOf = (buffers: Buffer[]): Buffer[] => buffers.map(buffer => Buffer.from(buffer))

/** The images after a repair, as files would be. */
function repaired(repair: Repair): Buffer[] {
    return repair.images.map(image => Buffer.from(image.read(0, image.bytes)))
}

describe("check: repair", function () {
    this.timeout(60_000)

    for (const shape of shapes)
        it(`one element damaged all over, ${shapeName(shape)}: repaired byte for byte, clean after it [R24] [R35]`, () => {
            const { builder } = busyArray(shape, "repair")
            const good = builder.images
            const { marks, pages, members } = check(good).reading!
            for (let position = 0; position < shape.elements; position++) {
                const bad = copyOf(good)
                const random = new Random(`damage ${position}`)
                const rows = new Set<number>([0, members.anchorSlot])
                for (const [page, use] of marks.entries())
                    if (use !== 0 && random.chance(0.1)) rows.add(pages.geometry.rowOf(page))
                for (const row of rows) bad[position][row * shape.stride + random.int(256)] ^= 1 << random.int(8)
                const before = check(bad)
                assert.deepEqual(before.faults, [])
                assert.ok(before.degraded.some(({ code }) => code === "label-bad"))
                const repair = repairArray(imagesOf(bad))
                const after = check(repaired(repair))
                assert.deepEqual([...after.faults, ...after.degraded], [], `position ${position}`)
                assert.deepEqual(repair.after.degraded, [])
                for (const [path, entry] of check(good).tree) assert.deepEqual(after.tree.get(path), entry)
            }
        })

    it("wrong usage, pages in use and next object: a root with what the tree says [R35]", () => {
        for (const shape of shapes) {
            const { builder } = busyArray(shape, "usage")
            const good = check(builder.images)
            const bad = copyOf(builder.images)
            const { state, pages } = good.reading!
            const { geometry } = pages
            const row = geometry.rowOf(state.rootPage)
            for (let position = 0; position < geometry.n; position++) {
                const isData = geometry.isMirror || position === geometry.positionOf(state.rootPage)
                if (!isData && position !== geometry.parityPositionOf(row)) continue
                // the only page of its row: the parity page is the same
                const page = bad[position].subarray(row * shape.stride, row * shape.stride + 256)
                page.writeUInt32LE(17, 20 + 16)
                page.writeUInt32LE(1, 20 + 24)
                page.writeUInt16LE(page.readUInt16LE(20 + 138) + 5, 20 + 138)
                seal(page, state.rootPage)
            }
            const codes = new Set(check(bad).faults.map(({ code }) => code))
            assert.deepEqual([...codes].sort(), ["next-object", "usage-count", "usage-sum"])
            const after = check(repaired(repairArray(imagesOf(bad))))
            assert.deepEqual([...after.faults, ...after.degraded], [])
            assert.deepEqual([...after.reading!.space.usage], [...good.reading!.space.usage])
        }
    })

    it("nothing to repair: no step, no change [R35]", () => {
        for (const make of [busyArray, longTail, lostElement]) {
            const { builder } = make(shapes[3], "good")
            const { steps, images } = repairArray(imagesOf(builder.images))
            assert.deepEqual(steps, [])
            assert.ok(images.every(image => image.changes.size === 0))
        }
    })

    it("a weak last row is written whole [R23] [R35]", () => {
        for (const shape of shapes) {
            const { builder } = busyArray(shape, "weak")
            const good = check(builder.images)
            const { lastRow } = good.reading!.state
            for (let position = 0; position < shape.elements; position++) {
                const torn = copyOf(builder.images)
                torn[position].fill(0xff, lastRow! * shape.stride + 100, lastRow! * shape.stride + 256)
                const report = check(torn)
                assert.deepEqual(report.faults, [])
                // an element that has nothing in that row is not weak
                if (torn[position].equals(builder.images[position])) continue
                assert.deepEqual([...new Set(report.degraded.map(({ code }) => code))], ["row-weak"], shapeName(shape))
                const after = check(repaired(repairArray(imagesOf(torn))))
                assert.deepEqual([...after.faults, ...after.degraded], [])
            }
        }
    })

    it("lost data: repair leaves it, and says so by the faults after it [R35]", () => {
        const { builder } = busyArray(shapes[0], "lost")
        const report = check(builder.images)
        const extent = report.reading!.records.extents.get(report.tree.get("large.bin")!.object)![0]
        for (const image of builder.images) image[extent.page * 256 + 100] ^= 1
        const { after, steps } = repairArray(imagesOf(builder.images))
        assert.deepEqual(steps, [])
        assert.ok(after.faults.length > 0)
        // the volume's, and the same of each snapshot
        for (const { code, page, path } of after.faults)
            assert.deepEqual([code, page, path], ["page-lost", extent.page, "large.bin"])
        assert.equal(after.readFile("large.bin"), undefined)
    })

    const seed = process.env.SEED ?? "repair"
    it(`whatever is wrong, a repair makes nothing worse and a second one finds nothing to do (SEED=${seed}) [R35]`, () => {
        for (const shape of [shapes[0], shapes[3]]) {
            const { builder } = busyArray(shape, seed)
            const mutator = new Mutator(check(builder.images), new Random(seed))
            for (let i = 0; i < 40; i++) {
                const bad = copyOf(builder.images)
                const mutations = Array.from({ length: 1 + (i % 3) }, () => mutator.next())
                for (const mutation of mutations) mutation.apply(bad)
                const repair = repairArray(imagesOf(bad))
                const what = mutations.map(({ name }) => name).join(", ")
                assert.ok(repair.after.faults.length <= repair.before.faults.length, what)
                const again = repairArray(imagesOf(repaired(repair)))
                assert.deepEqual(again.steps, [], what)
                const listed = (report: Report) => [...report.faults, ...report.degraded].map(one => one.message)
                assert.deepEqual(listed(again.after), listed(repair.after), what)
            }
        }
    })

    it(`pages with right checks and random bodies: reported, never an exception (SEED=${seed}) [R35]`, () => {
        const random = new Random(seed)
        for (const shape of [shapes[0], shapes[3]]) {
            const { builder } = busyArray(shape, seed)
            const { pages, marks, tree, state } = check(builder.images).reading!
            const used = [...marks.keys()].filter(page => marks[page] !== 0)
            for (let i = 0; i < 60; i++) {
                const bad = copyOf(builder.images)
                for (let changes = 0; changes < 1 + (i % 4); changes++) {
                    const wanted = [
                        [...tree.nodes][random.int(tree.nodes.size)],
                        state.rootPage,
                        used[random.int(used.length)],
                    ]
                    const number = wanted[random.int(3)]
                    const at = pages.geometry.rowOf(number) * shape.stride
                    const position = pages.geometry.positionOf(number)
                    for (const one of shape.elements === 2 ? [0, 1] : [position]) {
                        const page = bad[one].subarray(at, at + 256)
                        const from = 5 + random.int(40)
                        const noise = new Random(`${seed} ${i} ${changes}`)
                        page.set(noise.bytes(Math.min(256 - from, 1 + noise.int(60))), from)
                        seal(page, number)
                    }
                }
                const report = check(bad)
                const text = [...dumpArray(report), ...dumpPage(report, state.rootPage)]
                assert.ok(text.length > 0 || !report.isReadable)
                repairArray(imagesOf(bad))
            }
        }
    })
})

describe("check: dump", () => {
    it("labels, anchor, root, segments, records and snapshots are listed; pages as hex [R35]", () => {
        const { builder } = longTail(shapes[3], "dump")
        const report = check(builder.images)
        const text = [...dumpArray(report)].join("\n")
        for (const wanted of [
            "4 elements of 1159 rows, stride 256; 24 segments",
            "position 3: E3: generation 0",
            "root ",
            "session 005e5510: sequence 12",
            "retired, 65535",
            'entry "hello.txt"',
            'snapshot "with gone"',
            'tree of snapshot "before"',
            "properties: user.mime=application/octet-stream, tag=",
            "extent: block 0 on",
            "upload of session 005e5510",
            "blocks in the tail",
        ])
            assert.ok(text.includes(wanted), `${wanted} in\n${text.slice(0, 2_000)}`)
        const root = report.reading!.state.rootPage
        assert.match([...dumpPage(report, root)].join("\n"), /in use \(live\)\n {2}root, length 0, since 0/)
        assert.match([...dumpPage(report, 0)].join("\n"), /page 0 of E0, byte 0: good\n[^]*TWIN/)
        assert.match([...dumpPage(report, 9_999_999)].join("\n"), /no such page/)
    })
})
