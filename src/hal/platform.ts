// The board's time and digest.

import * as ds from "@devicescript/core"
import { Platform, Signal } from "../platform"

type Digest = { digest(key: Buffer, algorithm: string, parts: Buffer[]): Buffer }

export const boardPlatform: Platform = {
    now: ds.millis,
    sleep: ds.sleep,
    sha256: (parts: Buffer[]) => (Buffer as any as Digest).digest(undefined, "sha256", parts),
    random: () => (Math.random() * 0x7fffffff) | 0,
}

export class FiberSignal implements Signal {
    private fiber: ds.Fiber
    private pending: boolean

    constructor() {
        this.fiber = undefined
        this.pending = false
    }

    async wait(): Promise<void> {
        if (!this.pending) {
            this.fiber = ds.Fiber.self()
            await ds.suspend()
        }
        this.pending = false
    }

    notify(): void {
        const fiber = this.fiber
        this.pending = true
        if (fiber) {
            this.fiber = undefined
            fiber.resume(undefined)
        }
    }
}
