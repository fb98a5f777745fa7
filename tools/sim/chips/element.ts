// What the cabinet and its tests know of an element, be it a NOR chip or an SD card. Kept true by each model:
// - time never goes back: a call with an earlier time is taken as now, because boards compute in bursts;
// - an operation that has started goes on while the element has power, whoever started it and whoever is selected;
// - a fault that is switched off costs no randomness, so that a run without faults is the same with and without them.

import type { ChipImage } from "./image-file"
import type { ReportViolation } from "./violation"

/** "typical" and "maximum" are those of the part's data; a number is a factor on typical. */
export type ChipTiming = "typical" | "maximum" | number

export interface Span {
    typical: number
    maximum: number
}

export function spanNs(span: Span, timing: ChipTiming): number {
    return typeof timing === "number" ? Math.max(1, Math.round(span.typical * timing)) : span[timing]
}

export interface ElementPart {
    name: string
    /** False for geometries made for tests, which nobody sells */
    real: boolean
    bytes: number
}

/** A write or erase that starts. Cut the power at `startNs + fraction * (endNs - startNs)` to tear it. */
export interface ElementOperation {
    /** Counts the operations of this element, from 0 */
    index: number
    kind: string
    address: number
    bytes: number
    startNs: number
    endNs: number
}

/** Switched by tests at any time, as `element.faults.lies = 1`. Chances are per read or write, 0 to 1. */
export interface ElementFaults {
    /** Answers nothing and does nothing, but keeps what it holds */
    silent: boolean
    /** Reads come back with wrong bits, though the contents are right; a card's CRC belongs to the wrong bits */
    lies: number
    /** Writes and erases are acknowledged, take their time and do nothing */
    dropsWrites: number
    /** Says busy and never ends */
    staysBusy: boolean
}

export function noFaults(): ElementFaults {
    return { silent: false, lies: 0, dropsWrites: 0, staysBusy: false }
}

/** What both kinds count. */
export interface ElementCounters {
    /** By the command's name */
    commands: Record<string, number>
    /** What was not done, by reason */
    ignored: Record<string, number>
    /** NOR: page programs; SD: blocks written */
    programs: number
    bytesProgrammed: number
    bytesRead: number
    busyNs: number
}

export interface SpiReply {
    rx: Uint8Array
    /** From this byte on the element drives MISO; before, it floats */
    drivenFrom: number
}

export interface Element {
    readonly kind: "nor" | "sd"
    /** As `a.E0` */
    readonly name: string
    readonly part: ElementPart
    readonly image: ChipImage
    readonly statistics: ElementCounters
    readonly faults: ElementFaults
    /** Times an erase block was erased; the models of cards have their wear hidden, as cards do */
    readonly eraseCounts: Uint32Array

    /** Holds for operations that start from now on. */
    setTiming(timing: ChipTiming): void
    powerUp(atNs: number): void
    /** What was in flight is torn. */
    powerLost(atNs: number): void
    select(atNs: number): void
    deselect(atNs: number): void
    transfer(tx: Uint8Array, startNs: number, endNs: number, hz: number): SpiReply
    /** The board stopped clocking in the middle of the last transfer; select has not risen yet. */
    abort(atNs: number): void
    /** Clocks on the bus while this element is not selected. Answers the byte it still drives in the first eight, if it does. */
    clocked(bytes: number, startNs: number, hz: number): number | undefined
    /** Its wires were cut off from the node's, or joined again, by a fault: what the node sent meanwhile it cannot know to be missing. */
    cutOff(): void
    isBusy(atNs: number): boolean
    readonly busyUntilNs: number | undefined
    /** For tests and the host: the contents, without the element noticing. */
    peek(address: number, bytes: number): Uint8Array
    /** Damage, as from age or radiation: the mask is xored over the contents. */
    corrupt(address: number, mask: Uint8Array): void
    /** Makes it a new element of its part: erased, not worn, without faults. Only while it has no power. */
    renew(): void
}

export interface ElementConfig {
    name: string
    image: ChipImage
    timing?: ChipTiming
    report?: ReportViolation
    /** Called before the operation starts: to cut the power there, or return "drop" to have the element not do it */
    onOperation?(operation: ElementOperation): "drop" | void
}
