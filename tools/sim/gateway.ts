// Serves the bus to programs outside, exactly as `devs devtools` does, and a control lane for our own tools. Kept true:
// - only this machine can connect; a web page from elsewhere cannot use the control lane;
// - whatever a client sends, the simulation sees whole frames with a right CRC, or nothing and a count;
// - what waits for a client, or from one, is bounded: beyond that frames are dropped and counted, as on a bus.

import { createServer as createHttpServer, type IncomingMessage, type Server as HttpServer } from "node:http"
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from "node:net"
import type { Duplex } from "node:stream"
import { WebSocketServer, type RawData, type WebSocket } from "ws"
import { checkFrame, TcpDeframer, tcpFramed, type FrameFault } from "./gateway-frames"
import type { Endpoint } from "./wire"

const host = "127.0.0.1"
const messageBytesMax = 65536
const waitingFramesMax = 1024
const unsentBytesMax = 1 << 20

export type Drop = FrameFault | "overflow" | "slow"

export interface ClientStatistics {
    id: string
    framesIn: number
    framesOut: number
    drops: Record<Drop, number>
}

/** What the gateway needs of a Wire. */
export interface GatewayWire {
    attach(endpoint: Endpoint): { send(frame: Uint8Array): void; detach(): void }
}

export interface GatewayOptions {
    wire: GatewayWire
    /** 0 = any free port */
    webPort?: number
    tcpPort?: number
    /** Answers one control message; a thrown error is sent to the client as its message */
    control?(request: Record<string, unknown>): unknown
    /** Called before a client's frame enters the wire: the pace needs it */
    onFrame?(client: string): void
    /** Called when the number of clients on the bus changes; control clients do not count */
    onClients?(count: number): void
}

interface Client {
    statistics: ClientStatistics
    /** Bytes that the socket has not taken yet */
    unsent(): number
    write(frame: Uint8Array): void
    close(): void
}

export class Gateway {
    private readonly http: HttpServer
    private readonly tcp: TcpServer
    private readonly web = new WebSocketServer({
        noServer: true,
        maxPayload: messageBytesMax,
        perMessageDeflate: false,
    })
    private readonly clients = new Map<string, Client>()
    private readonly controls = new Set<WebSocket>()
    private clientIds = 0

    static async open(options: GatewayOptions): Promise<Gateway> {
        const gateway = new Gateway(options)
        try {
            await listen(gateway.http, options.webPort ?? 8081, "web socket", "--port")
            await listen(gateway.tcp, options.tcpPort ?? 8082, "TCP", "--tcp-port")
        } catch (error) {
            await gateway.close()
            throw error
        }
        return gateway
    }

    private constructor(private readonly options: GatewayOptions) {
        this.http = createHttpServer((request, response) => {
            const isKnown = request.url === "/"
            response.writeHead(isKnown ? 200 : 404, { "Content-Type": "text/plain; charset=utf-8" })
            response.end(
                isKnown ? "Twinfiler cabinet. Web socket: / is the Jacdac bus, /control takes JSON.\n" : "not here\n",
            )
        })
        this.http.on("upgrade", (request, socket, head) => this.upgrade(request, socket, head))
        this.tcp = createTcpServer(socket => this.acceptTcp(socket))
    }

    get webPort(): number {
        return (this.http.address() as AddressInfo).port
    }

    get tcpPort(): number {
        return (this.tcp.address() as AddressInfo).port
    }

    statistics(): ClientStatistics[] {
        return [...this.clients.values()].map(({ statistics }) => structuredClone(statistics))
    }

    /** An event to every control client. */
    announce(event: Record<string, unknown>): void {
        const text = JSON.stringify(event)
        for (const socket of this.controls) if (socket.bufferedAmount < unsentBytesMax) socket.send(text)
    }

    async close(): Promise<void> {
        for (const client of [...this.clients.values()]) client.close()
        for (const socket of this.controls) socket.terminate()
        await Promise.all([closed(this.http), closed(this.tcp)])
    }

    private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
        socket.on("error", () => socket.destroy())
        const path = (request.url ?? "/").split("?")[0]
        const isControl = path === "/control"
        if (isControl && !isFromHere(request.headers.origin)) {
            socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n")
            return
        }
        this.web.handleUpgrade(request, socket, head, web =>
            isControl ? this.acceptControl(web) : this.acceptWeb(web),
        )
    }

    private acceptWeb(socket: WebSocket): void {
        const { receive, leave, statistics } = this.join("ws", {
            unsent: () => socket.bufferedAmount,
            write: frame => socket.send(frame),
            close: () => socket.terminate(),
        })
        socket.on("message", (data: RawData, isBinary: boolean) => {
            if (isBinary) receive(bytesOf(data))
            else answerSide(socket, bytesOf(data))
        })
        // ws reports a message above its limit here, and then closes
        socket.on("error", () => statistics.drops.oversized++)
        socket.on("close", leave)
    }

    private acceptTcp(socket: Socket): void {
        const deframer = new TcpDeframer()
        socket.setNoDelay()
        const { receive, leave } = this.join("tcp", {
            unsent: () => socket.writableLength,
            write: frame => void socket.write(tcpFramed(frame)),
            close: () => socket.destroy(),
        })
        socket.on("data", chunk => deframer.push(chunk).forEach(receive))
        socket.on("error", () => socket.destroy())
        socket.on("close", leave)
    }

    private join(kind: string, socket: Omit<Client, "statistics">) {
        const id = `${kind}${++this.clientIds}`
        const statistics: ClientStatistics = {
            id,
            framesIn: 0,
            framesOut: 0,
            drops: { short: 0, oversized: 0, crc: 0, overflow: 0, slow: 0 },
        }
        let waiting = 0
        const port = this.options.wire.attach({
            id,
            deliver: frame => {
                if (socket.unsent() > unsentBytesMax) return void statistics.drops.slow++
                statistics.framesOut++
                socket.write(frame)
            },
            sent: () => void waiting--,
        })
        const receive = (message: Uint8Array) => {
            const frame = checkFrame(message)
            if (typeof frame === "string") return void statistics.drops[frame]++
            if (waiting >= waitingFramesMax) return void statistics.drops.overflow++
            waiting++
            statistics.framesIn++
            this.options.onFrame?.(id)
            port.send(frame)
        }
        const leave = () => {
            if (!this.clients.delete(id)) return
            port.detach()
            this.options.onClients?.(this.clients.size)
        }
        this.clients.set(id, { ...socket, statistics })
        this.options.onClients?.(this.clients.size)
        return { receive, leave, statistics }
    }

    private acceptControl(socket: WebSocket): void {
        this.controls.add(socket)
        // One after the other, so that answers come in the order of the questions
        let last: Promise<void> = Promise.resolve()
        socket.on("message", (data: RawData) => {
            last = last.then(async () => {
                const answer = await this.answerControl(bytesOf(data))
                if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(answer))
            })
        })
        socket.on("error", () => socket.terminate())
        socket.on("close", () => this.controls.delete(socket))
    }

    private async answerControl(data: Uint8Array): Promise<Record<string, unknown>> {
        const request = jsonObject(data)
        if (!request) return { error: 'send one JSON object per message, as {"status": true}' }
        const id = request.id === undefined ? {} : { id: request.id }
        try {
            if (!this.options.control) throw new Error("this cabinet takes no control messages")
            const result = await this.options.control(request)
            return { ...(result as Record<string, unknown> | undefined), ...id }
        } catch (error) {
            return { error: error instanceof Error ? error.message : String(error), ...id }
        }
    }
}

/** The side messages of devtools (sidedata.ts): of its own it does builds; we do none, and say so to who waits for an answer. */
function answerSide(socket: WebSocket, data: Uint8Array): void {
    const message = jsonObject(data)
    if (!message) return
    const { req, seq } = message
    if (req === "bcast") socket.send(JSON.stringify({ resp: req, seq, data: {} }))
    else if (seq)
        socket.send(JSON.stringify({ resp: "error", seq, data: { message: `unknown msg type: ${String(req)}` } }))
}

function jsonObject(data: Uint8Array): Record<string, unknown> | undefined {
    try {
        const value: unknown = JSON.parse(new TextDecoder().decode(data))
        return typeof value === "object" && value !== null && !Array.isArray(value)
            ? (value as Record<string, unknown>)
            : undefined
    } catch {
        return undefined
    }
}

/** A program sends no Origin; a browser always does. */
function isFromHere(origin: string | undefined): boolean {
    if (origin === undefined) return true
    try {
        return ["127.0.0.1", "localhost", "[::1]"].includes(new URL(origin).hostname)
    } catch {
        return false
    }
}

function bytesOf(data: RawData): Uint8Array {
    if (Array.isArray(data)) return Buffer.concat(data)
    return data instanceof ArrayBuffer ? new Uint8Array(data) : data
}

function listen(server: HttpServer | TcpServer, port: number, kind: string, option: string): Promise<void> {
    return new Promise((resolve, reject) => {
        server.once("error", (error: NodeJS.ErrnoException) => {
            const reason =
                error.code === "EADDRINUSE"
                    ? "is in use; devs devtools and other cabinets use it too. Stop that one"
                    : `cannot be opened (${error.message}). Free it`
            reject(new Error(`${kind} port ${port} ${reason}, or choose another port with ${option}`))
        })
        server.listen(port, host, () => resolve())
    })
}

function closed(server: HttpServer | TcpServer): Promise<void> {
    return new Promise(resolve => {
        if (!server.listening) return resolve()
        server.close(() => resolve())
        if ("closeAllConnections" in server) server.closeAllConnections()
    })
}
