// A host inside the simulation: a transport on the simulated wire and a clock of virtual time, for clients that run in this process.
//
// Promises: virtual time stands still while the host's code runs, so a run repeats exactly as long as that code waits for nothing but
// this clock, this wire, and what it `hold`s.

import type { Clock } from "../bridge/bus/clock"
import type { FrameTransport } from "../bridge/bus/transport"
import type { Simulation } from "./simulation"
import type { WirePort } from "./wire"

const msNs = 1e6

/** The hosts of a simulation share this: one of them has something to do that the event queue does not know of. */
interface Turn {
    called: boolean
    /** Pieces of work under way that take no virtual time. */
    held: number
}
const turns = new WeakMap<Simulation, Turn>()

function turnOf(simulation: Simulation): Turn {
    let turn = turns.get(simulation)
    if (!turn) turns.set(simulation, (turn = { called: true, held: 0 }))
    return turn
}

export class VirtualHost implements FrameTransport {
    readonly clock: Clock
    onFrame?: (frame: Uint8Array) => void
    private readonly port: WirePort
    private readonly turn: Turn

    constructor(
        private readonly simulation: Simulation,
        id = "host",
    ) {
        const { queue } = simulation
        const turn = (this.turn = turnOf(simulation))
        this.port = simulation.wire.attach({
            id,
            deliver: frame => {
                turn.called = true
                this.onFrame?.(frame)
            },
        })
        this.clock = {
            now: () => queue.nowNs / msNs,
            setTimeout: (run, delayMs) =>
                queue.after(Math.max(0, Math.round(delayMs * msNs)), () => {
                    turn.called = true
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

    /** Virtual time stands still until `work`, which is no part of the simulation, is done: how long it really takes does not show in what happens. */
    async hold<T>(work: Promise<T>): Promise<T> {
        this.turn.held++
        try {
            return await work
        } finally {
            this.turn.held--
            this.turn.called = true
        }
    }

    /** Lets virtual time pass until `work` is done. Throws what it throws, and what the simulation throws. */
    async run<T>(work: Promise<T>): Promise<T> {
        let done = false
        const ended = work.then(
            () => void (done = true),
            () => void (done = true),
        )
        const { queue } = this.simulation
        this.turn.called = true
        for (;;) {
            if (this.turn.called || this.turn.held > 0) {
                this.turn.called = false
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
