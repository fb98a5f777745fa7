// docs/FORMAT.md is true: its examples are verified, and whole volumes are read, with code written from the document and not from src/.
// WRITE_EXAMPLES=1 writes the examples anew from the seeded volume, for a change of the format.

import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"
import {
    checkIsGood,
    pageBytes,
    readAnchor,
    readArray,
    readLabel,
    readNode,
    readRoot,
    readUsage,
    typeOf,
    type Element,
} from "../support/format-reader"
import { PowerCut, smallPart, StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"
import { Random } from "../../tools/sim/random"
import { takenBytes } from "../../src/store/upload"

const place = new URL("../../docs/FORMAT.md", import.meta.url)

function elementsOf(bench: StoreBench): Element[] {
    return bench.chips.map(chip => ({ read: page => Buffer.from(chip.peek(page * pageBytes, pageBytes)) }))
}

/** The volume of the examples. */
async function exampleVolume(): Promise<StoreHost> {
    const bench = new StoreBench(smallPart(19), 64, "FORMAT.md")
    await bench.mount()
    const host = new StoreHost(bench, 0x5e5510)
    await host.hello()
    // so many that the log comes round and the usage of more than 25 segments changes
    for (let i = 0; i < 20; i++) assert.equal(await host.put("log", Buffer.alloc(20_000, i), 1, 20_000), 0)
    await host.mkdir("docs")
    for (const name of ["überblick.txt", "notes", "plan", "empty"]) await host.mkdir(`docs/${name}`)
    await host.put("hello.txt", Buffer.from("Hello, Twinfiler!\n"))
    return host
}

function hex(page: Buffer): string {
    const lines: string[] = []
    for (let at = 0; at < page.length; at += 16) {
        const line = page.subarray(at, at + 16)
        // a run of lines that are all 0 is left out
        if (at > 0 && line.every(byte => byte === 0)) continue
        lines.push(`${at.toString(16).padStart(2, "0")}  ${line.toString("hex").replace(/../g, "$& ").trim()}`)
    }
    return lines.join("\n")
}

function parse(text: string): { title: string; number: number; page: Buffer }[] {
    return [...text.matchAll(/```page (\d+) (.*)\n([^`]*)```/g)].map(match => {
        const page = Buffer.alloc(pageBytes)
        for (const line of match[3].trim().split("\n")) {
            const [at, ...bytes] = line.trim().split(/\s+/)
            Buffer.from(bytes.join(""), "hex").copy(page, parseInt(at, 16))
        }
        return { title: match[2], number: Number(match[1]), page }
    })
}

describe("store: docs/FORMAT.md", function () {
    this.timeout(30_000)

    it("the examples are pages of a real volume, and say what the document says [R35]", async () => {
        const host = await exampleVolume()
        const { bench } = host
        const elements = elementsOf(bench)
        const reading = readArray(elements)
        const leaf = (() => {
            let number = reading.root.tree
            for (;;) {
                const page = elements[0].read(number)
                if (page[5] === 0) return number
                const items = readNode(page)!
                number = items[items.length - 1].value.readUInt32LE(0)
            }
        })()
        const anchorSlot = (() => {
            for (let slot = 16; ; slot++) {
                const anchor = readAnchor(elements[0].read(slot))
                if (anchor && anchor.sequence === reading.anchor.sequence) return slot
            }
        })()
        const items = readNode(elements[0].read(leaf))!
        const extent = items.filter(item => item.sub === 1).pop()!
        const examples: [string, number][] = [
            ["label of element 0", 0],
            ["the newest anchor", anchorSlot],
            ["the root", reading.rootPage],
            ["its usage page", reading.root.usage],
            ["the tree's top node", reading.root.tree],
            ["its last leaf", leaf],
            ["the only block of hello.txt", extent.value.readUInt32LE(0)],
        ]
        const text = readFileSync(place, "utf8")
        if (process.env.WRITE_EXAMPLES) {
            const blocks = examples.map(
                ([title, n]) => "```page " + n + " " + title + "\n" + hex(elements[0].read(n)) + "\n```\n",
            )
            const marker = "Lines that are all 0 are left out.\n"
            writeFileSync(place, text.slice(0, text.indexOf(marker) + marker.length) + "\n" + blocks.join("\n"))
        }
        const found = parse(readFileSync(place, "utf8"))
        assert.deepEqual(
            found.map(example => example.title),
            examples.map(([title]) => title),
        )
        for (const { title, number, page } of found) {
            assert.ok(checkIsGood(page, number), title)
            assert.ok(!checkIsGood(page, number + 1), "a page belongs to its place")
        }
        const [label, anchor, root, usage, top, last, data] = found.map(example => example.page)
        assert.deepEqual(
            found.map(example => typeOf(example.page)),
            [5, 4, 3, 6, 2, 2, 1],
        )
        assert.deepEqual(
            { ...readLabel(label), arrayId: 0 },
            { arrayId: 0, version: 1, volume: 0, element: 0, elements: 2, state: 0, segmentPages: 64, pages: 2048 },
        )
        assert.equal(readAnchor(anchor)!.arrayId, readLabel(label)!.arrayId)
        assert.equal(readAnchor(anchor)!.members, 3)
        assert.equal(readRoot(root)!.usage, found[3].number)
        assert.equal(readRoot(root)!.tree, found[4].number)
        assert.equal(readRoot(root)!.sessions[0].session, 0x5e5510)
        const sums = readUsage(usage, 32)!
        for (const [segment, pages] of readRoot(root)!.deltas) sums[segment] = pages
        assert.equal(
            sums.reduce((a, b) => a + b, 0),
            readRoot(root)!.inUse,
        )
        const children = readNode(top)!
        assert.equal(children[children.length - 1].value.readUInt32LE(0), found[5].number)
        assert.equal(data.toString("latin1", 20, 20 + data[5]), "Hello, Twinfiler!\n")
        const file = readNode(last)!.find(item => item.sub === 1 && item.value.readUInt32LE(0) === found[6].number)
        assert.equal(file?.object, data.readUInt32LE(12))
    })

    it("a reader written from the document finds what the store holds, after cuts and with uploads open [R35] [R23]", async () => {
        for (let seed = 0; seed < 40; seed++) {
            const random = new Random(`reader ${seed}`)
            const bench = new StoreBench(smallPart(18), 64, seed)
            const host = new StoreHost(bench)
            await bench.mount()
            await host.hello()
            await host.mkdir("d")
            for (let i = 0; i < 6; i++) await host.put(`d/${i % 4}`, Buffer.from(random.bytes(random.int(9000))), 1)
            const a = await host.create()
            const b = await host.create()
            for (let i = 0; i < 3 + random.int(12); i++)
                await host.write(random.int(2) ? a : b, Buffer.from(random.bytes(random.int(3000))))
            // cut in the middle of more, and read before anybody mounts
            bench.cutPowerAt(bench.operations + random.int(6), random.float())
            const sent = Buffer.from(random.bytes(5000))
            const upload = host.uploads.get(a)!
            upload.sent = Buffer.concat([upload.sent, sent])
            const held = takenBytes(bench.volume.uploadOf(a))
            await assert.rejects(() => host.client.write(a, upload.sent.subarray(held)), PowerCut)
            const reading = readArray(elementsOf(bench))
            assert.deepEqual(reading.usage, reading.counted)
            assert.equal(
                reading.root.inUse,
                reading.counted.reduce((x, y) => x + y, 0),
            )
            for (const [path, node] of host.tree) {
                const file = reading.files.get(path)
                if (node.type === 2) assert.equal(file, "directory")
                else assert.ok(Buffer.isBuffer(file) && file.equals(node.content), path)
            }
            assert.equal(reading.files.size, host.tree.size)
            for (const [object, known] of host.uploads) {
                const bytes = reading.uploads.get(object)!
                assert.ok(bytes.length >= known.acknowledged && bytes.equals(known.sent.subarray(0, bytes.length)))
            }
            await host.powerUp()
            for (const [object, bytes] of reading.uploads)
                assert.equal(takenBytes(bench.volume.uploadOf(object)), bytes.length, "as the store itself found it")
            assert.equal(await host.commit(b, "b"), 0)
            host.check()
        }
    })
})
