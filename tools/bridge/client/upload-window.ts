/**
 * The blocks of one upload on their way: at most 16 beyond the acknowledged offset, kept until they are acknowledged
 * (durable on the array and recorded by the partner), sent again from there when some were lost or the volume changed
 * hands. Ends when every block is acknowledged, or with an error; `noUpload` means the volume knows nothing of it.
 */
import { TwinfilerError } from "../error"
import { blockBytesMax, commandCodes, fileBytesMax, volumeLetter, writeFlags } from "../protocol/numbers"
import { decodeUpload } from "../protocol/answers"
import { encodeWrite } from "../protocol/commands"
import type { Progress } from "../protocol/notices"
import type { BlockSource } from "./block-source"
import { abortError, silenceError } from "./exchange"
import {
    goBackMaxMs,
    goBackMinMs,
    resendWaitsMs,
    uploadProbeIntervals,
    uploadProbeMs,
    uploadWindowBlocks,
} from "./limits"
import type { Link } from "./link"
import { query } from "./queries"
import { statusError } from "./statuses"

interface Block {
    offset: number
    data: Uint8Array
}

export interface UploadTarget {
    volume: number
    /** The upload's object. */
    object: number
    subject: string
}

export interface UploadOptions {
    timeoutMs?: number
    signal?: AbortSignal
    /** Called with the bytes acknowledged so far. */
    onProgress?: (bytes: number) => void
}

/** Resolves to the number of bytes sent and acknowledged. */
export function sendBlocks(
    link: Link,
    target: UploadTarget,
    source: BlockSource,
    options: UploadOptions,
): Promise<number> {
    return new UploadWindow(link, target, source, options).run()
}

class UploadWindow {
    private readonly blocks: Block[] = []
    /** How many of `blocks` have been sent since the last go-back. */
    private sent = 0
    private acknowledged = 0
    private end = 0
    private isEnded = false
    private credit = uploadWindowBlocks
    private isResuming = false
    private isOver = false

    private waitIndex = 0
    /** End of the block that was sent again to be told where the node is; 0: none. */
    private probedTo = 0
    private lastAdvanceMs: number
    /** Smoothed time between two advances. */
    private advanceMs = resendWaitsMs[0]
    private lastGoBackMs = -Infinity
    private goBackWaitMs = goBackMinMs
    private timer: unknown
    private deadlineTimer: unknown
    private room?: () => void
    private resolve!: (bytes: number) => void
    private reject!: (error: unknown) => void

    constructor(
        private readonly link: Link,
        private readonly target: UploadTarget,
        private readonly source: BlockSource,
        private readonly options: UploadOptions,
    ) {
        this.lastAdvanceMs = link.clock.now()
    }

    async run(): Promise<number> {
        const { link, options } = this
        const outcome = new Promise<number>((resolve, reject) => {
            this.resolve = resolve
            this.reject = reject
        })
        const onProgress = (progress: Progress) => this.progress(progress)
        const unsubscribe = link.nodes.onChange(volume => {
            if (volume === this.target.volume) void this.resume()
        })
        const abort = () => this.fail(abortError(this.target.subject))
        link.progress.add(onProgress)
        link.uploads.add(this.target)
        options.signal?.addEventListener("abort", abort)
        if (options.signal?.aborted) abort()
        this.restartDeadline()
        void this.fill()
        try {
            return await outcome
        } finally {
            this.isOver = true
            this.room?.()
            link.progress.delete(onProgress)
            link.uploads.delete(this.target)
            options.signal?.removeEventListener("abort", abort)
            unsubscribe()
            link.clock.clearTimeout(this.timer)
            link.clock.clearTimeout(this.deadlineTimer)
        }
    }

    /** Reads the source as far as the window has room. */
    private async fill(): Promise<void> {
        try {
            while (!this.isOver) {
                const data = await this.source.next()
                if (this.isOver) return
                if (!data) break
                if (this.end + data.length > fileBytesMax) throw statusError("tooLarge", this.target.subject)
                if (this.blocks.length === 0) this.restartDeadline() // it was the source that was slow
                this.blocks.push({ offset: this.end, data })
                this.end += data.length
                this.isEnded = data.length < blockBytesMax
                this.pump()
                if (this.isEnded) return
                while (this.blocks.length >= uploadWindowBlocks && !this.isOver)
                    await new Promise<void>(resolve => (this.room = resolve))
            }
            this.isEnded = true
            this.pump()
            // The last block was sent when it was not known to be the last.
            if (this.blocks.length && this.sent === this.blocks.length) this.transmit(this.blocks[this.sent - 1], true)
        } catch (error) {
            this.fail(error)
        }
    }

    /** Sends what the window allows. */
    private pump(): void {
        if (this.isOver) return
        if (this.isEnded && this.blocks.length === 0) {
            this.isOver = true
            this.resolve(this.end)
            return
        }
        if (this.isResuming) return
        const most = Math.min(this.credit, this.link.windowBlocks())
        const window = Math.min(this.blocks.length, most)
        if (this.sent >= window) return
        while (this.sent < window) {
            const isLast = this.sent + 1 === window && (this.isEnded || window === most)
            this.transmit(this.blocks[this.sent], isLast)
            this.sent++
        }
        this.waitIndex = 0
        this.sendTimer(this.probeWaitMs())
    }

    private transmit(block: Block, isAsking: boolean): void {
        const { volume, object } = this.target
        const node = this.link.nodes.controllerOf(volume)
        if (!node) return // the timer comes back to it
        const flags = isAsking ? writeFlags.tellProgress : 0
        const handle = object & 0xffff
        this.link.bus.send(
            node.node,
            commandCodes.write,
            encodeWrite({ volume, flags, handle, offset: block.offset, data: block.data }),
        )
    }

    private progress(progress: Progress): void {
        const { volume, object, subject } = this.target
        if (progress.volume !== volume || this.isOver) return
        const own = progress.uploads.find(upload => upload.handle === (object & 0xffff))
        if (!own) return
        this.link.noteFlags(progress.flags)
        if (own.status === "busy" || own.status === "notController" || own.status === "wrongEpoch") return
        if (own.status !== "ok") return this.fail(statusError(own.status, subject))
        this.credit = Math.min(progress.credit, uploadWindowBlocks)
        if (own.acknowledged > this.end) return // of another upload with the same low half
        const isAdvance = this.advanceTo(own.acknowledged)
        // After a probe: the node has nothing beyond the block that was sent again, so the rest was lost.
        if (own.acknowledged <= this.probedTo) this.goBack()
        this.probedTo = 0
        this.pump()
        if (isAdvance && this.blocks.length && !this.isOver) this.sendTimer(this.probeWaitMs())
    }

    /** Some of the usual intervals between two advances: longer is suspicious. */
    private probeWaitMs(): number {
        return Math.min(Math.max(uploadProbeMs, uploadProbeIntervals * this.advanceMs), resendWaitsMs[0])
    }

    /** Drops the blocks below `offset`; returns whether there were any. */
    private advanceTo(offset: number): boolean {
        if (offset <= this.acknowledged) return false
        const now = this.link.clock.now()
        this.advanceMs += (now - this.lastAdvanceMs - this.advanceMs) / 4
        this.lastAdvanceMs = now
        this.acknowledged = offset
        const { blocks } = this
        let count = 0
        while (count < blocks.length && blocks[count].offset + blocks[count].data.length <= offset) count++
        blocks.splice(0, count)
        this.sent = Math.max(0, this.sent - count)
        this.trimFirstTo(offset)
        this.waitIndex = 0
        this.goBackWaitMs = goBackMinMs
        this.lastGoBackMs = -Infinity
        this.restartDeadline()
        this.options.onProgress?.(offset)
        const { room } = this
        this.room = undefined
        room?.()
        return true
    }

    private trimFirstTo(offset: number): void {
        const [first] = this.blocks
        if (!first || first.offset >= offset) return
        first.data = first.data.subarray(offset - first.offset)
        first.offset = offset
    }

    /** Everything from the acknowledged offset on is sent again, seldom enough for the node to keep up. */
    private goBack(): void {
        const now = this.link.clock.now()
        if (now - this.lastGoBackMs < this.goBackWaitMs) return
        if (this.lastGoBackMs !== -Infinity) this.goBackWaitMs = Math.min(2 * this.goBackWaitMs, goBackMaxMs)
        this.lastGoBackMs = now
        this.sent = 0
    }

    private sendTimer(delayMs: number): void {
        this.link.clock.clearTimeout(this.timer)
        this.timer = this.link.clock.setTimeout(() => this.probe(), delayMs)
    }

    /** Silence: the first block once more, which the node answers at once with where it is. */
    private probe(): void {
        if (this.isOver || this.isResuming || this.blocks.length === 0) return
        const [first] = this.blocks
        this.probedTo = first.offset + first.data.length
        this.transmit(first, true)
        this.sent = Math.max(this.sent, 1)
        this.sendTimer(resendWaitsMs[this.waitIndex])
        this.waitIndex = Math.min(this.waitIndex + 1, resendWaitsMs.length - 1)
    }

    /** The volume has a new controller: ask how much of the upload it holds and go on from there. */
    private async resume(): Promise<void> {
        if (this.isResuming || this.isOver) return
        this.isResuming = true
        const { volume, object, subject } = this.target
        // the answer may be overtaken by progress that was made after it
        const atLeast = this.acknowledged
        try {
            const answer = await query(this.link, { volume }, { op: "upload", upload: object }, subject, this.options)
            if (this.isOver) return
            if (answer.status !== "ok") throw statusError(answer.status, subject)
            const held = decodeUpload(answer.payload)
            if (held < atLeast)
                throw new TwinfilerError(
                    "ioError",
                    `${subject}: volume ${volumeLetter(volume)} acknowledged ${atLeast} bytes and now holds ${held}`,
                )
            this.isResuming = false
            this.credit = uploadWindowBlocks
            this.probedTo = 0
            this.sent = this.blocks.findIndex(block => block.offset + block.data.length > held)
            if (this.sent < 0) {
                // It holds all that was sent: the last block again makes it say when that is durable.
                this.sent = this.blocks.length
                if (this.blocks.length) this.transmit(this.blocks[this.blocks.length - 1], true)
                this.sendTimer(resendWaitsMs[0])
            }
            this.pump()
        } catch (error) {
            this.fail(error)
        }
    }

    private restartDeadline(): void {
        const { link, target } = this
        const timeoutMs = this.options.timeoutMs ?? link.timeoutMs
        link.clock.clearTimeout(this.deadlineTimer)
        this.deadlineTimer = link.clock.setTimeout(() => {
            if (this.blocks.length) this.fail(silenceError(link, { volume: target.volume }, target.subject, timeoutMs))
        }, timeoutMs)
    }

    private fail(error: unknown): void {
        this.isOver = true
        this.reject(error)
    }
}
