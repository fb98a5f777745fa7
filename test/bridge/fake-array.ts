/** An array for the fake volume: two elements and a spare, on which a rebuild or a scrub advances whenever someone looks. */
import type { Result } from "./fake-volume"
import type { SlotState } from "../../tools/bridge/protocol/array-figures"
import { rebuildFlags } from "../../tools/bridge/protocol/numbers"

interface Slot {
    state: SlotState
    position: number
    kind: number
    badPages: number
    id: number
    pages: number
}

const states: SlotState[] = ["empty", "member", "rebuilding", "stale", "blank", "foreign", "failed"]
const none = 0xff

export class FakeArray {
    readonly elements = 2
    readonly segments = 64
    /** Segments a look advances what is under way. */
    step = 16
    joining = none
    left = 0
    scrubRate = 0
    scrubSegment = 0
    passes = 0
    badPages = 0
    /** Segments with bad pages that are not repaired; a whole scrub leaves `unrepairable` of them. */
    damagedSegments = 0
    unrepairable = 0
    readonly slots: Slot[] = [
        { state: "member", position: 0, kind: 1, badPages: 0, id: 77, pages: 16_384 },
        { state: "member", position: 1, kind: 1, badPages: 3, id: 77, pages: 16_384 },
        { state: "blank", position: none, kind: 2, badPages: 0, id: 0, pages: 32_768 },
        { state: "empty", position: none, kind: 0, badPages: 0, id: 0, pages: 0 },
    ]

    rebuild(position: number, slotNumber: number, flags: number): Result {
        const fail = (status: Result["status"]): Result => ({ status, value: 0 })
        if (this.joining !== none) return fail("busy")
        const isMember = this.slots.some(slot => slot.state === "member" && slot.position === position)
        if (isMember && !(flags & rebuildFlags.replace)) return fail("exists")
        const taken = slotNumber === none ? undefined : this.slots[slotNumber]
        if (slotNumber !== none && slotNumber >= this.slots.length) return fail("badRequest")
        if (taken?.state === "member" && taken.position !== position) return fail("badRequest")
        if (flags & rebuildFlags.replace)
            for (const slot of this.slots) if (slot.position === position) Object.assign(slot, { state: "stale" })
        const members = this.slots.filter(({ state }) => state === "member").map(slot => slot.position)
        const missing = [0, 1].filter(one => !members.includes(one))
        const wanted = position === none ? missing[0] : position
        if (wanted === undefined || members.includes(wanted)) return fail("exists")
        const slot = slotNumber === none ? this.slots.find(({ state }) => state === "blank") : this.slots[slotNumber]
        if (!slot || slot.state === "empty" || slot.state === "failed") return fail("notFound")
        if (slot.state !== "blank" && !(flags & rebuildFlags.force)) return fail("foreign")
        if (slot.pages < 16_384) return fail("tooSmall")
        Object.assign(slot, { state: "rebuilding", position: wanted, id: 77 })
        this.joining = wanted
        this.left = this.segments
        return { status: "ok", value: 0 }
    }

    figures(): Buffer {
        this.advance()
        const payload = Buffer.alloc(32 + 12 * this.slots.length)
        payload[0] = this.elements
        payload[1] = 1
        for (const { state, position } of this.slots) if (state === "member") payload[2] |= 1 << position
        payload[3] = this.joining
        payload.writeUInt16LE(256, 4)
        payload.writeUInt16LE(this.segments, 6)
        payload.writeUInt32LE(16_384, 8)
        payload.writeUInt16LE(1, 12)
        payload.writeUInt16LE(this.left, 14)
        payload[16] = this.scrubRate ? 1 : 0
        payload.writeUInt16LE(this.scrubSegment, 18)
        payload.writeUInt16LE(this.passes, 20)
        payload.writeUInt16LE(this.badPages, 22)
        payload.writeUInt16LE(this.badPages ? 1 : 0, 24)
        payload[26] = this.slots.length
        payload[27] = 5
        payload.writeUInt32LE(1000, 28)
        this.slots.forEach((slot, index) => {
            const at = 32 + 12 * index
            payload[at] = states.indexOf(slot.state)
            payload[at + 1] = slot.position
            payload[at + 2] = slot.kind
            payload[at + 3] = slot.badPages
            payload.writeUInt32LE(slot.id, at + 4)
            payload.writeUInt32LE(slot.pages, at + 8)
        })
        return payload
    }

    private advance(): void {
        if (this.joining !== none) {
            this.left = Math.max(0, this.left - this.step)
            if (this.left === 0) {
                for (const slot of this.slots) if (slot.state === "rebuilding") slot.state = "member"
                this.joining = none
            }
        }
        if (!this.scrubRate) return
        this.scrubSegment += this.step
        if (this.scrubSegment < this.segments) return
        this.scrubSegment = 0
        this.passes++
        this.badPages += 2
        this.damagedSegments = this.unrepairable
    }
}
