/**
 * The fake cabinet in real time behind a web socket, with the simulator's control path: for trying the command line and
 * the WebDAV door by hand (`npx tsx test/bridge/fake-server.ts 8081`) and for their tests.
 */
import type { AddressInfo } from "node:net"
import { WebSocketServer, type WebSocket } from "ws"
import { realClock } from "../../tools/bridge/bus/clock"
import { FakeCabinet } from "./fake-node"
import { seeded } from "./virtual-clock"

export interface FakeServer {
    url: string
    cabinet: FakeCabinet
    close(): void
}

export async function startFakeServer(port = 0): Promise<FakeServer> {
    const cabinet = new FakeCabinet(realClock, seeded(1))
    const clients = new Set<WebSocket>()
    cabinet.onFrame = frame => clients.forEach(client => client.send(frame))
    const server = new WebSocketServer({ port, host: "127.0.0.1" })
    server.on("connection", (socket, request) => {
        if (request.url === "/control") return socket.on("message", text => socket.send(power(cabinet, String(text))))
        clients.add(socket)
        socket.on("message", (data, isBinary) => isBinary && cabinet.send(data as Buffer))
        socket.on("close", () => clients.delete(socket))
        return socket
    })
    await new Promise(resolve => server.on("listening", resolve))
    return {
        url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
        cabinet,
        close: () => {
            cabinet.stop()
            clients.forEach(client => client.terminate())
            server.close()
        },
    }
}

function power(cabinet: FakeCabinet, text: string): string {
    const { power: letter, on } = JSON.parse(text) as { power: string; on: boolean }
    const number = letter.charCodeAt(0) - 97
    const node = cabinet.nodes[number]
    if (!node) return JSON.stringify({ ok: false, error: `no board ${letter}` })
    if (on && !node.isOn) {
        node.isOn = true
        cabinet.giveControl(number, number)
    } else if (!on && node.isOn) cabinet.cut(number)
    return JSON.stringify({ ok: true })
}

if (process.argv[1]?.endsWith("fake-server.ts")) {
    const { url } = await startFakeServer(Number(process.argv[2] ?? 8081))
    console.log(url)
}
