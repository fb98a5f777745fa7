// A simulated cabinet with one client of the bridge inside it, in virtual time: what the demo, the bench and the tests of whole pairs
// share.

import { createHash } from "node:crypto"
import { JacdacBus } from "../bridge/bus/jacdac-bus"
import { TwinfilerClient } from "../bridge/client"
import { beatFlags } from "../bridge/protocol/numbers"
import { Random } from "./random"
import { Simulation, type SimulationOptions } from "./simulation"
import { VirtualHost } from "./virtual-host"

/** Roles as `beat` tells them; src/pair/role.ts. */
export const roles = { waiting: 1, active: 2, takingOver: 3, takenOver: 4, degraded: 6 } as const

const healthyMsMax = 20_000
const pollMs = 20

export interface SimSessionOptions extends SimulationOptions {
    /** How long the client tries before it gives an operation up. */
    timeoutMs?: number
}

/** One more host on the wire, and a client there. */
export interface OtherHost {
    host: VirtualHost
    /** Whoever asked for the host closes it. */
    bus: JacdacBus
    client: TwinfilerClient
}

export class SimSession {
    readonly simulation: Simulation
    readonly host: VirtualHost
    readonly bus: JacdacBus
    readonly client: TwinfilerClient
    /** For what the session's owner does at random; apart from the simulation's own randomness. */
    readonly random: Random

    constructor(options: SimSessionOptions) {
        this.simulation = new Simulation(options)
        this.host = new VirtualHost(this.simulation)
        this.random = new Random(`session ${options.seed}`)
        const draw = this.random.fork("client")
        const given = { clock: this.host.clock, random: () => draw.uint32() }
        this.bus = new JacdacBus(this.host, given)
        this.client = new TwinfilerClient(this.bus, { ...given, timeoutMs: options.timeoutMs ?? 30_000 })
        this.simulation.start()
    }

    /** @param id of the host, for faults of the wire @param options of its client */
    anotherHost(id: string, options: Pick<SimSessionOptions, "timeoutMs"> = {}): OtherHost {
        const host = new VirtualHost(this.simulation, id)
        const draw = this.random.fork(id)
        const given = { clock: host.clock, random: () => draw.uint32() }
        const bus = new JacdacBus(host, given)
        return { host, bus, client: new TwinfilerClient(bus, { ...given, ...options }) }
    }

    nowMs(): number {
        return this.host.clock.now()
    }

    /** Runs `work` in virtual time. */
    run<T>(work: () => Promise<T>): Promise<T> {
        return this.host.run(work())
    }

    sleep(ms: number): Promise<void> {
        return new Promise(resolve => void this.host.clock.setTimeout(resolve, ms))
    }

    power(node: string, on: boolean): void {
        this.simulation.power(node, on)
    }

    /** Resolves when `condition` holds; throws after `msMax` of virtual time. */
    async until(what: string, condition: () => boolean, msMax = healthyMsMax): Promise<void> {
        const end = this.nowMs() + msMax
        while (!condition()) {
            if (this.nowMs() >= end) throw new Error(`${what}: not within ${msMax} ms; ${this.describe()}`)
            await this.sleep(pollMs)
        }
    }

    /** Both nodes serve their own volume and record for each other. */
    healthy(): Promise<void> {
        const wanted = beatFlags.controlsOwn | beatFlags.protected
        return this.until("both nodes active and protected", () => {
            const nodes = this.client.nodes()
            return (
                nodes.length === this.simulation.cabinet.nodeNames.length &&
                nodes.every(node => node.isHeard && node.role === roles.active && (node.flags & wanted) === wanted)
            )
        })
    }

    roleOf(node: number): number | undefined {
        return this.client.nodes().find(view => view.node === node && view.isHeard)?.role
    }

    private describe(): string {
        return this.client
            .nodes()
            .map(node => `node ${node.node}: role ${node.role}, flags ${node.flags}${node.isHeard ? "" : ", silent"}`)
            .join("; ")
    }

    async readAll(volume: number, path: string): Promise<Buffer> {
        const parts: Uint8Array[] = []
        for await (const part of this.client.get(volume, path)) parts.push(part)
        return Buffer.concat(parts)
    }
}

export function sha256(bytes: Uint8Array): string {
    return createHash("sha256").update(bytes).digest("hex")
}

/** A source for `put` that can be read once: an upload that the volume loses cannot be begun anew, so that the loss is seen. */
export function sourceOnce(bytes: Uint8Array): AsyncIterable<Uint8Array> {
    return source(bytes)()
}

/** A source for `put` that hands out bytes held in memory. */
export function source(bytes: Uint8Array): () => AsyncIterable<Uint8Array> {
    return async function* () {
        yield bytes
    }
}
