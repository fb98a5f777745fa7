/**
 * The client's end of the bus: checks every notice once, keeps the node table, and hands each to the one
 * exchange, upload or download that waits for it. What nobody waits for is dropped; damaged frames are counted.
 */
import type { Clock, RandomU32 } from "../bus/clock"
import type { ServiceBus } from "../bus/jacdac-bus"
import { isError } from "../error"
import {
    outstandingMax,
    pairOf,
    protocolVersion,
    readsPerNodeMax,
    serviceFlags,
    noticeKinds,
} from "../protocol/numbers"
import { hasValidNoticeCheck } from "../protocol/check"
import { decodeNotice, type Answer, type Data, type Outcome, type Progress, type Reply } from "../protocol/notices"
import { Gate, type PairGates } from "./gate"
import { tagRestMs, timeoutDefaultMs, uploadBlocksMax, uploadWindowBlocks, uploadWindowBlocksMin } from "./limits"
import { NodeTable } from "./nodes"

export interface LinkOptions {
    clock: Clock
    random: RandomU32
    /** Nothing is given up earlier. */
    timeoutMs?: number
}

const tagCount = 256
// in their notices
const dataTagAt = 5
const answerTagAt = 6

export class Link {
    readonly clock: Clock
    readonly random: RandomU32
    readonly timeoutMs: number
    readonly nodes: NodeTable
    /** Volumes of the uploads under way, which share the wire. */
    readonly uploads = new Set<{ readonly volume: number }>()
    private readonly gates: PairGates[] = []

    readonly replies = new Map<number, (reply: Reply) => void>()
    /** By a query's tag: the checks of what was sent, and who takes the answer. */
    readonly answers = new Map<number, { checks: ReadonlySet<number>; take: (answer: Answer) => void }>()
    readonly outcomes = new Map<number, (outcome: Outcome) => void>()
    /** By a read's tag: the object it asks for, and who takes the data. */
    readonly data = new Map<number, { object: number; take: (data: Data) => void }>()
    readonly progress = new Set<(progress: Progress) => void>()

    /** Frames dropped because they were no notices of this protocol. */
    badFrames = 0
    /** A node speaks another version of the protocol. */
    otherVersion?: number
    /** The `serviceFlags` of everything that was received for this client. */
    flagsSeen = 0

    private nextTag: number
    private nextReadTag: number
    private readonly readTagUsedMs = new Array<number>(tagCount).fill(-Infinity)
    private readonly unsubscribe: () => void

    constructor(
        readonly bus: ServiceBus,
        options: LinkOptions,
    ) {
        this.clock = options.clock
        this.random = options.random
        this.timeoutMs = options.timeoutMs ?? timeoutDefaultMs
        this.nodes = new NodeTable(options.clock)
        // Other hosts on the bus count too, and file data of one object does not tell whose it is: start where they are not.
        this.nextTag = options.random() & 0xffff
        this.nextReadTag = options.random() & 0xff
        this.unsubscribe = bus.onNotice((node, kind, frame) => this.receive(node, kind, frame))
    }

    close(): void {
        this.unsubscribe()
    }

    /** Of the pair that a node or volume belongs to. */
    gatesOf(number: number): PairGates {
        const pair = pairOf(number)
        return (this.gates[pair] ??= { all: new Gate(outstandingMax), reads: new Gate(readsPerNodeMax) })
    }

    /** Most requests outstanding at once at any pair so far. */
    get outstandingHighWater(): number {
        return Math.max(0, ...Object.values(this.gates).map(({ all }) => all.highWater))
    }

    /** Blocks one upload may have on their way: those that can move share what the wire carries in good time. */
    windowBlocks(): number {
        let moving = 0
        for (const { volume } of this.uploads) if (this.nodes.controllerOf(volume)) moving++
        const share = Math.floor(uploadBlocksMax / Math.max(1, moving))
        return Math.min(uploadWindowBlocks, Math.max(uploadWindowBlocksMin, share))
    }

    /** A tag for a query or a control. */
    takeTag(): number {
        this.nextTag = (this.nextTag + 1) & 0xffff
        return this.nextTag
    }

    /** A tag for a read that no read has borne for 2 s, or undefined when there is none. */
    takeReadTag(): number | undefined {
        const now = this.clock.now()
        for (let tried = 0; tried < tagCount; tried++) {
            this.nextReadTag = (this.nextReadTag + 1) & 0xff
            const tag = this.nextReadTag
            if (this.data.has(tag) || now - this.readTagUsedMs[tag] < tagRestMs) continue
            return tag
        }
        return undefined
    }

    releaseReadTag(tag: number): void {
        this.data.delete(tag)
        this.readTagUsedMs[tag] = this.clock.now()
    }

    noteFlags(flags: number): void {
        this.flagsSeen |= flags & (serviceFlags.unprotected | serviceFlags.degraded)
    }

    /** What a notice is about (protocol/check.ts); undefined when another host asked for it, whose check cannot be known here. */
    private aboutOf(kind: number, frame: Uint8Array): number | undefined {
        if (kind === noticeKinds.data) return this.data.get(frame[dataTagAt])?.object
        if (kind !== noticeKinds.answer) return 0
        const { checks } = this.answers.get(frame[answerTagAt] + 256 * frame[answerTagAt + 1]) ?? {}
        for (const check of checks ?? []) if (hasValidNoticeCheck(Buffer.from(frame), check)) return check
        return undefined
    }

    private receive(node: number, kind: number, frame: Uint8Array): void {
        try {
            const about = this.aboutOf(kind, frame)
            if (about === undefined) return this.nodes.heard(node)
            const notice = decodeNotice(kind, frame, about)
            if (notice.kind === "beat" && notice.protocol !== protocolVersion) {
                this.otherVersion = notice.protocol
                return
            }
            if (notice.kind === "beat" && notice.node === node) this.nodes.beat(notice)
            else this.nodes.heard(node)
            switch (notice.kind) {
                case "reply":
                    return this.replies.get(notice.session)?.(notice)
                case "answer":
                    return this.answers.get(notice.tag)?.take(notice)
                case "outcome":
                    return this.outcomes.get(notice.tag)?.(notice)
                case "data":
                    return this.data.get(notice.tag)?.take(notice)
                case "progress":
                    for (const listener of [...this.progress]) listener(notice)
            }
        } catch (error) {
            if (!isError(error, "badFrame")) throw error
            this.badFrames++
        }
    }
}
