// Extended properties live and die with their object. docs/FORMAT.md, "Keys and records"; docs/PROTOCOL.md, op 12 and query 9.

import assert from "node:assert/strict"
import { Queries, askVolume } from "../../src/store/queries"
import { smallPart, StoreBench } from "../support/store-bench"
import { propertiesOf } from "../support/snapshot-checker"
import { StoreHost } from "../support/store-host"
import { Random } from "../../tools/sim/random"

const opSetProperty = 12
const notFound = 1
const badRequest = 8
const tooLarge = 16

async function fresh(seed: string): Promise<StoreHost> {
    const bench = new StoreBench(smallPart(18), 64, seed)
    await bench.mount()
    const host = new StoreHost(bench)
    await host.hello()
    return host
}

const text = (bytes: string) => Buffer.from(bytes, "latin1")

/** The arguments of a request. */
const setting = (object: number, name: string, value: string, mtime = 0): (number | Buffer)[] => [
    object,
    mtime,
    Buffer.from([name.length]),
    text(name),
    text(value),
]

async function set(host: StoreHost, object: number, name: string, value: string, mtime = 0): Promise<number> {
    return (await host.request(opSetProperty, setting(object, name, value, mtime), () => {})).status
}

async function get(host: StoreHost, object: number, snapshot = 0): Promise<Record<string, string> | number> {
    const queries = new Queries(host.bench.volume)
    const frame = Buffer.alloc(236)
    frame.writeUInt16LE(snapshot, 10)
    frame.writeUInt32LE(object, 12)
    const out = Buffer.alloc(236)
    const status = await askVolume(queries, 9, frame, 16, out, 12)
    if (status !== 0) return status
    return queries.bytes === 0 ? {} : Object.fromEntries(propertiesOf(out.subarray(12, 12 + queries.bytes)))
}

describe("store: properties", function () {
    this.timeout(60_000)

    it("set, replaced, removed, listed; kept over a remount; the change number rises [R29]", async () => {
        const host = await fresh("set")
        await host.put("f", Buffer.from("f"))
        const { object } = host.tree.get("f")!
        const { directory } = host.bench.volume
        assert.deepEqual(await get(host, object), {})
        await directory.load(object)
        const change = directory.inode.readUInt32LE(12)
        const mtime = directory.inode.readUInt32LE(8)
        assert.equal(await set(host, object, "a", "1"), 0)
        assert.equal(await set(host, object, "b", "\0\xff binary"), 0)
        assert.equal(await set(host, object, "a", "longer"), 0)
        assert.equal(await set(host, 1, "root", "too"), 0)
        assert.deepEqual(await get(host, object), { a: "longer", b: "\0\xff binary" })
        await directory.load(object)
        assert.ok(directory.inode.readUInt32LE(12) > change)
        assert.equal(directory.inode.readUInt32LE(8), mtime, "mtime 0 leaves it")
        assert.equal(await set(host, object, "b", "", 77), 0)
        await directory.load(object)
        assert.equal(directory.inode.readUInt32LE(8), 77)
        assert.equal(await set(host, object, "b", ""), notFound)
        host.bench.cutPowerNow()
        await host.powerUp()
        assert.deepEqual(await get(host, object), { a: "longer" })
        assert.deepEqual(await get(host, 1), { root: "too" })
        assert.equal(await set(host, object, "a", ""), 0)
        assert.deepEqual(await get(host, object), {})
        assert.equal(host.check().properties.size, 1)
    })

    it("200 bytes fit and no more; what is no request is refused [R29] [R33]", async () => {
        const host = await fresh("large")
        await host.mkdir("d")
        const { object } = host.tree.get("d")!
        assert.equal(await set(host, object, "n", "v".repeat(197)), 0)
        assert.equal(await set(host, object, "n", "v".repeat(198)), tooLarge)
        assert.equal(await set(host, object, "m", "v"), tooLarge)
        assert.equal(await set(host, object, "n", "w".repeat(100)), 0)
        assert.equal(await set(host, object, "m", "w".repeat(94)), 0)
        assert.equal(await set(host, object, "m", "w".repeat(95)), tooLarge)
        assert.deepEqual(await get(host, object), { n: "w".repeat(100), m: "w".repeat(94) })
        const upload = await host.create()
        for (const none of [0, 2, 3, 4, 5, 15, 999, upload]) {
            assert.equal(await set(host, none, "n", "v"), notFound, `object ${none}`)
            assert.equal(await get(host, none), notFound)
        }
        assert.equal(await set(host, object, "", "v"), badRequest)
        assert.equal((await host.client.send(opSetProperty, object, 0)).status, badRequest)
        assert.equal((await host.client.send(opSetProperty, object, 0, text("\x05abc"))).status, badRequest)
        host.check()
    })

    it("kept over rename and over replacing the content; gone with the object, also a large one [R29]", async () => {
        const host = await fresh("life")
        await host.put("f", Buffer.alloc(300, 1))
        await host.put("g", Buffer.alloc(300, 2))
        await host.put("large", Buffer.alloc(60_000, 3), 0, 4000)
        await host.mkdir("d")
        for (const path of ["f", "g", "large", "d"]) await set(host, host.tree.get(path)!.object, "of", path)
        assert.equal(await host.put("f", Buffer.alloc(900, 4), 1), 0)
        assert.deepEqual(await get(host, host.tree.get("f")!.object), { of: "f" }, "PUT over it")
        assert.equal(await host.rename("f", "g", 1), 0)
        assert.deepEqual(await get(host, host.tree.get("g")!.object), { of: "f" }, "MOVE over another")
        assert.equal(await host.rename("g", "d/g"), 0)
        assert.deepEqual(await get(host, host.tree.get("d/g")!.object), { of: "f" })
        for (const path of ["large", "d/g", "d"]) assert.equal(await host.remove(path), 0)
        assert.equal(host.check().properties.size, 0)
    })

    it("a snapshot keeps those of its time [R30]", async () => {
        const host = await fresh("snapshot")
        await host.put("f", Buffer.alloc(10))
        const { object } = host.tree.get("f")!
        await set(host, object, "a", "old")
        const { value } = await host.client.send(10, 5, text("s"))
        await set(host, object, "a", "new")
        assert.deepEqual(await get(host, object, value), { a: "old" })
        assert.deepEqual(await get(host, object), { a: "new" })
        await host.remove("f")
        assert.deepEqual(await get(host, object, value), { a: "old" })
        assert.equal(await get(host, object), notFound)
        host.check()
    })

    it("a cut at every program and erase of setting one, and of what moves it [R29] [R23] [R21]", async () => {
        const base = await fresh("cut")
        await base.put("f", Buffer.alloc(500, 1))
        await base.put("g", Buffer.alloc(500, 1))
        const images = base.bench.snapshot()
        const run = async (operation: number, fraction: number): Promise<number> => {
            const bench = new StoreBench(smallPart(18), 64, operation)
            bench.load(images)
            const host = base.copy(bench)
            if (operation >= 0) bench.cutPowerAt(operation, fraction)
            try {
                await bench.mount()
            } catch {
                await host.powerUp()
            }
            const { object } = host.tree.get("f")!
            assert.equal(await set(host, object, "a", "1"), 0)
            assert.equal(await set(host, object, "b", "2"), 0)
            assert.equal(await set(host, object, "a", ""), 0)
            assert.equal(await host.put("f", Buffer.alloc(700, 2), 1), 0)
            assert.equal(await host.rename("f", "g", 1), 0)
            assert.deepEqual(await get(host, host.tree.get("g")!.object), { b: "2" })
            assert.equal(host.check().properties.size, 1)
            return bench.operations
        }
        const operations = await run(-1, 0)
        for (let n = 0; n < operations; n++) for (const fraction of [0, 0.5, 1]) await run(n, fraction)
    })

    it("against a map in memory, at random [R29]", async () => {
        const host = await fresh("random")
        const random = new Random("properties")
        const expected = new Map<number, Map<string, string>>()
        for (let i = 0; i < 6; i++) await host.mkdir(`d${i}`)
        const objects = [...host.tree.values()].map(({ object }) => object)
        for (let i = 0; i < 400; i++) {
            const object = objects[random.int(objects.length)]
            const name = "n".repeat(1 + random.int(5))
            const value = random.chance(0.2) ? "" : "v".repeat(1 + random.int(90))
            const held = expected.get(object) ?? new Map<string, string>()
            const others = [...held].filter(([key]) => key !== name)
            const used = others.reduce((sum, [key, held]) => sum + 2 + key.length + held.length, 0)
            const status = await set(host, object, name, value)
            if (value === "") assert.equal(status, held.has(name) ? 0 : notFound)
            else assert.equal(status, used + 2 + name.length + value.length > 200 ? tooLarge : 0)
            if (status === 0) expected.set(object, new Map(value ? [...others, [name, value]] : others))
            assert.deepEqual(await get(host, object), Object.fromEntries(expected.get(object) ?? []))
        }
        host.check()
    })
})
