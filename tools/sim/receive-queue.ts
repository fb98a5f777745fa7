// The receive queue of a board: 2,048 bytes, first in first out, a frame dropped when it does not fit. The arithmetic is that of
// jacdac-c, jd_queue.c, so that it overflows at the same frame. A frame keeps its room while the program handles it.

/** jd_config.h: JD_RX_QUEUE_SIZE with JD_DEVICESCRIPT. */
export const receiveQueueBytes = 2048

export class ReceiveQueue {
    private frames: Uint8Array[] = []
    private front = 0
    private back = 0
    private wrapAt: number

    constructor(private readonly size = receiveQueueBytes) {
        this.wrapAt = size
    }

    get length(): number {
        return this.frames.length
    }

    /** False: no room. */
    push(frame: Uint8Array): boolean {
        const bytes = room(frame)
        if (this.front <= this.back) {
            if (this.back + bytes <= this.size) this.back += bytes
            else if (this.front > bytes) {
                this.wrapAt = this.back
                this.back = bytes
            } else return false
        } else if (this.back + bytes < this.front) this.back += bytes
        else return false
        this.frames.push(frame)
        return true
    }

    peek(): Uint8Array | undefined {
        return this.frames[0]
    }

    shift(): void {
        const bytes = room(this.frames.shift()!)
        if (this.front >= this.wrapAt) {
            this.front = bytes
            this.wrapAt = this.size
        } else this.front += bytes
    }

    clear(): void {
        this.frames = []
        this.front = this.back = 0
        this.wrapAt = this.size
    }
}

function room(frame: Uint8Array): number {
    return (frame[2] + 12 + 3) & ~3
}
