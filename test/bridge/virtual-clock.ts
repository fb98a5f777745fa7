/** Virtual time for tests: events in order of their instant, nothing runs by itself. */
import type { Clock } from "../../tools/bridge/bus/clock"

interface Timer {
    atMs: number
    order: number
    run?: () => void
}

/** Events one `drive` may take: a test that needs more is stuck. */
const eventsMax = 3_000_000

export class VirtualClock implements Clock {
    private nowMs = 0
    private order = 0
    private readonly timers: Timer[] = []

    now(): number {
        return this.nowMs
    }

    setTimeout(run: () => void, delayMs: number): unknown {
        const timer: Timer = { atMs: this.nowMs + Math.max(0, delayMs), order: this.order++, run }
        let low = 0
        let high = this.timers.length
        while (low < high) {
            const middle = (low + high) >> 1
            if (this.timers[middle].atMs <= timer.atMs) low = middle + 1
            else high = middle
        }
        this.timers.splice(low, 0, timer)
        return timer
    }

    clearTimeout(handle: unknown): void {
        if (handle) (handle as Timer).run = undefined
    }

    /** Lets time pass until `promise` settles. */
    async drive<T>(promise: Promise<T>): Promise<T> {
        let isSettled = false
        promise.then(
            () => (isSettled = true),
            () => (isSettled = true),
        )
        for (let count = 0; count < eventsMax; count++) {
            await new Promise(resolve => setImmediate(resolve)) // every microtask has run by then
            if (isSettled) return promise
            if (!this.step()) throw new Error(`stuck at ${this.nowMs} ms: nothing left to happen`)
        }
        throw new Error(`stuck at ${this.nowMs} ms: too many events`)
    }

    sleep(delayMs: number): Promise<void> {
        return new Promise(resolve => void this.setTimeout(resolve, delayMs))
    }

    private step(): boolean {
        for (;;) {
            const timer = this.timers.shift()
            if (!timer) return false
            if (!timer.run) continue
            this.nowMs = Math.max(this.nowMs, timer.atMs)
            timer.run()
            return true
        }
    }
}

/** Small seeded generator (mulberry32); gives u32. */
export function seeded(seed: number): () => number {
    let state = seed >>> 0
    return () => {
        state = (state + 0x6d2b79f5) >>> 0
        let mixed = Math.imul(state ^ (state >>> 15), state | 1)
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
        return (mixed ^ (mixed >>> 14)) >>> 0
    }
}
