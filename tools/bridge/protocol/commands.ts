/**
 * Commands: host to node. `encode*` give a sealed frame ready for the bus; `decodeCommand` is its inverse (for tests
 * and tools) and throws `badFrame`, never anything else, for bytes that are no command.
 */
import { TwinfilerError } from "../error"
import { hasValidCommandCheck, sealCommand } from "./check"
import {
    blockBytesMax,
    commandCodes,
    controlVerbs,
    frameBytesMax,
    nameBytesMax,
    queryOps,
    readBytesMax,
    requestOps,
    type ControlVerb,
    type QueryOp,
    type RequestOp,
} from "./numbers"

/** What a request asks, by op; offsets, sizes and objects are u32, `mtime` is seconds since 1970. */
export type RequestBody =
    | { op: "hello"; challenge: number }
    | { op: "bye" | "create" }
    | { op: "mkdir"; directory: number; mtime: number; name: string }
    | {
          op: "commit"
          upload: number
          size: number
          mtime: number
          directory: number
          flags: number
          name: string
      }
    | { op: "abort"; upload: number }
    | {
          op: "rename"
          directory: number
          key: number
          object: number
          newDirectory: number
          mtime: number
          flags: number
          name: string
      }
    | { op: "remove"; directory: number; key: number; object: number; mtime: number }
    | { op: "setattr"; object: number; mtime: number }
    | { op: "snapshotCreate"; mtime: number; name: string }
    | { op: "snapshotDelete"; number: number }
    /** An empty value removes the property; mtime 0 leaves the object's. */
    | { op: "setProperty"; object: number; mtime: number; property: Uint8Array; value: Uint8Array }
    | { op: "rebuild"; position: number; slot: number; flags: number }
    | { op: "scrub"; rowsPerSecond: number }

type OddBody = Extract<RequestBody, { op: OddOp }>

export interface RequestHead {
    volume: number
    /** Low half of the volume's epoch, 0 when unknown. */
    epoch: number
    session: number
    sequence: number
}

export type QueryBody =
    | ({ op: "lookup"; directory: number; path: string } & InSnapshot)
    | ({ op: "getattr"; object: number } & InSnapshot)
    | ({ op: "readdir"; directory: number; cookie: number } & InSnapshot)
    | ({ op: "properties"; object: number } & InSnapshot)
    | { op: "memory"; offset: number; bytes: number }
    | { op: "statfs" | "array" | "node" }
    | { op: "upload"; upload: number }
    | { op: "elements"; clockHz: number; slot: number }
    | { op: "snapshots"; cookie: number }
    | { op: "events"; seen: number }

/** Which snapshot is asked; the volume itself when there is none. */
export interface InSnapshot {
    snapshot?: number
}

export interface WriteCommand {
    volume: number
    flags: number
    handle: number
    offset: number
    data: Uint8Array
}
export interface ReadCommand {
    volume: number
    tag: number
    epoch: number
    object: number
    offset: number
    length: number
    snapshot?: number
}
export interface QueryHead {
    volume: number
    epoch: number
    tag: number
}
export interface ControlCommand {
    verb: ControlVerb
    flags: number
    tag: number
    /** Of the verb mode: its number. */
    mode?: number
}

export type Command =
    | ({ kind: "request" } & RequestHead & RequestBody)
    | ({ kind: "write" } & WriteCommand)
    | ({ kind: "read" } & ReadCommand)
    | ({ kind: "query" } & QueryHead & QueryBody)
    | ({ kind: "control" } & ControlCommand)

/** Requests whose arguments are not words alone. */
type OddOp = "setProperty" | "rebuild" | "scrub"
type WordOp = Exclude<RequestOp, OddOp>
const isOdd = (op: RequestOp): op is OddOp => op === "setProperty" || op === "rebuild" || op === "scrub"

/** The u32 arguments of each request, in order; a name takes the rest; `flags` 1 is the highest bit of the op. */
const requestFields: Record<WordOp, { words: string[]; flags: boolean; name: boolean }> = {
    hello: { words: ["challenge"], flags: false, name: false },
    bye: { words: [], flags: false, name: false },
    mkdir: { words: ["directory", "mtime"], flags: false, name: true },
    create: { words: [], flags: false, name: false },
    commit: { words: ["upload", "size", "mtime", "directory"], flags: true, name: true },
    abort: { words: ["upload"], flags: false, name: false },
    rename: { words: ["directory", "key", "object", "newDirectory", "mtime"], flags: true, name: true },
    remove: { words: ["directory", "key", "object", "mtime"], flags: false, name: false },
    setattr: { words: ["object", "mtime"], flags: false, name: false },
    snapshotCreate: { words: ["mtime"], flags: false, name: true },
    snapshotDelete: { words: ["number"], flags: false, name: false },
}
const requestHeadBytes = 16
const mayReplaceBit = 0x80
const queryHeadBytes = 12

export function encodeRequest(head: RequestHead, body: RequestBody): Buffer {
    if (isOdd(body.op)) return sealRequest(head, requestOps[body.op], oddArguments(body as OddBody))
    const { words, flags, name } = requestFields[body.op]
    const values = body as unknown as Record<string, number | string>
    const text = name ? Buffer.from(values.name as string) : undefined
    const args = Buffer.alloc(4 * words.length + (text?.length ?? 0))
    let at = 0
    for (const word of words) at = args.writeUInt32LE(values[word] as number, at)
    text?.copy(args, at)
    return sealRequest(head, requestOps[body.op] | (flags && (values.flags as number) & 1 ? mayReplaceBit : 0), args)
}

function sealRequest(head: RequestHead, op: number, args: Buffer): Buffer {
    const frame = Buffer.alloc(requestHeadBytes + args.length)
    frame.writeUInt8(head.volume, 4)
    frame.writeUInt8(op, 5)
    frame.writeUInt16LE(head.epoch & 0xffff, 6)
    frame.writeUInt32LE(head.session, 8)
    frame.writeUInt32LE(head.sequence, 12)
    args.copy(frame, requestHeadBytes)
    return sealCommand(frame)
}

function oddArguments(body: OddBody): Buffer {
    switch (body.op) {
        case "rebuild":
            return Buffer.of(body.position, body.slot, body.flags, 0)
        case "scrub": {
            const args = Buffer.alloc(2)
            args.writeUInt16LE(body.rowsPerSecond)
            return args
        }
        case "setProperty": {
            const args = Buffer.alloc(9)
            args.writeUInt32LE(body.object, 0)
            args.writeUInt32LE(body.mtime, 4)
            args.writeUInt8(body.property.length, 8)
            return Buffer.concat([args, body.property, body.value])
        }
    }
}

export function encodeWrite(block: WriteCommand): Buffer {
    const frame = Buffer.alloc(12 + block.data.length)
    frame.writeUInt8(block.volume, 4)
    frame.writeUInt8(block.flags, 5)
    frame.writeUInt16LE(block.handle & 0xffff, 6)
    frame.writeUInt32LE(block.offset, 8)
    frame.set(block.data, 12)
    return sealCommand(frame)
}

export function encodeRead(read: ReadCommand): Buffer {
    const frame = Buffer.alloc(20)
    frame.writeUInt8(read.volume, 4)
    frame.writeUInt8(read.tag, 5)
    frame.writeUInt16LE(read.epoch & 0xffff, 6)
    frame.writeUInt32LE(read.object, 8)
    frame.writeUInt32LE(read.offset, 12)
    frame.writeUInt32LE(read.length, 16)
    frame.writeUInt8(read.snapshot ?? 0, 19)
    return sealCommand(frame)
}

export function encodeQuery(head: QueryHead, body: QueryBody): Buffer {
    const path = body.op === "lookup" ? Buffer.from(body.path) : undefined
    const words =
        body.op === "lookup"
            ? [body.directory]
            : body.op === "getattr"
              ? [body.object]
              : body.op === "properties"
                ? [body.object]
                : body.op === "readdir"
                  ? [body.directory, body.cookie]
                  : body.op === "upload"
                    ? [body.upload]
                    : body.op === "snapshots"
                      ? [body.cookie]
                      : body.op === "events"
                        ? [body.seen]
                        : body.op === "memory"
                          ? [body.offset, body.bytes]
                          : body.op === "elements"
                            ? [body.clockHz, body.slot]
                            : []
    const frame = Buffer.alloc(queryHeadBytes + 4 * words.length + (path?.length ?? 0))
    frame.writeUInt8(head.volume, 4)
    frame.writeUInt8(queryOps[body.op], 5)
    frame.writeUInt16LE(head.epoch & 0xffff, 6)
    frame.writeUInt16LE(head.tag, 8)
    if ("snapshot" in body) frame.writeUInt16LE(body.snapshot ?? 0, 10)
    let at = queryHeadBytes
    for (const word of words) at = frame.writeUInt32LE(word, at)
    path?.copy(frame, at)
    return sealCommand(frame)
}

export function encodeControl(control: ControlCommand): Buffer {
    const frame = Buffer.alloc(control.verb === "mode" ? 9 : 8)
    if (control.verb === "mode") frame.writeUInt8(control.mode ?? 0, 8)
    frame.writeUInt8(controlVerbs[control.verb], 4)
    frame.writeUInt8(control.flags, 5)
    frame.writeUInt16LE(control.tag, 6)
    return sealCommand(frame)
}

/** Throws `badFrame` for a wrong check, an unknown code, or a length that does not fit. */
export function decodeCommand(code: number, bytes: Uint8Array): Command {
    const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (frame.length < 8 || frame.length > frameBytesMax) bad("a command's length")
    if (!hasValidCommandCheck(frame)) bad("a command's check")
    switch (code) {
        case commandCodes.request:
            return decodeRequest(frame)
        case commandCodes.write: {
            const dataBytes = frame.length - 12
            if (dataBytes < 1 || dataBytes > blockBytesMax) bad("a write's length")
            return {
                kind: "write",
                volume: frame[4],
                flags: frame[5],
                handle: frame.readUInt16LE(6),
                offset: frame.readUInt32LE(8),
                data: frame.subarray(12),
            }
        }
        case commandCodes.read: {
            if (frame.length !== 20) bad("a read's length")
            const length = frame.readUIntLE(16, 3)
            if (length > readBytesMax) bad("the range of a read")
            return {
                kind: "read",
                volume: frame[4],
                tag: frame[5],
                epoch: frame.readUInt16LE(6),
                object: frame.readUInt32LE(8),
                offset: frame.readUInt32LE(12),
                length,
                ...inSnapshot(frame[19]),
            }
        }
        case commandCodes.query:
            return decodeQuery(frame)
        case commandCodes.control: {
            const verb = nameOf(controlVerbs, frame[4])
            if (!verb || frame.length !== (verb === "mode" ? 9 : 8)) return bad("a control")
            const control = { kind: "control" as const, verb, flags: frame[5], tag: frame.readUInt16LE(6) }
            return verb === "mode" ? { ...control, mode: frame[8] } : control
        }
    }
    return bad(`the command code 0x${code.toString(16)}`)
}

function decodeRequest(frame: Buffer): Command {
    const op = nameOf(requestOps, frame[5] & ~mayReplaceBit)
    const mayReplace = (frame[5] & mayReplaceBit) !== 0
    if (!op || frame.length < requestHeadBytes) return bad("a request")
    if (isOdd(op)) {
        if (mayReplace) bad("a request that cannot replace")
        return { kind: "request", ...requestHead(frame), ...oddBody(op, frame.subarray(requestHeadBytes)) }
    }
    const { words, flags, name } = requestFields[op]
    const fixedBytes = requestHeadBytes + 4 * words.length
    const nameBytes = frame.length - fixedBytes
    if (mayReplace && !flags) bad("a request that cannot replace")
    if (name ? nameBytes < 1 || nameBytes > nameBytesMax : nameBytes !== 0) bad("a request's length")
    const body: Record<string, number | string> = { op }
    words.forEach((word, index) => (body[word] = frame.readUInt32LE(requestHeadBytes + 4 * index)))
    if (flags) body.flags = mayReplace ? 1 : 0
    if (name) body.name = frame.toString("utf8", fixedBytes)
    return { kind: "request", ...requestHead(frame), ...(body as unknown as RequestBody) }
}

function requestHead(frame: Buffer): RequestHead {
    return {
        volume: frame[4],
        epoch: frame.readUInt16LE(6),
        session: frame.readUInt32LE(8),
        sequence: frame.readUInt32LE(12),
    }
}

function oddBody(op: OddOp, args: Buffer): OddBody {
    if (op === "rebuild") {
        if (args.length !== 4) bad("a request's length")
        return { op, position: args[0], slot: args[1], flags: args[2] }
    }
    if (op === "scrub") {
        if (args.length !== 2) bad("a request's length")
        return { op, rowsPerSecond: args.readUInt16LE(0) }
    }
    if (args.length < 10 || args[8] === 0 || args.length < 9 + args[8]) bad("a request's length")
    return {
        op,
        object: args.readUInt32LE(0),
        mtime: args.readUInt32LE(4),
        property: args.subarray(9, 9 + args[8]),
        value: args.subarray(9 + args[8]),
    }
}

const inSnapshot = (snapshot: number): InSnapshot => (snapshot ? { snapshot } : {})

function decodeQuery(frame: Buffer): Command {
    const op: QueryOp | undefined = nameOf(queryOps, frame[5])
    if (!op || frame.length < queryHeadBytes) return bad("a query")
    const words = (frame.length - queryHeadBytes) >> 2
    const wanted = isWithTwo(op) ? 2 : op === "statfs" || op === "array" || op === "node" ? 0 : 1
    if (words < wanted || (op !== "lookup" && frame.length !== queryHeadBytes + 4 * wanted)) bad("a query's length")
    const head = { volume: frame[4], epoch: frame.readUInt16LE(6), tag: frame.readUInt16LE(8) }
    const where = inSnapshot(frame.readUInt16LE(10))
    const word = (index: number) => frame.readUInt32LE(queryHeadBytes + 4 * index)
    switch (op) {
        case "lookup":
            return {
                kind: "query",
                ...head,
                op,
                directory: word(0),
                path: frame.toString("utf8", queryHeadBytes + 4),
                ...where,
            }
        case "getattr":
        case "properties":
            return { kind: "query", ...head, op, object: word(0), ...where }
        case "readdir":
            return { kind: "query", ...head, op, directory: word(0), cookie: word(1), ...where }
        case "snapshots":
            return { kind: "query", ...head, op, cookie: word(0) }
        case "events":
            return { kind: "query", ...head, op, seen: word(0) }
        case "upload":
            return { kind: "query", ...head, op, upload: word(0) }
        case "memory":
            return { kind: "query", ...head, op, offset: word(0), bytes: word(1) & 0xff }
        case "elements":
            return { kind: "query", ...head, op, clockHz: word(0), slot: word(1) & 0xff }
        default:
            return { kind: "query", ...head, op }
    }
}

const isWithTwo = (op: QueryOp) => op === "readdir" || op === "memory" || op === "elements"

function nameOf<T extends string>(codes: Record<T, number>, code: number): T | undefined {
    return (Object.keys(codes) as T[]).find(name => codes[name] === code)
}

function bad(what: string): never {
    throw new TwinfilerError("badFrame", `${what} is not of protocol version 1`)
}
