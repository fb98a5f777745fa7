/** At most `limit` holders at once; who waits is served in order. */
export class Gate {
    private held = 0
    private readonly waiting: (() => void)[] = []
    /** Most holders there ever were. */
    highWater = 0

    constructor(private readonly limit: number) {}

    /** Resolves when there is room; call `leave` exactly once afterwards. */
    enter(): Promise<void> {
        if (this.held < this.limit) {
            this.take()
            return Promise.resolve()
        }
        return new Promise(resolve => this.waiting.push(resolve))
    }

    tryEnter(): boolean {
        if (this.held >= this.limit) return false
        this.take()
        return true
    }

    leave(): void {
        const next = this.waiting.shift()
        if (next) next()
        else this.held--
    }

    private take(): void {
        this.held++
        this.highWater = Math.max(this.highWater, this.held)
    }
}

/** What may be outstanding at the nodes of one pair: a pair that is silent for a while keeps nobody waiting who asks another. */
export interface PairGates {
    /** Requests, queries, reads and controls. */
    all: Gate
    reads: Gate
}
