// A node's journal memory as one address space, `node:offset`: what a host and the partner load from it, and what the partner stores.
// docs/PROTOCOL.md, "Journal memory".
//
// Promises: a load changes nothing; a store leaves there only what this node could have heard itself, whole and with a good check.

import { copiesMax, recordCommand } from "../pair/journal"
import { badRequest, ok } from "../store/status"
import { frameBytesMax, noticeIsGood, sealFrame } from "./frame"
import { inboxSlots } from "./inbox"
import { NodeServer } from "./node"
import { queue } from "./outbox"
import { putMark } from "./telling"

export const commandStore = 0x85

// the map: pages of 256 bytes, copies from page 0 on, commands of its own from 32 on
const pageBytes = 256
const marksPage = 31
const inboxPage = 32
const loadEnd = 0x4000
const markBytes = 16
// behind the frame in a page
const atBytes = 236
const atCommand = 237
const atWaiting = 238

/** Where a store adds a copy. */
const storeOffset = 0x8000
const storeHeadBytes = 8

/** Commands in slots: the journal's, or the inbox's. */
interface Kept {
    frames: Buffer[]
    sizes: Buffer
    commands: Buffer
}

/** Puts `bytes` bytes of the memory from `offset` on into `out`. @returns status */
export function loadMemory(node: NodeServer, offset: number, bytes: number, out: Buffer, at: number): number {
    if (offset >= loadEnd) return badRequest
    if (bytes > frameBytesMax - at) return badRequest
    const from = offset % pageBytes
    if (from + bytes > pageBytes) return badRequest
    const journal = node.journal
    const page = Buffer.alloc(pageBytes)
    let slot = (offset - from) / pageBytes
    if (slot === marksPage) {
        for (let i = 0; i < journal.markKinds.length; i++)
            putMark(page, markBytes * i, journal.markKinds[i], journal.markIds[i], journal.markNumbers[i])
    } else {
        let kept: Kept = journal
        let count = copiesMax
        let isWaiting = 1
        if (slot >= inboxPage) {
            const inbox = node.inbox
            kept = inbox
            slot -= inboxPage
            count = inboxSlots
            isWaiting = (slot - inbox.head + inboxSlots) % inboxSlots < inbox.count ? 1 : 0
        }
        if (slot >= count) return badRequest
        page.blitAt(0, kept.frames[slot], 0, frameBytesMax)
        page[atBytes] = kept.sizes[slot]
        page[atCommand] = kept.commands[slot]
        if (kept.sizes[slot] !== 0) page[atWaiting] = isWaiting
    }
    out.blitAt(at, page, from, bytes)
    return ok
}

/** A store of the partner: the copy of a command that this node did not hear. */
export function storeMemory(node: NodeServer, payload: Buffer): void {
    const bytes = payload.length - storeHeadBytes
    if (bytes <= 0) return
    if (!noticeIsGood(payload)) {
        node.badChecks++
        return
    }
    const command = payload[5]
    const offset = payload.getAt(6, "u16")
    if (payload[4] === (node.number ^ 1))
        if (offset === storeOffset)
            if (command === 0x80 || command === 0x81) {
                const frame = Buffer.alloc(bytes)
                frame.blitAt(0, payload, storeHeadBytes, bytes)
                recordCommand(node.journal, command, frame)
                return
            }
    const refusal = Buffer.alloc(12)
    refusal[4] = node.number
    refusal[6] = badRequest
    refusal.setAt(8, "u32", offset)
    sealFrame(refusal, 0)
    queue(node.outbox, node.outbox.memory, refusal)
}

/** The store that gives the partner its copy of a request; undefined when the request is not at hand any more, or too long. */
export function storeFrame(node: NodeServer, session: number, sequence: number): Buffer {
    const inbox = node.inbox
    for (let i = 0; i < inboxSlots; i++) {
        if (inbox.commands[i] !== 0x81) continue
        const frame = inbox.frames[i]
        if (frame.getAt(12, "u32") !== sequence) continue
        if (frame.getAt(8, "u32") !== session) continue
        const bytes = inbox.sizes[i]
        if (bytes > frameBytesMax - storeHeadBytes) return undefined
        const store = Buffer.alloc(storeHeadBytes + bytes)
        store[4] = node.number
        store[5] = 0x81
        store.setAt(6, "u16", storeOffset)
        store.blitAt(storeHeadBytes, frame, 0, bytes)
        sealFrame(store, 0)
        return store
    }
    return undefined
}
