// What stays the same however full a volume is: the reads of a mount, the pages of an operation, the cache.

import assert from "node:assert/strict"
import { smallPart, StoreBench } from "../support/store-bench"
import { checkVolume } from "../support/store-checker"
import { StoreClient } from "../support/store-client"

const segmentPages = 256

interface Worst {
    pages: number
    dirty: number
    op: number
}

/** Runs a request, and notes the most it took. */
async function measured(bench: StoreBench, worst: Worst, run: () => Promise<{ status: number; value: number }>) {
    const { log, tree } = bench.volume
    const serial = log.serial
    const cache = (tree as unknown as { cache: { dirtyCount: number } }).cache
    const flush = tree.flush.bind(tree)
    tree.flush = async upTo => {
        worst.dirty = Math.max(worst.dirty, cache.dirtyCount)
        await flush(upTo)
    }
    const answer = await run()
    tree.flush = Object.getPrototypeOf(tree).flush
    worst.pages = Math.max(worst.pages, log.serial - serial)
    return answer
}

/** Pages and headers read by a mount: the most of ten. */
async function mountReads(bench: StoreBench, c: StoreClient): Promise<number> {
    let most = 0
    for (let i = 0; i < 10; i++) {
        assert.equal((await c.send(9, 1, i)).status, 0)
        bench.cutPowerNow()
        bench.powerUp()
        const before = bench.reads
        assert.equal(await bench.mount(), true)
        most = Math.max(most, bench.reads - before)
    }
    return most
}

async function idle(bench: StoreBench): Promise<void> {
    for (let i = 0; i < 20 && bench.volume.orphans; i++) await bench.volume.reclaim()
}

async function small(c: StoreClient, directory: number, name: string, bytes: number): Promise<number> {
    const object = (await c.send(4)).value
    await c.write(object, Buffer.alloc(bytes, 7))
    assert.equal((await c.send(5, object, bytes, 1, directory, Buffer.from(name))).status, 0)
    return object
}

describe("store: bounds", function () {
    this.timeout(60_000)

    it("a mount reads as much at 10 files as at 2,000, in a deep tree of long names [R27] [R26]", async () => {
        const bench = new StoreBench(smallPart(22), segmentPages)
        await bench.mount()
        const c = new StoreClient(bench, 1)
        await c.hello()
        const worst = { pages: 0, dirty: 0, op: 0 }
        const reads: number[] = []
        let directory = 1
        for (let i = 0; i < 2000; i++) {
            if (i === 10) reads.push(await mountReads(bench, c))
            await idle(bench)
            if (i % 200 === 0) directory = (await c.send(3, 1, 1, Buffer.from(`directory ${i}`))).value
            await measured(bench, worst, async () => ({
                status: 0,
                value: await small(c, directory, `${i}`.padEnd(200, "n"), 20),
            }))
        }
        reads.push(await mountReads(bench, c))
        const figures = checkVolume(bench)
        // the most a tail may hold
        const object = (await c.send(4)).value
        await c.write(object, Buffer.alloc(236 * 118))
        await c.flush(object)
        bench.cutPowerNow()
        bench.powerUp()
        const before = bench.reads
        assert.equal(await bench.mount(), true)
        reads.push(bench.reads - before)
        console.log(
            `      reads of a mount: ${reads.join(", ")} with a full tail; tree of height ${figures.height}, ${figures.nodes} nodes; ` +
                `a file's two requests: ${worst.pages} pages, ${worst.dirty} nodes changed at most`,
        )
        // the nodes of one path more
        assert.ok(reads[1] <= reads[0] + 4 + figures.height, `${reads}`)
        assert.ok(reads[2] <= reads[1] + 130, `${reads}`)
        assert.ok(figures.objects > 2000)
    })

    it("the worst operations fit the pages kept for one: renaming over a file of many extents, in a deep tree [R26] [R28]", async () => {
        const bench = new StoreBench(smallPart(22), segmentPages, 3)
        await bench.mount()
        const c = new StoreClient(bench, 1)
        await c.hello()
        const worst = { pages: 0, dirty: 0, op: 0 }
        const directories: number[] = []
        for (let d = 0; d < 12; d++) directories.push((await c.send(3, 1, 1, Buffer.from(`d${d}`))).value)
        const entries: { directory: number; object: number; name: string }[] = []
        for (let i = 0; i < 700; i++) {
            const directory = directories[bench.random.int(directories.length)]
            const name = `${i}`.padEnd(199, "w")
            const made = await measured(bench, worst, () => c.send(3, directory, 1, Buffer.from(name)))
            assert.equal(made.status, 0)
            await idle(bench)
            entries.push({ directory, object: made.value, name })
        }
        // files of many extents, made in turns
        const files: { directory: number; object: number; name: string }[] = []
        for (let n = 0; n < 6; n++) {
            const objects: number[] = []
            for (let k = 0; k < 4; k++) objects.push((await c.send(4)).value)
            for (let round = 0; round < 25; round++)
                for (const object of objects) await c.write(object, Buffer.alloc(236, round))
            for (const [k, object] of objects.entries()) {
                const directory = directories[bench.random.int(directories.length)]
                const name = `file ${n} ${k}`.padEnd(199, "f")
                const done = await measured(bench, worst, () =>
                    c.send(5, object, 236 * 25, 1, directory, Buffer.from(name)),
                )
                assert.equal(done.status, 0)
                files.push({ directory, object, name })
            }
        }
        const { directory } = bench.volume
        const key = async (e: { directory: number; name: string }) => {
            assert.equal(await directory.lookup(e.directory, Buffer.from(e.name), 0, e.name.length), 0)
            return directory.key
        }
        let uploads: number[] = []
        for (let k = 0; k < 4; k++) uploads.push((await c.send(4)).value)
        while (files.length > 1) {
            for (const object of uploads) await c.write(object, Buffer.alloc(300, 1))
            const from = files.pop()!
            const over = files.splice(bench.random.int(files.length), 1)[0]
            const k = await key(from)
            const answer = await measured(bench, worst, () =>
                c.send(0x87, from.directory, k, from.object, over.directory, 1, Buffer.from(over.name)),
            )
            assert.equal(answer.status, 0)
            files.unshift({ ...over, object: from.object })
            await idle(bench)
            if (files.length % 5 === 0) {
                for (const object of uploads)
                    assert.equal((await measured(bench, worst, () => c.send(6, object))).status, 0)
                uploads = []
                for (let i = 0; i < 4; i++) uploads.push((await c.send(4)).value)
            }
        }
        const tall = checkVolume(bench)
        for (const e of entries) {
            const k = await key(e)
            assert.equal((await measured(bench, worst, () => c.send(8, e.directory, k, e.object, 1))).status, 0)
            await idle(bench)
        }
        const merged = checkVolume(bench)
        console.log(
            `      height ${tall.height}; at most ${worst.dirty} nodes changed and ${worst.pages} pages in one operation; ` +
                `after ${entries.length} removals: ${merged.nodes} of ${tall.nodes} nodes, leaves ${Math.round(merged.leafFill * 100)} % full`,
        )
        assert.ok(worst.pages <= 64)
        assert.ok(merged.nodes < 60)
    })
})
