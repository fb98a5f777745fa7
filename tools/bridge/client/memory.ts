/**
 * The journal memory of a node, loaded over the bus: any bytes of it, and what they mean. It holds copies of the commands sent to the
 * node's partner, how far each session and upload is recorded, and the commands the node itself was sent last.
 */
import { decodeCommand, type Command } from "../protocol/commands"
import { commandCodes, journalMap, loadBytesMax, volumeLetter } from "../protocol/numbers"
import { TwinfilerError } from "../error"
import type { Link } from "./link"
import { query, type CallOptions } from "./queries"
import { statusError } from "./statuses"

const { pageBytes, copies, marks, accepted } = journalMap
const uploadKind = 2
// behind the frame in a page
const atBytes = 236
const atCommand = 237
const atWaiting = 238

export interface JournalMemory {
    /** Commands sent to the partner that are not known to be finished; in the order of their slots. */
    copies: HeldCommand[]
    marks: JournalMark[]
    /** Commands of this node that wait for their turn. */
    waiting: HeldCommand[]
}
export interface HeldCommand {
    offset: number
    /** Undefined when it is not of this protocol. */
    command: Command | undefined
}
export type JournalMark =
    | { kind: "session"; session: number; sequence: number }
    | { kind: "upload"; volume: number; handle: number; end: number }

const hex = (offset: number) => `0x${offset.toString(16)}`
const span = (what: string, offset: number, bytes: number) =>
    `${what} from ${hex(offset)} to ${hex(offset + bytes - 1)}`
const mapText = [
    span("copies", copies.offset, copies.pages * pageBytes),
    span("marks", marks.offset, marks.count * marks.bytes),
    span("commands that were accepted", accepted.offset, accepted.pages * pageBytes),
].join(", ")

/** Throws `badRequest` beyond the map. */
export async function loadMemory(
    link: Link,
    node: number,
    offset: number,
    bytes: number,
    options: CallOptions = {},
): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let at = offset; at < offset + bytes; at += parts[parts.length - 1].length) {
        // within a page, and what an answer has room for
        const count = Math.min(offset + bytes - at, pageBytes - (at % pageBytes), loadBytesMax)
        const subject = `memory ${volumeLetter(node)}:${hex(at)}`
        const answer = await query(link, { node }, { op: "memory", offset: at, bytes: count }, subject, options)
        if (answer.status === "badRequest")
            throw new TwinfilerError("badRequest", `${subject}: beyond the journal memory, which has ${mapText}`)
        if (answer.status !== "ok" || answer.payload.length !== count)
            throw statusError(answer.status === "ok" ? "badRequest" : answer.status, subject)
        parts.push(answer.payload)
    }
    return Buffer.concat(parts)
}

export async function readJournal(link: Link, node: number, options: CallOptions = {}): Promise<JournalMemory> {
    const page = marks.count * marks.bytes
    return {
        copies: await readCommands(link, node, copies, options),
        marks: decodeMarks(await loadMemory(link, node, marks.offset, page, options)),
        waiting: await readCommands(link, node, accepted, options),
    }
}

async function readCommands(
    link: Link,
    node: number,
    area: { offset: number; pages: number },
    options: CallOptions,
): Promise<HeldCommand[]> {
    const found: HeldCommand[] = []
    for (let page = 0; page < area.pages; page++) {
        const offset = area.offset + pageBytes * page
        const tail = await loadMemory(link, node, offset + atBytes, atWaiting - atBytes + 1, options)
        const bytes = tail[0]
        if (bytes === 0 || bytes > atBytes || tail[atWaiting - atBytes] === 0) continue
        const frame = await loadMemory(link, node, offset, bytes, options)
        found.push({ offset, command: decoded(tail[atCommand - atBytes], frame) })
    }
    return found
}

function decoded(code: number, frame: Buffer): Command | undefined {
    try {
        return code === commandCodes.write || code === commandCodes.request ? decodeCommand(code, frame) : undefined
    } catch {
        return undefined // it changed between two loads
    }
}

function decodeMarks(bytes: Buffer): JournalMark[] {
    const found: JournalMark[] = []
    for (let at = 0; at < bytes.length; at += marks.bytes) {
        const number = bytes.readUInt32LE(at + 8)
        if (bytes[at] === uploadKind)
            found.push({ kind: "upload", volume: bytes[at + 1], handle: bytes.readUInt16LE(at + 2), end: number })
        else if (bytes[at]) found.push({ kind: "session", session: bytes.readUInt32LE(at + 4), sequence: number })
    }
    return found
}
