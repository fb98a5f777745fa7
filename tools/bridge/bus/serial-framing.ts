/**
 * Jacdac frames on a serial port of USB (Jacdac's USB bridge; jacdac-c source/jd_usb.c): each frame stands between two marks, and
 * a mark's first byte inside it is quoted. What is outside of frames is the board's log. A board sends nothing before it was told to
 * (`enableFrames`), and forgets it at a restart.
 */
import { commandFrame, frameIsWhole, jacdacFrameBytesMax } from "./jacdac-frame"

const magic = 0xfe
const literalMagic = 0xf8
const frameStart = 0xfc
const frameEnd = 0xfd

/** Class of the bridge service: device id of a command that is for the board at the other end of the cable only. */
const bridgeClass = 0x18f61a4a
const multicastHigh = 0xaaaaaaaa
const multicastIndex = 0x3d
const flagsMulticast = 1 | 4
const enablePackets = 0x81

/** The frame that asks a board to pass on what is on the bus; it answers with one of the same class. */
export function enableFrames(): Buffer {
    const device = Buffer.alloc(8)
    device.writeUInt32LE(bridgeClass, 0)
    device.writeUInt32LE(multicastHigh, 4)
    return commandFrame(device, multicastIndex, enablePackets, new Uint8Array(0), flagsMulticast)
}

/** Whether a frame is between the host and the board at the cable, and not of the bus. */
export function isBridgeFrame(frame: Buffer): boolean {
    return (
        (frame[3] & flagsMulticast & ~1) !== 0 &&
        frame.readUInt32LE(4) === bridgeClass &&
        frame.readUInt32LE(8) === multicastHigh
    )
}

export function quoteFrame(frame: Uint8Array): Buffer {
    const out = Buffer.alloc(2 * frame.length + 4)
    let at = 0
    out[at++] = magic
    out[at++] = frameStart
    for (const byte of frame) {
        out[at++] = byte
        if (byte === magic) out[at++] = literalMagic
    }
    out[at++] = magic
    out[at++] = frameEnd
    return out.subarray(0, at)
}

/** Finds the frames in what a board sends; damaged ones are dropped and counted. Keeps at most one frame. */
export class FrameUnquoter {
    damagedFrames = 0
    private readonly bytes = Buffer.alloc(jacdacFrameBytesMax + 4)
    private length = 0
    private inFrame = false
    private wasMagic = false

    constructor(private readonly onFrame: (frame: Buffer) => void) {}

    push(bytes: Uint8Array): void {
        for (const byte of bytes) {
            if (this.wasMagic) this.quoted(byte)
            else if (byte === magic) this.wasMagic = true
            else this.take(byte)
        }
    }

    private quoted(byte: number): void {
        this.wasMagic = byte === magic // a magic not followed by a mark: the next one may be whole
        if (byte === literalMagic) this.take(magic)
        else if (byte === frameStart) {
            if (this.inFrame) this.damagedFrames++ // its end is missing: bytes were lost, or the cable was pulled
            this.inFrame = true
            this.length = 0
        } else if (byte === frameEnd) {
            if (this.inFrame) this.end()
            this.inFrame = false
        } else if (this.inFrame && (byte < 0xf8 || byte === magic)) {
            this.damagedFrames++
            this.inFrame = false
        }
    }

    private take(byte: number): void {
        if (!this.inFrame) return // the log
        if (this.length < this.bytes.length) this.bytes[this.length++] = byte
        else {
            this.damagedFrames++
            this.inFrame = false
        }
    }

    private end(): void {
        const frame = Buffer.from(this.bytes.subarray(0, this.length))
        if (!frameIsWhole(frame)) this.damagedFrames++
        else this.onFrame(frame.subarray(0, 12 + frame[2]))
    }
}
