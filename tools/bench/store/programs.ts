// What was programmed into the chips of a store, by kind of page: looked up in the pages themselves, so that it holds for any code that
// writes docs/FORMAT.md.

import type { StoreBench } from "../../../test/support/store-bench"

const pageBytes = 256
const bodyBytes = 236
const kinds = ["", "data", "node", "root", "anchor", "label", "usage"]
const typeData = 1

/** Pages programmed, by kind; a page that a mirror programs into both elements counts once. */
export type PageCounts = Record<string, number>

export class Programs {
    private counts: PageCounts = {}
    /** Blocks programmed before, with how many bytes: what comes again was moved, or was not full. */
    private readonly blocks = new Map<number, number>()

    constructor(private readonly bench: StoreBench) {
        bench.chips.forEach((chip, element) => {
            const { cells } = chip
            const program = cells.program.bind(cells)
            cells.program = write => {
                this.note(element, write.page / pageBytes, Buffer.from(write.data))
                program(write)
            }
        })
    }

    private note(element: number, elementPage: number, bytes: Buffer): void {
        const { length } = this.bench.chips
        const isReserved = elementPage < this.bench.segmentRows
        if (isReserved || length === 2) {
            if (element > 0) return
        } else if (element === elementPage % length) return this.count("parity")
        if (bytes[4] !== typeData) return this.count(kinds[bytes[4]] ?? "unknown")
        const key = bytes.readUInt32LE(12) * 0x100000 + bytes.readUInt32LE(16)
        const before = this.blocks.get(key)
        this.blocks.set(key, bytes[5])
        if (before !== undefined && before >= bytes[5]) this.count("moved")
        else this.count(bytes[5] === bodyBytes ? "data" : "data, part")
    }

    private count(kind: string): void {
        this.counts[kind] = (this.counts[kind] ?? 0) + 1
    }

    /** What was counted since the last time. */
    take(): PageCounts {
        const { counts } = this
        this.counts = {}
        return counts
    }
}
