/** Work on the same keys runs one after the other, in the order asked for; other work is not kept waiting. */
export class Turns {
    /** The last work asked for, by key. */
    private readonly last = new Map<string, Promise<unknown>>()

    /** All keys are queued for at once, so that no two can wait for each other. */
    take<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
        const before = keys.flatMap(key => this.last.get(key) ?? [])
        const mine = Promise.allSettled(before).then(work)
        const forget = () => {
            for (const key of keys) if (this.last.get(key) === mine) this.last.delete(key)
        }
        for (const key of keys) this.last.set(key, mine)
        mine.then(forget, forget)
        return mine
    }
}
