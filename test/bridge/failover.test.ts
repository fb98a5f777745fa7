import assert from "node:assert/strict"
import type { Command } from "../../tools/bridge/protocol/commands"
import { JacdacBus } from "../../tools/bridge/bus"
import { TwinfilerClient } from "../../tools/bridge/client"
import { bench, bytes, collect, stream } from "./bench"
import { FakeCabinet } from "./fake-node"
import { seeded, VirtualClock } from "./virtual-clock"

const mtime = 1_700_000_000
const isOp = (command: Command, op: string) => command.kind === "request" && command.op === op

describe("client: failover", () => {
    for (const op of ["create", "mkdir", "commit", "rename", "remove"])
        it(`power cut after ${op} is executed, before its reply: the retry gets the stored result [R9] [R21]`, async () => {
            const { clock, cabinet, client } = await bench()
            const data = bytes(5_000)
            let isCut = false
            cabinet.executed = command => {
                if (isCut || !isOp(command, op)) return
                isCut = true
                cabinet.cut(0)
            }
            await clock.drive(client.mkdir(0, "dir", { mtime }))
            await clock.drive(client.put(0, "dir/file", stream(data), { mtime }))
            await clock.drive(client.rename(0, "dir/file", "file", { mtime }))
            await clock.drive(client.remove(0, "dir", { mtime }))
            assert.ok(isCut)
            assert.deepEqual(cabinet.volumes[0].file("file"), data)
            assert.deepEqual(cabinet.executedTwice(), [])
            assert.equal(client.controllerOf(0), 1)
        })

    for (const cutAt of [0, 224, 10_000, 30_016, 59_000])
        it(`put: power cut at byte ${cutAt}, goes on at the partner from the last acknowledged byte [R4] [R21]`, async () => {
            const { clock, cabinet, client } = await bench()
            const data = bytes(60_000)
            let isCut = false
            let sentAgain = 0
            cabinet.sawBlock = offset => {
                if (isCut) sentAgain++
                if (isCut || offset < cutAt) return
                isCut = true
                cabinet.cut(0)
            }
            await clock.drive(client.put(0, "file", stream(data), { mtime }))
            assert.deepEqual(cabinet.volumes[0].file("file"), data)
            assert.ok(sentAgain <= Math.ceil((data.length - cutAt) / 224) + 20, `${sentAgain} blocks after the cut`)
            assert.deepEqual(cabinet.executedTwice(), [])
        })

    it("get: power cut in mid-read, the rest comes from the partner [R4]", async () => {
        const { clock, cabinet, client } = await bench()
        const data = bytes(60_000)
        await clock.drive(client.put(0, "file", stream(data), { mtime }))
        clock.setTimeout(() => cabinet.cut(0), 1_000)
        assert.deepEqual(await clock.drive(collect(client.get(0, "file"))), data)
    })

    it("nobody controls the volume for 20 s: requests are late, not errors", async () => {
        const { clock, cabinet, client } = await bench()
        cabinet.cut(0, 20_000)
        const start = clock.now()
        await clock.drive(client.mkdir(0, "dir", { mtime }))
        assert.ok(clock.now() - start > 19_000 && clock.now() - start < 21_500)
    })

    it("a host that comes when a board is silent already, and nobody has its volume yet: late, not missing [R4] [R9]", async () => {
        const clock = new VirtualClock()
        const cabinet = new FakeCabinet(clock, seeded(2))
        cabinet.cut(0, 8_000)
        const bus = new JacdacBus(cabinet, { clock, random: seeded(1) })
        const client = new TwinfilerClient(bus, { clock, random: seeded(1) })
        await clock.drive(client.settle())
        assert.deepEqual(
            [0, 1, 2].map(volume => client.hasVolume(volume)),
            [true, true, false],
        )
        const quick = { mtime, timeoutMs: 3_000 }
        await assert.rejects(clock.drive(client.mkdir(0, "dir", quick)), /no node controls volume a/)
        await assert.rejects(clock.drive(client.mkdir(2, "dir", quick)), /no volume c on this bus; there is b/)
        await clock.drive(client.mkdir(0, "dir", { mtime }))
        assert.ok(clock.now() > 8_000 && clock.now() < 9_500, `${clock.now()} ms`)
        assert.equal(client.controllerOf(0), 1)
    })

    it("nobody ever controls it: a clear error after the timeout, not for ever", async () => {
        const { clock, cabinet, client } = await bench(1, {}, 3_000)
        cabinet.cut(0, 1_000_000)
        await assert.rejects(clock.drive(client.mkdir(0, "dir", { mtime })), /no node controls volume a/)
        cabinet.cut(1, 1_000_000)
        await assert.rejects(clock.drive(client.mkdir(0, "dir", { mtime })), { code: "noNode", exitCode: 5 })
    })

    it("the upload is lost: a source that can be read again is sent again, another fails [R21]", async () => {
        const { clock, cabinet, client } = await bench()
        const data = bytes(30_000)
        const lose = () => {
            let count = 0
            cabinet.sawBlock = () => ++count === 60 && cabinet.volumes[0].uploads.clear()
        }
        lose()
        await clock.drive(client.put(0, "file", () => stream(data), { mtime }))
        assert.deepEqual(cabinet.volumes[0].file("file"), data)
        lose()
        await assert.rejects(clock.drive(client.put(0, "other", stream(data), { mtime })), { code: "noUpload" })
        assert.equal(cabinet.volumes[0].file("other"), undefined)
    })

    for (const op of ["mkdir", "commit", "rename", "remove"])
        it(`session forgotten while the outcome of ${op} is unknown: looked up, not run twice, and nobody else's is taken for it [R21]`, async () => {
            const { clock, cabinet, client } = await bench()
            const data = bytes(2_000)
            let isForgotten = false
            let runs = 0
            cabinet.executed = command => {
                if (!isOp(command, op)) return
                if (isForgotten) return void runs++
                isForgotten = true
                cabinet.cut(0)
                cabinet.volumes[0].sessions.clear()
            }
            const work = (async () => {
                await client.mkdir(0, "dir", { mtime })
                await client.put(0, "dir/file", stream(data), { mtime })
                await client.rename(0, "dir/file", "file", { mtime })
                await client.remove(0, "dir", { mtime })
            })()
            if (op === "mkdir" || op === "remove") await assert.rejects(clock.drive(work), { code: "unknownOutcome" })
            else {
                await clock.drive(work)
                assert.deepEqual(cabinet.volumes[0].file("file"), data)
            }
            // The retry that was answered `noSession` reached `executed`, but nothing ran.
            assert.ok(runs <= 1)
            assert.deepEqual(cabinet.executedTwice(), [])
        })

    it("session forgotten between two requests: a new one, and nobody notices", async () => {
        const { clock, cabinet, client } = await bench()
        await clock.drive(client.mkdir(0, "one", { mtime }))
        cabinet.volumes[0].sessions.clear()
        await clock.drive(client.mkdir(0, "two", { mtime }))
        assert.equal(cabinet.volumes[0].objects.size, 3)
    })

    it("a file replaced in mid-read is an error, before the first byte it is the new file", async () => {
        const { clock, cabinet, client } = await bench()
        await clock.drive(client.put(0, "file", stream(bytes(200_000, 1)), { mtime }))
        const other = bytes(20_000, 2)
        const replace = () => client.put(0, "file", stream(other), { mtime })
        const entry = await clock.drive(client.stat(0, "file"))
        let isBegun = false
        const read = (async () => {
            for await (const piece of client.get(0, "file"))
                if (piece.length && !isBegun) {
                    isBegun = true
                    await replace()
                    cabinet.giveControl(0, 1) // the partner has no frames of the old one under way
                }
        })()
        await assert.rejects(clock.drive(read), { code: "replaced" })
        await assert.rejects(clock.drive(collect(client.read(0, entry))), { code: "replaced" })
        assert.deepEqual(await clock.drive(collect(client.get(0, "file"))), other)
    })

    it("takeover and giveback, dry runs, and the reason of a veto [R15]", async () => {
        const { clock, client } = await bench()
        await clock.drive(client.takeover(1, { dryRun: true }))
        assert.equal(client.controllerOf(0), 0)
        await clock.drive(client.takeover(1))
        await clock.drive(clock.sleep(200))
        assert.equal(client.controllerOf(0), 1)
        await assert.rejects(clock.drive(client.takeover(1)), /that is so already/)
        // nothing stands in the way of what is so
        await clock.drive(client.takeover(1, { dryRun: true }))
        await clock.drive(client.giveback(1))
        await clock.drive(clock.sleep(200))
        assert.equal(client.controllerOf(0), 0)
        await assert.rejects(clock.drive(client.giveback(1, { dryRun: true })), { code: "vetoed" })
    })

    it("takeover whose outcome is lost: asked again, the node tells it again, and only then it is done [R15] [R21]", async () => {
        const { clock, cabinet, client } = await bench()
        const toHost = cabinet.toHost.bind(cabinet)
        let outcomes = 0
        cabinet.toHost = frame => {
            if ((frame.readUInt16LE(14) & 0x10f) !== 0x104 || ++outcomes > 2) toHost(frame)
        }
        await clock.drive(client.takeover(1))
        assert.equal(outcomes, 3)
        assert.equal(client.controllerOf(0), 1)
        assert.equal(cabinet.volumes[0].epoch, 2, "it was done once")
    })

    it("takeover whose node starts anew meanwhile: refused for now it is asked anew, not told the same refusal again [R15]", async () => {
        const { clock, cabinet, client } = await bench()
        cabinet.isDeaf = cabinet.nodes[1].isStarting = true
        clock.setTimeout(() => (cabinet.isDeaf = false), 200)
        clock.setTimeout(() => (cabinet.nodes[1].isStarting = false), 1_000)
        const from = clock.now()
        await clock.drive(client.takeover(1))
        assert.ok(clock.now() - from < 1_500, `${clock.now() - from} ms`)
        assert.deepEqual(cabinet.nodes[1].controls, [1, 0])
    })

    it("both volumes at once, both boards cut one after the other, a bad bus [R11] [R21]", async () => {
        for (const seed of [11, 12, 13]) {
            const { clock, cabinet, client } = await bench(seed, { loss: 0.03, duplicate: 0.03 })
            const data = [bytes(40_000, seed), bytes(40_000, seed + 1)]
            const puts = data.map((content, volume) => client.put(volume, "file", () => stream(content), { mtime }))
            clock.setTimeout(() => cabinet.cut(0), 300)
            clock.setTimeout(() => {
                cabinet.nodes[0].isOn = true
                cabinet.giveControl(0, 0)
                cabinet.cut(1)
            }, 900)
            await clock.drive(Promise.all(puts))
            for (const volume of [0, 1]) assert.deepEqual(cabinet.volumes[volume].file("file"), data[volume])
            assert.deepEqual(cabinet.executedTwice(), [])
        }
    })
})
