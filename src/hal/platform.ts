// The board's time and digest.

import * as ds from "@devicescript/core"
import { PageView, Platform, Signal } from "../platform"

/**
 * The native one, of which nothing is used but that it compares memory.
 * @devsNative Image
 */
declare class Image {
    private constructor()
    static alloc(width: number, height: number, bpp: 1, init: Buffer, offset: number): Image
    equals(other: Image): boolean
}

type Digest = { digest(key: Buffer, algorithm: string, parts: Buffer[]): Buffer }

export const boardPlatform: Platform = {
    now: ds.millis,
    sleep: ds.sleep,
    sha256: (parts: Buffer[]) => (Buffer as any as Digest).digest(undefined, "sha256", parts),
    // a page's 256 bytes behind the command's four, as columns of eight
    view: (buffer: Buffer) => Image.alloc(32, 64, 1, buffer, 4),
    isSame: (one: PageView, other: PageView) => (one as Image).equals(other as Image),
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
