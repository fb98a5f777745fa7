// A host inside the simulation: a transport on the simulated wire and a clock of virtual time, for clients that run in this process.
//
// Promises: virtual time stands still while the host's code runs, so a run repeats exactly as long as that code waits for nothing but
// this clock and this wire.

import type { Clock } from "../bridge/bus/clock"
import type { FrameTransport } from "../bridge/bus/transport"
import type { Simulation } from "./simulation"
import type { WirePort } from "./wire"

const msNs = 1e6

export class VirtualHost implements FrameTransport {
    readonly clock: Clock
    onFrame?: (frame: Uint8Array) => void
    private readonly port: WirePort
    /** The host's code has something to do that the event queue does not know of. */
    private called = true

    constructor(
        private readonly simulation: Simulation,
        id = "host",
    ) {
        const { queue } = simulation
        this.port = simulation.wire.attach({
            id,
            deliver: frame => {
                this.called = true
                this.onFrame?.(frame)
            },
        })
        this.clock = {
            now: () => queue.nowNs / msNs,
            setTimeout: (run, delayMs) =>
                queue.after(Math.max(0, Math.round(delayMs * msNs)), () => {
                    this.called = true
                    run()
                }),
            clearTimeout: handle => (handle as { cancel(): void } | undefined)?.cancel(),
        }
    }

    send(frame: Uint8Array): void {
        this.port.send(frame)
    }

    close(): void {
        this.port.detach()
    }

    /** Lets virtual time pass until `work` is done. Throws what it throws, and what the simulation throws. */
    async run<T>(work: Promise<T>): Promise<T> {
        let done = false
        const ended = work.then(
            () => void (done = true),
            () => void (done = true),
        )
        const { queue } = this.simulation
        for (;;) {
            if (this.called) {
                this.called = false
                // everything that waits for a settled promise runs before this
                await new Promise(resolve => setImmediate(resolve))
                if (done) break
                continue
            }
            if (!queue.runNext()) throw new Error("the simulation has come to rest and the host still waits")
        }
        await ended
        return await work
    }
}
