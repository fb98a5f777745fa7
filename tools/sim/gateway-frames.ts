// The framing of `devs devtools`, without its sockets. Web socket: one binary message is one frame. TCP: a length byte before
// each frame, or 0xFF and two bytes, low first, for 255 and more (devtools.ts, startProxyServers; wasmpre.ts, send). Neither side
// says anything first. Kept true: a stream of any bytes takes bounded memory and ends in frames or in counted drops.

import { frameBytesMax, frameCrc, frameHeaderBytes, frameOk } from "./wire"

export type FrameFault = "short" | "oversized" | "crc"

const longFrame = 0xff

/** The frame, without what the sender may have padded it with, or what is wrong with it. */
export function checkFrame(message: Uint8Array): Uint8Array | FrameFault {
    if (message.length < frameHeaderBytes) return "short"
    const bytes = frameHeaderBytes + message[2]
    if (bytes > frameBytesMax || message.length > frameBytesMax) return "oversized"
    if (message.length < bytes) return "short"
    // Not slice(): a Buffer's would share the socket's memory
    const frame = Uint8Array.from(message.subarray(0, bytes))
    if (frameCrc(frame) !== (frame[0] | (frame[1] << 8))) return "crc"
    // What is left to be wrong: a packet longer than a packet can be, or a frame of another version of the protocol
    return frameOk(frame) ? frame : "oversized"
}

export function tcpFramed(frame: Uint8Array): Uint8Array {
    const header = frame.length < longFrame ? [frame.length] : [longFrame, frame.length & 0xff, frame.length >> 8]
    const framed = new Uint8Array(header.length + frame.length)
    framed.set(header)
    framed.set(frame, header.length)
    return framed
}

/** Cuts a TCP stream into messages; holds at most one of them, of 64 KB. */
export class TcpDeframer {
    private held = new Uint8Array(0)

    push(chunk: Uint8Array): Uint8Array[] {
        const messages: Uint8Array[] = []
        const data = new Uint8Array(this.held.length + chunk.length)
        data.set(this.held)
        data.set(chunk, this.held.length)
        let at = 0
        for (;;) {
            const isLong = data[at] === longFrame
            const start = at + (isLong ? 3 : 1)
            if (start > data.length) break
            const end = start + (isLong ? data[at + 1] | (data[at + 2] << 8) : data[at])
            if (end > data.length) break
            messages.push(data.slice(start, end))
            at = end
        }
        this.held = data.slice(at)
        return messages
    }
}
