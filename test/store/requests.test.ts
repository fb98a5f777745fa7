// What docs/PROTOCOL.md promises of requests: exactly once, sessions, names, listing; and that no frame does harm.

import { commitNumber } from "../../src/store/log"
import assert from "node:assert/strict"
import { Queries, askVolume, getattr, lookupPath, readdir } from "../../src/store/queries"
import { smallPart, StoreBench } from "../support/store-bench"
import { checkVolume } from "../support/store-checker"
import { StoreClient } from "../support/store-client"
import { StoreHost } from "../support/store-host"
import { collidingNames, hashOfName } from "../support/store-names"
import { Random } from "../../tools/sim/random"
import { executeRequest } from "../../src/store/requests"

const silent = 255
const badRequest = 8
const noSession = 11

async function fresh(log2 = 18): Promise<StoreHost> {
    const bench = new StoreBench(smallPart(log2), 64)
    await bench.mount()
    return new StoreHost(bench)
}

interface Listed {
    key: number
    object: number
    name: string
}

/** All pages of a listing; `between` runs after each. */
async function list(
    host: StoreHost,
    directory: number,
    between?: (listed: Listed[]) => Promise<void>,
): Promise<Listed[]> {
    const queries = new Queries(host.bench.volume)
    const all: Listed[] = []
    let cookie = 0
    for (;;) {
        const out = Buffer.alloc(236)
        assert.equal(await readdir(queries, directory, cookie, out, 12, 224), 0)
        const p = out.subarray(12, 12 + queries.bytes)
        assert.ok(queries.bytes <= 224)
        const count = p[0] & 0x7f
        for (let i = 0, at = 1; i < count; i++) {
            const bytes = p[at + 22]
            all.push({
                key: p.readUInt32LE(at),
                object: p.readUInt32LE(at + 6),
                name: p.toString("utf8", at + 23, at + 23 + bytes),
            })
            at += 23 + bytes
        }
        if (p[0] & 0x80) return all
        assert.ok(count > 0, "a page of no entries that is not the last")
        cookie = all[all.length - 1].key
        if (between) await between(all)
    }
}

describe("store: requests", function () {
    this.timeout(60_000)

    it("exactly once: the table of sequences [R21]", async () => {
        const { bench } = await fresh()
        const c = new StoreClient(bench, 5)
        const name = Buffer.from("once")
        c.sequence = 1
        assert.equal((await c.again(3, 1, 0, name)).status, noSession, "a session nobody opened")
        const { challenge } = bench.volume
        c.sequence = 2
        assert.equal((await c.again(1, challenge)).status, noSession, "hello that is not the first")
        c.sequence = 0
        assert.equal((await c.hello()).status, 0)
        assert.equal((await c.again(1, challenge)).status, 0, "hello again")
        const made = await c.send(3, 1, 0, name)
        assert.equal(made.status, 0)
        const commit = commitNumber(bench.volume.log)
        assert.deepEqual(await c.again(3, 1, 0, name), made, "equal: the stored result")
        assert.equal(commitNumber(bench.volume.log), commit)
        c.sequence = 4
        assert.equal((await c.again(3, 1, 0, Buffer.from("x"))).status, silent, "more than one more")
        c.sequence = 1
        assert.equal((await c.again(1)).status, silent, "less")
        c.sequence = 2
        assert.equal((await c.send(3, 1, 0, name)).status, 2, "a failure is a result")
        assert.equal((await c.again(3, 1, 0, name)).status, 2)
        await bench.mount()
        assert.deepEqual(await c.again(3, 1, 0, name), { status: 2, value: 0 }, "also after a takeover")
        assert.equal((await c.send(2)).status, 0)
        assert.equal((await c.again(2)).status, 0, "bye again")
        assert.equal((await c.send(3, 1, 0, name)).status, noSession, "after bye")
        checkVolume(bench)
    })

    it("a full volume's noSpace is the session's result: the next request is in order [R21] [R29]", async () => {
        const host = await fresh()
        await host.hello()
        let i = 0
        while ((await host.mkdir(`${"x".repeat(190)}${i}`)) === 0) i++
        assert.equal(await host.mkdir("more"), 6)
        assert.equal(await host.remove(`${"x".repeat(190)}0`), 0)
        host.check()
    })

    it("the ninth session pushes out the one used longest ago [R21]", async () => {
        const { bench } = await fresh()
        const clients = Array.from({ length: 9 }, (_, i) => new StoreClient(bench, 100 + i))
        for (const c of clients.slice(0, 8)) assert.equal((await c.hello()).status, 0)
        assert.equal((await clients[0].send(4)).status, 0, "the first is used again")
        assert.equal((await clients[8].hello()).status, 0)
        assert.equal((await clients[1].send(4)).status, noSession)
        for (const i of [0, 2, 3, 4, 5, 6, 7]) assert.notEqual((await clients[i].send(9, 1, 5)).status, noSession)
        await bench.mount()
        assert.equal((await clients[0].send(9, 1, 5)).status, 0)
        checkVolume(bench)
    })

    for (const { end, finish } of [
        { end: "its bye", finish: async (c: StoreClient) => assert.equal((await c.send(2)).status, 0) },
        {
            end: "eight others",
            finish: async (_: StoreClient, bench: StoreBench) => {
                for (let i = 0; i < 8; i++) assert.equal((await new StoreClient(bench, 200 + i).hello()).status, 0)
            },
        },
        {
            end: "its bye and a mount",
            finish: async (c: StoreClient, bench: StoreBench) => {
                assert.equal((await c.send(2)).status, 0)
                assert.equal(await bench.mount(), true)
            },
        },
    ])
        it(`what a session asked comes once more, late, after ${end}: not done again [R21]`, async () => {
            const { bench } = await fresh()
            const c = new StoreClient(bench, 5)
            const name = Buffer.from("d")
            const { challenge } = bench.volume
            assert.equal((await c.hello()).status, 0)
            const hello = c.frame(1, challenge)
            assert.equal((await c.send(3, 1, 0, name)).status, 0)
            const mkdir = c.frame(3, 1, 0, name)
            await finish(c, bench)
            const other = new StoreClient(bench, 99)
            assert.equal((await other.hello()).status, 0)
            await bench.volume.directory.lookup(1, name, 0, 1)
            const { key, object } = bench.volume.directory
            assert.equal((await other.send(8, 1, key, object, 0)).status, 0)
            const commit = commitNumber(bench.volume.log)
            for (const { frame, bytes } of [hello, mkdir])
                assert.equal(await executeRequest(bench.requests, frame, bytes), noSession)
            assert.equal(commitNumber(bench.volume.log), commit, "nothing is executed")
            assert.deepEqual(await list(new StoreHost(bench), 1), [])
            checkVolume(bench)
        })

    it("hello: refused with the challenge of the next one, which one session takes; without one it is a bad request [R21] [R33]", async () => {
        const { bench } = await fresh()
        const [one, other] = [new StoreClient(bench, 5), new StoreClient(bench, 6)]
        const refused = await one.send(1, 0)
        assert.equal(refused.status, noSession)
        assert.equal((await other.send(1, refused.value)).status, 0)
        assert.deepEqual(await one.again(1, refused.value), { status: noSession, value: refused.value + 1 })
        assert.deepEqual(await one.again(1, refused.value + 1), { status: 0, value: 0 })
        const late = new StoreClient(bench, 7)
        assert.equal((await late.send(1)).status, badRequest)
        assert.equal((await late.again(1, bench.volume.challenge)).status, 0, "nothing was stored")
        checkVolume(bench)
    })

    it("names: 200 bytes and UTF-8 are taken, all others refused [R29] [R33]", async () => {
        const host = await fresh()
        await host.hello()
        const good = [
            "a",
            "ä".repeat(100),
            "x".repeat(200),
            "…",
            "😀".repeat(50),
            "..a",
            "...",
            "a.",
            " ",
            "\\",
            "\x01",
        ]
        for (const name of good) assert.equal(await host.mkdir(name), 0, name)
        const bad: Buffer[] = [
            Buffer.from(""),
            Buffer.from("."),
            Buffer.from(".."),
            Buffer.from("a\0"),
            Buffer.alloc(201, 0x61),
            Buffer.alloc(204, 0x61),
            Buffer.from([0xff]),
            Buffer.from([0x80]),
            Buffer.from([0xc0, 0x80]),
            Buffer.from([0xc3]),
            Buffer.from([0xe2, 0x82]),
            Buffer.from([0xf5, 0x80, 0x80, 0x80]),
            Buffer.from([0xc3, 0x41]),
            // overlong forms of "/" and a surrogate half: no UTF-8 (RFC 3629 §4)
            Buffer.from([0xe0, 0x80, 0xaf]),
            Buffer.from([0xf0, 0x80, 0x80, 0xaf]),
            Buffer.from([0xed, 0xa0, 0x80]),
            Buffer.from([0xf4, 0x90, 0x80, 0x80]),
        ]
        for (const name of bad) assert.equal((await host.client.send(3, 1, 0, name)).status, 7, name.toString("hex"))
        assert.equal((await host.client.send(3, 1, 0, Buffer.from("a/b"))).status, 7)
        assert.equal((await list(host, 1)).length, good.length)
        host.check()
    })

    it("names of the same hash live beside each other, and keep their keys when one goes [R29]", async () => {
        const host = await fresh()
        await host.hello()
        const [names] = collidingNames(3, 1)
        for (const name of names) assert.equal(hashOfName(name), hashOfName(names[0]))
        for (const name of names) assert.equal(await host.mkdir(name), 0)
        const keys = [await host.key(names[0]), await host.key(names[1]), await host.key(names[2])]
        assert.equal(await host.remove(names[1]), 0)
        assert.equal(await host.mkdir(names[0]), 2)
        assert.equal(await host.mkdir(names[2]), 2)
        assert.equal(await host.key(names[2]), keys[2])
        assert.equal(await host.mkdir(names[1]), 0)
        assert.equal(await host.key(names[1]), keys[1])
        assert.equal(await host.rename(names[0], names[2], 1), 0)
        assert.equal(await host.rename(names[2], names[0], 1), 0)
        host.check()
    })

    it("listing while entries come and go: what stays is listed once, in pages that fit a frame [R29]", async () => {
        const host = await fresh(19)
        await host.hello()
        const stays = Array.from({ length: 60 }, (_, i) => `s${i}`.padEnd(1 + ((i * 47) % 200), "y"))
        stays.push("z".repeat(200), "z".repeat(199), "z".repeat(198), "z".repeat(197))
        for (const name of stays) assert.equal(await host.mkdir(name), 0)
        for (let i = 0; i < 30; i++) assert.equal(await host.mkdir(`goes${i}`), 0)
        let n = 0
        const all = await list(host, 1, async () => {
            if (n < 30) assert.equal(await host.remove(`goes${n}`), 0)
            assert.equal(await host.mkdir(`comes${n++}`), 0)
        })
        const names = all.map(entry => entry.name)
        assert.equal(new Set(names).size, names.length, "an entry twice")
        for (const name of stays) assert.ok(names.includes(name), `${name} is missing`)
        host.check()
    })

    it("lookup walks a path, and says how far it came [R29]", async () => {
        const host = await fresh()
        await host.hello()
        await host.mkdir("a")
        await host.mkdir("a/b")
        await host.put("a/b/c", Buffer.from("hello"))
        const queries = new Queries(host.bench.volume)
        const out = Buffer.alloc(236)
        const ask = async (path: string, junk = "") => {
            const frame = Buffer.from(path + junk)
            return await lookupPath(queries, 1, frame, 0, Buffer.byteLength(path), out, 12)
        }
        assert.equal(await ask("a/b/c"), 0)
        assert.equal(out.readUInt32LE(14), host.tree.get("a/b/c")!.object)
        assert.equal(out.readUInt32LE(12 + 18), host.tree.get("a/b")!.object)
        assert.equal(await ask("a/b/c", "/d"), 0, "what stands behind the path is not read")
        assert.equal(await ask(""), 0)
        assert.equal(await ask("a/x/c"), 1)
        assert.equal(out[12], 1)
        assert.equal(await ask("a/b/c/d"), 3)
        for (const path of ["/", "a/", "a//b", "./a", "a/.."]) assert.equal(await ask(path), 7, path)
    })

    it("what a commit, rename or remove must refuse [R29] [R21]", async () => {
        const host = await fresh()
        await host.hello()
        await host.mkdir("d")
        await host.mkdir("d/e")
        await host.put("f", Buffer.alloc(300))
        const upload = await host.create()
        await host.write(upload, Buffer.alloc(10))
        const { client } = host
        const d = host.tree.get("d")!.object
        const f = host.tree.get("f")!.object
        assert.equal((await client.send(0x85, upload, 11, 0, 1, Buffer.from("u"))).status, 15, "size")
        assert.equal((await client.send(0x85, upload, 10, 0, 999, Buffer.from("u"))).status, 1)
        assert.equal((await client.send(0x85, upload, 10, 0, f, Buffer.from("u"))).status, 3)
        assert.equal((await client.send(0x85, upload, 10, 0, 1, Buffer.from("d"))).status, 4)
        assert.equal((await client.send(0x85, upload, 10, 0, upload, Buffer.from("d"))).status, 1, "into an upload")
        assert.equal((await client.send(0x85, f, 300, 0, 1, Buffer.from("u"))).status, 12)
        assert.equal((await client.send(0x85, 0, 0, 0, 1, Buffer.from("u"))).status, 12)
        for (const object of [0, 1, 2, 3, f]) assert.equal((await client.send(6, object)).status, 12)
        assert.equal((await client.send(8, 1, await host.key("d"), f, 0)).status, 17)
        assert.equal((await client.send(8, 1, 0, d, 0)).status, 17, "the inode is no entry")
        assert.equal((await client.send(8, 2, upload, 77, 0)).status, 17)
        assert.equal((await client.send(9, 2, 0)).status, 1)
        assert.equal((await client.send(9, upload, 0)).status, 1)
        assert.equal(await host.rename("d", "f", 1), 3)
        assert.equal(await host.rename("f", "d", 1), 4)
        assert.equal(await host.rename("d", "d", 1), 0)
        assert.equal(await host.rename("d", "d/e/x", 1), 8)
        host.check()
        assert.equal(await host.commit(upload, "u"), 0)
        host.check()
    })

    it("10,000 damaged frames do no harm [R33]", async () => {
        const host = await fresh(19)
        const { bench } = host
        await host.hello()
        await host.mkdir("d")
        await host.put("d/f", Buffer.alloc(2000, 3))
        await host.put("g", Buffer.alloc(100, 3))
        const random = new Random("frames")
        const statuses = new Map<number, number>()
        const queries = new Queries(bench.volume)
        const out = Buffer.alloc(236)
        const root = bench.volume.log.root
        for (let i = 0; i < 10_000; i++) {
            const op = 1 + random.int(14)
            const { frame } = host.client.frame(
                op,
                random.int(20),
                random.int(20),
                random.int(20),
                random.int(20),
                Buffer.from(random.bytes(random.int(30))),
            )
            // the session's present place, as stored, so that most of them get as far as being run
            frame.writeUInt32LE(root.readUInt32LE(24 + 32), 8)
            frame.writeUInt32LE(root.readUInt32LE(24 + 36) + 1, 12)
            for (let n = random.int(6); n > 0; n--)
                frame[random.int(4) ? 16 + random.int(220) : random.int(236)] = random.int(256)
            if (random.chance(0.2)) frame.fill(random.chance(0.5) ? 0xff : 0, 16 + random.int(100))
            const bytes = random.int(4) ? 16 + random.int(221) : random.int(237)
            if (root.readUInt32LE(24 + 32) === 0) {
                host.client.sequence = 0
                await host.client.hello()
            }
            const status = await executeRequest(bench.requests, frame, bytes)
            statuses.set(status, (statuses.get(status) ?? 0) + 1)
            if (i % 3 === 0) {
                const n = random.int(237 - 16)
                await lookupPath(queries, frame.readUInt32LE(16) % 40, frame, 16, n, out, 12)
                await readdir(queries, frame.readUInt32LE(16) % 40, frame.readUInt32LE(20), out, 12, 224)
                await getattr(queries, frame.readUInt32LE(16) % 40, out, 12)
                await askVolume(queries, 1 + random.int(9), frame, Math.max(bytes, 16), out, 12)
            }
            if (i % 250 === 0) checkVolume(bench)
        }
        checkVolume(bench)
        console.log(
            `      statuses: ${[...statuses]
                .sort((a, b) => a[0] - b[0])
                .map(([s, n]) => `${s}:${n}`)
                .join(" ")}`,
        )
    })
})
