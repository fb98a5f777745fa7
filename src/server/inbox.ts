// Commands received and not yet looked at, in slots allocated at boot. A full inbox drops what comes: the host sends it again.
//
// The fields are the packet handler's and the worker's to use in place: a call would cost each block of an upload more than its work.

import { buffers } from "../lists"
import { frameBytesMax } from "./frame"

/** The host's window of 16 blocks, and a few requests. */
export const inboxSlots = 18

export class Inbox {
    /** Commands held, from slot `head` on. */
    count: number
    head: number
    dropped: number
    frames: Buffer[]
    /** Bytes and service command, below 256, of each slot's frame. */
    sizes: Buffer
    commands: Buffer

    constructor() {
        this.frames = buffers(inboxSlots, frameBytesMax)
        this.sizes = Buffer.alloc(inboxSlots)
        this.commands = Buffer.alloc(inboxSlots)
        this.head = 0
        this.count = 0
        this.dropped = 0
    }
}

/** Called by the packet handler for each command to this node. */
export function pushCommand(inbox: Inbox, command: number, payload: Buffer): void {
    const bytes = payload.length
    const count = inbox.count
    if (count === inboxSlots || bytes > frameBytesMax) {
        inbox.dropped++
        return
    }
    let slot = inbox.head + count
    if (slot >= inboxSlots) slot -= inboxSlots
    const frame = inbox.frames[slot]
    frame.blitAt(0, payload, 0, bytes)
    if (bytes < frameBytesMax) frame.fillAt(bytes, frameBytesMax - bytes, 0)
    inbox.sizes[slot] = bytes
    inbox.commands[slot] = command
    inbox.count = count + 1
}
