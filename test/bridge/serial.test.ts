import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connectBus, realClock, realRandom, type JacdacBus } from "../../tools/bridge/bus"
import { findAnything } from "../../tools/bridge/bus/connect"
import { parseBusAddress } from "../../tools/bridge/bus/address"
import { FrameUnquoter, quoteFrame } from "../../tools/bridge/bus/serial-framing"
import { commandFrame } from "../../tools/bridge/bus/jacdac-frame"
import { SharedTransport } from "../../tools/bridge/bus/shared-links"
import type { Link, LinkEvents } from "../../tools/bridge/bus/transport"
import { TwinfilerClient } from "../../tools/bridge/client"
import { bytes, collect, stream } from "./bench"
import { FakeCabinet } from "./fake-node"
import { startFakeServer } from "./fake-server"
import { UsbBoard } from "./usb-stand-in"
import { seeded, VirtualClock } from "./virtual-clock"

const device = Buffer.from("52f9b1df0de38871", "hex")

describe("serial framing", () => {
    it("every byte passes, wherever the stream is torn, with the board's log in between", () => {
        const frames = [0xfe, 0xfc, 0xfd, 0xf8, 0].map(byte => commandFrame(device, 1, 0x80, Buffer.alloc(40, byte)))
        frames.push(commandFrame(device, 1, 0x80, bytes(236)))
        const log = Buffer.from("DEV: hello\r\n")
        const wire = Buffer.concat(frames.flatMap(frame => [log, quoteFrame(frame)]))
        for (const step of [1, 2, 3, 64, 10_000]) {
            const found: Buffer[] = []
            const unquoter = new FrameUnquoter(frame => found.push(frame))
            for (let at = 0; at < wire.length; at += step) unquoter.push(wire.subarray(at, at + step))
            assert.deepEqual(found, frames)
            assert.equal(unquoter.damagedFrames, 0)
        }
    })

    it("lost, doubled and changed bytes never make a frame that was not sent [R33]", () => {
        const random = seeded(11)
        const frames = Array.from({ length: 300 }, (_, index) =>
            commandFrame(device, 1, 0x80, bytes(random() % 236, index)),
        )
        const sent = new Set(frames.map(frame => frame.toString("hex")))
        let found = 0
        const unquoter = new FrameUnquoter(frame => {
            assert.ok(sent.has(frame.toString("hex")))
            found++
        })
        for (const frame of frames) {
            const quoted = [...quoteFrame(frame)]
            const at = random() % quoted.length
            const fault = random() % 6
            if (fault === 0) quoted.splice(at, 1)
            else if (fault === 1) quoted.splice(at, 0, quoted[at])
            else if (fault === 2) quoted[at] ^= 1 << (random() % 8)
            unquoter.push(Buffer.from(quoted))
        }
        assert.ok(found > 130 && found < 200, `${found} of 300`)
        assert.ok(unquoter.damagedFrames > 50)
    })

    it("addresses: sockets, ports, auto, and what is none", () => {
        assert.deepEqual(parseBusAddress("auto"), { kind: "auto" })
        assert.deepEqual(parseBusAddress("serial:/dev/ttyACM0"), { kind: "serial", paths: ["/dev/ttyACM0"] })
        assert.deepEqual(parseBusAddress("serial:///dev/a,COM3"), { kind: "serial", paths: ["/dev/a", "COM3"] })
        assert.equal(parseBusAddress("ws://[::1]:8081").kind, "socket")
        for (const wrong of ["", "serial:", "serial:a,,b", "http://x", "/dev/ttyACM0"])
            assert.throws(() => parseBusAddress(wrong), { code: "usage" })
    })
})

describe("two links to one bus", () => {
    const frame = (n: number) => commandFrame(device, 1, 0x101, Buffer.of(n))

    async function pair() {
        const clock = new VirtualClock()
        const events: LinkEvents[] = []
        const sent: [number, string][] = []
        const source = (index: number) => ({
            name: `port${index}`,
            open: async (its: LinkEvents): Promise<Link> => {
                events[index] = its
                return { send: out => sent.push([index, Buffer.from(out).toString("hex")]), close: () => undefined }
            },
        })
        const transport = await clock.drive(SharedTransport.open(async () => [source(0), source(1)], clock))
        const got: number[] = []
        transport.onFrame = bytes => got.push(bytes[16])
        return { clock, events, sent, transport, got }
    }

    it("each frame comes up once, in whatever order the copies come; repeats of the sender stay [R21]", async () => {
        const { events, got, transport } = await pair()
        for (const n of [1, 2, 2, 3]) events[0].onFrame(frame(n))
        for (const n of [1, 2, 2, 3, 4]) events[1].onFrame(frame(n)) // link 1 is behind, then ahead
        events[0].onFrame(frame(4))
        assert.deepEqual(got, [1, 2, 2, 3, 4])
        events[1].onFrame(frame(5)) // lost on link 0
        events[0].onFrame(frame(6))
        events[1].onFrame(frame(6))
        assert.deepEqual(got, [1, 2, 2, 3, 4, 5, 6])
        transport.close()
    })

    it("the same frame much later is news; what the host sent itself is not", async () => {
        const { clock, events, got, sent, transport } = await pair()
        events[0].onFrame(frame(1))
        events[1].onFrame(frame(1))
        await clock.drive(clock.sleep(1_500))
        events[1].onFrame(frame(1))
        assert.deepEqual(got, [1, 1])
        transport.send(frame(7))
        assert.equal(sent.length, 1, "sent over one link")
        events[1 - sent[0][0]].onFrame(frame(7)) // the other cable brings it back
        assert.deepEqual(got, [1, 1])
        transport.close()
    })

    it("a link that fell silent is not sent over while the other hears the bus", async () => {
        const { clock, events, sent, transport } = await pair()
        events[0].onFrame(frame(1))
        transport.send(frame(2))
        await clock.drive(clock.sleep(600))
        events[1].onFrame(frame(3))
        transport.send(frame(4))
        assert.deepEqual(
            sent.map(([link]) => link),
            [0, 1],
        )
        transport.close()
    })
})

describe("boards on USB, by pseudo-terminals that speak the serial framing", () => {
    let folder: string
    let cabinet: FakeCabinet
    let boards: UsbBoard[]
    let bus: JacdacBus
    let executed: string[]
    let echo: boolean

    beforeEach(async () => {
        folder = mkdtempSync(join(tmpdir(), "twinfiler-usb-"))
        executed = []
        echo = true
        cabinet = new FakeCabinet(realClock, seeded(1))
        const toBus = (frame: Buffer, from: UsbBoard) => {
            executed.push(frame.toString("hex"))
            cabinet.send(frame)
            if (echo) for (const board of boards) if (board !== from) board.pass(frame)
        }
        boards = ["a", "b"].map(letter => new UsbBoard(join(folder, `tty-${letter}`), toBus))
        cabinet.onFrame = frame => boards.forEach(board => board.pass(Buffer.from(frame)))
        boards.forEach(board => board.plug())
        bus = await connectBus(`serial:${boards.map(({ path }) => path).join(",")}`)
    })

    afterEach(async () => {
        await bus.close()
        boards.forEach(board => board.pull())
        cabinet.stop()
        rmSync(folder, { recursive: true })
    })

    const makeClient = () => new TwinfilerClient(bus, { clock: realClock, random: realRandom })

    /** Of the requests that reached the bus, those that are there more than once: the host repeats one after 300 ms only. */
    const doubled = () => executed.filter((frame, index) => executed.indexOf(frame) !== index)

    it("a file goes out and comes back over two cables, and no command is sent twice [R18 R21]", async () => {
        const client = makeClient()
        await client.ready()
        const data = bytes(3_000)
        await client.put(0, "twice.bin", stream(data), { mtime: 1 })
        assert.deepEqual(await collect(client.get(0, "twice.bin")), data)
        assert.ok(executed.length > 15)
        assert.deepEqual(doubled(), [])
        assert.ok(boards.every(({ badFrames }) => badFrames === 0))
        await client.close()
    })

    it("the cable in use is pulled in mid-transfer: the other carries on; a cable comes back [R18]", async () => {
        const client = makeClient()
        await client.ready()
        const data = bytes(6_000)
        let pulled: UsbBoard | undefined
        async function* pulling(): AsyncGenerator<Uint8Array> {
            for (let at = 0; at < data.length; at += 500) {
                if (at === 2_000) {
                    pulled = boards.reduce((one, other) => (one.received.length > other.received.length ? one : other))
                    pulled.pull()
                }
                if (at === 4_000) pulled!.plug()
                yield data.subarray(at, at + 500)
            }
        }
        await client.put(0, "cable.bin", pulling(), { mtime: 1 })
        const other = boards.find(board => board !== pulled)!
        assert.ok(other.received.length > 0, "the other cable took over")
        assert.deepEqual(await collect(client.get(0, "cable.bin")), data)
        await until(() => boards.every(({ enabled }) => enabled))
        other.pull() // and now all hangs on the one that came back
        await client.mkdir(0, "after", { mtime: 2 })
        assert.deepEqual(bus.problem(), undefined)
        await client.close()
    })

    it("both cables are pulled: it says so, and goes on when one is back", async () => {
        const client = makeClient()
        await client.ready()
        boards.forEach(board => board.pull())
        await until(() => bus.problem() !== undefined)
        assert.match(bus.problem()!, /no board is plugged in/)
        boards[1].plug()
        await client.mkdir(1, "back", { mtime: 1 })
        assert.equal(bus.problem(), undefined)
        await client.close()
    })

    it("a board that restarts behind its adapter is asked for frames again", async () => {
        const client = makeClient()
        await client.ready()
        await until(() => boards.every(({ enabled }) => enabled))
        boards[0].restart()
        boards[0].print(Buffer.from("\r\npanic: restart \xfe\xfc half a frame", "latin1"))
        await until(() => boards[0].enabled)
        await client.close()
    })
})

describe("bus auto", () => {
    it("joins devtools or a simulator that runs; without one it opens the ports", async () => {
        const fake = await startFakeServer()
        const ports = async () => [{ path: "/dev/ttyX", vendorId: 0x2e8a, productId: 10, kind: "Pico" }]
        const find = findAnything(fake.url, ports)
        const names = async (open: string[]) => (await find(new Set(open))).map(({ name }) => name)
        assert.deepEqual(await names([]), [fake.url])
        assert.deepEqual(await names([fake.url]), [], "nothing besides: the ports are its own")
        assert.deepEqual(await names(["/dev/ttyX"]), ["/dev/ttyX"])
        fake.close()
        assert.deepEqual(await names([]), ["/dev/ttyX"])
    })

    it("a port that is not there: an error that says what to do, exit code 5", async () => {
        await assert.rejects(connectBus("serial:/dev/no-such-port"), (error: Error & { exitCode: number }) => {
            assert.match(error.message, /no-such-port: it is not there.*twinfiler doctor/)
            return error.exitCode === 5
        })
        for (const path of ["/dev/null", tmpdir()])
            await assert.rejects(connectBus(`serial:${path}`), { message: /it is no serial port.*twinfiler doctor/ })
    })
})

async function until(condition: () => boolean): Promise<void> {
    const endMs = performance.now() + 10_000
    while (!condition()) {
        if (performance.now() > endMs) throw new Error(`not within 10 s: ${condition}`)
        await new Promise(resolve => setTimeout(resolve, 20))
    }
}
