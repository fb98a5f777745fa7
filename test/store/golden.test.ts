// Arrays that an earlier store wrote, one of each kind for each version of the format, are read for ever: by the check tool and by the store.
// test/support/make-golden.ts made them, once.

import { uploadOf } from "../../src/store/volume"
import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { brotliDecompressSync } from "node:zlib"
import { PageChecks } from "../../tools/check"
import { MemoryImage } from "../../tools/sim/chips/image-file"
import { sectorBytes } from "../../tools/sim/chips/spi-nor-parts"
import { checkBench } from "../support/cut-compare"
import { smallPart, StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

interface Golden {
    elements: number
    segmentRows: number
    /** By path: "directory", or the SHA-256 of the content. */
    tree: Record<string, string>
    snapshots: Record<string, Record<string, string>>
    uploads: Record<string, string>
}

const folder = new URL("../golden/", import.meta.url)
const names = readdirSync(folder)
    .filter(name => name.endsWith(".br"))
    .map(name => name.slice(0, -3))
const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex")

function load(name: string): { bench: StoreBench; known: Golden } {
    const known = JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as Golden
    const bytes = brotliDecompressSync(readFileSync(new URL(`${name}.br`, folder)))
    const elementBytes = bytes.length / known.elements
    const images = Array.from({ length: known.elements }, (_, element) => {
        const image = new MemoryImage(elementBytes)
        for (let i = 0; i < elementBytes / sectorBytes; i++) {
            const at = element * elementBytes + i * sectorBytes
            image.writable(i).set(bytes.subarray(at, at + sectorBytes))
        }
        return image
    })
    const part = smallPart(Math.log2(elementBytes))
    return { bench: new StoreBench(part, known.segmentRows, name, known.elements, images), known }
}

function checked(bench: StoreBench, known: Golden) {
    const report = checkBench(bench, new PageChecks())
    assert.deepEqual(report.degraded, [])
    const contentOf = (path: string, type: string, snapshot?: string) =>
        type === "directory" ? type : hash(report.readFile(path, snapshot)!)
    const contents = (tree: typeof report.tree, snapshot?: string) =>
        Object.fromEntries([...tree].map(([path, { type }]) => [path, contentOf(path, type, snapshot)]))
    assert.deepEqual(contents(report.tree), known.tree)
    assert.deepEqual([...report.snapshots.keys()].sort(), Object.keys(known.snapshots).sort())
    for (const [snapshot, { tree }] of report.snapshots)
        assert.deepEqual(contents(tree, snapshot), known.snapshots[snapshot], snapshot)
    assert.deepEqual([...report.uploads.keys()].map(String), Object.keys(known.uploads))
    for (const object of report.uploads.keys())
        assert.equal(hash(report.readUpload(object)!), known.uploads[object], `upload ${object}`)
    return report
}

describe("store: golden images", () => {
    it("there are some of each version [R35]", () => {
        assert.ok(["format-2-mirror", "format-2-parity4"].every(name => names.includes(name)))
    })

    for (const name of names)
        it(`${name}: nothing to report; mounts, and every file is read and may be written over [R35] [R31]`, async () => {
            const { bench, known } = load(name)
            const { tree, snapshots } = checked(bench, known)
            assert.equal(await bench.mount(), true)
            for (const [path, { type, object }] of tree)
                if (type === "file") assert.equal(hash(await bench.readFile(object)), known.tree[path], path)
            for (const [object, content] of Object.entries(known.uploads))
                assert.ok(uploadOf(bench.volume, Number(object)), `upload ${object} of ${content}`)
            checked(bench, known)
            assert.deepEqual([...snapshots.keys()], Object.keys(known.snapshots))
            const host = new StoreHost(bench, 0x60)
            assert.equal(await host.hello(), 0)
            assert.equal(await host.put("hello.txt", Buffer.from("again"), 1), 0)
            const report = checkBench(bench, new PageChecks())
            assert.equal(report.readFile("hello.txt")?.toString(), "again")
        })
})
