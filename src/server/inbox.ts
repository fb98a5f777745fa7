// Commands received and not yet looked at, in slots allocated at boot. A full inbox drops what comes: the host sends it again.

import { frameBytesMax } from "./frame"

/** The host's window of 16 blocks, and a few requests. */
const slotsMax = 18

export class Inbox {
    count: number
    dropped: number
    private frames: Buffer[]
    private sizes: number[]
    private commands: number[]
    private head: number

    constructor() {
        this.frames = []
        this.sizes = []
        this.commands = []
        for (let i = 0; i < slotsMax; i++) {
            this.frames.push(Buffer.alloc(frameBytesMax))
            this.sizes.push(0)
            this.commands.push(0)
        }
        this.head = 0
        this.count = 0
        this.dropped = 0
    }

    push(command: number, payload: Buffer): void {
        const bytes = payload.length
        if (this.count === slotsMax || bytes > frameBytesMax) {
            this.dropped++
            return
        }
        let slot = this.head + this.count
        if (slot >= slotsMax) slot -= slotsMax
        const frame = this.frames[slot]
        frame.blitAt(0, payload, 0, bytes)
        if (bytes < frameBytesMax) frame.fillAt(bytes, frameBytesMax - bytes, 0)
        this.sizes[slot] = bytes
        this.commands[slot] = command
        this.count++
    }

    /** The oldest command; valid until `pop`. */
    frame(): Buffer {
        return this.frames[this.head]
    }
    bytes(): number {
        return this.sizes[this.head]
    }
    command(): number {
        return this.commands[this.head]
    }
    pop(): void {
        this.head++
        if (this.head === slotsMax) this.head = 0
        this.count--
    }
}
