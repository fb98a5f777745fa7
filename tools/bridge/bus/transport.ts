/**
 * A transport carries whole Jacdac frames both ways and knows nothing of what is in them. It may lose frames; it never
 * cuts or joins them.
 */
export interface FrameTransport {
    /** Sends one frame, or drops it while there is no connection: every sender retries anyway. */
    send(frame: Uint8Array): void
    /** Set by the bus; called with each frame that arrives. The bytes must stay unchanged afterwards. */
    onFrame?: (frame: Uint8Array) => void
    close?(): void | Promise<void>
    /** In words, why frames do not flow at present; undefined when they do. */
    problem?(): string | undefined
}

/** A link that `ReconnectingTransport` opens again and again: one socket's life. */
export interface Link {
    send(frame: Uint8Array): void
    close(): void
}

export interface LinkEvents {
    onFrame(frame: Uint8Array): void
    /** Called once, also after a failed opening. */
    onClose(reason: string): void
}

/** Opens one link; resolves when frames can flow, rejects when nothing listens. */
export type OpenLink = (events: LinkEvents) => Promise<Link>
