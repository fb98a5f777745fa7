// One queue orders everything that happens in a simulation. Time is virtual, in whole nanoseconds, and never goes back.
// Events of equal time run in the order they were added, so a run depends on nothing but its inputs.

export interface Timer {
    readonly timeNs: number
    cancel(): void
}

class Entry implements Timer {
    live = true
    constructor(
        readonly timeNs: number,
        readonly order: number,
        public fn: () => void,
        private readonly queue: EventQueue,
    ) {}

    cancel(): void {
        if (!this.live) return
        this.live = false
        this.fn = nothing
        this.queue.forget()
    }
}

function nothing(): void {}

function before(a: Entry, b: Entry): boolean {
    return a.timeNs < b.timeNs || (a.timeNs === b.timeNs && a.order < b.order)
}

export class EventQueue {
    nowNs = 0
    private heap: Entry[] = []
    private orderNext = 0
    private cancelled = 0

    /** A time in the past means now. */
    at(timeNs: number, fn: () => void): Timer {
        if (!Number.isSafeInteger(timeNs)) throw new Error(`event time must be whole nanoseconds, got ${timeNs}`)
        const entry = new Entry(timeNs < this.nowNs ? this.nowNs : timeNs, this.orderNext++, fn, this)
        this.heap.push(entry)
        this.siftUp(this.heap.length - 1)
        return entry
    }

    after(delayNs: number, fn: () => void): Timer {
        return this.at(this.nowNs + delayNs, fn)
    }

    /** When the next event is due; undefined when there is none. */
    peekNs(): number | undefined {
        this.dropCancelledHead()
        return this.heap.length > 0 ? this.heap[0].timeNs : undefined
    }

    /** Runs the next event. False when there is none. */
    runNext(): boolean {
        this.dropCancelledHead()
        if (this.heap.length === 0) return false
        const entry = this.pop()
        entry.live = false
        this.nowNs = entry.timeNs
        entry.fn()
        return true
    }

    /** Runs every event due up to and including `ns`, then moves the clock there. */
    runUntil(ns: number): void {
        for (;;) {
            const next = this.peekNs()
            if (next === undefined || next > ns) break
            this.runNext()
        }
        if (ns > this.nowNs) this.nowNs = ns
    }

    get length(): number {
        return this.heap.length - this.cancelled
    }

    /** Called by a timer that was cancelled: its entry stays in the heap until it surfaces, or until half the heap is dead. */
    forget(): void {
        this.cancelled++
        if (this.cancelled < 1024 || this.cancelled * 2 < this.heap.length) return
        this.heap = this.heap.filter(entry => entry.live)
        this.cancelled = 0
        for (let i = (this.heap.length >> 1) - 1; i >= 0; i--) this.siftDown(i)
    }

    private dropCancelledHead(): void {
        while (this.heap.length > 0 && !this.heap[0].live) {
            this.pop()
            this.cancelled--
        }
    }

    private pop(): Entry {
        const first = this.heap[0]
        const last = this.heap.pop()!
        if (this.heap.length > 0) {
            this.heap[0] = last
            this.siftDown(0)
        }
        return first
    }

    private siftUp(index: number): void {
        const heap = this.heap
        const entry = heap[index]
        while (index > 0) {
            const parent = (index - 1) >> 1
            if (!before(entry, heap[parent])) break
            heap[index] = heap[parent]
            index = parent
        }
        heap[index] = entry
    }

    private siftDown(index: number): void {
        const heap = this.heap
        const entry = heap[index]
        for (;;) {
            let child = 2 * index + 1
            if (child >= heap.length) break
            if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
            if (!before(heap[child], entry)) break
            heap[index] = heap[child]
            index = child
        }
        heap[index] = entry
    }
}
