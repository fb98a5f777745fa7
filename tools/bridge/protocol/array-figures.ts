/** The answer to the `array` query: what a volume's array is made of and what is under way on it. Throws `badFrame` and nothing else. */
import { TwinfilerError } from "../error"

export const slotStates = ["empty", "member", "rebuilding", "stale", "blank", "foreign", "failed"] as const
export type SlotState = (typeof slotStates)[number]
const slotKinds = ["none", "nor", "sd"] as const
const arrayKinds = ["unknown", "mirror", "parity"] as const

export const badPagesMax = 255

export interface SlotFigures {
    slot: number
    state: SlotState
    /** Undefined for an element that has none. */
    position?: number
    kind: (typeof slotKinds)[number]
    /** `badPagesMax` stands for that many or more; then the slot is not chosen for a rebuild, only taken when it is named. */
    badPages: number
    /** What the element says of itself: of a chip its JEDEC id, of a card its manufacturer << 16 | OEM. */
    id: number
    pages: number
}

export interface ArrayFigures {
    elements: number
    kind: (typeof arrayKinds)[number]
    /** Positions whose element holds everything. */
    members: number[]
    /** The position being rebuilt. */
    joining?: number
    rowsPerSegment: number
    segments: number
    rows: number
    retiredSegments: number
    /** Segments the rebuild has still to do. */
    segmentsLeft: number
    scrub: { running: boolean; segment: number; passes: number; badPages: number; repaired: number }
    /** Erases every segment has had at least. */
    wearBase: number
    slots: SlotFigures[]
}

const headBytes = 32
const slotBytes = 12
const none = 0xff

export function decodeArray(payload: Buffer): ArrayFigures {
    if (payload.length < headBytes) return bad("the length of an answer")
    const slotCount = payload[26]
    if (payload.length < headBytes + slotBytes * slotCount) return bad("the length of an answer")
    const slots: SlotFigures[] = []
    for (let slot = 0; slot < slotCount; slot++) {
        const at = headBytes + slotBytes * slot
        slots.push({
            slot,
            state: slotStates[payload[at]] ?? bad("the state of a slot"),
            position: payload[at + 1] === none ? undefined : payload[at + 1],
            kind: slotKinds[payload[at + 2]] ?? bad("the kind of a slot"),
            badPages: payload[at + 3],
            id: payload.readUInt32LE(at + 4),
            pages: payload.readUInt32LE(at + 8),
        })
    }
    return {
        elements: payload[0],
        kind: arrayKinds[payload[1]] ?? bad("the kind of an array"),
        members: [0, 1, 2, 3, 4, 5, 6, 7].filter(position => payload[2] & (1 << position)),
        joining: payload[3] === none ? undefined : payload[3],
        rowsPerSegment: payload.readUInt16LE(4),
        segments: payload.readUInt16LE(6),
        rows: payload.readUInt32LE(8),
        retiredSegments: payload.readUInt16LE(12),
        segmentsLeft: payload.readUInt16LE(14),
        scrub: {
            running: payload[16] !== 0,
            segment: payload.readUInt16LE(18),
            passes: payload.readUInt16LE(20),
            badPages: payload.readUInt16LE(22),
            repaired: payload.readUInt16LE(24),
        },
        wearBase: payload.readUInt32LE(28),
        slots,
    }
}

/** The answer to the `elements` query: what a node finds at its selects, and the digest of what it was asked to read. */
export interface FoundElements {
    slots: SlotFigures[]
    digest: number
}

export function decodeElements(payload: Buffer): FoundElements {
    const { slots } = decodeArray(payload)
    const at = headBytes + slotBytes * slots.length
    if (payload.length < at + 4) return bad("the length of an answer")
    return { slots, digest: payload.readInt32LE(at) }
}

function bad(what: string): never {
    throw new TwinfilerError("badFrame", `${what} is not of protocol version 1`)
}

/** A slot whose element did not hold what a rebuild wrote to it; another may be there by now. */
export function givenUpSlot({ slots }: ArrayFigures): number | undefined {
    return slots.find(({ state, badPages }) => badPages === badPagesMax && state !== "member" && state !== "empty")
        ?.slot
}
