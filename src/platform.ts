// What the firmware takes from its surroundings: time, sleep, waking and a digest. Firmware sets them from `hal/`, tests from Node, and
// nothing else in `src/` outside `hal/` and `main.ts` knows which it is.

/** Whoever made it knows what it is. */
export type PageView = unknown

export interface Platform {
    /** Milliseconds since this node booted. */
    now(): number
    sleep(ms: number): Promise<void>
    /** SHA-256 over the parts, one after the other: 32 bytes. */
    sha256(parts: Buffer[]): Buffer
    /** As what the page in a page buffer, whatever it is at the time, is compared. */
    view(buffer: Buffer): PageView
    isSame(one: PageView, other: PageView): boolean
    /** 31 random bits. */
    random(): number
}

/**
 * Lets one fiber sleep until another has work for it. A call before the wait is not lost.
 * A class, because a call by an interface would bring in the stock library's methods named `wait` (docs/decisions/0006).
 */
export abstract class Signal {
    abstract wait(): Promise<void>
    abstract notify(): void
}

export let platform: Platform

export function usePlatform(p: Platform) {
    platform = p
}
