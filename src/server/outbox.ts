// What this node has to say, one packet at a time: a node's program may send only 50 packets a second, so what can be said later and
// together waits its turn here. A reply goes before progress, progress before what was recorded, that before answers and file data.
//
// Notices travel as commands to the partner's service, or to a host's while the partner is silent (docs/decisions/0001): everyone hears
// them either way. Each of the two carriers has a fiber, because a packet to a service that has just gone waits for ever.

import { beatMs, copyWaitMs, lostMs } from "../config"
import { kindSession } from "../pair/journal"
import { takingOver } from "../pair/role"
import { platform, Signal } from "../platform"
import { isRefusal } from "../store/status"
import { sealFrame } from "./frame"
import { getRecorded } from "./copies"
import { NodeServer, isProtected } from "./node"
import { lostFrame } from "./lost"
import { beatFrame, flagUnprotected, progressFrame, recordedFrame, replyFlags } from "./telling"

// docs/PROTOCOL.md, "Notices"
export const noticeBase = 0x100
export const noticeProgress = 0
export const noticeReply = 1
export const noticeData = 2
export const noticeAnswer = 3
export const noticeOutcome = 4
export const noticeBeat = 5
export const noticeRecorded = 6
export const noticeMemory = 7

const repliesMax = 8
const queuedMax = 4
/** Frames of file data, for which the worker waits. */
export const framesMax = 2
/** While other packets show that this node lives, its heartbeat comes less often. */
const busyBeatMs = 300
/** What is told at once is told again so much later. */
const beatAgainMs = 40
/** Acknowledgements go together: a window of 16 blocks at 60 kB/s lasts 60 ms. */
const progressMs = 45

/** A service of another device that notices are sent to. */
export interface Carrier {
    /** Wakes the fiber that sends by this carrier. */
    signal: Signal
    /** Whether this is the carrier to use now. */
    isReady(): boolean
    send(command: number, payload: Buffer): Promise<void>
}

export class Reply {
    frame: Buffer
    /** It goes out without a copy. */
    dueMs: number
    /** The partner's copy is taken for lost. */
    lostMs: number
    constructor(frame: Buffer, nowMs: number) {
        this.frame = frame
        this.dueMs = nowMs + copyWaitMs
        this.lostMs = nowMs + lostMs
    }
}

export class Outbox {
    /** Upload progress may have changed since it was told. */
    progressDue: boolean
    /** A change of role or control is told at once. */
    beatDue: boolean
    node: NodeServer
    replies: Reply[]
    answers: Buffer[]
    outcomes: Buffer[]
    refusals: Buffer[]
    frames: Buffer[]
    /** When something was last said. */
    lastSendMs: number
    nextBeatMs: number
    lastProgressMs: number
    lastRecordedMs: number
    /** When something was last acknowledged without the copy that the partner should have held. */
    uncopiedMs: number
    /** What is to be said of the journal memory. */
    memory: Buffer[]
    /** Of the notice to send; or the code of a command to the partner. */
    kind: number
    carriers: Carrier[]

    constructor(node: NodeServer) {
        this.node = node
        this.replies = []
        this.answers = []
        this.outcomes = []
        this.refusals = []
        this.frames = []
        this.progressDue = false
        this.beatDue = true
        this.lastSendMs = 0
        this.nextBeatMs = 0
        this.lastProgressMs = 0
        this.lastRecordedMs = 0
        this.uncopiedMs = -1000
        this.memory = []
        this.kind = 0
        this.carriers = []
    }

    /** Sends by one carrier, whenever it is the one to use, for ever. */
    async run(carrier: Carrier): Promise<void> {
        for (;;) {
            // an exception here would restart the program; what was to be said is said again when it is asked for again
            try {
                const frame = carrier.isReady() ? next(this) : undefined
                if (frame) {
                    const node = this.node
                    this.lastSendMs = node.nowMs
                    const kind = this.kind
                    await carrier.send(kind < 16 ? noticeBase + 16 * node.number + kind : kind, frame)
                    node.workerSignal.notify()
                } else await carrier.signal.wait()
            } catch (e) {
                console.log("! outbox " + e)
                await platform.sleep(beatMs)
            }
        }
    }
}

/** Something is to be said: wakes the carrier to use now. */
export function wakeCarrier(outbox: Outbox): void {
    const carriers = outbox.carriers
    for (let i = 0; i < carriers.length; i++)
        if (carriers[i].isReady()) {
            carriers[i].signal.notify()
            return
        }
}

/** What waits for a time, or for a carrier, is looked at again. */
export function tickOutbox(outbox: Outbox, nowMs: number): void {
    if (
        outbox.beatDue ||
        nowMs >= outbox.nextBeatMs ||
        (outbox.progressDue && nowMs - outbox.lastProgressMs >= progressMs) ||
        (outbox.node.journal.news && nowMs - outbox.lastRecordedMs >= progressMs) ||
        outbox.replies.length > 0 ||
        outbox.frames.length > 0 ||
        outbox.answers.length > 0 ||
        outbox.memory.length > 0 ||
        outbox.outcomes.length > 0
    )
        wakeCarrier(outbox)
}

/** A reply without its flags and check; it goes out when the partner has recorded the request, or after `copyWaitMs`. */
export function queueReply(outbox: Outbox, frame: Buffer, nowMs: number): void {
    if (outbox.replies.length >= repliesMax) outbox.replies.insert(0, -1)
    outbox.replies.push(new Reply(frame, nowMs))
    wakeCarrier(outbox)
}

/** Adds to one of the lists of what is to be said; what does not fit is asked for again. */
export function queue(outbox: Outbox, list: Buffer[], frame: Buffer): void {
    if (list.length < queuedMax) list.push(frame)
    wakeCarrier(outbox)
}

function first(queue: Buffer[]): Buffer {
    const frame = queue[0]
    queue.insert(0, -1)
    return frame
}

/** The most urgent thing to say, its kind in `kind`; undefined when there is none. */
function next(outbox: Outbox): Buffer {
    const node = outbox.node
    const now = node.nowMs
    outbox.kind = noticeOutcome
    if (outbox.outcomes.length > 0) return first(outbox.outcomes)
    if (outbox.beatDue || now >= outbox.nextBeatMs) {
        // what is told at once is told again soon: the partner may wait for it, and one frame may be lost
        outbox.nextBeatMs =
            now + (outbox.beatDue ? beatAgainMs : now - outbox.lastSendMs < beatMs ? busyBeatMs : beatMs)
        outbox.beatDue = false
        outbox.kind = noticeBeat
        return beatFrame(node)
    }
    if (outbox.replies.length > 0) {
        const frame = nextReply(outbox, now)
        outbox.kind = noticeReply
        if (frame) return frame
    }
    const lost = lostFrame(outbox, now)
    if (lost) return lost
    outbox.kind = noticeProgress
    if (outbox.refusals.length > 0) return first(outbox.refusals)
    if (outbox.progressDue)
        if (now - outbox.lastProgressMs >= progressMs) {
            let frame = progressFrame(node, node.home, now)
            if (!frame) frame = progressFrame(node, node.other, now)
            if (frame) {
                outbox.lastProgressMs = now
                return frame
            }
            outbox.progressDue = false
        }
    if (node.journal.news)
        if (now - outbox.lastRecordedMs >= progressMs) {
            outbox.lastRecordedMs = now
            outbox.kind = noticeRecorded
            // one that has lost its array waits for nothing, and a failover does for every frame
            if (node.pair.role !== takingOver || !node.pair.stepped) {
                const frame = recordedFrame(node)
                if (frame) return frame
            }
        }
    outbox.kind = noticeMemory
    if (outbox.memory.length > 0) return first(outbox.memory)
    outbox.kind = noticeAnswer
    if (outbox.answers.length > 0) return first(outbox.answers)
    outbox.kind = noticeData
    if (outbox.frames.length > 0) return first(outbox.frames)
    return undefined
}

/** The first reply whose request the partner has recorded, or that has waited long enough. */
function nextReply(outbox: Outbox, now: number): Buffer {
    const node = outbox.node
    for (let i = 0; i < outbox.replies.length; i++) {
        const frame = outbox.replies[i].frame
        const copied =
            isRefusal(frame[6]) ||
            getRecorded(node.recorded, kindSession, frame.getAt(8, "u32")) >= frame.getAt(12, "u32")
        if (!copied) if (isProtected(node)) if (now < outbox.replies[i].dueMs) continue
        frame[7] = replyFlags(node)
        if (!copied) {
            frame[7] |= flagUnprotected
            outbox.uncopiedMs = now
        }
        sealFrame(frame, 0)
        outbox.replies.insert(i, -1)
        return frame
    }
    return undefined
}
