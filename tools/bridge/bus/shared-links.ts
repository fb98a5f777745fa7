/**
 * One bus behind several links, such as the USB cables of both its boards: each board passes on to its cable all that is on the bus, and
 * to the bus all that comes by its cable. A frame is handed up once however many links bring it, and sent over one link only.
 *
 * Frames are told apart by their bytes and by how often they came: the k-th sight of a frame on one link is new only if the frame was
 * not handed up k times before. So repeats of a sender pass and copies do not, whichever link is ahead, and a frame one link
 * loses comes by the other.
 */
import { isError, TwinfilerError } from "../error"
import { sleep, type Clock } from "./clock"
import type { FrameTransport, Link, OpenLink } from "./transport"

export interface Source {
    /** The same for the same cable. */
    name: string
    open: OpenLink
}

/** What there is to open at present, given the names of the links that are open. */
export type FindSources = (open: ReadonlySet<string>) => Promise<Source[]>

/** Boards and cables are looked for so often. */
const scanMs = 500
/** A copy comes by the other link within this time. */
const copyWindowMs = 1_000
/** After so long without a frame a link is not used for sending while another one hears frames. */
const silentMs = 500

interface OpenedLink {
    link: Link
    heardMs: number
}
interface Sight {
    sinceMs: number
    handedUp: number
    readonly byLink: Map<string, number>
}

export class SharedTransport implements FrameTransport {
    onFrame?: (frame: Uint8Array) => void
    private readonly links = new Map<string, OpenedLink>()
    private sights = new Map<string, Sight>()
    private sender?: string
    private closed = false

    private constructor(
        private readonly find: FindSources,
        private readonly clock: Clock,
    ) {}

    /** Throws `noBus` when nothing can be opened. */
    static async open(find: FindSources, clock: Clock): Promise<SharedTransport> {
        const transport = new SharedTransport(find, clock)
        const errors = await transport.scan()
        if (transport.links.size === 0) {
            const [first] = errors
            if (isError(first)) throw first
            throw new TwinfilerError(
                "noBus",
                `no board found${first ? ` (${(first as Error).message})` : ""}: plug one in, start \`twinfiler sim --dir DIR\`, or give --bus URL; \`twinfiler doctor\` tells more`,
            )
        }
        void transport.keepScanning()
        return transport
    }

    send(frame: Uint8Array): void {
        const name = this.chooseSender()
        if (name === undefined) return
        this.sight(frame).handedUp++ // what the other cable brings back of it is no news
        this.links.get(name)!.link.send(frame)
    }

    close(): void {
        this.closed = true
        for (const { link } of this.links.values()) link.close()
        this.links.clear()
    }

    problem(): string | undefined {
        return this.links.size || this.closed ? undefined : "no board is plugged in any more"
    }

    /** The names of the links that are open, for those who show them. */
    openLinks(): string[] {
        return [...this.links.keys()]
    }

    private chooseSender(): string | undefined {
        const now = this.clock.now()
        const current = this.sender === undefined ? undefined : this.links.get(this.sender)
        if (current && now - current.heardMs <= silentMs) return this.sender
        let best: string | undefined
        for (const [name, { heardMs }] of this.links)
            if (best === undefined || heardMs > this.links.get(best)!.heardMs) best = name
        return (this.sender = best)
    }

    private receive(name: string, frame: Uint8Array): void {
        const opened = this.links.get(name)
        if (opened) opened.heardMs = this.clock.now()
        const sight = this.sight(frame)
        const count = (sight.byLink.get(name) ?? 0) + 1
        sight.byLink.set(name, count)
        if (count <= sight.handedUp) return
        sight.handedUp = count
        this.onFrame?.(frame)
    }

    private sight(frame: Uint8Array): Sight {
        const now = this.clock.now()
        for (const [key, { sinceMs }] of this.sights) {
            if (now - sinceMs < copyWindowMs) break // the oldest comes first
            this.sights.delete(key)
        }
        const key = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString("latin1")
        let sight = this.sights.get(key)
        if (!sight) this.sights.set(key, (sight = { sinceMs: now, handedUp: 0, byLink: new Map() }))
        return sight
    }

    /** Opens what is there and not open; returns what went wrong. */
    private async scan(): Promise<unknown[]> {
        const errors: unknown[] = []
        const sources = await this.find(new Set(this.links.keys())).catch(error => {
            errors.push(error)
            return [] as Source[]
        })
        for (const { name, open } of sources) {
            if (this.closed || this.links.has(name)) continue
            let ended = false
            try {
                const link = await open({
                    onFrame: frame => this.receive(name, frame),
                    onClose: () => {
                        ended = true
                        this.links.delete(name)
                    },
                })
                if (this.closed) link.close()
                else if (!ended) this.links.set(name, { link, heardMs: -Infinity })
            } catch (error) {
                errors.push(error)
            }
        }
        return errors
    }

    private async keepScanning(): Promise<void> {
        while (!this.closed) {
            await sleep(this.clock, scanMs)
            if (!this.closed) await this.scan()
        }
    }
}
