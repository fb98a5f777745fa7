// The Jacdac single-wire bus: one talker at a time, 1 Mbaud, a random gap before each frame, delivery to all others at its end.
// A frame with a wrong CRC or size reaches nobody, as on boards, and is counted. All chance comes from the seeded generator.

import type { EventQueue, Timer } from "./event-queue"
import type { Random } from "./random"
import type { Trace } from "./trace"

export const frameHeaderBytes = 12
/** jd_physical.h: JD_SERIAL_PAYLOAD_SIZE (236) + JD_SERIAL_FULL_HEADER_SIZE (16). */
export const frameBytesMax = 252
const payloadBytesMax = 236
/** 1 Mbaud, one start and one stop bit. */
export const byteNs = 10_000
/** devicescript-pico uart.c: uart_start_tx holds the line low for 12 us, waits 49; tx_handler breaks for 1 + 12. */
export const frameOverheadNs = (12 + 49 + 1 + 12) * 1000
/** jd_util.c: jd_random_around(150) = 150 - 63 + (random & 127); JD_WR_OVERHEAD makes it the true gap. */
const gapMinUs = 87
const gapSpanUs = 128
const flagVnext = 0x80

export interface Endpoint {
    readonly id: string
    deliver(frame: Uint8Array, atNs: number): void
    /** One of this endpoint's frames has left the wire. */
    sent?(atNs: number): void
}

export interface WireFaults {
    /** Chance for each receiver not to hear a frame, to hear it twice, to hear it with a byte changed. */
    lossP: number
    duplicateP: number
    corruptP: number
    /** Chance for each receiver to hear a frame late, by up to so many ms: later frames overtake it. */
    delayP: number
    delayMsMax: number
    /** True: `to` does not hear `from`. A cut bus still carries one frame at a time. */
    cut?: (from: string, to: string) => boolean
}

export class WirePort {
    readonly queue: { frame: Uint8Array; readyNs: number }[] = []
    /** When this talker will take the line, if nobody is earlier; undefined while it has nothing to say or the line is busy. */
    startNs: number | undefined

    constructor(
        readonly wire: Wire,
        readonly endpoint: Endpoint,
    ) {}

    /** Queues a frame, which must not change afterwards. `readyNs` may lie ahead of the queue's time. */
    send(frame: Uint8Array, readyNs = this.wire.events.nowNs): void {
        if (frame.length < frameHeaderBytes) throw new Error(`a frame has at least ${frameHeaderBytes} bytes`)
        this.queue.push({ frame, readyNs })
        this.wire.enqueued(this)
    }

    /** Power was lost: what waits is gone, what is on the line ends broken. */
    silence(): void {
        this.wire.silenced(this)
    }

    detach(): void {
        this.silence()
        this.wire.detach(this)
    }
}

export class Wire {
    readonly fault: WireFaults = { lossP: 0, duplicateP: 0, corruptP: 0, delayP: 0, delayMsMax: 0 }
    frames = 0
    bytes = 0
    busyNs = 0
    badFrames = 0
    lostFrames = 0
    private ports: WirePort[] = []
    private talker: WirePort | undefined
    private current: Uint8Array | undefined
    private broken = false
    private endedNs = 0
    private timer: Timer | undefined
    private timerNs = Infinity
    private readonly gaps: Random
    private readonly faults: Random

    constructor(
        readonly events: EventQueue,
        random: Random,
        private readonly trace?: Trace,
    ) {
        this.gaps = random.fork("wire/gap")
        this.faults = random.fork("wire/fault")
    }

    attach(endpoint: Endpoint): WirePort {
        const port = new WirePort(this, endpoint)
        this.ports.push(port)
        return port
    }

    detach(port: WirePort): void {
        this.ports = this.ports.filter(other => other !== port)
    }

    enqueued(port: WirePort): void {
        if (this.talker || port.startNs !== undefined) return
        this.draw(port)
        this.arm()
    }

    silenced(port: WirePort): void {
        port.queue.length = 0
        port.startNs = undefined
        if (this.talker === port) this.broken = true
        this.arm()
    }

    /** Each talker that waits draws its own gap; the shortest takes the line, and all draw again after that frame. */
    private draw(port: WirePort): void {
        const next = port.queue[0]
        const gapNs = (gapMinUs + this.gaps.int(gapSpanUs)) * 1000
        port.startNs = next ? Math.max(next.readyNs, this.endedNs) + gapNs : undefined
    }

    private arm(): void {
        if (this.talker) return
        let startNs = Infinity
        for (const port of this.ports) if (port.startNs !== undefined && port.startNs < startNs) startNs = port.startNs
        if (startNs === this.timerNs) return
        this.timer?.cancel()
        this.timer = undefined
        this.timerNs = startNs
        if (startNs < Infinity) this.timer = this.events.at(startNs, () => this.begin())
    }

    private begin(): void {
        this.timer = undefined
        this.timerNs = Infinity
        const nowNs = this.events.nowNs
        const ready = this.ports.filter(port => port.startNs !== undefined && port.startNs <= nowNs)
        if (ready.length === 0) return this.arm()
        const talker = ready.length === 1 ? ready[0] : ready[this.gaps.int(ready.length)]
        for (const port of this.ports) port.startNs = undefined
        const { frame } = talker.queue.shift()!
        this.talker = talker
        this.current = frame
        this.broken = false
        const lengthNs = frameOverheadNs + frame.length * byteNs
        this.busyNs += lengthNs
        this.events.at(nowNs + lengthNs, () => this.end())
    }

    private end(): void {
        const nowNs = this.events.nowNs
        const talker = this.talker!
        const frame = this.current!
        const good = !this.broken && frameOk(frame)
        this.talker = undefined
        this.current = undefined
        this.endedNs = nowNs
        this.frames++
        this.bytes += frame.length
        this.trace?.add(nowNs, good ? "frame" : "frame-bad", frame)
        if (!good) this.badFrames++
        const receivers = this.ports
        if (!this.broken) talker.endpoint.sent?.(nowNs)
        if (good) for (const port of receivers) if (port !== talker) this.deliver(talker, port, frame, nowNs)
        for (const port of this.ports) if (port.queue.length > 0) this.draw(port)
        this.arm()
    }

    private deliver(from: WirePort, to: WirePort, frame: Uint8Array, nowNs: number): void {
        const fault = this.fault
        if (fault.cut?.(from.endpoint.id, to.endpoint.id) || this.faults.chance(fault.lossP)) {
            this.lostFrames++
            return
        }
        if (this.faults.chance(fault.corruptP)) {
            // not by slice: a Buffer's would be the very bytes that others are about to hear
            frame = Uint8Array.from(frame)
            frame[this.faults.int(frame.length)] ^= 1 + this.faults.int(255)
            if (!frameOk(frame)) {
                this.badFrames++
                return
            }
        }
        this.hand(to, frame, nowNs)
        if (this.faults.chance(fault.duplicateP)) this.hand(to, frame, nowNs)
    }

    private hand(to: WirePort, frame: Uint8Array, nowNs: number): void {
        if (!this.faults.chance(this.fault.delayP)) return to.endpoint.deliver(frame, nowNs)
        const delayNs = 1 + this.faults.int(this.fault.delayMsMax * 1e6)
        this.events.after(delayNs, () => {
            if (this.ports.includes(to)) to.endpoint.deliver(frame, this.events.nowNs)
        })
    }
}

/**
 * The wire cut into pieces, for `fault.cut`: who is on one piece hears the others there. Who is not named is on the first piece.
 * `pieces(["a", "host"], ["b"])` is a cut between the boards with the host on a's side, `pieces(["a", "b"], ["host"])` has the host off.
 */
export function pieces(...parts: readonly string[][]): (from: string, to: string) => boolean {
    const pieceOf = (id: string) =>
        Math.max(
            0,
            parts.findIndex(part => part.includes(id)),
        )
    return (from, to) => pieceOf(from) !== pieceOf(to)
}

/** jd_physical.c, jd_rx_completed: what a board drops before its program hears of it. */
export function frameOk(frame: Uint8Array): boolean {
    const bytes = frame[2] + frameHeaderBytes
    if (frame.length < bytes || bytes > frameBytesMax) return false
    if (frame[3] & flagVnext) return false
    if (frame[12] > payloadBytesMax) return false
    return frameCrc(frame) === (frame[0] | (frame[1] << 8))
}

/** jd_util.c, jd_crc16 over all but the CRC itself. */
export function frameCrc(frame: Uint8Array): number {
    let crc = 0xffff
    const end = frame[2] + frameHeaderBytes
    for (let i = 2; i < end; i++) crc = ((crc << 8) ^ crcTable[(crc >> 8) ^ frame[i]]) & 0xffff
    return crc
}

const crcTable = new Uint16Array(256)
for (let i = 0; i < 256; i++) {
    const x = i ^ (i >> 4)
    crcTable[i] = (x << 12) ^ (x << 5) ^ x
}
