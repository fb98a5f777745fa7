// Journal memory: copies of the commands sent to the partner, made by listening to the same frames, kept until the partner reports them
// durable.
//
// Promises: bounded slots, allocated at boot; copies keep the order in which they were heard, those of one upload the order of their
// offsets; what is reported as recorded is held here, whole and with a good check, or durable at its owner. A block beyond one that was
// not heard is held and not reported until the gap is closed. A full memory records nothing more, and says so by not reporting it. What a
// host began and never went on with is forgotten when its place is needed, so that it cannot fill the memory for ever.

import { buffers, zeros } from "../lists"
import { frameBytesMax, frameIsGood } from "../server/frame"

/** The host keeps 16 blocks and a few requests outstanding. */
export const copiesMax = 20
/** Blocks beyond a gap leave room for those that close it. */
const aheadMax = 16
/** Uploads and sessions whose recorded number is remembered. */
const marksMax = 8

/** A host gives up after 30 s. */
const staleMs = 35000
/** A host that waits for an answer sends its command again at the latest after 2 s (docs/PROTOCOL.md, "Timers of a host"). */
const abandonedMs = 6000
/** A command that comes again so soon is no news of its host. */
const freshMs = 1000

const writeHeadBytes = 12

export const kindSession = 1
export const kindUpload = 2

export class Journal {
    held: number
    /** Something was recorded since the last `recorded` notice. */
    news: boolean
    // a ring of slots in the order in which copies were heard: `first`, and `used` slots from there, of which some are free again
    frames: Buffer[]
    /** Bytes of the copy in each slot; 0 = free. */
    sizes: Buffer
    commands: Buffer
    heardMs: number[]
    /** The clock, roughly; set by whoever has looked at it. */
    nowMs: number
    /** Copies are being finished: each keeps its slot. */
    replaying: boolean
    first: number
    used: number
    // marks: what is recorded, per session or upload
    markKinds: Buffer
    markIds: number[]
    markNumbers: number[]
    /** What the last `recorded` notice said of each mark. */
    markTold: number[]
    /** Copies held beyond a gap. */
    markAhead: Buffer
    markUsed: number[]
    /** When its copies were last found to be waited for still. */
    markFreshMs: number[]
    lastMark: number
    clock: number

    constructor() {
        this.frames = buffers(copiesMax, frameBytesMax)
        this.sizes = Buffer.alloc(copiesMax)
        this.commands = Buffer.alloc(copiesMax)
        this.heardMs = zeros(copiesMax)
        this.nowMs = 0
        this.replaying = false
        this.markKinds = Buffer.alloc(marksMax)
        this.markIds = zeros(marksMax)
        this.markNumbers = zeros(marksMax)
        this.markUsed = zeros(marksMax)
        this.markFreshMs = zeros(marksMax)
        this.markTold = zeros(marksMax)
        this.markAhead = Buffer.alloc(marksMax)
        this.lastMark = 0
        this.clock = 0
        clearJournal(this)
    }
}

/** Forgets every copy and mark. */
export function clearJournal(journal: Journal): void {
    for (let i = 0; i < copiesMax; i++) journal.sizes[i] = 0
    for (let i = 0; i < marksMax; i++) journal.markKinds[i] = 0
    journal.held = 0
    journal.first = 0
    journal.used = 0
    journal.news = false
}

/** Records a command heard on its way to the partner: `write` 0x80 or `request` 0x81. */
export function recordCommand(journal: Journal, command: number, payload: Buffer): void {
    const bytes = payload.length
    // the shortest: a block of one byte, a request without arguments
    if (bytes < (command === 0x80 ? 13 : 16)) return
    if (bytes > frameBytesMax) return
    if (journal.used === copiesMax) if (!makeRoom(journal)) return
    let slot = journal.first + journal.used
    if (slot >= copiesMax) slot -= copiesMax
    const frame = journal.frames[slot]
    frame.blitAt(0, payload, 0, bytes)
    if (bytes < frameBytesMax) frame.fillAt(bytes, frameBytesMax - bytes, 0)
    if (!frameIsGood(frame, bytes)) return
    const numbers = journal.markNumbers
    let mark = 0
    let number = 0
    let isAhead = false
    if (command === 0x80) {
        mark = markOf(journal, kindUpload, uploadOf(frame))
        number = frame.getAt(8, "u32") + bytes - writeHeadBytes
        isAhead = frame.getAt(8, "u32") > numbers[mark]
    } else {
        mark = markOf(journal, kindSession, frame.getAt(8, "u32"))
        number = frame.getAt(12, "u32")
    }
    journal.news = true
    if (isAhead || number <= numbers[mark]) {
        // a gap, or heard again: perhaps nobody heard what is recorded
        journal.markTold[mark] = -1
        if (!isAhead) {
            // a whole window comes again, and each block of it would look at every copy
            if (journal.nowMs - journal.markFreshMs[mark] < freshMs) return
            journal.markFreshMs[mark] = journal.nowMs
        }
        if (refresh(journal, command, frame, number)) return
        if (!isAhead) return
        if (journal.held >= aheadMax) return
        if (journal.replaying) return
        // one more beyond the gap closes nothing
        isAhead = ++journal.markAhead[mark] !== 1
    } else numbers[mark] = number
    journal.sizes[slot] = bytes
    journal.commands[slot] = command
    journal.heardMs[slot] = journal.nowMs
    journal.used++
    journal.held++
    if (journal.markAhead[mark] !== 0)
        if (!journal.replaying) {
            arrange(journal, slot)
            if (!isAhead) closeGap(journal, mark)
        }
}

/** Slot of the copy heard first, or -1; for replay, which ends each by `take`. */
export function oldestCopy(journal: Journal): number {
    trim(journal)
    return journal.used === 0 ? -1 : journal.first
}

/** Whether nobody waits for this command: a host that does sends it again. To finish it now would undo what came since. */
export function isAbandoned(journal: Journal, slot: number): boolean {
    return journal.nowMs - journal.heardMs[slot] > abandonedMs
}

export function endCopy(journal: Journal, slot: number): void {
    free(journal, slot)
    trim(journal)
}

/** The ring is full: closes its gaps, or forgets what is stale when there are none. @returns false when no slot is free */
function makeRoom(journal: Journal): boolean {
    if (journal.replaying) return false
    const sizes = journal.sizes
    if (journal.held === copiesMax) {
        for (let i = 0; i < copiesMax; i++) if (journal.nowMs - journal.heardMs[i] > staleMs) free(journal, i)
        trim(journal)
    }
    let to = journal.first
    let slot = journal.first
    for (let n = journal.used; n > 0; n--) {
        if (sizes[slot] !== 0) {
            if (slot !== to) {
                journal.commands[to] = journal.commands[slot]
                swap(journal, slot, to)
            }
            if (++to === copiesMax) to = 0
        }
        if (++slot === copiesMax) slot = 0
    }
    journal.used = journal.held
    return journal.used < copiesMax
}

/** Index of the mark of a session or an upload; the one used longest ago gives way. */
function markOf(journal: Journal, kind: number, id: number): number {
    const last = journal.lastMark
    if (journal.markIds[last] === id) if (journal.markKinds[last] === kind) return last
    let oldest = 0
    for (let i = 0; i < marksMax; i++) {
        if (journal.markKinds[i] === kind)
            if (journal.markIds[i] === id) {
                oldest = i
                break
            }
        if (journal.markUsed[i] < journal.markUsed[oldest]) oldest = i
    }
    if (journal.markKinds[oldest] !== kind || journal.markIds[oldest] !== id) {
        journal.markKinds[oldest] = kind
        journal.markIds[oldest] = id
        journal.markNumbers[oldest] = 0
        journal.markTold[oldest] = 0
        journal.markAhead[oldest] = 0
    }
    journal.markUsed[oldest] = ++journal.clock
    journal.lastMark = oldest
    return oldest
}

/** The owner answered a request, or acknowledged an upload (`id` = volume << 16 | handle) up to `number`: that is durable. */
export function recordDone(journal: Journal, kind: number, id: number, number: number): void {
    const isUpload = kind === kindUpload
    const command = isUpload ? 0x80 : 0x81
    const sizes = journal.sizes
    let slot = journal.first
    for (let n = journal.used; n > 0; n--) {
        if (sizes[slot] !== 0)
            if (journal.commands[slot] === command) {
                const frame = journal.frames[slot]
                if (isUpload) {
                    if (uploadOf(frame) === id) {
                        // an upload's copies are in the order of their offsets
                        if (frame.getAt(8, "u32") + sizes[slot] - writeHeadBytes > number) break
                        free(journal, slot)
                    }
                } else if (frame.getAt(8, "u32") === id) if (frame.getAt(12, "u32") <= number) free(journal, slot)
            }
        if (++slot === copiesMax) slot = 0
    }
    trim(journal)
    // what is durable at the owner needs no copy: recording goes on from there
    const mark = markOf(journal, kind, id)
    const before = journal.markNumbers[mark]
    if (before < number) {
        journal.markNumbers[mark] = number
        journal.news = true
        // a mark that had given way to others has forgotten which copies it stood for
        if (isUpload) if (before === 0 || journal.markAhead[mark] !== 0) closeGap(journal, mark)
    }
}

/** Volume << 16 | handle of a block. */
function uploadOf(frame: Buffer): number {
    return frame.getAt(6, "u16") | (frame[4] << 16)
}

/** The copies in two slots change places. */
function swap(journal: Journal, one: number, other: number): void {
    const frame = journal.frames[one]
    journal.frames[one] = journal.frames[other]
    journal.frames[other] = frame
    const bytes = journal.sizes[one]
    journal.sizes[one] = journal.sizes[other]
    journal.sizes[other] = bytes
    const heardMs = journal.heardMs[one]
    journal.heardMs[one] = journal.heardMs[other]
    journal.heardMs[other] = heardMs
}

/** Puts the copy heard last, a block, among those of its upload by its offset. */
function arrange(journal: Journal, slot: number): void {
    let at = slot
    for (let n = journal.used - 1; n > 0; n--) {
        if (--slot < 0) slot = copiesMax - 1
        if (journal.sizes[slot] !== 0)
            if (journal.commands[slot] === 0x80) {
                const frame = journal.frames[slot]
                const moved = journal.frames[at]
                if (uploadOf(frame) === uploadOf(moved)) {
                    if (frame.getAt(8, "u32") <= moved.getAt(8, "u32")) return
                    swap(journal, slot, at)
                    at = slot
                }
            }
    }
}

/** What is held without a gap behind the mark is recorded. */
function closeGap(journal: Journal, mark: number): void {
    let ahead = 0
    let number = journal.markNumbers[mark]
    let slot = journal.first
    for (let n = journal.used; n > 0; n--) {
        if (journal.sizes[slot] !== 0)
            if (journal.commands[slot] === 0x80) {
                const frame = journal.frames[slot]
                if (uploadOf(frame) === journal.markIds[mark]) {
                    const offset = frame.getAt(8, "u32")
                    const end = offset + journal.sizes[slot] - writeHeadBytes
                    if (offset > number) ahead++
                    else if (end > number) number = end
                }
            }
        if (++slot === copiesMax) slot = 0
    }
    journal.markNumbers[mark] = number
    journal.markAhead[mark] = ahead
}

function free(journal: Journal, slot: number): void {
    journal.sizes[slot] = 0
    journal.held--
}

function trim(journal: Journal): void {
    while (journal.used > 0) {
        if (journal.sizes[journal.first] !== 0) return
        if (++journal.first === copiesMax) journal.first = 0
        journal.used--
    }
}

/**
 * A command heard again, or one of its upload: its host still waits.
 * @param number end of a block
 * @returns whether a copy held has all of it
 */
function refresh(journal: Journal, command: number, frame: Buffer, number: number): boolean {
    let isHeld = false
    let slot = journal.first
    for (let n = journal.used; n > 0; n--) {
        if (journal.sizes[slot] !== 0)
            if (journal.commands[slot] === command) {
                const held = journal.frames[slot]
                // a request by session and sequence; a block by its upload, whose other blocks its host has not given up either
                const same =
                    command === 0x80
                        ? uploadOf(held) === uploadOf(frame)
                        : held.getAt(8, "i32") === frame.getAt(8, "i32") &&
                          held.getAt(12, "i32") === frame.getAt(12, "i32")
                if (same) {
                    journal.heardMs[slot] = journal.nowMs
                    if (held.getAt(8, "u32") <= frame.getAt(8, "u32"))
                        if (held.getAt(8, "u32") + journal.sizes[slot] - writeHeadBytes >= number) isHeld = true
                }
            }
        if (++slot === copiesMax) slot = 0
    }
    return isHeld
}
