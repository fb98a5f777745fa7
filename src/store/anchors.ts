// Anchors: small records in a ring of sectors in the reserved segment, each saying which segment the log is in, where the last root
// was then, which elements are up to date, and who controls the array (the epoch). One is written for each segment entered, each
// change of control, each element lost and each that comes, so the ring wears no faster than the log does.
//
// Promises: the newest good anchor is found with a bounded number of reads (one per element and sector of the ring, and one per element
// and slot of a sector); an anchor torn by a power cut leaves the one before it newest. A slot is programmed once after its sector was
// erased, and the first slot of a sector right after.
//
// Crash order: 1 erase the sector (first slot only), 2 settle, 3 program the slot, 4 settle.

import { ElementArray, isReadable, isWritten, readReserved } from "../array/array"
import { slotsMax } from "../flash/bank"
import { pageIsBlank } from "../flash/blank"
import { atBody, atOwner, atType, headerBufferBytes, pageBufferBytes, pageIsGood, sealPage, typeAnchor } from "./page"

export const sectorPages = 16
/** With the labels' sector. */
const sectorsMax = 16
const noPosition = 0xff
const flagTailWhole = 1
const flagRootWeak = 2

export class Anchors {
    // what an anchor says (docs/FORMAT.md, "Anchor"); set before `append`
    epoch: number
    segment: number
    start: number
    root: number
    serial: number
    rootTail: number
    between: number
    betweenTail: number
    members: number
    isTailWhole: boolean
    /** A mount found the root on too few elements, and was to write it again before anything else. */
    isRootWeak: boolean
    /** The position being rebuilt, or -1. */
    joining: number
    /** Of the element that belongs in each position. */
    generations: Buffer
    /** Segments, bits as in the array's `away`, that nobody looked through since they were left. */
    unlooked: Buffer
    /** The array's id, as its labels have it; 0 = not known, any anchor will do. */
    arrayId: number

    /** A header-sized buffer that is free between calls. */
    header: Buffer
    array: ElementArray
    scratch: Buffer
    sequence: number
    /** Page of the reserved segment the next anchor goes to; its sector must be erased first when it is the sector's first. */
    slot: number
    /** The slot of the newest anchor. */
    newest: number
    /**
     * The sector of `slot` is erased and its first slot good, without which no other slot of it would be found. False: the next anchor begins
     * a sector, as when an element comes to the array that has none of those before.
     */
    sectorIsOpen: boolean
    /**
     * Slot of the newest anchor as the controller told, a moment ago; 0 = not known. Where it is true it saves looking through the ring, and a
     * failover waits for that.
     */
    hint: number
    /** Positions, as bits, that hold the anchor read last, and those that hold the sector's first. */
    goodOn: number
    openOn: number

    constructor(array: ElementArray, scratch: Buffer) {
        this.array = array
        this.scratch = scratch
        this.header = Buffer.alloc(headerBufferBytes)
        this.generations = Buffer.alloc(slotsMax)
        this.unlooked = Buffer.alloc(array.away.length)
        this.hint = 0
        beginRing(this, 0)
    }

    /** Loads the newest anchor. @returns false when there is none */
    async findNewest(): Promise<boolean> {
        const sectors = ringSectors(this)
        const hint = this.hint
        let first = 0
        if (hint >= sectorPages)
            if (hint < sectors * sectorPages) {
                // two losses at once and the ring goes on in the sector after the next
                first = await newestSector(this, (hint / sectorPages) | 0, 3)
                if (first !== hint - (hint % sectorPages)) first = 0
            }
        if (first === 0) first = await newestSector(this, 1, sectors - 1)
        let newest = first ? await readAnchor(this, first) : 0
        if (newest !== this.sequence || newest === 0) {
            // what a header said was not so: the whole of each first slot
            first = 0
            newest = 0
            for (let i = 1; i < sectors; i++) {
                const sequence = await readAnchor(this, i * sectorPages)
                if (sequence > newest) {
                    newest = sequence
                    first = i * sectorPages
                    this.openOn = this.goodOn
                }
            }
            if (first === 0) return false
        } else this.openOn = this.goodOn
        // within the sector: the last programmed slot, and back from there to one that is good. Before it any may be blank, on some of the elements
        // or all, as cuts left them
        const end = first + sectorPages
        let last = await lastIn(this, hint > first && hint < end ? hint : first)
        let at = last
        // an element that was away may hold anchors of the ring's earlier turns here, older than the sector's first
        while (at > first && (await readAnchor(this, at)) <= newest) at--
        if (at === first) if (!(await readAnchor(this, first))) return false
        this.newest = at
        const buffer = this.scratch
        this.sequence = buffer.getAt(atOwner, "u32")
        this.epoch = buffer.getAt(atBody, "u32")
        this.segment = buffer.getAt(atBody + 4, "u16")
        this.start = buffer.getAt(atBody + 6, "u16")
        this.root = buffer.getAt(atBody + 8, "u32")
        this.serial = buffer.getAt(atBody + 12, "u32")
        this.rootTail = buffer.getAt(atBody + 16, "u16")
        this.between = buffer.getAt(atBody + 18, "u16")
        this.betweenTail = buffer.getAt(atBody + 20, "u16")
        this.members = buffer[atBody + 22]
        const joining = buffer[atBody + 23]
        this.joining = joining === noPosition ? -1 : joining
        this.generations.blitAt(0, buffer, atBody + 28, slotsMax)
        const flags = buffer[atBody + 34]
        this.isTailWhole = (flags & flagTailWhole) !== 0
        this.isRootWeak = (flags & flagRootWeak) !== 0
        this.array.away.blitAt(0, buffer, atBody + 36, this.array.away.length)
        this.unlooked.blitAt(0, buffer, atBody + 68, this.unlooked.length)
        // a slot whose programming was cut may read as blank: leave one free
        // and one may hold bits of a cut program behind its header
        last += 2
        while (last < end && !(await slotIsBlank(this, last, buffer))) last++
        this.slot = last < end ? last : end
        if (this.slot === sectors * sectorPages) this.slot = sectorPages
        this.sectorIsOpen = true
        return true
    }
}

/**
 * Whether the element in a slot, which has no label, holds an anchor of this array up to a sequence, from the time of the position's generation:
 * then it is neither a new one nor one that was replaced. Those that begin a sector are enough, and a silent one is soon done with.
 */
export async function isOn(anchors: Anchors, slot: number, position: number, until: number): Promise<boolean> {
    const buffer = anchors.scratch
    const end = ringSectors(anchors) * sectorPages
    for (let page = sectorPages; page < end; page += sectorPages) {
        await anchors.array.bank.read(slot, page, buffer)
        if (isAnchor(anchors, buffer, page))
            if (buffer.getAt(atOwner, "u32") <= until)
                if (buffer[atBody + 28 + position] === anchors.generations[position]) return true
    }
    return false
}

/** The last slot of a sector that was programmed, `slot` or one behind it. */
async function lastIn(anchors: Anchors, slot: number): Promise<number> {
    const array = anchors.array
    const end = slot - (slot % sectorPages) + sectorPages
    for (let position = 0; position < array.elements; position++)
        if (isReadable(array, position))
            slot = await array.bank.lastWritten(array.slots[position], slot, end, anchors.header)
    return slot
}

/** Whether there is still no anchor newer than the newest: what cannot be read for a moment looks as if it had never been written. */
export async function isNewest(anchors: Anchors): Promise<boolean> {
    const sequence = anchors.sequence
    const newest = anchors.newest
    let first = newest - (newest % sectorPages)
    // of those in this sector that come next; one more, since one that was cut may have been passed over
    const last = anchors.slot > newest ? anchors.slot + 1 : newest + 2
    for (let slot = newest + 1; slot < first + sectorPages && slot <= last; slot++)
        if ((await readAnchor(anchors, slot)) > sequence) return false
    // two losses at once and the ring goes on in the sector after the next
    const end = ringSectors(anchors) * sectorPages
    for (let i = 0; i < 2; i++) {
        first += sectorPages
        if (first >= end) first = sectorPages
        if ((await readAnchor(anchors, first)) > sequence) return false
    }
    return true
}

/** A cut may have left the first slot of the sector good on one element only, and the sector would be lost with it: it gets no more. */
export function checkSector(anchors: Anchors): void {
    const array = anchors.array
    for (let position = 0; position < array.elements; position++)
        if (isWritten(array, array.slots[position]))
            if (!(anchors.openOn & (1 << position))) anchors.sectorIsOpen = false
}

/** The ring is blank. */
export function beginRing(anchors: Anchors, arrayId: number): void {
    anchors.sequence = 0
    anchors.slot = sectorPages
    anchors.sectorIsOpen = false
    anchors.epoch = 0
    anchors.arrayId = arrayId
    anchors.generations.fillAt(0, slotsMax, 0)
    anchors.unlooked.fillAt(0, anchors.unlooked.length, 0)
}

function ringSectors(anchors: Anchors): number {
    const sectors = (anchors.array.segmentRows / sectorPages) | 0
    return sectors < sectorsMax ? sectors : sectorsMax
}

/** Whether the next anchor is the first of a sector. */
export function isSectorFull(anchors: Anchors): boolean {
    return anchors.slot % sectorPages === 0
}

/** The next slot of the ring; the next sector's first when this sector could not be opened. */
function takeSlot(anchors: Anchors): number {
    let slot = anchors.slot
    if (slot % sectorPages !== 0) if (!anchors.sectorIsOpen) slot += sectorPages - (slot % sectorPages)
    const end = ringSectors(anchors) * sectorPages
    if (slot >= end) slot = sectorPages
    anchors.slot = slot + 1 < end ? slot + 1 : sectorPages
    return slot
}

export async function appendAnchor(anchors: Anchors): Promise<void> {
    const array = anchors.array
    // taken before anything is awaited: a loss noticed below appends an anchor of its own
    const slot = takeSlot(anchors)
    if (slot % sectorPages === 0) {
        anchors.sectorIsOpen = false
        const sequence = anchors.sequence
        await array.bank.erase(array.writeMask, slot, sectorPages)
        await array.finish()
        // and says all that this one would
        if (anchors.sequence !== sequence) return
    }
    const buffer = anchors.scratch
    buffer.fillAt(0, pageBufferBytes, 0)
    buffer[atType] = typeAnchor
    buffer.setAt(atOwner, "u32", ++anchors.sequence)
    buffer.setAt(atBody, "u32", anchors.epoch)
    buffer.setAt(atBody + 4, "u16", anchors.segment)
    buffer.setAt(atBody + 6, "u16", anchors.start)
    buffer.setAt(atBody + 8, "u32", anchors.root)
    buffer.setAt(atBody + 12, "u32", anchors.serial)
    buffer.setAt(atBody + 16, "u16", anchors.rootTail)
    buffer.setAt(atBody + 18, "u16", anchors.between)
    buffer.setAt(atBody + 20, "u16", anchors.betweenTail)
    buffer[atBody + 22] = array.members
    buffer[atBody + 23] = noPosition
    // one that has an heir is a member as the others are: that rebuild begins anew after a mount
    if (array.heir < 0) {
        if (array.joining >= 0) buffer[atBody + 23] = array.joining
        buffer.blitAt(atBody + 36, array.away, 0, array.away.length)
    }
    buffer.setAt(atBody + 24, "u32", anchors.arrayId)
    buffer.blitAt(atBody + 28, anchors.generations, 0, slotsMax)
    buffer.blitAt(atBody + 68, anchors.unlooked, 0, anchors.unlooked.length)
    if (anchors.isTailWhole) buffer[atBody + 34] = flagTailWhole
    else if (anchors.isRootWeak) buffer[atBody + 34] = flagRootWeak
    sealPage(buffer, slot)
    anchors.newest = slot
    await array.bank.program(array.writeMask, slot, buffer)
    await array.finish()
    if (slot % sectorPages === 0) anchors.sectorIsOpen = anchors.slot === slot + 1
}

/** First slot of that of `count` sectors, from `sector` on, whose first slot's header has the highest `sequence`; 0 = none. The header is not verified. */
async function newestSector(anchors: Anchors, sector: number, count: number): Promise<number> {
    const array = anchors.array
    const header = anchors.header
    const sectors = ringSectors(anchors)
    let first = 0
    let newest = 0
    for (let i = 0; i < count; i++) {
        for (let position = 0; position < array.elements; position++) {
            if (!(await readReserved(array, position, sector * sectorPages, header))) continue
            if (header[atType] !== typeAnchor) continue
            const sequence = header.getAt(atOwner, "u32")
            if (sequence <= newest) continue
            newest = sequence
            first = sector * sectorPages
        }
        if (++sector === sectors) sector = 1
    }
    anchors.sequence = newest
    return first
}

function isAnchor(anchors: Anchors, buffer: Buffer, page: number): boolean {
    if (buffer[atType] !== typeAnchor) return false
    if (!pageIsGood(buffer, page)) return false
    return anchors.arrayId === 0 || buffer.getAt(atBody + 24, "u32") === anchors.arrayId
}

/**
 * Reads the newest of a slot's copies: an element that was away holds an older anchor there.
 * @returns its sequence; 0 when no copy is good
 */
export async function readAnchor(anchors: Anchors, page: number): Promise<number> {
    const array = anchors.array
    const buffer = anchors.scratch
    let newest = 0
    let from = 0
    let held = -1
    anchors.goodOn = 0
    for (let position = 0; position < array.elements; position++) {
        if (!(await readReserved(array, position, page, buffer)) || !isAnchor(anchors, buffer, page)) {
            held = -1
            continue
        }
        held = position
        const sequence = buffer.getAt(atOwner, "u32")
        if (sequence > newest) anchors.goodOn = 0
        if (sequence >= newest) {
            anchors.goodOn |= 1 << position
            newest = sequence
            from = position
        }
    }
    // what is gone on from was verified, also when it is read again
    if (newest)
        if (held !== from)
            if (!(await readReserved(array, from, page, buffer)) || !isAnchor(anchors, buffer, page)) return 0
    return newest
}

async function slotIsBlank(anchors: Anchors, page: number, buffer: Buffer): Promise<boolean> {
    for (let position = 0; position < anchors.array.elements; position++)
        if (await readReserved(anchors.array, position, page, buffer)) if (!pageIsBlank(buffer)) return false
    return true
}
