/**
 * The numbers of docs/PROTOCOL.md, version 1: codes, flags and limits, each once. The firmware has its own copy on
 * purpose: a shared mistake would hide itself.
 */
export const protocolVersion = 1
/** The file service as the nodes of a pair announce it. */
export const serviceClassOf = (pair: number): number => 0x17f11e50 + 2 * pair
/** What a host announces, for nodes to speak to while their partner is silent. */
export const hostServiceClass = 0x17f11e51

/** A node not heard for so long is silent: it controls nothing as far as anybody knows. */
export const silentAfterMs = 400

export const frameBytesMax = 236
export const blockBytesMax = 224
export const nameBytesMax = 200
/** A lookup's path takes what the query header and the directory leave of a frame. */
export const lookupPathBytesMax = frameBytesMax - 16
export const readBytesMax = 65_536
/** Blocks a host may have beyond the acknowledged offset of an upload. */
export const windowBlocksMax = 16
/** Requests, queries, reads and controls a host may have outstanding at the nodes of one pair. */
export const outstandingMax = 8
/** Reads one node serves at once. */
export const readsPerNodeMax = 4
/** Offsets and sizes are u32. */
export const fileBytesMax = 0xffff_ffff
export const rootObject = 1
export const snapshotNameBytesMax = 100
export const snapshotsMax = 8
/** All extended properties of one object, as they lie in their record. */
export const propertyBytesMax = 200

/** Service commands, host to node. */
export const commandCodes = { write: 0x80, request: 0x81, read: 0x82, query: 0x83, control: 0x84, store: 0x85 } as const
/** What a node says. */
export const noticeKinds = {
    progress: 0,
    reply: 1,
    data: 2,
    answer: 3,
    outcome: 4,
    beat: 5,
    recorded: 6,
    memory: 7,
} as const
const noticeBase = 0x100
const noticeKindMax = 7

export const requestOps = {
    hello: 1,
    bye: 2,
    mkdir: 3,
    create: 4,
    commit: 5,
    abort: 6,
    rename: 7,
    remove: 8,
    setattr: 9,
    snapshotCreate: 10,
    snapshotDelete: 11,
    setProperty: 12,
    rebuild: 13,
    scrub: 14,
} as const
export type RequestOp = keyof typeof requestOps

export const queryOps = {
    lookup: 1,
    getattr: 2,
    readdir: 3,
    statfs: 4,
    upload: 5,
    node: 6,
    array: 7,
    snapshots: 8,
    properties: 9,
    events: 10,
    memory: 11,
    elements: 12,
} as const
export type QueryOp = keyof typeof queryOps

export const controlVerbs = { takeover: 1, giveback: 2, mode: 3 } as const
export type ControlVerb = keyof typeof controlVerbs

export const statusNames = [
    "ok",
    "notFound",
    "exists",
    "notDirectory",
    "isDirectory",
    "notEmpty",
    "noSpace",
    "badName",
    "badRequest",
    "wrongEpoch",
    "notController",
    "noSession",
    "noUpload",
    "busy",
    "ioError",
    "checksum",
    "tooLarge",
    "stale",
    "vetoed",
    "foreign",
    "tooSmall",
] as const
export type StatusName = (typeof statusNames)[number]

/** The map of a node's journal memory; pages of 256 bytes, each with a frame and, behind it, its length, command and state. */
export const journalMap = {
    pageBytes: 256,
    copies: { offset: 0, pages: 20 },
    marks: { offset: 0x1f00, count: 8, bytes: 16 },
    accepted: { offset: 0x2000, pages: 18 },
    /** A store adds a copy here. */
    storeOffset: 0x8000,
} as const
/** What an answer has room for. */
export const loadBytesMax = 224
/** What a store has room for. */
export const storeBytesMax = 228

export const writeFlags = { tellProgress: 1 } as const
export const replaceFlag = 1
export const dryRunFlag = 1
/** Of a takeover: the partner is reset instead of being asked. */
export const forceFlag = 2
/** Modes of a pair, by their number in a beat. */
export const modeNames = ["active-active", "active-standby"] as const
export type ModeName = (typeof modeNames)[number]
/** For the seconds until a giveback: not before it is asked. */
export const noGiveback = 255
/** Of a rebuild: it may overwrite what is foreign or stale; it drops the position's present element first. */
export const rebuildFlags = { force: 1, replace: 2 } as const
/** For a rebuild's position or slot: the node chooses. */
export const anyPlace = 0xff
/** Flags of reply, progress, data and answer. */
export const serviceFlags = { unprotected: 1, degraded: 2 } as const
export const beatFlags = {
    partnerHeard: 1,
    protected: 2,
    controlsOwn: 4,
    controlsPartner: 8,
    ownFault: 16,
    partnerFault: 32,
    records: 64,
} as const
export const entryTypes = { file: 1, directory: 2 } as const
export type EntryType = keyof typeof entryTypes

export const vetoReasons: Record<number, string> = {
    1: "the partner is not heard",
    2: "that is so already",
    3: "a change of role is under way",
    4: "the partner is not waiting for giveback",
    5: "the bus is silent to this node",
    6: "the array cannot be read",
    7: "the partner's lines do not answer",
    8: "the partner does not let go of its array",
}
export const vetoMax = 8
export const vetoAlready = 2
export const vetoUnderWay = 3

/** Roles by their number in a beat. */
export const roleNames = [
    "booting",
    "waiting",
    "active",
    "taking-over",
    "taken-over",
    "giving-back",
    "degraded",
    "letting-go",
] as const

/** `a` for volume 0, `b` for 1, and so on; a node bears the letter of its home volume. */
export const volumeLetter = (volume: number): string => String.fromCharCode(97 + volume)
export const volumesMax = 8
/** Nodes come in pairs: 0 and 1, 2 and 3. */
export const partnerOf = (node: number): number => node ^ 1
export const pairOf = (node: number): number => node >> 1

/** The service command a notice travels as. */
export const noticeCode = (node: number, kind: number): number => noticeBase + 16 * node + kind

/** Who says what, by the service command; undefined when it is no notice. */
export function noticeOf(code: number): { node: number; kind: number } | undefined {
    const node = (code - noticeBase) >> 4
    const kind = (code - noticeBase) & 15
    return code < noticeBase || node >= volumesMax || kind > noticeKindMax ? undefined : { node, kind }
}
