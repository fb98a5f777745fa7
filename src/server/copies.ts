// What the partner has recorded of the commands sent to this node, as its `recorded` notices say. A reply waits for it.

import { zeros } from "../lists"

const marksMax = 8

export class Recorded {
    kinds: Buffer
    ids: number[]
    numbers: number[]
    next: number
    /** Where the last one asked for or told about was. */
    last: number

    constructor() {
        this.kinds = Buffer.alloc(marksMax)
        this.ids = zeros(marksMax)
        this.numbers = zeros(marksMax)
        this.next = 0
        this.last = 0
    }
}

/** The partner has lost its copies. */
export function clearRecorded(recorded: Recorded): void {
    for (let i = 0; i < marksMax; i++) recorded.kinds[i] = 0
}

/** @param kind session or upload, as in journal.ts; @param number sequence or end offset */
export function setRecorded(recorded: Recorded, kind: number, id: number, number: number): void {
    let i = find(recorded, kind, id)
    if (i < 0) {
        i = recorded.next
        recorded.next = (i + 1) % marksMax
        recorded.kinds[i] = kind
        recorded.ids[i] = id
    }
    recorded.numbers[i] = number
}

/** @returns sequence or end offset; 0 = nothing is recorded */
export function getRecorded(recorded: Recorded, kind: number, id: number): number {
    const i = find(recorded, kind, id)
    return i < 0 ? 0 : recorded.numbers[i]
}

function find(recorded: Recorded, kind: number, id: number): number {
    const last = recorded.last
    const ids = recorded.ids
    if (ids[last] === id) if (recorded.kinds[last] === kind) return last
    for (let i = 0; i < marksMax; i++)
        if (ids[i] === id)
            if (recorded.kinds[i] === kind) {
                recorded.last = i
                return i
            }
    return -1
}
