/**
 * Boards' USB cables without boards: each is a pseudo-terminal that speaks the framing of a board's USB port, as jacdac-c's jd_usb.c
 * does, written here on its own. All boards pass on to their cables what is on the bus, and to the bus what comes by their cable.
 */
import pty from "@lydell/node-pty"
import { rmSync, symlinkSync } from "node:fs"
import type { ReadStream } from "node:tty"

/** What its declarations leave out. */
interface Terminal {
    master: ReadStream & NodeJS.WritableStream
    slave: ReadStream
    ptsName: string
}
const { open } = pty as unknown as { open(options: { encoding: null }): Terminal }

/** CRC-16 of Jacdac frames, in the form its documents give. */
function crcOf(bytes: Uint8Array): number {
    let crc = 0xffff
    for (const byte of bytes) {
        let x = (crc >> 8) ^ byte
        x ^= x >> 4
        crc = ((crc << 8) ^ (x << 12) ^ (x << 5) ^ x) & 0xffff
    }
    return crc
}

export class UsbBoard {
    /** Commands that came by this cable. */
    received: Buffer[] = []
    enabled = false
    badFrames = 0
    private terminal?: Terminal
    private pending = ""

    /** `path` names the port while the cable is in. */
    constructor(
        readonly path: string,
        private readonly toBus: (frame: Buffer, from: UsbBoard) => void,
    ) {}

    plug(): void {
        const terminal = open({ encoding: null })
        terminal.slave.destroy() // the host opens it by its name
        terminal.master.on("data", (bytes: Buffer) => this.push(bytes))
        terminal.master.on("error", () => undefined) // EIO when the host closes the port
        symlinkSync(terminal.ptsName, this.path)
        this.terminal = terminal
        this.enabled = false
        this.pending = ""
    }

    pull(): void {
        rmSync(this.path, { force: true })
        this.terminal?.master.destroy()
        this.terminal = undefined
        this.enabled = false
    }

    /** Restarts behind an adapter that keeps the port: nothing is passed on until the host asks again. */
    restart(): void {
        this.enabled = false
    }

    /** Raw bytes to the host: the board's log, or noise. */
    print(bytes: Buffer): void {
        this.terminal?.master.write(bytes)
    }

    pass(frame: Buffer): void {
        if (!this.enabled) return
        const quoted = frame.toString("latin1").replaceAll("\xfe", "\xfe\xf8")
        this.print(Buffer.from(`\xfe\xfc${quoted}\xfe\xfd`, "latin1"))
    }

    private push(bytes: Buffer): void {
        this.pending += bytes.toString("latin1")
        for (;;) {
            const [start, end] = [this.pending.indexOf("\xfe\xfc"), this.pending.indexOf("\xfe\xfd")]
            if (end < 0) return
            if (start >= 0 && start < end)
                this.take(Buffer.from(this.pending.slice(start + 2, end).replaceAll("\xfe\xf8", "\xfe"), "latin1"))
            this.pending = this.pending.slice(end + 2)
        }
    }

    private take(frame: Buffer): void {
        if (frame.length < 16 || crcOf(frame.subarray(2, 12 + frame[2])) !== frame.readUInt16LE(0)) this.badFrames++
        else if (frame[3] & 4 && frame.readUInt32LE(4) === 0x18f61a4a) {
            this.enabled = frame.readUInt16LE(14) === 0x81
            this.pass(frame)
        } else {
            this.received.push(frame)
            this.toBus(frame, this)
        }
    }
}
