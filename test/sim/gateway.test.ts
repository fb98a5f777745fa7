// The gateway with real sockets: devtools' framing both ways, hostile input, the control lane, and an unmodified jacdac-ts bus.

import assert from "node:assert/strict"
import { createServer, connect, type Socket } from "node:net"
import * as jacdac from "jacdac-ts"
import { WebSocket } from "ws"
import { EventQueue } from "../../tools/sim/event-queue"
import { Gateway, type GatewayOptions } from "../../tools/sim/gateway"
import { checkFrame, TcpDeframer, tcpFramed } from "../../tools/sim/gateway-frames"
import { Random } from "../../tools/sim/random"
import { frameCrc, Wire } from "../../tools/sim/wire"

/** What a plain client uses of jacdac-ts, whose own types TypeScript does not find (its package.json names none for imports). */
interface JacdacTs {
    DEVICE_ANNOUNCE: string
    createWebSocketTransport(url: string, options: object): object
    JDBus: new (
        transports: object[],
        options: object,
    ) => {
        on(event: string, handler: (device: Announced) => void): void
        start(): void
        stop(): Promise<void>
        connect(background: boolean): Promise<void>
        disconnect(): Promise<void>
        dispose(): void
    }
}

interface Announced {
    deviceId: string
    serviceClassAt(index: number): number
}

function frameOf(payload: number[], device = [1, 2, 3, 4, 5, 6, 7, 8], command = 0x1001, service = 1): Uint8Array {
    const frame = new Uint8Array(16 + payload.length)
    frame[2] = 4 + payload.length
    frame.set(device, 4)
    frame.set([payload.length, service, command & 255, command >> 8], 12)
    frame.set(payload, 16)
    const crc = frameCrc(frame)
    frame[0] = crc & 255
    frame[1] = crc >> 8
    return frame
}

/** A wire that runs as its clients send, in virtual time. */
class Bench {
    readonly events = new EventQueue()
    readonly wire = new Wire(this.events, new Random(1))
    readonly heard: Uint8Array[] = []
    readonly frames: string[] = []
    readonly counts: number[] = []
    readonly node = this.wire.attach({ id: "node", deliver: frame => void this.heard.push(frame) })
    gateway!: Gateway
    private readonly sockets: { close?(): void; destroy?(): void }[] = []
    private readonly pump = setInterval(() => this.events.runUntil(this.events.nowNs + 10e6), 2)

    async open(options: Partial<GatewayOptions> = {}): Promise<this> {
        this.gateway = await Gateway.open({
            wire: this.wire,
            webPort: 0,
            tcpPort: 0,
            onFrame: client => void this.frames.push(client),
            onClients: count => void this.counts.push(count),
            ...options,
        })
        return this
    }

    async web(path = "/", origin?: string): Promise<{ socket: WebSocket; messages: Uint8Array[]; texts: string[] }> {
        const socket = new WebSocket(`ws://127.0.0.1:${this.gateway.webPort}${path}`, { origin })
        const messages: Uint8Array[] = []
        const texts: string[] = []
        socket.on(
            "message",
            (data: Buffer, isBinary) =>
                void (isBinary ? messages.push(new Uint8Array(data)) : texts.push(String(data))),
        )
        this.sockets.push(socket)
        await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject))
        return { socket, messages, texts }
    }

    async tcp(): Promise<{ socket: Socket; bytes: number[] }> {
        const socket = connect(this.gateway.tcpPort, "127.0.0.1")
        const bytes: number[] = []
        socket.on("data", chunk => void bytes.push(...chunk))
        this.sockets.push(socket)
        await new Promise(resolve => socket.once("connect", resolve))
        return { socket, bytes }
    }

    async close(): Promise<void> {
        clearInterval(this.pump)
        for (const socket of this.sockets) (socket.destroy ?? socket.close)?.call(socket)
        await this.gateway?.close()
    }
}

async function until(what: () => boolean): Promise<void> {
    for (let tries = 0; tries < 400; tries++) {
        if (what()) return
        await new Promise(resolve => setTimeout(resolve, 5))
    }
    assert.fail(`never true: ${what}`)
}

describe("gateway: framing", () => {
    let bench: Bench
    beforeEach(async () => (bench = await new Bench().open()))
    afterEach(() => bench.close())

    it("web socket: one binary message is one frame, nothing is said first [R3] [R4]", async () => {
        const { socket, messages, texts } = await bench.web()
        socket.send(frameOf([1, 2, 3, 4]))
        await until(() => bench.heard.length === 1)
        assert.deepEqual(bench.heard[0], frameOf([1, 2, 3, 4]))
        bench.node.send(frameOf([9]))
        await until(() => messages.length === 1)
        assert.deepEqual(messages[0], frameOf([9]))
        assert.deepEqual(texts, [])
        assert.deepEqual(bench.frames, ["ws1"])
    })

    it("TCP: a length byte before each frame, also when they come in pieces [R3] [R4]", async () => {
        const { socket, bytes } = await bench.tcp()
        const stream = [...tcpFramed(frameOf([1])), ...tcpFramed(frameOf([2, 2])), 0xff, 17, 0, ...frameOf([3])]
        for (const byte of stream) {
            socket.write(Uint8Array.of(byte))
            if (byte % 5 === 0) await new Promise(resolve => setImmediate(resolve))
        }
        await until(() => bench.heard.length === 3)
        assert.deepEqual(bench.heard, [frameOf([1]), frameOf([2, 2]), frameOf([3])])
        const longest = frameOf(Array.from({ length: 236 }, (_, i) => i))
        bench.node.send(longest)
        await until(() => bytes.length >= 253)
        assert.deepEqual(bytes, [252, ...longest])
    })

    it("a client's frames reach the other clients, not itself [R3]", async () => {
        const web = await bench.web()
        const other = await bench.web("/any/path?x=1")
        const tcp = await bench.tcp()
        web.socket.send(frameOf([5]))
        await until(() => other.messages.length === 1 && tcp.bytes.length === 18 && bench.heard.length === 1)
        assert.deepEqual(web.messages, [])
        assert.deepEqual(bench.counts, [1, 2, 3])
        tcp.socket.destroy()
        await until(() => bench.counts.length === 4)
        assert.equal(bench.counts[3], 2)
    })

    it("damaged frames are dropped and counted by kind; good ones go on [R33]", async () => {
        const { socket } = await bench.web()
        const wrongCrc = frameOf([1, 2])
        wrongCrc[17] ^= 1
        for (const bad of [
            new Uint8Array(0),
            Uint8Array.of(1, 2, 3),
            frameOf([1, 2, 3]).slice(0, 17),
            wrongCrc,
            new Uint8Array(300),
        ])
            socket.send(bad)
        const longPacket = frameOf([1, 2, 3, 4])
        longPacket[2] = 250
        socket.send(longPacket)
        socket.send(frameOf([7]))
        await until(() => bench.heard.length === 1)
        assert.deepEqual(bench.gateway.statistics()[0], {
            id: "ws1",
            framesIn: 1,
            framesOut: 0,
            drops: { short: 3, oversized: 2, crc: 1, overflow: 0, slow: 0 },
        })
    })

    it("a message beyond all bounds ends that client only [R33]", async () => {
        const bad = await bench.web()
        const good = await bench.web()
        bad.socket.on("error", () => {})
        bad.socket.send(new Uint8Array(1 << 20))
        await until(() => bench.gateway.statistics().length === 1)
        good.socket.send(frameOf([1]))
        await until(() => bench.heard.length === 1)
    })

    it("random bytes on TCP: no frame, no crash, other clients served [R33]", async () => {
        const random = new Random(5)
        const { socket } = await bench.tcp()
        for (let i = 0; i < 50; i++) socket.write(random.bytes(1000))
        const { socket: good } = await bench.web()
        good.send(frameOf([1]))
        await until(() => bench.heard.length === 1)
        const [tcp] = bench.gateway.statistics()
        assert.equal(tcp.framesIn, 0)
        assert.ok(tcp.drops.short + tcp.drops.oversized + tcp.drops.crc > 0)
    })

    it("a flood is bounded: what the wire cannot take is dropped and counted [R26]", async () => {
        const { socket } = await bench.web()
        // All in one piece, while virtual time stands
        const frame = frameOf(Array.from({ length: 236 }, () => 1))
        for (let i = 0; i < 3000; i++) socket.send(frame)
        await until(() => (bench.gateway.statistics()[0]?.drops.overflow ?? 0) > 0)
        const { framesIn, drops } = bench.gateway.statistics()[0]
        assert.ok(framesIn >= 1024, `${framesIn} ${drops.overflow}`)
    })

    it("devtools' side messages: bcast is accepted, the rest is answered as unknown [R4]", async () => {
        const { socket, texts } = await bench.web()
        socket.send("not json")
        socket.send(JSON.stringify({ req: "build", seq: 7, data: {} }))
        socket.send(JSON.stringify({ req: "bcast", seq: 8, data: { enabled: true } }))
        await until(() => texts.length === 2)
        assert.deepEqual(
            texts.map(text => JSON.parse(text)),
            [
                { resp: "error", seq: 7, data: { message: "unknown msg type: build" } },
                { resp: "bcast", seq: 8, data: {} },
            ],
        )
    })

    it("TCP deframer holds one message at most, whatever comes [R26]", () => {
        const deframer = new TcpDeframer()
        const random = new Random(3)
        for (let i = 0; i < 2000; i++)
            for (const message of deframer.push(random.bytes(97))) assert.ok(message.length <= 65535)
        assert.deepEqual(new TcpDeframer().push(Uint8Array.of(0, 1, 9, 0)), [
            Uint8Array.of(),
            Uint8Array.of(9),
            Uint8Array.of(),
        ])
    })

    it("padding behind a frame is taken off [R33]", () => {
        const padded = Uint8Array.from([...frameOf([1]), 0, 0, 0])
        assert.deepEqual(checkFrame(padded), frameOf([1]))
    })
})

describe("gateway: control lane", () => {
    let bench: Bench
    const asked: Record<string, unknown>[] = []
    beforeEach(
        async () =>
            (bench = await new Bench().open({
                control: async request => {
                    asked.push(request)
                    if (request.power === "z") throw new Error("no node z; there are a, b")
                    return { ok: true }
                },
            })),
    )
    afterEach(() => bench.close())

    it("answers in order, with the request's id; errors as JSON [R19] [R36]", async () => {
        const { socket, texts } = await bench.web("/control")
        socket.send('{"power": "a", "on": false, "id": 1}')
        socket.send('{"power": "z", "on": false, "id": 2}')
        socket.send("[]")
        socket.send("{")
        await until(() => texts.length === 4)
        const answers = texts.map(text => JSON.parse(text) as Record<string, unknown>)
        assert.deepEqual(answers.slice(0, 2), [
            { ok: true, id: 1 },
            { error: "no node z; there are a, b", id: 2 },
        ])
        assert.match(String(answers[2].error), /one JSON object/)
        assert.match(String(answers[3].error), /one JSON object/)
        assert.deepEqual(asked[0], { power: "a", on: false, id: 1 })
        assert.deepEqual(bench.counts, [], "control clients are not on the bus")
    })

    it("events go to every control client, not to the bus [R36]", async () => {
        const control = await bench.web("/control")
        const bus = await bench.web()
        bench.gateway.announce({ event: "power", node: "a", on: false })
        await until(() => control.texts.length === 1)
        assert.deepEqual(JSON.parse(control.texts[0]), { event: "power", node: "a", on: false })
        assert.deepEqual(bus.texts, [])
    })

    it("a web page from elsewhere is refused, one from this machine is not [R33]", async () => {
        await assert.rejects(bench.web("/control", "https://example.com"), /403/)
        await bench.web("/control", "http://localhost:3000")
    })
})

describe("gateway: ports", () => {
    it("a port in use: named, with its option, and nothing left open [R33]", async () => {
        const taken = createServer().listen(0, "127.0.0.1")
        await new Promise(resolve => taken.once("listening", resolve))
        const port = (taken.address() as { port: number }).port
        const wire = new Wire(new EventQueue(), new Random(1))
        await assert.rejects(
            Gateway.open({ wire, webPort: 0, tcpPort: port }),
            new RegExp(`TCP port ${port} is in use; .*--tcp-port`),
        )
        await assert.rejects(
            Gateway.open({ wire, webPort: port, tcpPort: 0 }),
            new RegExp(`web socket port ${port} is in use; .*--port`),
        )
        taken.close()
    })
})

describe("gateway: jacdac-ts", () => {
    it("an unmodified JDBus on the web socket sees a device that announces itself on the wire [R3] [R20]", async () => {
        const bench = await new Bench().open()
        const scope = globalThis as { WebSocket?: unknown }
        const before = scope.WebSocket
        scope.WebSocket = WebSocket
        const { createWebSocketTransport, DEVICE_ANNOUNCE, JDBus } = jacdac as unknown as JacdacTs
        const transport = createWebSocketTransport(`ws://127.0.0.1:${bench.gateway.webPort}/`, {
            protocols: [],
            WebSocket,
        })
        const bus = new JDBus([transport], { client: false, disableRoleManager: true })
        try {
            const seen: Announced[] = []
            bus.on(DEVICE_ANNOUNCE, device => void seen.push(device))
            bus.start()
            await bus.connect(true)
            const temperature = 0x1421bac7
            const announce = () =>
                bench.node.send(
                    frameOf(
                        [
                            1,
                            0,
                            0,
                            0,
                            temperature & 255,
                            (temperature >> 8) & 255,
                            (temperature >> 16) & 255,
                            temperature >>> 24,
                        ],
                        [1, 2, 3, 4, 5, 6, 7, 8],
                        0,
                        0,
                    ),
                )
            announce()
            await until(() => seen.length === 1)
            assert.equal(seen[0].deviceId, "0102030405060708")
            assert.equal(seen[0].serviceClassAt(1), temperature)
            // And the other way: what the bus sends reaches the node
            await until(() => bench.heard.length > 0)
        } finally {
            await bus.disconnect()
            await bus.stop()
            bus.dispose()
            scope.WebSocket = before
            await bench.close()
        }
    })
})
