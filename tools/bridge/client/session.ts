/**
 * A session on one volume: changing requests one after the other, each executed exactly once however often it is sent.
 * It opens itself with the first request. When the volume has forgotten the session: a request that was sent once
 * was not executed and runs in a new session; one that was sent more than once has an unknown outcome and fails with
 * `unknownOutcome`, for the caller to look.
 */
import { sleep } from "../bus/clock"
import { isError, TwinfilerError } from "../error"
import { commandCodes } from "../protocol/numbers"
import { encodeRequest, type RequestBody } from "../protocol/commands"
import type { Reply } from "../protocol/notices"
import { Exchange, farewell } from "./exchange"
import { busyWaitMaxMs, busyWaitMinMs, helloEagerTries, helloRetryMax, sessionQueueMax, staleRetryMax } from "./limits"
import type { Link } from "./link"
import type { CallOptions } from "./queries"
import { statusError } from "./statuses"

const sequenceMax = 0xffff_fffe
/** After these it is not certain that the volume could store the result: the next request opens a new session. */
const endsSession = new Set(["noSpace", "ioError", "badRequest"])

export class Session {
    /** 0: none open. */
    private id = 0
    private sequence = 0
    /** What the volume wants to hear of the next hello, as far as is known; 0 is never right. */
    private challenge = 0
    private tail: Promise<unknown> = Promise.resolve()
    private waiting = 0

    constructor(
        private readonly link: Link,
        private readonly volume: number,
    ) {}

    /**
     * Runs a request after those before it; resolves to the value of its reply. Throws the status it failed with,
     * `timeout` or `aborted` (it may still be executed), or `unknownOutcome`.
     */
    async run(body: RequestBody, subject: string, options: CallOptions = {}): Promise<number> {
        const { clock, timeoutMs } = this.link
        const end = clock.now() + (options.timeoutMs ?? timeoutMs)
        // `busy` is a stored result like any other: the next try has a sequence of its own. It leaves the queue between
        // tries, since it may be a request behind it that makes room.
        for (let waitMs = busyWaitMinMs; ; waitMs = Math.min(2 * waitMs, busyWaitMaxMs)) {
            try {
                return await this.runInTurn(body, subject, options)
            } catch (error) {
                if (!isError(error, "busy") || options.isBusyFinal || clock.now() + waitMs > end) throw error
                await sleep(clock, waitMs)
            }
        }
    }

    private runInTurn(body: RequestBody, subject: string, options: CallOptions): Promise<number> {
        if (this.waiting >= sessionQueueMax)
            return Promise.reject(new TwinfilerError("tooLarge", `${subject}: too many requests are waiting`))
        this.waiting++
        const turn = this.tail.then(() => this.runNow(body, subject, options))
        this.tail = turn.then(
            () => void this.waiting--,
            () => void this.waiting--,
        )
        return turn
    }

    /** Says bye, if there is a session; never throws. */
    async close(): Promise<void> {
        await this.tail
        if (this.id !== 0) await this.request({ op: "bye" }, "bye", farewell).catch(() => undefined)
        this.id = 0
    }

    private async runNow(body: RequestBody, subject: string, options: CallOptions): Promise<number> {
        if (options.signal?.aborted) throw new TwinfilerError("aborted", `${subject}: stopped`)
        for (let opened = 0; opened <= staleRetryMax; opened++) {
            if (this.id === 0 || this.sequence >= sequenceMax) await this.open(subject, options)
            const { reply, sentCount } = await this.request(body, subject, options)
            if (reply.status === "ok") return reply.value
            if (reply.status !== "noSession") {
                if (endsSession.has(reply.status)) this.id = 0
                throw statusError(reply.status, subject)
            }
            this.id = 0
            if (sentCount > 1)
                throw new TwinfilerError(
                    "unknownOutcome",
                    `${subject}: the volume forgot the session; it is not known whether this was done`,
                )
        }
        throw statusError("noSession", subject)
    }

    private async open(subject: string, options: CallOptions): Promise<void> {
        for (let tried = 0; ; tried++) {
            // a new number each time: one that is sent with a single challenge is opened once at most, whatever comes late
            do this.id = this.link.random()
            while (this.id === 0 || this.link.replies.has(this.id))
            this.sequence = 0
            const { reply } = await this.request({ op: "hello", challenge: this.challenge }, subject, options)
            if (reply.status === "ok") {
                this.challenge = (this.challenge + 1) >>> 0
                return
            }
            this.id = 0
            if (reply.status !== "noSession" || tried === helloRetryMax)
                throw statusError(reply.status, `${subject}: hello`)
            this.challenge = reply.value
            if (tried >= helloEagerTries) await sleep(this.link.clock, (this.link.random() / 2 ** 32) * busyWaitMaxMs)
        }
    }

    /** One sequence number, until a reply that is final. */
    private async request(
        body: RequestBody,
        subject: string,
        options: CallOptions,
    ): Promise<{ reply: Reply; sentCount: number }> {
        const { link, volume, id: session } = this
        const sequence = ++this.sequence
        const gate = link.gatesOf(volume).all
        await gate.enter()
        try {
            const exchange: Exchange<Reply> = new Exchange<Reply>(link, {
                route: { volume },
                subject,
                ...options,
                send: to => {
                    const epoch = link.nodes.epochOf(volume)
                    const frame = encodeRequest({ volume, epoch, session, sequence }, body)
                    link.bus.send(to.node, commandCodes.request, frame)
                },
            })
            link.replies.set(session, reply => {
                if (reply.volume !== volume || reply.sequence !== sequence) return
                if (reply.status === "notController") exchange.notController(reply.value)
                else if (reply.status === "wrongEpoch") {
                    link.nodes.learnEpoch(volume, reply.epoch)
                    exchange.wrongEpoch()
                } else {
                    link.noteFlags(reply.flags)
                    exchange.complete(reply)
                }
            })
            return { reply: await exchange.promise, sentCount: exchange.sentCount }
        } catch (error) {
            this.id = 0 // unanswered: what the volume stored is not known, so this session cannot go on
            throw error
        } finally {
            link.replies.delete(session)
            gate.leave()
        }
    }
}
