// A node of the tree that is good on no element: who needs it hears so, and nobody else is held up by it.

import assert from "node:assert/strict"
import { readThrough } from "../../tools/bridge/client/read-through"
import { isError } from "../../tools/bridge/error"
import { Random } from "../../tools/sim/random"
import { SimSession, source } from "../../tools/sim/session"
import { checkImages } from "./check-images"

const mtime = 1_700_000_000
const pageBytes = 256
const mirror = 2
/** An idle node that met what it cannot read goes on with the next a minute later; the rest is given back within seconds. */
const reclaimedMs = 80_000

/** Both boards are off while a node of the tree that holds entries of a directory, or extents of a file, is damaged on all elements. */
async function loseLeafOf(session: SimSession, object: number, among = 1 / 4): Promise<void> {
    for (const node of ["a", "b"]) session.power(node, false)
    const { tree } = checkImages(session, "a", mirror).reading!
    const leaves = tree.items.filter(item => item.object === object).map(({ leaf }) => leaf)
    const leaf = leaves[Math.floor(leaves.length * among)]
    for (let slot = 0; slot < mirror; slot++)
        session.simulation.cabinet.element(`a:${slot}`).corrupt(leaf * pageBytes, new Uint8Array(pageBytes).fill(1))
    for (const node of ["a", "b"]) session.power(node, true)
    await session.healthy()
}

describe("pair: what can be read on no element", function () {
    this.timeout(120_000)

    it("a directory whose node is lost: an error at once, whoever asks how often; other files and the other volume are served [R24] [R22]", async () => {
        const session = new SimSession({ seed: 5, chip: "W25Q16JV" })
        const { client, simulation } = session
        await session.run(async () => {
            await session.healthy()
            const object = await client.mkdir(0, "lost", { mtime })
            for (let i = 0; i < 60; i++) await client.mkdir(0, `lost/${"n".repeat(190)}${i}`, { mtime })
            const data = new Random("unreadable").bytes(20_000)
            await client.put(0, "kept", source(data), { mtime })
            await client.createSnapshot(0, "s", { mtime })
            await loseLeafOf(session, object)
            let mounts = 0
            client.onControllerChange(volume => (mounts += Number(volume === 0)))
            const fails = async (path: string) => {
                const fromMs = session.nowMs()
                const listed = (async () => {
                    for await (const entry of client.list(0, path)) assert.ok(entry)
                })()
                await assert.rejects(listed, error => isError(error, "ioError"))
                assert.ok(session.nowMs() - fromMs < 2_500, `${path}: ${session.nowMs() - fromMs} ms`)
            }
            for (let i = 0; i < 20; i++) {
                await fails("lost")
                await client.put(0, `kept${i}`, source(data), { mtime })
                await client.put(1, `kept${i}`, source(data), { mtime })
            }
            // one for each question, before it is asked again
            assert.ok(mounts <= 22, `${mounts} mounts for 20 questions`)
            mounts = 0
            for (let i = 0; i < 5; i++) await fails(".snapshots/s/lost")
            assert.equal(mounts, 0)
            assert.ok((await session.readAll(0, "kept")).equals(Buffer.from(data)))
            assert.equal(client.controllerOf(0), 0)
            await client.close()
        })
        await session.bus.close()
        assert.deepEqual(simulation.panics, [])
    })

    it("six ask at once for what is lost, from two hosts: each hears an error, after one mount [R24] [R22]", async () => {
        const session = new SimSession({ seed: 3, chip: "W25Q16JV" })
        const { client, simulation } = session
        const other = session.anotherHost("other")
        await session.run(async () => {
            await session.healthy()
            const object = await client.mkdir(0, "lost", { mtime })
            for (let i = 0; i < 60; i++) await client.mkdir(0, `lost/${"n".repeat(190)}${i}`, { mtime })
            await loseLeafOf(session, object)
            const { epoch } = await client.statfs(0)
            const asked = [client, client, client, client, other.client, other.client].map(async asker => {
                const listed = (async () => {
                    for await (const entry of asker.list(0, "lost")) assert.ok(entry)
                })()
                await assert.rejects(listed, error => isError(error, "ioError"))
            })
            await Promise.all(asked)
            const mounts = (await client.statfs(0)).epoch - epoch
            assert.ok(mounts <= 2, `${mounts} mounts for ${asked.length} questions`)
            await other.client.close()
            await client.close()
        })
        await other.bus.close()
        await session.bus.close()
        assert.deepEqual(simulation.panics, [])
    })

    it("a file's list of pages is lost in the middle: who reads it hears so, and after one mount others are served, also when that host is gone [R24] [R22]", async () => {
        const session = new SimSession({ seed: 6, chip: "W25Q16JV" })
        const { client, simulation } = session
        const other = session.anotherHost("other", { timeoutMs: 5_000 })
        await session.run(async () => {
            await session.healthy()
            const data = new Random("unreadable").bytes(100_000)
            // side by side, so that each is in many pieces
            await Promise.all(["lost", "kept"].map(name => client.put(0, name, source(data), { mtime })))
            await loseLeafOf(session, (await client.stat(0, "lost"))!.object, 1 / 2)
            const { epoch } = await client.statfs(0)
            const read = async () => {
                for await (const part of other.client.get(0, "lost", { offset: 40_000 })) assert.ok(part)
            }
            await assert.rejects(read(), error => isError(error, "ioError"))
            assert.equal((await client.statfs(0)).epoch, epoch + 1)
            await session.sleep(6_000)
            const again = read().catch(() => undefined)
            await session.until("mounted anew", () => client.nodes()[0].ownEpoch > epoch + 1, 20_000)
            simulation.wire.fault.cut = (from, to) => from === "other" || to === "other"
            await session.sleep(2_000)
            const now = (await client.statfs(0)).epoch
            const fromMs = session.nowMs()
            await client.put(0, "after", source(data.subarray(0, 2_000)), { mtime })
            assert.ok(session.nowMs() - fromMs < 2_000, `${session.nowMs() - fromMs} ms`)
            assert.equal((await client.statfs(0)).epoch, now)
            assert.ok((await session.readAll(0, "kept")).equals(Buffer.from(data)))
            simulation.wire.fault.cut = undefined
            await again
            await other.client.close()
            await client.close()
        })
        await other.bus.close()
        await session.bus.close()
        assert.deepEqual(simulation.panics, [])
    })

    it("space whose list is lost does not keep other space from being given back: a full volume can be emptied [R24] [R28]", async () => {
        const session = new SimSession({ seed: 6, chip: "W25Q80" })
        const { client, simulation } = session
        await session.run(async () => {
            await session.healthy()
            const data = new Random("unreadable").bytes(100_000)
            await Promise.all(["lost", "kept"].map(name => client.put(0, name, source(data), { mtime })))
            await loseLeafOf(session, (await client.stat(0, "lost"))!.object, 1 / 2)
            await client.remove(0, "lost", { mtime })
            let files = 0
            const fill = async () => {
                for (; files < 20; files++)
                    await client.put(0, `f${files}`, source(new Random(`f${files}`).bytes(80_000)), { mtime })
            }
            await assert.rejects(fill(), error => isError(error, "noSpace"))
            assert.ok(files > 3)
            const before = (await client.statfs(0)).bytesFree
            for (let i = 0; i < files; i++) await client.remove(0, `f${i}`, { mtime })
            await session.sleep(reclaimedMs)
            assert.ok((await client.statfs(0)).bytesFree >= before + files * 70_000)
            await client.put(0, "after", source(data), { mtime })
            assert.ok((await session.readAll(0, "kept")).equals(Buffer.from(data)))
            await client.close()
        })
        await session.bus.close()
        assert.deepEqual(simulation.panics, [])
    })

    it("space whose list is lost is not given back: the volume is not mounted over and over for it, and a rebuild comes to its end [R24] [R25]", async () => {
        const session = new SimSession({ seed: 6, chip: "W25Q16JV" })
        const { client, simulation } = session
        const element = (slot: number) => simulation.cabinet.element(`a:${slot}`)
        await session.run(async () => {
            await session.healthy()
            const data = new Random("unreadable").bytes(200_000)
            // side by side, so that each is in many pieces
            await Promise.all(["gone", "kept"].map(name => client.put(0, name, source(data), { mtime })))
            const { object } = (await client.stat(0, "gone"))!
            for (const node of ["a", "b"]) session.power(node, false)
            const { tree } = checkImages(session, "a", mirror).reading!
            const leaves = new Set(tree.items.filter(item => item.object === object).map(({ leaf }) => leaf))
            assert.ok(leaves.size > 8)
            element(1).renew()
            element(0).corrupt([...leaves][leaves.size >> 1] * pageBytes, new Uint8Array(pageBytes).fill(1))
            for (const node of ["a", "b"]) session.power(node, true)
            await session.until("served", () => client.controllerOf(0) === 0, 60_000)
            await client.remove(0, "gone", { mtime })
            let mounts = 0
            client.onControllerChange(volume => (mounts += Number(volume === 0)))
            await session.sleep(10_000)
            assert.ok(mounts <= 2, `${mounts} mounts in 10 s`)
            await client.rebuild(0)
            const isWhole = async () => (await client.array(0)).joining === undefined
            while (!(await isWhole())) await session.sleep(500)
            assert.deepEqual((await client.array(0)).members, [0, 1])
            assert.ok((await session.readAll(0, "kept")).equals(Buffer.from(data)))
            await client.put(0, "after", source(data), { mtime })
            await client.close()
        })
        await session.bus.close()
        assert.deepEqual(simulation.panics, [])
    })

    it("a file's page that is good on no element: a scrub cannot tell it from a torn one, reading through names the file, and its snapshot's [R24] [R25]", async () => {
        const session = new SimSession({ seed: 9, chip: "W25Q16JV" })
        const { client, simulation } = session
        await session.run(async () => {
            await session.healthy()
            const random = new Random("read through")
            await client.mkdir(0, "d", { mtime })
            const lost = random.bytes(5_000)
            await client.put(0, "d/lost", source(lost), { mtime })
            for (const name of ["d/kept", "kept"]) await client.put(0, name, source(random.bytes(5_000)), { mtime })
            await client.createSnapshot(0, "s", { mtime })
            await client.put(0, "new", source(random.bytes(5_000)), { mtime })
            for (const node of ["a", "b"]) session.power(node, false)
            for (const slot of [0, 1]) {
                const element = simulation.cabinet.element(`a:${slot}`)
                const at = Buffer.from(element.peek(0, element.part.bytes)).indexOf(lost.subarray(0, 32))
                assert.ok(at > 0)
                element.corrupt(at, Uint8Array.of(1))
            }
            for (const node of ["a", "b"]) session.power(node, true)
            await session.healthy()
            const before = (await client.array(0)).scrub
            await client.scrub(0, 4_000)
            while ((await client.array(0)).scrub.passes === before.passes) await session.sleep(200)
            assert.equal((await client.array(0)).scrub.badPages, before.badPages)
            const told: number[] = []
            const read = await readThrough(client, 0, { onBytes: bytes => told.push(bytes) })
            assert.deepEqual(read.unreadable.map(({ path }) => path).sort(), [".snapshots/s/d/lost", "d/lost"])
            assert.equal(read.files, 5)
            assert.ok(read.bytes >= 25_000 && told.at(-1) === read.bytes)
            await client.close()
        })
        await session.bus.close()
        assert.deepEqual(simulation.panics, [])
    })
})
