/** jacdac-ts's idea of a scheduler, on a Clock: its announcements and clean-ups follow the handed-in time. */
import type { Scheduler } from "jacdac-ts"
import type { Clock } from "./clock"

type Handler = (...args: unknown[]) => void

export class ClockScheduler implements Scheduler {
    private start: number

    constructor(private readonly clock: Clock) {
        this.start = clock.now()
    }

    get timestamp(): number {
        return this.clock.now() - this.start
    }

    resetTime(delta = 0): void {
        this.start = this.clock.now() - delta
    }

    setTimeout(handler: Handler, delayMs: number, ...args: unknown[]): unknown {
        return this.clock.setTimeout(() => handler(...args), delayMs)
    }

    clearTimeout(handle: unknown): void {
        this.clock.clearTimeout(handle)
    }

    setInterval(handler: Handler, delayMs: number, ...args: unknown[]): unknown {
        const interval = { timer: undefined as unknown }
        const tick = () => {
            interval.timer = this.clock.setTimeout(tick, delayMs)
            handler(...args)
        }
        interval.timer = this.clock.setTimeout(tick, delayMs)
        return interval
    }

    clearInterval(interval: unknown): void {
        if (interval) this.clock.clearTimeout((interval as { timer: unknown }).timer)
    }
}
