import assert from "node:assert/strict"
import * as net from "node:net"
import type { AddressInfo } from "node:net"
import { WebSocketServer } from "ws"
import { connectBus, JacdacBus, type FrameTransport } from "../../tools/bridge/bus"
import { commandFrame, eachPacket } from "../../tools/bridge/bus/jacdac-frame"
import { frameSplitter } from "../../tools/bridge/bus/sockets"
import { bytes } from "./bench"
import { libraryCommand } from "./jacdac-packet"
import { seeded, VirtualClock } from "./virtual-clock"

const device = Buffer.from("52f9b1df0de38871", "hex")

describe("bus", () => {
    it("our frames are jacdac-ts's, byte for byte", () => {
        for (const count of [0, 1, 2, 3, 4, 100, 235, 236]) {
            const data = bytes(count)
            // jacdac-ts leaves the last packet unpadded; the size field and what follows differ by the padding only.
            const ours = commandFrame(device, 1, 0x80, data)
            const theirs = libraryCommand(device, 0x80, data)
            assert.deepEqual(ours.subarray(4, theirs.length), theirs.subarray(4))
            for (const frame of [ours, theirs]) {
                const found: Buffer[] = []
                assert.ok(eachPacket(frame, (_, __, packet) => found.push(packet)))
                assert.deepEqual(found, [data])
            }
        }
    })

    it("announces the host service each 500 ms, for nodes without a partner [R4]", async () => {
        const clock = new VirtualClock()
        const sent: Buffer[] = []
        const transport: FrameTransport = { send: frame => sent.push(Buffer.from(frame)) }
        const bus = new JacdacBus(transport, { clock, random: seeded(1) })
        await clock.drive(clock.sleep(1_600))
        const announced = sent.filter(frame => frame.length >= 24 && frame.readUInt32LE(20) === 0x17f11e51)
        assert.equal(announced.length, 4)
        await bus.close()
    })

    it("hostile frames of every length harm nothing [R33]", async () => {
        const clock = new VirtualClock()
        const transport: FrameTransport = { send: () => undefined }
        const bus = new JacdacBus(transport, { clock, random: seeded(1) })
        const random = seeded(5)
        for (let index = 0; index < 2_000; index++) transport.onFrame!(bytes(random() % 253, index))
        assert.ok(bus.droppedFrames > 1_500)
        await bus.close()
    })

    it("a TCP stream is cut into frames wherever it is torn; side messages are skipped", () => {
        const frames = [bytes(20), bytes(252, 2), bytes(16, 3)]
        const side = Buffer.concat([Buffer.of(0xff, 0x2c, 0x01), bytes(300)])
        const wire = Buffer.concat([
            ...frames.slice(0, 2).map(frame => Buffer.concat([Buffer.of(frame.length), frame])),
            side,
            Buffer.concat([Buffer.of(16), frames[2]]),
        ])
        for (const step of [1, 7, 100, 1_000]) {
            const found: Buffer[] = []
            const split = frameSplitter({ onFrame: frame => found.push(Buffer.from(frame)) })
            for (let at = 0; at < wire.length; at += step) split(wire.subarray(at, at + step))
            assert.deepEqual(found, frames)
        }
    })

    it("nothing listens: an error that says what to do, exit code 5", async () => {
        const server = net.createServer().listen(0, "127.0.0.1")
        await new Promise(resolve => server.on("listening", resolve))
        const { port } = server.address() as AddressInfo
        await new Promise(resolve => server.close(resolve))
        for (const scheme of ["ws", "tcp"])
            await assert.rejects(connectBus(`${scheme}://127.0.0.1:${port}`), (error: Error & { exitCode: number }) => {
                assert.match(error.message, /no bus at .*twinfiler sim --dir DIR/)
                return error.exitCode === 5
            })
        await assert.rejects(connectBus("http://x"), { code: "usage", exitCode: 2 })
    })

    it("a bus that goes away and comes back is joined again", async () => {
        const first = new WebSocketServer({ port: 0, host: "127.0.0.1" })
        await new Promise(resolve => first.on("listening", resolve))
        const { port } = first.address() as AddressInfo
        const bus = await connectBus(`ws://127.0.0.1:${port}`)
        assert.equal(bus.problem(), undefined)
        for (const client of first.clients) client.terminate()
        await new Promise(resolve => first.close(resolve))
        await new Promise(resolve => setTimeout(resolve, 30))
        assert.match(bus.problem() ?? "", /is lost/)
        const second = new WebSocketServer({ port, host: "127.0.0.1" })
        await new Promise(resolve => second.on("connection", resolve))
        await new Promise(resolve => setTimeout(resolve, 30))
        assert.equal(bus.problem(), undefined)
        await bus.close()
        second.close()
    })
})
