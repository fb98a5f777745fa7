// Snapshots keep what they were made of, whatever happens to the volume after: changes, a full volume, power cuts. docs/FORMAT.md, "Snapshots".

import assert from "node:assert/strict"
import { pageBufferBytes } from "../../src/flash/bank"
import { available, commitNumber } from "../../src/store/log"
import { Queries, askVolume, askSnapshots } from "../../src/store/queries"
import { Reader, openFile, readFile } from "../../src/store/reader"
import { PowerCut, smallPart, StoreBench } from "../support/store-bench"
import { checkVolume, type Figures } from "../support/store-checker"
import { StoreHost } from "../support/store-host"
import { Random } from "../../tools/sim/random"
import { findKey } from "../../src/store/tree"
import { freePages } from "../../src/store/volume"

const opCreate = 10
const opDelete = 11
const notFound = 1
const exists = 2
const noSpace = 6
const badName = 7
const tooLarge = 16

type Held = Map<string, Buffer | "directory">

const held = (host: StoreHost): Held =>
    new Map([...host.tree].map(([path, node]) => [path, node.type === 2 ? "directory" : node.content]))

/** A host that remembers its snapshots too. */
class SnapshotHost {
    readonly snapshots = new Map<string, { number: number; content: Held }>()
    constructor(readonly host: StoreHost) {}

    async create(name: string): Promise<number> {
        const content = held(this.host)
        const { status } = await this.host.request(opCreate, [7000, Buffer.from(name)], ({ value }) =>
            this.snapshots.set(name, { number: value, content }),
        )
        return status
    }

    async delete(name: string): Promise<number> {
        const { number } = this.snapshots.get(name)!
        const { status } = await this.host.request(opDelete, [number], () => this.snapshots.delete(name))
        return status
    }

    /** On the chips, and through the store's own queries and reader. */
    async check(): Promise<Figures> {
        const figures = this.host.check()
        assert.deepEqual([...figures.snapshots.keys()].sort(), [...this.snapshots.keys()].sort())
        for (const [name, { content, number }] of this.snapshots) {
            const found = figures.snapshots.get(name)!
            assert.deepEqual([...found.keys()].sort(), [...content.keys()].sort(), name)
            for (const [path, data] of content) assert.deepEqual(found.get(path), data, `${name}/${path}`)
            for (const [path, data] of [...content].slice(0, 6))
                if (data !== "directory") assert.deepEqual(await this.read(number, path), data, `${name}/${path}`)
        }
        return figures
    }

    async lookup(number: number, path: string): Promise<{ status: number; object: number; size: number }> {
        const { volume } = this.host.bench
        const queries = new Queries(volume)
        const frame = Buffer.alloc(236)
        frame.writeUInt16LE(number, 10)
        frame.writeUInt32LE(1, 12)
        const bytes = 16 + frame.write(path, 16)
        const out = Buffer.alloc(236)
        const status = await askVolume(queries, 1, frame, bytes, out, 12)
        return { status, object: out.readUInt32LE(14), size: out.readUInt32LE(18) }
    }

    async read(number: number, path: string): Promise<Buffer> {
        const { status, object } = await this.lookup(number, path)
        assert.equal(status, 0, path)
        return await this.host.bench.readFile(object, number)
    }

    async list(): Promise<{ number: number; mtime: number; pages: number; name: string }[]> {
        const queries = new Queries(this.host.bench.volume)
        const all: { number: number; mtime: number; pages: number; name: string }[] = []
        for (;;) {
            const out = Buffer.alloc(236)
            assert.equal(await askSnapshots(queries, all.at(-1)?.number ?? 0, out, 12), 0)
            assert.ok(queries.bytes <= 224)
            const count = out[12] & 0x7f
            for (let i = 0, at = 13; i < count; i++) {
                const name = out.toString("utf8", at + 10, at + 10 + out[at + 9])
                all.push({
                    number: out[at],
                    mtime: out.readUInt32LE(at + 1),
                    pages: out.readUInt32LE(at + 5),
                    name,
                })
                at += 10 + out[at + 9]
            }
            if (out[12] & 0x80) return all
            assert.ok(count > 0)
        }
    }
}

async function fresh(seed: string, log2 = 19): Promise<SnapshotHost> {
    const bench = new StoreBench(smallPart(log2), 64, seed)
    await bench.mount()
    const host = new StoreHost(bench)
    await host.hello()
    return new SnapshotHost(host)
}

const file = (seed: string, bytes: number) => Buffer.from(new Random(seed).bytes(bytes))

async function idle(host: StoreHost): Promise<void> {
    for (let i = 0; i < 500 && host.bench.volume.orphans; i++) await host.bench.volume.reclaim()
}

describe("store: snapshots", function () {
    this.timeout(120_000)

    it("old content after overwriting, renaming and removing; while an upload is open; after a remount [R30]", async () => {
        const s = await fresh("old")
        const { host } = s
        await host.mkdir("d")
        await host.put("d/f", file("1", 9000))
        await host.put("g", file("2", 300))
        const upload = await host.create()
        await host.write(upload, file("3", 2500))
        const before = host.bench.operations
        assert.equal(await s.create("first"), 0)
        assert.ok(host.bench.operations - before < 16, `made in ${host.bench.operations - before} programs`)
        await s.check()
        await host.write(upload, file("4", 2500))
        assert.equal(await host.commit(upload, "u"), 0)
        assert.equal(await host.put("d/f", file("5", 4000), 1), 0)
        assert.equal(await host.rename("g", "d/moved"), 0)
        await s.check()
        assert.equal(await s.create("second"), 0)
        assert.equal(await host.remove("d/f"), 0)
        assert.equal(await host.remove("d/moved"), 0)
        assert.equal(await host.remove("d"), 0)
        for (let i = 0; i < 20; i++) await host.put("u", file(`u${i}`, 5000), 1)
        await idle(host)
        await s.check()
        host.bench.cutPowerNow()
        await host.powerUp()
        await s.check()
        const [first, second] = [s.snapshots.get("first")!.number, s.snapshots.get("second")!.number]
        assert.equal((await s.lookup(first, "u")).status, notFound, "an upload of then is not in it")
        assert.equal((await s.lookup(second, "u")).status, 0)
        assert.equal((await s.lookup(first ^ 0x80, "g")).status, notFound, "no such snapshot")
        assert.equal((await s.lookup(0x100 + first, "g")).status, notFound)
        assert.equal((await s.lookup(0, "u")).status, 0, "the volume itself shows again")
    })

    it("names, the list, at most eight, and what is refused [R30] [R33]", async () => {
        const s = await fresh("names")
        const { host } = s
        const names = ["a", "ä".repeat(50), "x".repeat(100), "y".repeat(99), "…", " ", "z", "-"]
        for (const name of names) assert.equal(await s.create(name), 0, name)
        assert.equal(await s.create("ninth"), tooLarge)
        assert.deepEqual((await s.list()).map(({ name }) => name).sort(), [...names].sort())
        assert.ok((await s.list()).every(({ mtime }) => mtime === 7000))
        assert.equal(await s.delete("z"), 0)
        const bad = ["", ".", "..", "a/b", "a\0", "x".repeat(101), "\ud800".slice(0, 0)]
        for (const name of bad) assert.equal(await s.create(name), badName, JSON.stringify(name))
        assert.equal((await host.client.send(opCreate, 1, Buffer.from([0xff]))).status, badName)
        assert.equal(await s.create("a"), exists)
        for (const number of [0, 256, 0xffffffff])
            assert.equal((await host.client.send(opDelete, number)).status, notFound)
        assert.equal(await s.create("z"), 0)
        // the list's records are no entries
        for (const directory of [2, 3, 4, 5]) {
            assert.equal((await host.client.send(8, directory, 256, 1, 0)).status, 17)
            assert.equal((await host.client.send(3, directory, 0, Buffer.from("n"))).status, notFound)
        }
        await s.check()
    })

    it("deleting one gives its space back, all of it with the last [R30] [R29]", async () => {
        const s = await fresh("space")
        const { host } = s
        const { volume } = host.bench
        await host.put("stays", file("stays", 20_000), 0, 4000)
        await idle(host)
        const free = freePages(host.bench.volume)
        for (let i = 0; i < 4; i++) await host.put(`f${i}`, file(`f${i}`, 20_000), 0, 4000)
        assert.equal(await s.create("with files"), 0)
        for (let i = 0; i < 4; i++) await host.remove(`f${i}`)
        await idle(host)
        const less = freePages(volume)
        assert.ok(free - less > 300, `${free} free before, ${less} while pinned`)
        const [{ pages }] = await s.list()
        assert.ok(pages > 300 && pages < 500, `${pages} pages held`)
        assert.equal(await s.create("second"), 0)
        await host.put("more", file("more", 9000))
        await s.check()
        assert.equal(await s.delete("with files"), 0)
        await s.check()
        assert.equal(await s.delete("second"), 0)
        await idle(host)
        await s.check()
        assert.ok(freePages(volume) >= free - 60, `${free} free before, ${freePages(volume)} after`)
    })

    it("a full volume: writes and snapshots are refused, deleting snapshots frees it [R30] [R29] [R28]", async () => {
        for (let round = 0; round < 3; round++) {
            const s = await fresh(`full ${round}`, 18)
            const { host } = s
            let snapshots = 0
            let refused = false
            for (let i = 0; i < 400; i++) {
                // the same few names again, without snapshots that would go on for ever; then more of them
                const status = await host.put(
                    refused ? `g${i}` : `f${i % 3}`,
                    file(`${round} ${i}`, 3000 + 1000 * round),
                    1,
                    4000,
                )
                if (status === noSpace) break
                assert.ok(i < 399, "never full")
                if (i % 4 === 3 && !refused) {
                    const made = await s.create(`s${i}`)
                    if (made === 0) snapshots++
                    else refused = true
                    assert.ok(made === 0 || made === noSpace || made === tooLarge, `status ${made}`)
                }
                await idle(host)
            }
            console.log(`      round ${round}: ${snapshots} snapshots, ${available(host.bench.volume.log)} free`)
            assert.ok(snapshots > 0, "none was taken")
            await s.check()
            // idle time may have made room for one more
            let more = await s.create("no")
            while (more === 0) more = await s.create(`no ${++snapshots}`)
            assert.equal(more, snapshots >= 8 ? tooLarge : noSpace)
            // removing gives nothing back, and in the end is refused; removing snapshots is not
            let removed = 0
            while (removed < 600) {
                const name = `n${removed++}`
                if ((await host.mkdir(name)) === 0) await host.remove(name)
                else if ((await host.setattr([...host.tree.keys()][0], removed)) !== 0) break
            }
            await idle(host)
            for (let i = 0; i < 200; i++) assert.equal((await host.client.send(8, 1, 1, 1, 1)).status === 0, false)
            host.client.sequence = 0
            Object.assign(host.client, { session: 99 })
            assert.equal(await host.hello(), 0, "a new session")
            for (const name of [...s.snapshots.keys()]) assert.equal(await s.delete(name), 0, name)
            await idle(host)
            await s.check()
            assert.equal(await host.put("again", file("again", 4000), 1), 0)
            await s.check()
        }
    })

    it("when snapshots hold the last but one segment, only deleting them may write [R30] [R29] [R21]", async () => {
        const s = await fresh("last")
        const { host } = s
        const { log } = host.bench.volume
        const { usage } = log
        await host.mkdir("d")
        await s.create("s")
        usage.freeSegments -= available(log) - 1
        const commit = commitNumber(log)
        assert.equal(await host.mkdir("e"), noSpace)
        assert.equal(await host.remove("d"), noSpace)
        const other = new StoreHost(host.bench, 5)
        assert.equal(await other.hello(), 0)
        assert.equal((await other.client.send(2)).status, 0)
        assert.equal(commitNumber(log), commit, "nothing was written")
        assert.equal(await s.delete("s"), 0)
        assert.ok(available(log) > 1, "counted anew")
        assert.equal(await host.remove("d"), 0)
        await s.check()
    })

    it("a stream from a snapshot goes on through commits, and ends when the snapshot goes [R30]", async () => {
        const s = await fresh("stream")
        const { host } = s
        const data = file("data", 12_000)
        await host.put("f", data)
        await s.create("s")
        const { number } = s.snapshots.get("s")!
        const { object } = host.tree.get("f")!
        await host.put("f", file("other", 100), 1)
        const reader = new Reader(Buffer.alloc(pageBufferBytes))
        assert.equal(await openFile(reader, host.bench.volume, object, 0), notFound)
        assert.equal(await openFile(reader, host.bench.volume, object, number ^ 1), notFound)
        assert.equal(await openFile(reader, host.bench.volume, object, number), 0)
        assert.equal(reader.size, data.length)
        for (let at = 0; at < 9000; at += 224) {
            const out = Buffer.alloc(224)
            assert.equal(await readFile(reader, at, 224, out, 0), 0)
            assert.ok(out.equals(data.subarray(at, at + 224)), `at ${at}`)
            if (at % 5 === 0) await host.mkdir(`m${at}`)
            if (at % 3 === 0) await host.idle(1)
        }
        await s.delete("s")
        assert.equal(await readFile(reader, 9856, 224, Buffer.alloc(224), 0), notFound)
        assert.equal(await openFile(reader, host.bench.volume, object, number), notFound)
        await s.check()
    })

    it("damage in a snapshot is an error for who reads that, and none of the volume's [R30] [R24]", async () => {
        const s = await fresh("damage")
        const { host } = s
        await host.put("f", file("f", 3000))
        await s.create("s")
        for (let i = 0; i < 8; i++) await host.mkdir(`d${i}`)
        const top = await topOf(s, s.snapshots.get("s")!.number)
        for (const chip of host.bench.chips) chip.corrupt(top * 256, new Uint8Array(256).fill(1))
        await host.bench.mount()
        await assert.rejects(s.lookup(s.snapshots.get("s")!.number, "f"), /no node/)
        assert.equal((await s.lookup(0, "f")).status, 0)
        assert.equal(await host.mkdir("after"), 0)
    })

    it("snapshots through 300 random steps, with the log going round [R30] [R28]", async () => {
        for (const seed of ["one", "two"]) {
            const s = await fresh(`random ${seed}`, 18)
            const { host } = s
            const random = new Random(seed)
            for (let i = 0; i < 300; i++) {
                const paths = [...host.tree.keys()]
                const step = random.int(10)
                if (step < 5) await host.put(`f${random.int(8)}`, file(`${i}`, random.int(2500)), 1)
                else if (step === 5 && paths.length) await host.remove(paths[random.int(paths.length)])
                else if (step === 6 && s.snapshots.size < 3) await s.create(`s${i}`)
                else if (step === 7 && s.snapshots.size) await s.delete([...s.snapshots.keys()][0])
                else await host.idle(4)
                if (i % 20 === 0) {
                    host.bench.cutPowerNow()
                    await host.powerUp()
                }
                if (i % 5 === 0) await s.check()
            }
            await s.check()
        }
    })

    it("a cut at every program and erase of making, changing and deleting one [R30] [R23] [R21]", async () => {
        const base = await fresh("cut base", 18)
        await base.host.mkdir("d")
        await base.host.put("d/f", file("1", 2000))
        await base.host.put("g", file("2", 300))
        await base.create("old")
        const images = base.host.bench.snapshot()
        const run = async (operation: number, fraction: number): Promise<number> => {
            const bench = new StoreBench(smallPart(18), 64, operation)
            bench.load(images)
            const host = base.host.copy(bench)
            const s = new SnapshotHost(host)
            for (const [name, snapshot] of base.snapshots) s.snapshots.set(name, snapshot)
            if (operation >= 0) bench.cutPowerAt(operation, fraction)
            if (fraction === 0.5) host.again = [{ after: operation % 7, fraction: (operation % 5) / 4 }]
            try {
                assert.equal(await bench.mount(), true)
            } catch (error) {
                if (!(error instanceof PowerCut)) throw error
                await host.powerUp()
            }
            const upload = await host.create()
            await host.write(upload, file("3", 700))
            assert.equal(await s.create("new"), 0)
            await host.write(upload, file("4", 700))
            assert.equal(await host.commit(upload, "g", 1), 0)
            assert.equal(await host.remove("d/f"), 0)
            assert.equal(await s.delete("old"), 0)
            await host.idle(3)
            assert.equal(await host.put("d/f", file("5", 5000)), 0)
            await s.check()
            bench.powerUp()
            await bench.mount()
            await s.check()
            return bench.operations
        }
        const operations = await run(-1, 0)
        for (let n = 0; n < operations; n++) for (const fraction of [0, 0.5, 1]) await run(n, fraction)
        console.log(`      ${operations * 3} power cuts`)
    })
})

async function topOf(s: SnapshotHost, number: number): Promise<number> {
    const { tree } = s.host.bench.volume
    assert.ok(await findKey(tree, 4, number))
    checkVolume(s.host.bench)
    return tree.leaf.readUInt32LE(tree.valueAt + 4)
}
