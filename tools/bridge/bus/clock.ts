/**
 * Time and randomness as the bridge sees them: handed in, so that the same code runs in real time and under the
 * simulator's virtual time. Nothing else in the client library reads a clock or a random source.
 */
export interface Clock {
    /** Milliseconds from any fixed start; never falls. */
    now(): number
    /** Calls `run` once, `delayMs` from now. The handle is for clearTimeout. */
    setTimeout(run: () => void, delayMs: number): unknown
    clearTimeout(handle: unknown): void
}

/** Gives a random u32 at each call. */
export type RandomU32 = () => number

export const realClock: Clock = {
    now: () => performance.now(),
    setTimeout: (run, delayMs) => setTimeout(run, delayMs),
    clearTimeout: handle => clearTimeout(handle as NodeJS.Timeout),
}

export const realRandom: RandomU32 = () => crypto.getRandomValues(new Uint32Array(1))[0]

export function sleep(clock: Clock, delayMs: number): Promise<void> {
    return new Promise(resolve => void clock.setTimeout(resolve, delayMs))
}
