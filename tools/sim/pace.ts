// How far virtual time may run. Pure: the wall clock is handed in with each call, in milliseconds from any origin. Kept true:
// - real: virtual time never runs ahead of the clock;
// - max, nobody attached: no limit;
// - max, a client attached: after each of its frames virtual time may run `grantMs` freely, then at the clock's rate; so while a
//   client thinks or sleeps, nodes see no more time pass than it does, plus one grant;
// - a simulation that fell behind makes up `lagMs` at most, so that time never races after a stall.
// A client's timeout of T is thus never less than T of virtual time, as long as the simulation keeps up.

export type PaceMode = "real" | "max"

export interface PaceConfig {
    mode: PaceMode
    grantMs?: number
    lagMs?: number
}

const nsOfMs = 1_000_000

export class Pace {
    private readonly grantMs: number
    private readonly lagMs: number
    private clients = 0
    /** Virtual time may reach anchorNs + (wall - anchorMs) */
    private anchorNs = 0
    private anchorMs = 0

    constructor(
        readonly config: PaceConfig,
        wallMs: number,
        virtualNs = 0,
    ) {
        this.grantMs = config.grantMs ?? 250
        this.lagMs = config.lagMs ?? 500
        this.anchor(virtualNs, wallMs)
    }

    /** A frame of a client enters the bus at this virtual time. */
    clientFrame(wallMs: number, virtualNs: number): void {
        if (this.config.mode === "max") this.raise(virtualNs + this.grantMs * nsOfMs, wallMs)
    }

    /** So many clients are attached now. */
    clientsChanged(count: number, wallMs: number, virtualNs: number): void {
        if (this.config.mode === "max" && this.clients === 0 && count > 0) this.anchor(virtualNs, wallMs)
        this.clients = count
    }

    /** Virtual time may run up to and including this; Infinity = as far as there are events. */
    limitNs(wallMs: number, virtualNs: number): number {
        if (this.config.mode === "max" && this.clients === 0) return Infinity
        const limitNs = this.lineNs(wallMs)
        const furthestNs = virtualNs + (this.lagMs + (this.config.mode === "max" ? this.grantMs : 0)) * nsOfMs
        if (limitNs <= furthestNs) return limitNs
        this.anchor(furthestNs, wallMs)
        return furthestNs
    }

    /** How long to sleep before the event at `nextNs` may run: 0 = it may now; undefined = no event, wait for a client. */
    waitMs(wallMs: number, virtualNs: number, nextNs: number | undefined): number | undefined {
        if (nextNs === undefined) return undefined
        const limitNs = this.limitNs(wallMs, virtualNs)
        return nextNs <= limitNs ? 0 : Math.ceil((nextNs - limitNs) / nsOfMs)
    }

    private lineNs(wallMs: number): number {
        return this.anchorNs + Math.floor((wallMs - this.anchorMs) * nsOfMs)
    }

    private anchor(virtualNs: number, wallMs: number): void {
        this.anchorNs = virtualNs
        this.anchorMs = wallMs
    }

    private raise(virtualNs: number, wallMs: number): void {
        if (virtualNs > this.lineNs(wallMs)) this.anchor(virtualNs, wallMs)
    }
}
