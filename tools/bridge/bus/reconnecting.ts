/**
 * A transport over a socket that comes back: the first opening must succeed, later drops are mended in the background
 * with a growing delay. Frames sent meanwhile are dropped.
 */
import { isError, TwinfilerError } from "../error"
import { sleep, type Clock } from "./clock"
import type { FrameTransport, Link, LinkEvents, OpenLink } from "./transport"

const reconnectDelayMinMs = 100
const reconnectDelayMaxMs = 5_000

export class ReconnectingTransport implements FrameTransport {
    onFrame?: (frame: Uint8Array) => void
    private link?: Link
    private closed = false

    private constructor(
        private readonly address: string,
        private readonly openLink: OpenLink,
        private readonly clock: Clock,
    ) {}

    /** Throws `noBus` when the first opening fails. */
    static async open(address: string, openLink: OpenLink, clock: Clock): Promise<ReconnectingTransport> {
        const transport = new ReconnectingTransport(address, openLink, clock)
        try {
            await transport.connect()
        } catch (error) {
            if (isError(error)) throw error
            throw new TwinfilerError(
                "noBus",
                `no bus at ${address}: start one with \`twinfiler sim --dir DIR\` or give --bus URL` +
                    ` (${(error as Error).message || String(error)})`,
            )
        }
        return transport
    }

    send(frame: Uint8Array): void {
        this.link?.send(frame)
    }

    close(): void {
        this.closed = true
        this.link?.close()
        this.link = undefined
    }

    problem(): string | undefined {
        return this.link || this.closed ? undefined : `the connection to the bus at ${this.address} is lost`
    }

    private async connect(): Promise<void> {
        const events: LinkEvents = {
            onFrame: frame => this.onFrame?.(frame),
            onClose: () => {
                if (!this.link) return
                this.link = undefined
                if (!this.closed) void this.reconnect()
            },
        }
        const link = await this.openLink(events)
        if (this.closed) link.close()
        else this.link = link
    }

    private async reconnect(): Promise<void> {
        let delayMs = reconnectDelayMinMs
        while (!this.closed && !this.link) {
            await sleep(this.clock, delayMs)
            if (this.closed) return
            await this.connect().catch(() => undefined)
            delayMs = Math.min(2 * delayMs, reconnectDelayMaxMs)
        }
    }
}
