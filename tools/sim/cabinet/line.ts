// A wire with one driver, whose level can be asked for a time a little in the past, because the reader may be behind the
// driver by one burst of computing. Setting a level at a time takes back what was set for later times: the driver died before.

export type Level = 0 | 1

const changesMax = 32

export class Line {
    private readonly changes: { atNs: number; level: Level }[] = []

    constructor(
        readonly name: string,
        private readonly idle: Level,
    ) {}

    /** True if the level changed. */
    set(level: Level, atNs: number): boolean {
        const { changes } = this
        while (changes.length > 0 && changes[changes.length - 1].atNs > atNs) changes.pop()
        if (this.latest === level) return false
        changes.push({ atNs, level })
        if (changes.length > changesMax) changes.shift()
        return true
    }

    get latest(): Level {
        return this.changes.length > 0 ? this.changes[this.changes.length - 1].level : this.idle
    }

    at(timeNs: number): Level {
        for (let i = this.changes.length - 1; i >= 0; i--)
            if (this.changes[i].atNs <= timeNs) return this.changes[i].level
        // Older than all that is kept: the level before the oldest change is its opposite
        return this.changes.length > 0 ? ((1 - this.changes[0].level) as Level) : this.idle
    }
}
