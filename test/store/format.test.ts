// docs/FORMAT.md is true: its examples are pages that the store wrote, and say what the check tool, written from the document alone, reads in
// them. WRITE_EXAMPLES=1 writes the examples anew from the seeded arrays, for a change of the format.

import { uploadOf } from "../../src/store/volume"
import { takenBytes } from "../../src/store/upload"
import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"
import { PageChecks, type Report } from "../../tools/check"
import { readAnchor, readLabel, readRoot } from "../../tools/check/fields"
import { checkOf, isBlank, isGood, pageBytes, typeOf, u32 } from "../../tools/check/page"
import { parseNode } from "../../tools/check/tree"
import { checkBench, differenceOf } from "../support/cut-compare"
import { CutHost } from "../support/cut-host"
import { session } from "../support/format-arrays"
import { PowerCut, smallPart, StoreBench } from "../support/store-bench"
import { Random } from "../../tools/sim/random"

const place = new URL("../../docs/FORMAT.md", import.meta.url)
const text = "Hello, Twinfiler!\n"

interface Example {
    array: "mirror" | "parity"
    what: "page" | "row"
    /** Of a page in the log, or in the reserved segment; a row's parity page has the row's. */
    number: number
    title: string
    page: Buffer
}

/** The arrays of the examples. */
async function exampleArray(elements: number): Promise<CutHost> {
    const bench = new StoreBench(smallPart(elements === 2 ? 19 : 17), elements === 2 ? 64 : 48, "FORMAT.md", elements)
    assert.equal(await bench.mount(), true)
    const host = new CutHost(bench, session)
    assert.equal(await host.hello(), 0)
    // so many that the log comes round and the usage of more than 20 segments changes
    if (elements === 2)
        for (let i = 0; i < 20; i++) assert.equal(await host.put("log", Buffer.alloc(20_000, i), 1, 20_000), 0)
    await host.mkdir("docs")
    for (const name of ["überblick.txt", "notes", "plan", "empty"]) await host.mkdir(`docs/${name}`)
    await host.put("two pages", Buffer.alloc(300, "Twinfiler "))
    await host.put("hello.txt", Buffer.from(text))
    return host
}

function elementPage(bench: StoreBench, position: number, row: number): Buffer {
    return Buffer.from(bench.chips[bench.volume.array.slots[position]].peek(row * pageBytes, pageBytes))
}

async function examplesOf(host: CutHost): Promise<Example[]> {
    const { bench } = host
    const { reading } = checkBench(bench, new PageChecks())
    const { members, pages, state, tree, records } = reading!
    const { geometry } = members
    const pageAt = (page: number) =>
        page < geometry.S
            ? elementPage(bench, 0, page)
            : elementPage(bench, geometry.positionOf(page), geometry.rowOf(page))
    const array = geometry.isMirror ? "mirror" : "parity"
    const example = (number: number, title: string): Example => ({
        array,
        what: "page",
        number,
        title,
        page: pageAt(number),
    })
    const block = (path: string) => records.extents.get(host.tree.get(path)!.object)![0].page
    if (array === "parity") {
        const row = geometry.rowOf(block("two pages"))
        assert.ok(Array.from({ length: geometry.D }, (_, i) => row * geometry.D + i).every(page => pages.read(page)))
        return [
            ...Array.from({ length: geometry.D }, (_, i) => {
                const page = row * geometry.D + i
                return example(page, `column ${i} of row ${row}, on position ${geometry.positionOf(page)}`)
            }),
            {
                array,
                what: "row",
                number: row,
                title: `its parity page, on position ${geometry.parityPositionOf(row)}`,
                page: elementPage(bench, geometry.parityPositionOf(row), row),
            },
        ]
    }
    return [
        example(0, "label of position 0"),
        example(members.anchorSlot, "the newest anchor"),
        example(state.rootPage, "the root"),
        example(state.root.usage, "its usage page"),
        example(state.root.tree, "the tree's top node"),
        example(tree.items.at(-1)!.leaf, "its last leaf"),
        example(block("hello.txt"), "the only block of hello.txt"),
    ]
}

function hex(page: Buffer): string {
    const lines: string[] = []
    for (let at = 0; at < page.length; at += 16) {
        const line = page.subarray(at, at + 16)
        if (at > 0 && line.every(byte => byte === 0)) continue
        lines.push(`${at.toString(16).padStart(2, "0")}  ${line.toString("hex").replace(/../g, "$& ").trim()}`)
    }
    return lines.join("\n")
}

const marker = "## Examples\n"
const introductions = {
    mirror:
        "From a mirror of 32 segments of 64 pages (`test/store/format.test.ts`, which also verifies what stands here). The number behind `page` is the page's; the first\n" +
        "column is the offset. Lines that are all 0 are left out.\n",
    parity: "From an array of three elements, D = 2: a row of data pages and its parity page, the XOR of them.\n",
}

function written(examples: Example[]): string {
    const blocks = (array: Example["array"]) =>
        examples
            .filter(example => example.array === array)
            .map(({ what, number, title, page }) => "```" + `${what} ${number} ${title}\n${hex(page)}` + "\n```\n")
    const parts = (["mirror", "parity"] as const).flatMap(array => [introductions[array], ...blocks(array)])
    return `${marker}\n${parts.join("\n")}`
}

function parse(document: string): Omit<Example, "array">[] {
    return [...document.matchAll(/```(page|row) (\d+) (.*)\n([^`]*)```/g)].map(match => {
        const page = Buffer.alloc(pageBytes)
        for (const line of match[4].trim().split("\n")) {
            const [at, ...bytes] = line.trim().split(/\s+/)
            Buffer.from(bytes.join(""), "hex").copy(page, parseInt(at, 16))
        }
        return { what: match[1] as Example["what"], number: Number(match[2]), title: match[3], page }
    })
}

describe("store: docs/FORMAT.md", function () {
    this.timeout(30_000)
    let found: Omit<Example, "array">[]
    let mirror: Report

    before(async () => {
        const host = await exampleArray(2)
        const examples = [...(await examplesOf(host)), ...(await examplesOf(await exampleArray(3)))]
        mirror = checkBench(host.bench, new PageChecks())
        const document = readFileSync(place, "utf8")
        if (process.env.WRITE_EXAMPLES)
            writeFileSync(place, document.slice(0, document.indexOf(marker)) + written(examples))
        found = parse(readFileSync(place, "utf8"))
        assert.deepEqual(
            found.map(({ what, title }) => `${what} ${title}`),
            examples.map(({ what, title }) => `${what} ${title}`),
        )
    })

    it("the examples are good pages of the types they should be, in their places only [R35]", () => {
        const pages = found.filter(({ what }) => what === "page")
        for (const { title, number, page } of pages) {
            assert.ok(isGood(page, number), title)
            assert.notEqual(checkOf(page, number + 1), u32(page, 0), "a page belongs to its place")
        }
        assert.deepEqual(
            pages.map(({ page }) => typeOf(page)),
            [5, 4, 3, 6, 2, 2, 1, ...pages.slice(7).map(({ page }) => typeOf(page))],
        )
    })

    it("they lead from the label to the bytes of a file [R35]", () => {
        const [label, anchor, root, usage, top, leaf, data] = found
        const { arrayId, ...shape } = readLabel(label.page)!
        assert.deepEqual(shape, {
            version: 2,
            volume: 0,
            position: 0,
            elements: 2,
            state: 0,
            segmentRows: 64,
            rows: 2048,
            stride: 256,
            generation: 0,
            epoch: 0,
        })
        const { members, joining, arrayId: ofAnchor } = readAnchor(anchor.page)!
        assert.deepEqual({ members, joining, ofAnchor }, { members: 3, joining: 0xff, ofAnchor: arrayId })
        const state = readRoot(root.page)!
        assert.deepEqual([state.usage, state.tree], [usage.number, top.number])
        assert.equal(state.sessions[0].session, session)
        const counts = Array.from({ length: 32 }, (_, segment) => usage.page.readUInt16LE(20 + 2 * segment))
        for (const delta of state.deltas) counts[delta.segment] = delta.usage
        assert.equal(
            counts.reduce((sum, count) => sum + count, 0),
            state.inUse,
        )
        assert.equal(u32(parseNode(top.page).items.at(-1)!.value, 0), leaf.number)
        const extent = parseNode(leaf.page).items.find(
            ({ sub, value }) => sub === 1 && value.length === 6 && u32(value, 0) === data.number,
        )
        assert.equal(extent?.object, u32(data.page, 12))
        assert.equal(data.page.toString("latin1", 20, 20 + data.page[5]), text)
        assert.equal(mirror.tree.get("hello.txt")?.size, text.length)
    })

    it("a parity page is the XOR of its row [R35]", () => {
        const row = found.filter(({ title }) => / row \d+, on position /.test(title))
        const parity = found.at(-1)!
        assert.equal(row.length, 2)
        const sum = Buffer.alloc(pageBytes)
        for (const { page, number } of row) {
            assert.equal(Math.floor(number / 2), parity.number)
            assert.ok(!isBlank(page))
            for (let i = 0; i < pageBytes; i++) sum[i] ^= page[i]
        }
        assert.ok(sum.equals(parity.page))
        for (const { title, number } of row)
            assert.ok(title.endsWith(`position ${((number >> 1) + 1 + (number % 2)) % 3}`))
        assert.ok(parity.title.endsWith(`position ${parity.number % 3}`))
    })

    for (const elements of [2, 4])
        it(`a reader written from the document finds what the store holds, after cuts and with uploads open: ${elements} elements [R35] [R23]`, async () => {
            const pageChecks = new PageChecks()
            for (let seed = 0; seed < 20; seed++) {
                const random = new Random(`reader ${seed}`)
                const bench = new StoreBench(smallPart(17), 48, seed, elements)
                assert.equal(await bench.mount(), true)
                const host = new CutHost(bench)
                await host.hello()
                await host.mkdir("d")
                for (let i = 0; i < 6; i++) await host.put(`d/${i % 4}`, Buffer.from(random.bytes(random.int(4000))), 1)
                const a = await host.create()
                const b = await host.create()
                for (let i = 0; i < 3 + random.int(12); i++)
                    await host.write(random.int(2) ? a : b, Buffer.from(random.bytes(random.int(1500))))
                // cut in the middle of more, and read before anybody mounts
                bench.cutPowerAt(bench.operations + random.int(6), random.float())
                const upload = host.uploads.get(a)!
                upload.sent = Buffer.concat([upload.sent, Buffer.from(random.bytes(8000))])
                const held = takenBytes(uploadOf(bench.volume, a))
                await assert.rejects(async () => {
                    await host.client.write(a, upload.sent.subarray(held))
                    await host.client.flush(a)
                }, PowerCut)
                const before = checkBench(bench, pageChecks)
                assert.equal(differenceOf(before, host.known()), undefined)
                await host.powerUp()
                for (const [object, { size }] of before.uploads)
                    assert.equal(takenBytes(uploadOf(bench.volume, object)), size, "as the store itself found it")
                assert.equal(await host.commit(b, "b"), 0)
                host.check()
            }
        })
})
