/**
 * One request and its answer: sent to the node that can answer it, again when no answer comes, and at once to the next
 * controller when the volume changes hands. It ends with the answer, with the caller's abort, or after the timeout;
 * a failover only makes it late.
 */
import { TwinfilerError } from "../error"
import { partnerOf, volumeLetter } from "../protocol/numbers"
import { busyWaitMaxMs, busyWaitMinMs, epochRetryMax, farewellMs, resendWaitsMs, roleWaitMs } from "./limits"
import type { Link } from "./link"
import type { NodeView } from "./nodes"

/** Who is to answer: the controller of a volume, or one node. */
export type Route = { volume: number } | { node: number }

export interface ExchangeOptions {
    route: Route
    /** What is asked, for messages: `mkdir :/a/dir`. */
    subject: string
    send(to: NodeView): void
    timeoutMs?: number
    signal?: AbortSignal
}

export class Exchange<T> {
    readonly promise: Promise<T>
    /** How often it has been sent so far. */
    sentCount = 0
    private resolve!: (value: T) => void
    private reject!: (error: unknown) => void
    private isOver = false
    private waitIndex = 0
    private busyWaitMs = busyWaitMinMs
    private epochRetries = 0
    /** What was sent last went where a node had pointed; those that point at each other are not followed. */
    private isRedirected = false
    private timer: unknown
    private readonly deadlineTimer: unknown
    private readonly unsubscribe: () => void

    constructor(
        private readonly link: Link,
        private readonly options: ExchangeOptions,
    ) {
        this.promise = new Promise<T>((resolve, reject) => {
            this.resolve = resolve
            this.reject = reject
        })
        const timeoutMs = options.timeoutMs ?? link.timeoutMs
        this.deadlineTimer = link.clock.setTimeout(
            () => this.fail(silenceError(link, options.route, options.subject, timeoutMs)),
            timeoutMs,
        )
        this.unsubscribe = link.nodes.onChange(volume => this.controllerChanged(volume))
        options.signal?.addEventListener("abort", this.abort)
        if (options.signal?.aborted) this.abort()
        else this.transmit()
    }

    complete(value: T): void {
        if (this.finish()) this.resolve(value)
    }

    fail(error: unknown): void {
        if (this.finish()) this.reject(error)
    }

    /** The node is busy: the wait grows each time. */
    busy(): void {
        this.sendIn(this.busyWaitMs)
        this.busyWaitMs = Math.min(2 * this.busyWaitMs, busyWaitMaxMs)
    }

    /** The node asked does not control the volume. The one it names is asked at once; then, by the next beat it is known who does. */
    notController(other?: number): void {
        const to = this.isRedirected || other === undefined ? undefined : this.link.nodes.get(other)
        if (to) {
            this.isRedirected = true
            this.sendTo(to)
        }
        this.sendIn(roleWaitMs)
    }

    /** The caller has learnt the epoch of the answer. */
    wrongEpoch(): void {
        if (++this.epochRetries <= epochRetryMax) this.transmit()
        else this.sendIn(roleWaitMs)
    }

    private readonly abort = () => this.fail(abortError(this.options.subject))

    private transmit(): void {
        if (this.isOver) return
        const { route } = this.options
        const { nodes } = this.link
        const to = "volume" in route ? nodes.controllerOf(route.volume) : nodes.get(route.node)
        this.isRedirected = false
        if (to) this.sendTo(to)
        this.sendIn(resendWaitsMs[this.waitIndex])
        // Nothing was sent without a controller: the first wait is the one that notices it soonest.
        if (to) this.waitIndex = Math.min(this.waitIndex + 1, resendWaitsMs.length - 1)
    }

    private sendTo(node: NodeView): void {
        this.sentCount++
        this.options.send(node)
    }

    private sendIn(delayMs: number): void {
        if (this.isOver) return
        this.link.clock.clearTimeout(this.timer)
        this.timer = this.link.clock.setTimeout(() => this.transmit(), delayMs)
    }

    private controllerChanged(volume: number): void {
        const { route } = this.options
        if (!("volume" in route) || route.volume !== volume) return
        this.waitIndex = 0
        this.transmit()
    }

    private finish(): boolean {
        if (this.isOver) return false
        this.isOver = true
        this.link.clock.clearTimeout(this.timer)
        this.link.clock.clearTimeout(this.deadlineTimer)
        this.unsubscribe()
        this.options.signal?.removeEventListener("abort", this.abort)
        return true
    }
}

export function abortError(subject: string): TwinfilerError {
    return new TwinfilerError("aborted", `${subject}: stopped`)
}

/** Why nothing was answered for `timeoutMs`, as far as the beats tell. */
export function silenceError(link: Link, route: Route, subject: string, timeoutMs: number): TwinfilerError {
    const seconds = Math.round(timeoutMs / 100) / 10
    const after = `no answer for ${seconds} s`
    const problem = link.bus.problem()
    if (problem) return new TwinfilerError("noNode", `${subject}: ${after}: ${problem}`)
    if (!link.nodes.all().some(view => link.nodes.isHeard(view))) return noNodeError(link, `${subject}: ${after}`)
    const number = "node" in route ? route.node : route.volume
    for (const node of [number, partnerOf(number)]) {
        const rivals = link.nodes.rivals(node)
        if (rivals.length) return new TwinfilerError("noNode", `${subject}: ${rivalsText(node, rivals)}`)
    }
    if ("node" in route) {
        const name = volumeLetter(route.node)
        if (!link.nodes.get(route.node))
            return new TwinfilerError("noNode", `${subject}: ${after}: node ${name} is silent; is its power on?`)
        return new TwinfilerError("timeout", `${subject}: ${after} from node ${name}`)
    }
    const letter = volumeLetter(route.volume)
    if (!link.nodes.hasVolume(route.volume))
        return new TwinfilerError("notFound", `${subject}: ${noVolume(letter, link.nodes.volumes())}`)
    if (!link.nodes.controllerOf(route.volume))
        return new TwinfilerError("timeout", `${subject}: no node controls volume ${letter}: see \`twinfiler status\``)
    return new TwinfilerError("timeout", `${subject}: ${after} from the node that controls volume ${letter}`)
}

/** A builder's mistake, in words. */
export function rivalsText(node: number, devices: readonly string[]): string {
    return `${devices.length} boards say that they are node ${volumeLetter(node)} (${devices.join(", ")}): check their straps`
}

export function noVolume(letter: string, volumes: readonly number[], what: "volume" | "node" = "volume"): string {
    return `no ${what} ${letter} on this bus; there is ${volumes.map(volumeLetter).join(", ")}`
}

export function noNodeError(link: Link, start: string): TwinfilerError {
    const why = link.otherVersion
        ? `the nodes speak version ${link.otherVersion} of the protocol, this bridge speaks 1`
        : "the bus is there, but no Twinfiler node beats on it; are the boards powered and flashed?"
    return new TwinfilerError("noNode", `${start}: ${why}`)
}

/** For what is worth a try but not a wait: a goodbye, the abort of an upload. */
export const farewell = { timeoutMs: farewellMs } as const
