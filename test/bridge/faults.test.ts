import assert from "node:assert/strict"
import { commandFrame } from "../../tools/bridge/bus/jacdac-frame"
import { encodeNotice } from "../../tools/bridge/protocol/notices"
import { commandCodes, noticeCode, noticeKinds, queryOps } from "../../tools/bridge/protocol/numbers"
import { bench, bytes, collect, stream, type Bench } from "./bench"

const mtime = 1_700_000_000

/** Of the only packet, behind the frame's head. */
const codeOf = (frame: Uint8Array) => frame[14] + 256 * frame[15]

const refusal = (tag: number, object: number) =>
    encodeNotice(
        { kind: "data", volume: 0, tag, status: "wrongEpoch", flags: 0, offset: 0, data: Buffer.alloc(0) },
        object,
    )

async function traffic({ clock, cabinet, client }: Bench, seed: number): Promise<void> {
    const data = bytes(20_000 + seed * 7, seed)
    await clock.drive(client.mkdir(0, "dir", { mtime }))
    await clock.drive(client.put(0, "dir/file", stream(data), { mtime }))
    assert.deepEqual(await clock.drive(collect(client.get(0, "dir/file"))), data)
    await clock.drive(client.rename(0, "dir/file", "dir/moved", { mtime }))
    await clock.drive(client.put(0, "dir/moved", stream(data.subarray(5)), { mtime }))
    assert.deepEqual(cabinet.volumes[0].file("dir/moved"), data.subarray(5))
    await clock.drive(client.remove(0, "dir/moved", { mtime }))
    await clock.drive(client.remove(0, "dir", { mtime }))
    assert.equal(cabinet.volumes[0].objects.size, 1)
    assert.deepEqual(cabinet.executedTwice(), [])
}

describe("client: a bad bus", () => {
    for (const seed of [1, 2, 3, 4, 5, 6])
        it(`lost, doubled and damaged frames, seed ${seed}: every request runs once [R21] [R33]`, async () => {
            const some = await bench(seed, { loss: 0.05, duplicate: 0.05, damage: 0.02 })
            await traffic(some, seed)
        })

    it("window: never more than 16 blocks beyond the acknowledged offset, never 8 requests exceeded", async () => {
        const { clock, cabinet, client } = await bench(3, { loss: 0.02 })
        let beyond = 0
        cabinet.sawBlock = offset => {
            const held = [...cabinet.volumes[0].uploads.keys()].map(object => cabinet.volumes[0].held(object)!)
            beyond = Math.max(beyond, offset + 224 - Math.min(...held))
        }
        await clock.drive(client.put(0, "file", stream(bytes(60_000), 5_000), { mtime }))
        assert.ok(beyond <= 16 * 224, `${beyond} bytes`)
        cabinet.sawBlock = () => undefined
        await clock.drive(Promise.all(Array.from({ length: 40 }, () => client.find(0, "file"))))
        assert.equal(client.counters.outstandingHighWater, 8)
    })

    it("go-back: one lost block costs a window, not the file", async () => {
        const { clock, cabinet, client } = await bench()
        let isLost = false
        const send = cabinet.send.bind(cabinet)
        let blocks = 0
        cabinet.send = frame => {
            if (frame[14] === 0x80 && ++blocks === 40 && !isLost) isLost = true
            else send(frame)
        }
        const data = bytes(224 * 100)
        const start = clock.now()
        await clock.drive(client.put(0, "file", stream(data), { mtime }))
        assert.deepEqual(cabinet.volumes[0].file("file"), data)
        assert.ok(isLost && blocks <= 100 + 2 * 16 + 4, `${blocks} blocks sent`)
        assert.ok(clock.now() - start < 1_500, `${clock.now() - start} ms`)
    })

    it("one frame of a read says wrongEpoch although no beat tells another epoch: what is asked later names that of the beats [R31]", async () => {
        const { clock, cabinet, client } = await bench()
        const data = bytes(2_000)
        await clock.drive(client.put(0, "file", stream(data), { mtime }))
        const { object } = await clock.drive(client.stat(0, "file"))
        const toHost = cabinet.toHost.bind(cabinet)
        const code = noticeCode(0, noticeKinds.data)
        let refused = 0
        cabinet.toHost = frame => {
            const isFirst = frame.readUInt16LE(14) === code && refused++ === 0
            toHost(isFirst ? commandFrame(frame.subarray(4, 12), frame[13], code, refusal(frame[21], object)) : frame)
        }
        assert.deepEqual(await clock.drive(collect(client.get(0, "file"))), data)
        await clock.drive(clock.sleep(300))
        cabinet.sent.length = 0
        assert.deepEqual(await clock.drive(collect(client.get(0, "file"))), data)
        assert.ok(refused > 0)
        const epochs = cabinet.sent.map(command => ("epoch" in command ? command.epoch : undefined))
        assert.deepEqual([...new Set(epochs)], [1])
    })

    it("a put asks how much is held, a late block comes after that and its progress before the answer: it goes on [R21] [R33]", async () => {
        const { clock, cabinet, client } = await bench()
        const [send, toHost] = [cabinet.send.bind(cabinet), cabinet.toHost.bind(cabinet)]
        let blocks = 0
        let asked = 0
        let overtaken = 0
        cabinet.send = frame => {
            const code = codeOf(frame)
            if (code === commandCodes.query && frame[21] === queryOps.upload) asked++
            if (code === commandCodes.write && ++blocks === 20) {
                cabinet.volumes[0].epoch++
                clock.setTimeout(() => send(frame), 110)
            } else send(frame)
        }
        cabinet.toHost = frame => {
            if (asked && codeOf(frame) === noticeCode(0, noticeKinds.progress)) overtaken++
            const isHeld = codeOf(frame) === noticeCode(0, noticeKinds.answer) && frame[21] === queryOps.upload
            if (isHeld) clock.setTimeout(() => toHost(frame), 120)
            else toHost(frame)
        }
        const data = bytes(20_000)
        await clock.drive(client.put(0, "file", stream(data), { mtime }))
        assert.ok(asked === 1 && overtaken > 0, `asked ${asked}, ${overtaken} overtook`)
        assert.deepEqual(cabinet.volumes[0].file("file"), data)
    })

    it("a damaged report is dropped and counted, and asked for again [R33]", async () => {
        const { clock, client } = await bench(9, { damage: 0.3 })
        await clock.drive(client.mkdir(0, "dir", { mtime }))
        assert.equal((await clock.drive(client.stat(0, "dir"))).type, "directory")
    })

    it("the slow source of a put is not the node's fault: no timeout while it thinks", async () => {
        const { clock, cabinet, client } = await bench(1, {}, 2_000)
        const data = bytes(1_000)
        const slow = async function* () {
            yield data.subarray(0, 500)
            await clock.sleep(10_000)
            yield data.subarray(500)
        }
        await clock.drive(client.put(0, "file", slow(), { mtime }))
        assert.deepEqual(cabinet.volumes[0].file("file"), data)
    })

    it("a reader that stops early cancels the read", async () => {
        const { clock, cabinet, client } = await bench()
        await clock.drive(client.put(0, "file", stream(bytes(60_000)), { mtime }))
        await clock.drive(
            (async () => {
                for await (const piece of client.get(0, "file")) if (piece.length) break
            })(),
        )
        await clock.drive(clock.sleep(500))
        assert.deepEqual(
            cabinet.sent.filter(({ kind }) => kind === "read").map(read => (read as { length: number }).length),
            [60_000, 0],
        )
    })

    it("a slow reader of a large file bounds what is held", async () => {
        const { clock, client } = await bench()
        const data = bytes(400_000)
        await clock.drive(client.put(0, "file", stream(data), { mtime }))
        let largest = 0
        const pieces: Uint8Array[] = []
        await clock.drive(
            (async () => {
                for await (const piece of client.get(0, "file")) {
                    largest = Math.max(largest, piece.length)
                    pieces.push(piece)
                    await clock.sleep(20_000)
                }
            })(),
        )
        assert.deepEqual(Buffer.concat(pieces), data)
        assert.ok(largest <= 131_072 + 65_536, `${largest} bytes at once`)
    })

    it("a stopped put aborts its upload and leaves no name", async () => {
        const { clock, cabinet, client } = await bench()
        const stop = new AbortController()
        const put = client.put(0, "file", stream(bytes(100_000)), {
            mtime,
            signal: stop.signal,
            onProgress: done => done > 20_000 && stop.abort(),
        })
        await assert.rejects(clock.drive(put), { code: "aborted", exitCode: 130 })
        assert.equal(cabinet.volumes[0].uploads.size, 0)
        assert.equal(cabinet.volumes[0].file("file"), undefined)
    })

    it("a source that fails aborts the upload, and its error comes through", async () => {
        const { clock, cabinet, client } = await bench()
        const broken = async function* () {
            yield bytes(1_000)
            throw new Error("the disk is gone")
        }
        await assert.rejects(clock.drive(client.put(0, "file", broken(), { mtime })), /the disk is gone/)
        assert.equal(cabinet.volumes[0].uploads.size, 0)
    })

    it("busy nodes are asked again", async () => {
        const { clock, cabinet, client } = await bench()
        let refusals = 5
        cabinet.refuse = () => refusals-- > 0
        await clock.drive(client.mkdir(0, "dir", { mtime }))
        assert.deepEqual(cabinet.executedTwice(), [])
    })

    it("nine puts at once on one volume: never more than four uploads open, all arrive", async () => {
        const { clock, cabinet, client } = await bench()
        let most = 0
        cabinet.sawBlock = () => (most = Math.max(most, cabinet.volumes[0].uploads.size))
        const data = Array.from({ length: 9 }, (_, index) => bytes(3_000 + index, index))
        await clock.drive(Promise.all(data.map((one, index) => client.put(0, `f${index}`, stream(one), { mtime }))))
        data.forEach((one, index) => assert.deepEqual(cabinet.volumes[0].file(`f${index}`), one))
        assert.equal(most, 4)
    })
})
