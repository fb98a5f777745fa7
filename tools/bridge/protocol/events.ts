/**
 * The answer to the `events` query, and what its numbers mean in words. A sentence about a state needs the one before it,
 * so `EventWords` is given the events of a node in their order.
 */
import { TwinfilerError } from "../error"
import { beatFlags, partnerOf, roleNames, vetoReasons, volumeLetter } from "./numbers"

export interface NodeEvent {
    /** Counted from 0, the boot. */
    number: number
    /** Milliseconds from the node's boot to the event. */
    uptimeMs: number
    kind: number
    cause: number
    value: number
}

export interface EventsPage {
    /** The node's clock when it answered. */
    uptimeMs: number
    /** Events since the node booted. */
    end: number
    events: NodeEvent[]
}

export const eventKinds = ["boot", "role", "state", "epoch", "array"] as const
const headBytes = 12
const eventBytes = 8

/** Throws `badFrame` for a payload that contradicts itself, and nothing else. */
export function decodeEvents(payload: Buffer): EventsPage {
    if (payload.length < headBytes || (payload.length - headBytes) % eventBytes !== 0) bad()
    const first = payload.readUInt32LE(4)
    const end = payload.readUInt32LE(8)
    const count = (payload.length - headBytes) / eventBytes
    if (first + count > end) bad()
    const events = Array.from({ length: count }, (_, index) => {
        const at = headBytes + eventBytes * index
        return {
            number: first + index,
            uptimeMs: payload.readUInt32LE(at),
            kind: payload[at + 4],
            cause: payload[at + 5],
            value: payload.readUInt16LE(at + 6),
        }
    })
    return { uptimeMs: payload.readUInt32LE(0), end, events }
}

function bad(): never {
    throw new TwinfilerError("badFrame", "the answer to a question for events is not of protocol version 1")
}

export const kindName = (kind: number): string => eventKinds[kind] ?? `kind ${kind}`
const roleName = (role: number): string => roleNames[role] ?? `role ${role}`

const roleSays: Partial<Record<(typeof roleNames)[number], string>> = {
    booting: "starts its own volume",
    waiting: "waits, because its partner holds its array",
    active: "serves its own volume",
    "taking-over": "takes its partner's volume over",
    "taken-over": "serves both volumes",
    "giving-back": "hands its partner's volume back",
    degraded: "cannot read its own array",
    "letting-go": "lets its partner have its array",
}

/** Causes of a change of role. */
const roleCauses: Record<number, string> = {
    1: "it booted",
    2: "the partner's OWN line fell",
    3: "the partner was silent",
    4: "someone asked for it",
    5: "its partner let go of its array",
    6: "of a fault",
    7: "the partner has been waiting for long enough",
}
const causeFault = 6

const busSilent = 128
/** What a bit of the state says when it is set, and when it is not. Faults of an array are told by its own events. */
const stateSays: { bit: number; on(node: number): string; off(node: number): string }[] = [
    { bit: beatFlags.partnerHeard, on: () => "hears its partner", off: () => "hears its partner no more" },
    {
        bit: beatFlags.protected,
        on: () => "its writes are protected by copies at the partner",
        off: () => "its writes are not protected: the partner keeps no copies",
    },
    {
        bit: beatFlags.controlsOwn,
        on: node => `controls volume ${volumeLetter(node)}`,
        off: node => `controls volume ${volumeLetter(node)} no more`,
    },
    {
        bit: beatFlags.controlsPartner,
        on: node => `controls volume ${volumeLetter(partnerOf(node))}`,
        off: node => `controls volume ${volumeLetter(partnerOf(node))} no more`,
    },
    {
        bit: beatFlags.records,
        on: () => "keeps copies of its partner's commands",
        off: () => "keeps no copies of its partner's commands",
    },
    { bit: busSilent, on: () => "hears nobody on the bus", off: () => "hears others on the bus" },
]

/** Sentences about the events of one node, given one after the other. */
export class EventWords {
    /** Values by kind and volume; undefined = an event may have been lost. */
    private last = new Map<string, number>()
    private isWhole = false

    constructor(private readonly node: number) {}

    /** Events between the last one said and the next are lost. */
    lost(): void {
        this.last.clear()
        this.isWhole = false
    }

    /** Undefined for a change that other events tell of. */
    say(event: NodeEvent): string | undefined {
        const { kind, cause, value } = event
        const key = `${kind} ${cause}`
        const before = this.last.get(key) ?? (this.isWhole ? 0 : undefined)
        this.last.set(key, value)
        switch (kindName(kind)) {
            case "boot":
                this.last.clear()
                this.isWhole = true
                return "booted"
            case "role":
                return sayRole(cause, value)
            case "state":
                return sayState(this.node, value, before)
            case "epoch":
                return `volume ${this.volume(cause)} has epoch ${value}`
            case "array":
                return sayArray(this.volume(cause), value, before)
            default:
                return `event of kind ${kind}, cause ${cause}, value ${value}`
        }
    }

    private volume(which: number): string {
        return volumeLetter(which === 0 ? this.node : partnerOf(this.node))
    }
}

function sayRole(cause: number, value: number): string {
    const role = roleName(value & 15)
    const says = roleSays[role as (typeof roleNames)[number]] ?? `is ${role}`
    const failure = cause === causeFault ? vetoReasons[value >> 8] : undefined
    const why = failure ?? roleCauses[cause] ?? `of cause ${cause}`
    return `${says} (${role}, before: ${roleName((value >> 4) & 15)}), because ${why}`
}

function sayState(node: number, value: number, before: number | undefined): string | undefined {
    const says = stateSays
        .filter(({ bit }) => (before === undefined ? value & bit : (value ^ before) & bit))
        .map(({ bit, on, off }) => (value & bit ? on(node) : off(node)))
    return says.length ? says.join("; ") : undefined
}

const noJoining = 15

function sayArray(volume: string, value: number, before: number | undefined): string {
    const elements = value >> 12
    const joining = (value >> 8) & 15
    const places = Array.from({ length: elements }, (_, position) => position)
    const missing = places.filter(position => !(value & (1 << position)) && position !== joining)
    const says: string[] = []
    if (joining !== noJoining) says.push(`element ${joining} is being rebuilt`)
    for (const position of missing)
        says.push(
            before !== undefined && before & (1 << position)
                ? `element ${position} failed`
                : `element ${position} is missing`,
        )
    if (says.length === 0) says.push(`all ${elements} elements hold everything`)
    return `array ${volume}: ${says.join(", ")}`
}

/** An event's facts for programs. */
export function eventFacts(node: number, { kind, cause, value }: NodeEvent): Record<string, unknown> {
    const volume = volumeLetter(cause === 0 ? node : partnerOf(node))
    switch (kindName(kind)) {
        case "boot":
            return {}
        case "role":
            return {
                role: roleName(value & 15),
                before: roleName((value >> 4) & 15),
                cause: roleCauses[cause] ?? cause,
            }
        case "state":
            return { flags: value }
        case "epoch":
            return { volume, epoch: value }
        case "array":
            return {
                volume,
                elements: value >> 12,
                members: value & 0xff,
                joining: ((value >> 8) & 15) === noJoining ? null : (value >> 8) & 15,
            }
        default:
            return { cause, value }
    }
}
