// Cases of their own: elements that do not belong, power cuts, names with one hash, what only the whole tree shows.

import assert from "node:assert/strict"
import { checkArray, groupImages, MemoryImage, PageChecks, type Report } from "../../tools/check"
import { pageType, typeOf } from "../../tools/check/page"
import { ImageBuilder } from "./image-builder"
import { seal, sha } from "./image-pages"
import { busyArray, shapes } from "./scenarios"

const imagesOf = (buffers: Buffer[]) => buffers.map((buffer, i) => new MemoryImage(buffer, `E${i}`, i))
const check = (buffers: Buffer[]): Report => checkArray(imagesOf(buffers))
const codes = (report: Report) => [...new Set([...report.faults, ...report.degraded].map(({ code }) => code))].sort()
const notes = (report: Report) => report.notes.map(({ code }) => code).sort()

describe("check: special cases [R35]", function () {
    this.timeout(30_000)

    it("an element that was replaced is named as stale, a foreign and a blank one too [R35]", () => {
        const { builder } = busyArray(shapes[3], "stale")
        const old = Buffer.from(builder.images[2])
        const { array } = builder
        // as after a rebuild onto another element
        array.generations[2] = 1
        array.writeLabel(2, builder.epoch)
        builder.anchor()
        builder.commit()
        const foreign = busyArray({ ...shapes[0], arrayId: 99 }, "foreign").builder.images[0]
        const blank = Buffer.alloc(old.length, 0xff)
        const report = check([...builder.images, old, foreign, blank])
        assert.deepEqual(codes(report), [])
        assert.deepEqual(notes(report), ["element-blank", "element-foreign", "element-stale"])
        const grouped = groupImages(imagesOf([foreign, ...builder.images, blank, old]))
        assert.deepEqual(
            grouped.arrays.map(group => group.map(({ name }) => name)),
            [["E0"], ["E1", "E2", "E3", "E4", "E6"]],
        )
        assert.deepEqual(
            grouped.strays.map(({ code }) => code),
            ["element-blank"],
        )
    })

    it("of two elements that claim one position, the one whose pages are there is taken [R35]", () => {
        const { builder } = busyArray(shapes[3], "claims")
        const images = builder.images.map(image => Buffer.from(image))
        images[0][20 + 7] = 1
        seal(images[0].subarray(0, 256), 0)
        const report = check(images)
        assert.deepEqual(codes(report), ["element-missing", "label-field"])
        assert.equal(report.faults[0].image, "E0")
        assert.ok(report.readFile("large.bin"))
    })

    it("power cut in a row: what was torn is weak, what came before is whole [R23] [R35]", () => {
        for (const shape of shapes) {
            const { builder } = busyArray(shape, "cut")
            const { segment, index, array } = builder
            const before = check(builder.images)
            const next = segment * array.S + index
            builder.addTail([...before.uploads.keys()][0], Buffer.alloc(236, 0x35))
            const torn = builder.images.map(image => Buffer.from(image))
            // nothing of it is good
            for (const image of torn) {
                const row = image.subarray(array.R * segment * shape.stride + (index / array.D) * shape.stride)
                row.fill(0xff, 60, 256)
            }
            const report = check(torn)
            assert.deepEqual(codes(report), [], `page ${next}`)
            assert.deepEqual(report.uploads.get([...before.uploads.keys()][0]), [...before.uploads.values()][0])
        }
    })

    it("names with the same hash stand side by side; an entry at another hash is a fault [R35]", () => {
        const seen = new Map<number, string>()
        let pair: string[] = []
        for (let i = 0; pair.length === 0; i++) {
            const hash = sha(Buffer.from(`n${i}`)).readUInt32LE(0) & 0x7fffff
            if (seen.has(hash)) pair = [seen.get(hash)!, `n${i}`]
            seen.set(hash, `n${i}`)
        }
        const builder = new ImageBuilder(shapes[0])
        const objects = pair.map(name => builder.writeFile(1, name, Buffer.from(name)))
        builder.commit()
        const report = check(builder.images)
        assert.deepEqual(codes(report), [])
        assert.deepEqual(
            pair.map(name => report.tree.get(name)!.object),
            objects,
        )
    })

    it("what only the whole tree shows: cycles, objects twice or nowhere, names twice, roads to nothing [R35]", () => {
        const cases: [string, string[], (builder: ImageBuilder) => void][] = [
            ["cycle", ["object-cycle"], builder => moveUnder(builder, 16, 17)],
            ["in two directories", ["object-parent", "object-twice"], builder => builder.enter(16, "again", 18, 1)],
            ["in no directory", ["object-lost"], builder => unlink(builder, 18)],
            ["entry to nothing", ["entry-object"], builder => builder.enter(1, "nothing", 500, 1)],
            ["name twice", ["name-twice", "object-twice"], builder => builder.enter(1, "file", 18, 1)],
            ["upload without inode", ["inode-missing"], builder => builder.put(2, 400, Buffer.from([1, 0, 0, 0]))],
            ["unknown list", ["key-unknown"], builder => builder.put(7, 1, Buffer.from([1]))],
            ["properties of nothing", ["property-field"], builder => builder.setProperties(300, { a: "b" })],
            ["properties twice", ["property-field"], builder => builder.put(5, 18, Buffer.from("\x01a\x00\x01a\x00"))],
            ["extents without inode", ["inode-missing"], builder => builder.delete(18, 0)],
            ["entries without inode", ["inode-missing"], builder => builder.delete(16, 0)],
        ]
        for (const [what, wanted, change] of cases) {
            const builder = new ImageBuilder(shapes[0])
            const outer = builder.mkdir(1, "outer")
            builder.mkdir(outer, "inner")
            builder.writeFile(1, "file", Buffer.alloc(500, 1))
            builder.commit()
            assert.deepEqual(codes(check(builder.images)), [], what)
            change(builder)
            builder.commit()
            const found = codes(check(builder.images))
            for (const code of wanted) assert.ok(found.includes(code as never), `${what}: ${found.join(" ")}`)
        }
    })

    it("a page that is lost on all elements: what hung on it is not called wrong as well [R35]", () => {
        for (const shape of [shapes[0], shapes[2]]) {
            const { builder } = busyArray(shape, "lost")
            const pageChecks = new PageChecks()
            const { reading } = checkArray(imagesOf(builder.images), { pageChecks })
            const { geometry } = reading!.pages
            let lost = 0
            for (let page = geometry.S; page < geometry.pageEnd; page++) {
                if (!reading!.marks[page] || page === reading!.state.rootPage) continue
                // on a block nothing hangs: some of them are enough
                if (typeOf(reading!.pages.read(page)!) === pageType.data && page % 16 > 0) continue
                const at = geometry.rowOf(page) * shape.stride
                const flip = () => builder.images.forEach((image, i) => (image[at + 100] ^= 1 << i))
                flip()
                const { faults } = checkArray(imagesOf(builder.images), { pageChecks })
                flip()
                const others = faults.filter(({ code }) => code !== "page-lost")
                assert.deepEqual(
                    others.map(({ message }) => message),
                    [],
                    `page ${page}`,
                )
                if (faults.length > 0) lost++
            }
            assert.ok(lost > 60, `${lost} pages`)
        }
    })

    it("a page in use in a retired segment [R35]", () => {
        const { builder } = busyArray(shapes[0], "pins")
        const reading = check(builder.images).reading!
        const used = reading.counted.findIndex(
            (count, segment) => segment > 0 && count > 0 && segment !== builder.segment,
        )
        builder.retire(used)
        builder.commit()
        assert.ok(codes(check(builder.images)).includes("segment-retired"))
    })

    it("pages remembered from other images: a changed page is seen, memory is not aliased [R35]", () => {
        const { builder } = busyArray(shapes[0], "cache")
        const pageChecks = new PageChecks()
        const images = imagesOf(builder.images)
        const good = checkArray(images, { pageChecks })
        assert.deepEqual(codes(good), [])
        const root = good.reading!.state.rootPage
        builder.images[1][root * 256 + 200] ^= 1
        assert.deepEqual(codes(checkArray(images, { pageChecks })), ["copy-bad"])
        builder.images[1][root * 256 + 200] ^= 1
        assert.deepEqual(codes(checkArray(images, { pageChecks })), [])
    })

    it("nothing at all, nothing good, another version: unreadable, not an exception [R35]", () => {
        for (const images of [[], [Buffer.alloc(0)], [Buffer.alloc(65_536)], [Buffer.alloc(65_536, 0xff)]]) {
            const report = check(images)
            assert.equal(report.isReadable, false)
            assert.deepEqual(codes(report), ["array-unreadable"])
        }
        const { builder } = busyArray(shapes[0], "version")
        for (const image of builder.images) {
            image[20 + 4] = 1
            seal(image.subarray(0, 256), 0)
        }
        assert.match(groupImages(imagesOf(builder.images)).strays[0].message, /format version 1; this program reads/)
    })
})

function unlink(builder: ImageBuilder, object: number): void {
    const bytes = Buffer.from("file")
    const hash = sha(bytes).readUInt32LE(0) & 0x7fffff || 1
    assert.equal(object, 18)
    builder.delete(1, hash * 256)
}

/** Directory `object` into `parent`, which is below it. */
function moveUnder(builder: ImageBuilder, object: number, parent: number): void {
    const hash = sha(Buffer.from("outer")).readUInt32LE(0) & 0x7fffff || 1
    builder.delete(1, hash * 256)
    builder.put(object, 0, builder.inode(2, 0, 0, parent))
    builder.enter(parent, "outer", object, 2)
}
