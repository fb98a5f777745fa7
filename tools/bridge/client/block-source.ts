/** Cuts any stream of bytes into blocks of 224 bytes, the last one shorter; holds one chunk of the stream at most. */
import { blockBytesMax } from "../protocol/numbers"

/** A stream to upload; given as a function it can be read again from its start. */
export type ByteSource = AsyncIterable<Uint8Array> | (() => AsyncIterable<Uint8Array>)

export class BlockSource {
    private readonly iterator: AsyncIterator<Uint8Array>
    private chunk: Uint8Array = new Uint8Array(0)

    constructor(source: AsyncIterable<Uint8Array>) {
        this.iterator = source[Symbol.asyncIterator]()
    }

    /** The next block, or undefined at the end. Errors of the stream pass through. */
    async next(): Promise<Uint8Array | undefined> {
        let block: Uint8Array = this.take(blockBytesMax)
        while (block.length < blockBytesMax) {
            const { value, done } = await this.iterator.next()
            if (done) break
            this.chunk = value
            const more = this.take(blockBytesMax - block.length)
            block = block.length ? Buffer.concat([block, more]) : more
        }
        return block.length ? block : undefined
    }

    /** Gives the stream back, read to its end or not; never throws. */
    async close(): Promise<void> {
        try {
            await this.iterator.return?.()
        } catch {
            // it is not wanted any more
        }
    }

    private take(bytes: number): Uint8Array {
        const part = this.chunk.subarray(0, bytes)
        this.chunk = this.chunk.subarray(part.length)
        return part
    }
}
