// The label of each element: which array it belongs to, and its position there. Page 0 of the element; written last when formatting, so
// its presence says that the rest is there. docs/FORMAT.md, "Label".
//
// Promises: which slot an element sits in does not matter; one that belongs elsewhere, fell behind or is of another format is never
// read as if it were the array's, and nothing is written to it unless someone asks for it.
//
// Crash order: the labels of a new array are written one after the other. A mount completes what a cut left, but only on an element
// that holds anchors of the array: a blank or foreign one has none of the data and stays out.

import { ElementArray, isWritten } from "../array/array"
import { slotsMax } from "../flash/bank"
import { pageIsBlank } from "../flash/blank"
import { platform } from "../platform"
import { atBody, atOwner, atType, formatVersion, pageBufferBytes, pageIsGood, sealPage, typeLabel } from "./page"

// what sits in a slot (docs/PROTOCOL.md, query `array`)
export const slotEmpty = 0
export const slotMember = 1
export const slotJoining = 2
export const slotStale = 3
export const slotBlank = 4
export const slotForeign = 5
export const slotFailed = 6

/** In a label: the element fell behind the others and is not to be read, alone or with them. */
export const stateLeftOut = 1
export const noPosition = 0xff

/** "TWIN" in the order its bytes have on flash. */
const magic = 0x4e495754
const sectorPages = 16

export class Labels {
    arrayId: number
    array: ElementArray
    buffer: Buffer
    volume: number
    // what each slot's label says; the state is one of the above
    states: Buffer
    positions: Buffer
    generations: Buffer
    ids: Buffer
    /** Elements of the array it belongs to. */
    shapes: Buffer
    /** Slots, as bits, whose element has a label. */
    held: number
    /** Whether `settleOn` put an element where another one, or none, was taken for the position's. */
    moved: boolean

    constructor(array: ElementArray, buffer: Buffer, volume: number) {
        this.array = array
        this.buffer = buffer
        this.volume = volume
        this.arrayId = 0
        this.states = Buffer.alloc(slotsMax)
        this.positions = Buffer.alloc(slotsMax)
        this.generations = Buffer.alloc(slotsMax)
        this.ids = Buffer.alloc(slotsMax * 4)
        this.shapes = Buffer.alloc(slotsMax)
        this.held = 0
        this.moved = false
    }
}

/** Whether an element of this array, be it stale, sits in a slot. */
export function isOwn(labels: Labels, slot: number): boolean {
    return idOf(labels, slot) === labels.arrayId && labels.positions[slot] !== noPosition
}

/**
 * Reads the labels of all elements that answer, and takes the shape of the array they tell of: of several, of the one with the most elements.
 * Elements are put to their positions.
 * @returns false when they do not tell of one array that can be read, or of none: nothing may be written then. `arrayId` is 0 when there
 * is no label at all.
 */
export async function inspectLabels(labels: Labels): Promise<boolean> {
    labels.arrayId = 0
    let leader = 0
    for (let slot = 0; slot < slotsMax; slot++) {
        await lookAt(labels, slot)
        const state = labels.states[slot]
        if (state !== slotBlank) if (state !== slotEmpty) leader = -1
    }
    if (leader === 0) return true
    let most = 0
    for (let slot = 0; slot < slotsMax; slot++) {
        if (labels.states[slot] !== slotMember) continue
        if (leader >= 0) if (idOf(labels, slot) === idOf(labels, leader)) continue
        const count = answering(labels, slot)
        if (count > most) {
            most = count
            leader = slot
        } else if (count === most) leader = -1
    }
    return leader >= 0 && (await follow(labels, leader))
}

/** Whether an element has a label that was not read before: for a moment it looked as if there were none. */
export async function hasMissed(labels: Labels): Promise<boolean> {
    const held = labels.held
    // one that has none and is known by its anchors is labelled anew
    for (let slot = 0; slot < slotsMax; slot++)
        if (!(held & (1 << slot))) if (!isOwn(labels, slot)) await lookAt(labels, slot)
    return labels.held !== held
}

/** Id of the array an element says it belongs to, or 0. */
export function idOf(labels: Labels, slot: number): number {
    return labels.ids.getAt(slot * 4, "u32")
}

/** Puts the elements to their positions that have the generations the newest anchor names. @returns those positions, as bits */
export function settleOn(labels: Labels, generations: Buffer): number {
    const array = labels.array
    let positions = 0
    labels.moved = false
    for (let slot = 0; slot < slotsMax; slot++) {
        const position = labels.positions[slot]
        if (labels.states[slot] !== slotMember) continue
        if (position === noPosition) continue
        if (labels.generations[slot] !== generations[position]) continue
        if (array.slots[position] !== slot) labels.moved = true
        array.slots[position] = slot
        positions |= 1 << position
    }
    return positions
}

/** Names a new array. */
export function chooseId(labels: Labels): number {
    labels.arrayId = platform.random() | 1
    return labels.arrayId
}

/** An element takes a position: its own slot's when it lost its label, another's place in a rebuild. */
export function adopt(labels: Labels, slot: number, position: number, generation: number): void {
    labels.ids.setAt(slot * 4, "u32", labels.arrayId)
    labels.positions[slot] = position
    labels.generations[slot] = generation
    labels.states[slot] = slotMember
    labels.array.slots[position] = slot
}

/** Labels every element in use that has none. */
export async function writeLabels(labels: Labels, generations: Buffer, epoch: number): Promise<void> {
    const array = labels.array
    for (let position = 0; position < array.elements; position++) {
        const slot = array.slots[position]
        if (!(array.members & (1 << position))) continue
        if (labels.held & (1 << slot)) continue
        await writeLabel(labels, slot, position, generations[position], 0, epoch)
    }
}

/**
 * Whether an element, left out, is newer than its position's own: someone asked for it to take that position, and it has not yet. It may lack
 * anything, anchors too.
 */
export function isHeir(labels: Labels, slot: number, generations: Buffer): boolean {
    if (labels.states[slot] !== slotStale) return false
    if (!isOwn(labels, slot)) return false
    return ((labels.generations[slot] - generations[labels.positions[slot]] - 1) & 0xff) < 0x7f
}

/** Marks the elements of this array that answer and are not in use, so that none of them is ever taken for the array. */
export async function leaveOut(labels: Labels, epoch: number): Promise<void> {
    const array = labels.array
    for (let slot = 0; slot < slotsMax; slot++) {
        if (labels.states[slot] !== slotMember) continue
        if (!isOwn(labels, slot)) continue
        if (isWritten(array, slot)) continue
        await writeLabel(labels, slot, labels.positions[slot], labels.generations[slot], stateLeftOut, epoch)
        labels.states[slot] = slotStale
    }
}

/** Notes what the label in a slot says. */
export async function lookAt(labels: Labels, slot: number): Promise<void> {
    const buffer = labels.buffer
    const states = labels.states
    labels.held &= ~(1 << slot)
    states[slot] = slotEmpty
    labels.ids.setAt(slot * 4, "u32", 0)
    labels.positions[slot] = noPosition
    if (!(labels.array.bank.alive & (1 << slot))) return
    await labels.array.bank.read(slot, 0, buffer)
    states[slot] = slotBlank
    if (!pageIsGood(buffer, 0)) {
        // an element may read wrong once
        await labels.array.bank.read(slot, 0, buffer)
        if (!pageIsGood(buffer, 0)) return
    }
    if (buffer[atType] !== typeLabel) return
    labels.held |= 1 << slot
    if (buffer.getAt(atBody, "u32") !== magic) return
    states[slot] = slotForeign
    const elements = buffer[atBody + 8]
    const position = buffer[atBody + 7]
    if (buffer.getAt(atBody + 4, "u16") !== formatVersion) return
    if (buffer[atBody + 6] !== labels.volume) return
    if (elements < 2) return
    if (elements > slotsMax) return
    if (position >= elements) return
    if (buffer.getAt(atBody + 16, "u16") !== labels.array.bank.strideBytes) return
    labels.ids.setAt(slot * 4, "u32", buffer.getAt(atOwner, "u32"))
    labels.positions[slot] = position
    labels.generations[slot] = buffer[atBody + 18]
    labels.shapes[slot] = elements
    states[slot] = buffer[atBody + 9] === stateLeftOut ? slotStale : slotMember
}

/** How many elements of one array answer, those without a label counted with them; 0 when they cannot be enough to read it. */
function answering(labels: Labels, leader: number): number {
    let positions = 0
    let count = 0
    for (let slot = 0; slot < slotsMax; slot++) {
        const state = labels.states[slot]
        const bit = 1 << labels.positions[slot]
        if (state === slotBlank) count++
        else if (state === slotMember)
            if (idOf(labels, slot) === idOf(labels, leader))
                if (!(positions & bit)) {
                    positions |= bit
                    count++
                }
    }
    return count < labels.shapes[leader] - 1 ? 0 : count
}

async function follow(labels: Labels, leader: number): Promise<boolean> {
    const array = labels.array
    const buffer = labels.buffer
    // the shape is that of a label which was verified
    await lookAt(labels, leader)
    if (labels.states[leader] !== slotMember) return false
    labels.arrayId = idOf(labels, leader)
    array.shape(buffer[atBody + 8], buffer.getAt(atBody + 12, "u32"), buffer.getAt(atBody + 10, "u16"))
    let members = 0
    for (let slot = 0; slot < slotsMax; slot++) {
        const state = labels.states[slot]
        if (state !== slotMember) if (state !== slotStale) continue
        if (idOf(labels, slot) !== labels.arrayId) {
            labels.states[slot] = slotForeign
            continue
        }
        if (state === slotStale) continue
        const position = labels.positions[slot]
        const other = array.slots[position]
        if (other >= 0) if (labels.generations[other] > labels.generations[slot]) continue
        array.slots[position] = slot
        members |= 1 << position
    }
    array.use(members, -1)
    return true
}

export async function writeLabel(
    labels: Labels,
    slot: number,
    position: number,
    generation: number,
    state: number,
    epoch: number,
): Promise<void> {
    const array = labels.array
    const bank = array.bank
    const buffer = labels.buffer
    const mask = 1 << slot
    await bank.read(slot, 0, buffer)
    if (!pageIsBlank(buffer)) await bank.erase(mask, 0, sectorPages)
    buffer.fillAt(0, pageBufferBytes, 0)
    buffer[atType] = typeLabel
    buffer.setAt(atOwner, "u32", labels.arrayId)
    buffer.setAt(atBody, "u32", magic)
    buffer.setAt(atBody + 4, "u16", formatVersion)
    buffer[atBody + 6] = labels.volume
    buffer[atBody + 7] = position
    buffer[atBody + 8] = array.elements
    buffer[atBody + 9] = state
    buffer.setAt(atBody + 10, "u16", array.segmentRows)
    buffer.setAt(atBody + 12, "u32", array.rows)
    buffer.setAt(atBody + 16, "u16", bank.strideBytes)
    buffer[atBody + 18] = generation
    buffer.setAt(atBody + 20, "u32", epoch)
    sealPage(buffer, 0)
    await bank.program(mask, 0, buffer, true)
    await bank.settle(mask)
    labels.held |= mask
}
