/**
 * A file's bytes in order, streamed: each frame checked, what is missing asked for again, at most 128 KB ahead of the
 * reader. The bytes all come from one object, which never changes its content; when it is gone (its name was given to
 * another file, or removed) the download fails with `replaced` and never mixes two files.
 */
import { TwinfilerError } from "../error"
import { commandCodes, readBytesMax } from "../protocol/numbers"
import { encodeRead } from "../protocol/commands"
import type { Data } from "../protocol/notices"
import { abortError, silenceError } from "./exchange"
import type { PairGates } from "./gate"
import {
    busyWaitMaxMs,
    readAheadBytes,
    readOverlapBytes,
    readsPerDownloadMax,
    resendWaitsMs,
    roleWaitMs,
} from "./limits"
import type { Link } from "./link"
import { statusError } from "./statuses"

export interface DownloadTarget {
    volume: number
    object: number
    /** The snapshot it is read from. */
    snapshot?: number
    /** First byte, and the one after the last. */
    start: number
    end: number
    subject: string
}

export interface DownloadOptions {
    timeoutMs?: number
    signal?: AbortSignal
}

/** One read that a node is serving: it has sent everything below `next`. */
interface Ask {
    tag: number
    next: number
    end: number
}
interface Range {
    start: number
    end: number
}

/** Yields the bytes in pieces of 224 bytes to 128 KB. Stopping early cancels what was asked for. */
export async function* download(
    link: Link,
    target: DownloadTarget,
    options: DownloadOptions = {},
): AsyncGenerator<Uint8Array> {
    if (target.start >= target.end) return
    const reader = new Reader(link, target, options)
    try {
        for (;;) {
            const piece = await reader.next()
            if (!piece) return
            yield piece
        }
    } finally {
        reader.close()
    }
}

class Reader {
    private readonly asks = new Map<number, Ask>()
    private holes: Range[] = []
    /** Frames that came ahead of a missing one, by offset. */
    private readonly ahead = new Map<number, Uint8Array>()
    private ready: Uint8Array[] = []
    /** In-order bytes have arrived up to here; the reader has taken those below `takenTo`. */
    private arrivedTo: number
    private takenTo: number
    private askedTo: number

    private wake?: () => void
    private failure?: unknown
    private timer: unknown
    private deadlineTimer: unknown
    private waitIndex = 0
    /** An empty read of a busy node is asked again after this time, not at once. */
    private pauseMs = 0
    private isEntering = false
    private isClosed = false
    private readonly gates: PairGates
    private readonly unsubscribe: () => void

    constructor(
        private readonly link: Link,
        private readonly target: DownloadTarget,
        private readonly options: DownloadOptions,
    ) {
        this.gates = link.gatesOf(target.volume)
        this.arrivedTo = this.takenTo = this.askedTo = target.start
        this.unsubscribe = link.nodes.onChange(volume => {
            if (volume === target.volume) this.askAgain()
        })
        options.signal?.addEventListener("abort", this.abort)
        if (options.signal?.aborted) this.abort()
        this.restartDeadline()
        this.askMore()
    }

    async next(): Promise<Uint8Array | undefined> {
        while (!this.ready.length && !this.failure && this.arrivedTo < this.target.end)
            await new Promise<void>(resolve => (this.wake = resolve))
        if (this.ready.length) {
            const piece = this.ready.length === 1 ? this.ready[0] : Buffer.concat(this.ready)
            this.ready = []
            this.takenTo += piece.length
            this.askMore()
            return piece
        }
        if (this.failure) throw this.failure
        return undefined
    }

    close(): void {
        this.isClosed = true
        for (const ask of [...this.asks.values()]) {
            this.sendRead(ask.tag, 0, 0)
            this.drop(ask)
        }
        this.unsubscribe()
        this.options.signal?.removeEventListener("abort", this.abort)
        this.link.clock.clearTimeout(this.timer)
        this.link.clock.clearTimeout(this.deadlineTimer)
    }

    private readonly abort = () => this.fail(abortError(this.target.subject))

    /** The next range worth asking for: a hole first, then what follows. */
    private nextRange(): Range | undefined {
        const hole = this.holes.shift()
        if (hole) return hole
        const { end } = this.target
        if (this.askedTo >= end || this.askedTo - this.takenTo >= readAheadBytes) return undefined
        for (const ask of this.asks.values()) if (ask.end - ask.next > readOverlapBytes) return undefined
        const start = this.askedTo
        this.askedTo = Math.min(end, start + readBytesMax)
        return { start, end: this.askedTo }
    }

    /** Asks for more as far as the bounds allow; there is at most one waiting at the gates. */
    private askMore(): void {
        if (this.isEntering || this.isClosed || this.failure || this.pauseMs) return
        if (this.asks.size >= readsPerDownloadMax) return
        const range = this.nextRange()
        if (!range) return
        if (this.gates.reads.tryEnter()) {
            if (this.gates.all.tryEnter()) return this.ask(range)
            this.gates.reads.leave()
        }
        this.isEntering = true
        void this.gates.reads
            .enter()
            .then(() => this.gates.all.enter())
            .then(() => {
                this.isEntering = false
                this.ask(range)
            })
    }

    /** Both gates have been entered. */
    private ask(range: Range): void {
        const tag = this.isClosed ? undefined : this.link.takeReadTag()
        if (tag === undefined) {
            this.gates.all.leave()
            this.gates.reads.leave()
            this.holes.push(range)
            this.armTimer()
            return
        }
        const ask = { tag, next: range.start, end: range.end }
        this.asks.set(tag, ask)
        this.link.data.set(tag, { object: this.target.object, take: data => this.receive(ask, data) })
        this.sendRead(tag, range.start, range.end - range.start)
        this.armTimer()
        this.askMore()
    }

    private sendRead(tag: number, offset: number, length: number): void {
        const { volume, object } = this.target
        const node = this.link.nodes.controllerOf(volume)
        if (!node) return // the timer comes back to it
        const epoch = this.link.nodes.epochOf(volume)
        const snapshot = length ? this.target.snapshot : undefined
        this.link.bus.send(
            node.node,
            commandCodes.read,
            encodeRead({ volume, tag, epoch, object, offset, length, snapshot }),
        )
    }

    private receive(ask: Ask, data: Data): void {
        if (data.volume !== this.target.volume) return
        if (data.status !== "ok") return this.refused(ask, data)
        const { offset } = data
        const end = offset + data.data.length
        if (offset < ask.next || end > ask.end) return // of an earlier read, or sent twice
        this.link.noteFlags(data.flags)
        if (data.data.length === 0) {
            if (offset === ask.next)
                this.fail(
                    new TwinfilerError(
                        "checksum",
                        `${this.target.subject}: ends at byte ${offset} although more were promised`,
                    ),
                )
            return
        }
        if (offset > ask.next) this.holes.push({ start: ask.next, end: offset })
        ask.next = end
        this.keep(offset, data.data)
        if (ask.next === ask.end) this.drop(ask)
        this.waitIndex = 0
        this.armTimer()
        this.askMore()
    }

    private refused(ask: Ask, data: Data): void {
        const { subject } = this.target
        // data frames do not tell the epoch: the next beat does
        if (data.status === "busy" || data.status === "notController" || data.status === "wrongEpoch") {
            this.putBack(ask)
            this.pauseMs = data.status === "busy" ? busyWaitMaxMs : roleWaitMs
            this.armTimer()
        } else if (data.status === "notFound" || data.status === "stale")
            this.fail(new TwinfilerError("replaced", `${subject}: was replaced or removed while it was read`))
        else this.fail(statusError(data.status, subject))
    }

    /** Puts a frame in its place and hands on what is complete. */
    private keep(offset: number, data: Uint8Array): void {
        if (offset > this.arrivedTo) {
            this.ahead.set(offset, data)
            return
        }
        let piece: Uint8Array | undefined = data.subarray(this.arrivedTo - offset)
        if (piece.length === 0) return
        while (piece) {
            this.ready.push(piece)
            this.arrivedTo += piece.length
            piece = this.ahead.get(this.arrivedTo)
            if (piece) this.ahead.delete(this.arrivedTo)
        }
        this.restartDeadline()
        this.wake?.()
    }

    private putBack(ask: Ask): void {
        if (ask.next < ask.end) this.holes.unshift({ start: ask.next, end: ask.end })
        this.drop(ask)
    }

    private drop(ask: Ask): void {
        if (!this.asks.delete(ask.tag)) return
        this.link.releaseReadTag(ask.tag)
        this.gates.all.leave()
        this.gates.reads.leave()
    }

    private armTimer(): void {
        this.link.clock.clearTimeout(this.timer)
        this.timer = this.link.clock.setTimeout(() => this.stalled(), this.pauseMs || resendWaitsMs[this.waitIndex])
    }

    /** No data for a while: whatever was asked for is asked for again. */
    private stalled(): void {
        if (this.pauseMs) this.pauseMs = 0
        else this.waitIndex = Math.min(this.waitIndex + 1, resendWaitsMs.length - 1)
        this.askAgain()
    }

    private askAgain(): void {
        if (this.isClosed || this.failure) return
        this.pauseMs = 0
        for (const ask of [...this.asks.values()]) {
            if (this.link.nodes.controllerOf(this.target.volume)) this.sendRead(ask.tag, 0, 0)
            this.putBack(ask)
        }
        // What lies beyond the reader and is neither here nor asked for: a frame cut differently from its hole.
        if (!this.holes.length && !this.isEntering && this.arrivedTo < this.askedTo) {
            this.ahead.clear()
            this.askedTo = this.arrivedTo
        }
        this.askMore()
        this.armTimer()
    }

    private restartDeadline(): void {
        const { link, target } = this
        const timeoutMs = this.options.timeoutMs ?? link.timeoutMs
        link.clock.clearTimeout(this.deadlineTimer)
        this.deadlineTimer = link.clock.setTimeout(() => {
            // A reader that does not take what is there is not the node's fault.
            if (this.ready.length || this.arrivedTo >= target.end) this.restartDeadline()
            else this.fail(silenceError(link, { volume: target.volume }, target.subject, timeoutMs))
        }, timeoutMs)
    }

    private fail(error: unknown): void {
        this.failure ??= error
        this.wake?.()
    }
}
