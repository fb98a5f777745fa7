// The clients of the further pairs on the bus, during the demonstration: each writes a small file, reads it back and begins again, and notes
// how long it had to wait.

import { source, type SimSession } from "../sim/session"

const fileBytes = 700

export interface NeighboursResult {
    pairs: number
    operations: number
    /** Of one operation, over the whole demonstration. */
    longestMs: number
    /** The same of those that were under way while the first pair was without a controller for its volume. */
    longestDuringFailoverMs: number
    differing: number
}

export class Neighbours {
    private isOver = false
    private readonly waits: { fromMs: number; toMs: number }[] = []
    private differing = 0
    private readonly work: Promise<void>[] = []

    constructor(private readonly session: SimSession) {}

    /** One client for each volume of the pairs after the first. */
    begin(): void {
        for (const volume of this.session.client.volumes()) if (volume > 1) this.work.push(this.client(volume))
    }

    /** Ends when each has ended what it is at. @param failover the time without a controller in the first pair */
    async end(failover: { fromMs: number; toMs: number }): Promise<NeighboursResult> {
        this.isOver = true
        await Promise.all(this.work)
        const longest = (waits: { fromMs: number; toMs: number }[]) =>
            Math.round(10 * waits.reduce((most, { fromMs, toMs }) => Math.max(most, toMs - fromMs), 0)) / 10
        return {
            pairs: this.session.simulation.cabinet.nodeNames.length / 2,
            operations: this.waits.length,
            longestMs: longest(this.waits),
            longestDuringFailoverMs: longest(
                this.waits.filter(({ fromMs, toMs }) => fromMs < failover.toMs && toMs > failover.fromMs),
            ),
            differing: this.differing,
        }
    }

    private async client(volume: number): Promise<void> {
        const { client } = this.session
        for (let round = 0; !this.isOver; round++) {
            const bytes = Buffer.from(Array.from({ length: fileBytes }, (_, i) => (i * 3 + round * 7 + volume) & 0xff))
            await this.timed(() => client.put(volume, "neighbour", source(bytes), { mtime: round }))
            const read = await this.timed(() => this.session.readAll(volume, "neighbour"))
            if (!read.equals(bytes)) this.differing++
        }
    }

    private async timed<T>(work: () => Promise<T>): Promise<T> {
        const fromMs = this.session.nowMs()
        const value = await work()
        this.waits.push({ fromMs, toMs: this.session.nowMs() })
        return value
    }
}
