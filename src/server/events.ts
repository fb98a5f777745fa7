// What happened at this node since it booted, the last of it: changes of role, epoch, array, link and protection, each with its time. In RAM
// only: it costs no write, and a partner's ring tells of a node that lost its own. docs/PROTOCOL.md, "Events".

import { platform } from "../platform"
import { beatFlags } from "./telling"
import { Hosted } from "./hosted"
import { NodeServer } from "./node"
import { busQuietMs } from "../config"

const eventsMax = 32
const eventBytes = 8
/** A power of two. */
const kindsMax = 8

// kinds; 0 = boot
export const eventRole = 1
const eventState = 2
const eventEpoch = 3
const eventArray = 4

const stateBusSilent = 128

export class Events {
    ring: Buffer
    /** Events since boot. The first one is the boot itself: zeros, as the ring is. */
    count: number
    /** What was noted last, by kind and volume. */
    last: Buffer

    constructor() {
        this.ring = Buffer.alloc(eventsMax * eventBytes)
        this.count = 1
        this.last = Buffer.alloc(4 * kindsMax)
    }
}

export function record(events: Events, kind: number, cause: number, value: number): void {
    const at = (events.count++ % eventsMax) * eventBytes
    const ring = events.ring
    ring.setAt(at, "u32", platform.now())
    ring[at + 4] = kind
    ring[at + 5] = cause
    ring.setAt(at + 6, "u16", value)
}

function note(events: Events, kind: number, which: number, value: number): void {
    const at = 2 * kind + 2 * kindsMax * which
    if (events.last.getAt(at, "u16") === value) return
    events.last.setAt(at, "u16", value)
    record(events, kind, which, value)
}

function noteVolume(events: Events, hosted: Hosted, which: number): void {
    if (!hosted.serving) return
    const array = hosted.volume.array
    note(events, eventEpoch, which, hosted.epoch % 0x10000)
    note(events, eventArray, which, array.members | ((array.joining & 15) << 8) | (array.elements << 12))
}

/** Looks at what may have changed since the last look. */
export function noteState(node: NodeServer, nowMs: number): void {
    let flags = beatFlags(node)
    if (nowMs - node.pair.heardBusMs > busQuietMs) flags |= stateBusSilent
    note(node.events, eventState, 0, flags)
    noteVolume(node.events, node.home, 0)
    noteVolume(node.events, node.other, 1)
}

/** The answer to the `events` query. @param from events its asker has seen @returns bytes */
export function tellEvents(events: Events, from: number, out: Buffer, at: number): number {
    const end = events.count
    if (from > end) from = 0
    if (end - from > eventsMax) from = end - eventsMax
    out.setAt(at, "u32", platform.now())
    out.setAt(at + 4, "u32", from)
    out.setAt(at + 8, "u32", end)
    let bytes = 12
    while (from < end) {
        if (at + bytes + eventBytes > out.length) break
        out.blitAt(at + bytes, events.ring, (from++ % eventsMax) * eventBytes, eventBytes)
        bytes += eventBytes
    }
    return bytes
}
