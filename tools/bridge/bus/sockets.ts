/**
 * Links to a bus in `devs devtools`' framing (devicescript cli/src/devtools.ts, startProxyServers): on a web socket one
 * binary message is one frame and text is out-of-band; on TCP each frame follows its length, one byte, or 255 and a u16
 * for side messages that are no Jacdac frames.
 */
import * as net from "node:net"
import { WebSocket } from "ws"
import { jacdacFrameBytesMax } from "./jacdac-frame"
import type { Link, LinkEvents, OpenLink } from "./transport"

const openTimeoutMs = 5_000

export function webSocketLink(url: string): OpenLink {
    return events =>
        new Promise<Link>((resolve, reject) => {
            const socket = new WebSocket(url, { handshakeTimeout: openTimeoutMs, perMessageDeflate: false })
            socket.on("open", () =>
                resolve({
                    send: frame => {
                        if (socket.readyState === WebSocket.OPEN) socket.send(frame)
                    },
                    close: () => socket.close(),
                }),
            )
            socket.on("message", (data, isBinary) => {
                if (isBinary) events.onFrame(data as Buffer)
            })
            socket.on("error", reject)
            socket.on("close", () => events.onClose("closed"))
        })
}

export function tcpLink(host: string, port: number): OpenLink {
    return events =>
        new Promise<Link>((resolve, reject) => {
            const socket = net.createConnection({ host, port, noDelay: true })
            socket.setTimeout(openTimeoutMs, () => socket.destroy(new Error("no answer")))
            socket.on("connect", () => {
                socket.setTimeout(0)
                resolve({
                    send: frame => {
                        if (frame.length <= jacdacFrameBytesMax && socket.writable)
                            socket.write(Buffer.concat([Buffer.of(frame.length), frame]))
                    },
                    close: () => socket.destroy(),
                })
            })
            const split = frameSplitter(events)
            socket.on("data", split)
            socket.on("error", reject)
            socket.on("close", () => events.onClose("closed"))
        })
}

/** Cuts a byte stream into frames; keeps at most one unfinished frame (64 KB for a side message). */
export function frameSplitter(events: Pick<LinkEvents, "onFrame">): (bytes: Buffer) => void {
    let rest: Buffer = Buffer.alloc(0)
    return bytes => {
        const all = rest.length ? Buffer.concat([rest, bytes]) : bytes
        let at = 0
        while (at < all.length) {
            const isLarge = all[at] === 0xff
            if (isLarge && at + 3 > all.length) break
            const start = isLarge ? at + 3 : at + 1
            const end = start + (isLarge ? all.readUInt16LE(at + 1) : all[at])
            if (end > all.length) break
            if (!isLarge && end > start) events.onFrame(all.subarray(start, end))
            at = end
        }
        rest = all.subarray(at)
    }
}
