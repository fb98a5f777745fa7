/** The items of a tree as records; what can be said of a record alone. From docs/FORMAT.md, "Keys and records". */
import { bodyBytes, u16, u32 } from "./page"
import type { ArrayPages } from "./pages"
import { nameFault, nameHash, nameText } from "./names"
import type { Findings, Place, ProblemCode } from "./problems"
import type { Item, TreeReading } from "./tree"

export const rootDirectory = 1
export const list = { uploads: 2, dropped: 3, snapshots: 4, properties: 5 } as const
export const firstObject = 16
export const snapshotsMax = 8
export const fileType = 1
export const directoryType = 2
export const uploadFlag = 1
export const droppedFlag = 2
export const propertiesFlag = 4
export const entryNameBytesMax = 200
export const snapshotNameBytesMax = 100
export const propertyBytesMax = 200
const extentBytes = 6
/** In an entry. */
const entryNameAt = 5

export interface Inode {
    object: number
    type: number
    /** Without the flag of properties. */
    flags: number
    hasProperties: boolean
    size: number
    mtime: number
    change: number
    parent: number
    leaf: number
}

export interface Extent {
    block: number
    page: number
    count: number
    leaf: number
}

export interface Entry {
    directory: number
    sub: number
    object: number
    type: number
    name: Uint8Array
    leaf: number
}

export interface SnapshotRecord {
    number: number
    commit: number
    tree: number
    height: number
    mtime: number
    pages: number
    pins: Uint8Array
    name: string
    leaf: number
}

export interface Property {
    name: Uint8Array
    value: Uint8Array
}

/** What a tree holds, by object; the order in each is that of the tree. */
export interface Records {
    inodes: Map<number, Inode>
    extents: Map<number, Extent[]>
    /** By directory. */
    entries: Map<number, Entry[]>
    /** Session of each open upload. */
    uploads: Map<number, { session: number; leaf: number }>
    dropped: Map<number, { leaf: number }>
    snapshots: SnapshotRecord[]
    properties: Map<number, { properties: Property[]; leaf: number }>
}

/** Says what is wrong at an item. */
type Say = (code: ProblemCode, message: string, object?: number) => void

export function readRecords(
    { items, isComplete }: TreeReading,
    pages: ArrayPages,
    findings: Findings,
    where: Place = {},
): Records {
    const records: Records = {
        inodes: new Map(),
        extents: new Map(),
        entries: new Map(),
        uploads: new Map(),
        dropped: new Map(),
        snapshots: [],
        properties: new Map(),
    }
    for (const item of items) {
        const say: Say = (code, message, object) =>
            findings.add(code, message, { ...where, ...pages.place(item.leaf), ...(object && { object }) })
        readRecord(item, records, say)
    }
    if (isComplete) checkInodes(records, pages, findings, where)
    return records
}

function readRecord(item: Item, records: Records, say: Say): void {
    const { object, sub, value, leaf } = item
    const hasLength = (bytes: number, what: string) => {
        if (value.length === bytes) return true
        say("record-length", `${what} of ${value.length} bytes, not ${bytes}`, object)
        return false
    }
    if (object === list.uploads) {
        if (!hasLength(4, "an upload's record")) return
        if (u32(value, 0) === 0) say("list-field", `upload ${sub} of session 0`, sub)
        records.uploads.set(sub, { session: u32(value, 0), leaf })
    } else if (object === list.dropped) {
        if (hasLength(1, "a dropped object's record")) records.dropped.set(sub, { leaf })
    } else if (object === list.snapshots) readSnapshot(item, records, say)
    else if (object === list.properties) {
        const { properties, fault } = parseProperties(value)
        if (fault) say("property-field", `properties of ${sub}: ${fault}`, sub)
        records.properties.set(sub, { properties, leaf })
    } else if (object !== rootDirectory && object < firstObject)
        say("key-unknown", `a key (${object}, ${sub}): there is no such list`)
    else if (sub === 0) {
        if (hasLength(20, "an inode")) readInode(item, records, say)
    } else if (isEntry(item, records)) readEntry(item, records, say)
    else if (hasLength(extentBytes, "an extent")) {
        const extent = { block: sub - 1, page: u32(value, 0), count: u16(value, 4), leaf }
        add(records.extents, object, extent)
    }
}

function readInode({ object, value, leaf }: Item, records: Records, say: Say): void {
    const inode = {
        object,
        type: value[0],
        flags: value[1] & ~propertiesFlag,
        hasProperties: (value[1] & propertiesFlag) !== 0,
        size: u32(value, 4),
        mtime: u32(value, 8),
        change: u32(value, 12),
        parent: u32(value, 16),
        leaf,
    }
    records.inodes.set(object, inode)
    const { type, flags, size } = inode
    if (type !== fileType && type !== directoryType) say("inode-field", `inode of type ${type}`, object)
    if (flags > (uploadFlag | droppedFlag)) say("inode-field", `inode with flags ${flags}`, object)
    if (type === directoryType && size !== 0) say("inode-field", `a directory of size ${size}`, object)
    if (object === rootDirectory && (type !== directoryType || flags !== 0))
        say("inode-field", `the root directory has type ${type} and flags ${flags}`, object)
}

/** An inode comes before all else of its object; without one, entries and extents differ by their keys and lengths. */
function isEntry({ object, sub, value }: Item, records: Records): boolean {
    if (object === rootDirectory) return true
    const inode = records.inodes.get(object)
    if (inode) return inode.type === directoryType
    return value.length !== extentBytes || Math.floor(sub / 256) === nameHash(value.subarray(entryNameAt))
}

/** Not of a tree of which a node is lost: the inode may be in that one. */
function checkInodes({ inodes, extents, entries }: Records, pages: ArrayPages, findings: Findings, where: Place): void {
    const check = (what: string, object: number, leaf: number) => {
        if (inodes.has(object)) return
        findings.add("inode-missing", `${what} ${object}, which has no inode`, {
            ...where,
            ...pages.place(leaf),
            object,
        })
    }
    for (const [object, list] of extents) for (const { leaf } of list) check("an extent of", object, leaf)
    for (const [object, list] of entries) for (const { leaf } of list) check("an entry in", object, leaf)
}

function readEntry({ object, sub, value, leaf }: Item, records: Records, say: Say): void {
    if (value.length < 6) return say("record-length", `an entry of ${value.length} bytes`, object)
    const name = value.subarray(entryNameAt)
    const entry = { directory: object, sub, object: u32(value, 0), type: value[4], name, leaf }
    add(records.entries, object, entry)
    const fault = nameFault(name, entryNameBytesMax)
    if (fault) say("name-bad", `entry ${sub} of directory ${object}: ${fault}`, entry.object)
    if (Math.floor(sub / 256) !== nameHash(name))
        say("entry-hash", `entry "${nameText(name)}" of directory ${object}: key ${sub} is not its hash`, entry.object)
}

function readSnapshot({ sub, value, leaf }: Item, records: Records, say: Say): void {
    const pinBytes = value.length >= 20 ? value[9] : 0
    if (value.length < 20 + pinBytes + 1) return say("record-length", `a snapshot of ${value.length} bytes`)
    const name = value.subarray(20 + pinBytes)
    const snapshot = {
        number: sub,
        commit: u32(value, 0),
        tree: u32(value, 4),
        height: value[8],
        mtime: u32(value, 12),
        pages: u32(value, 16),
        pins: new Uint8Array(value.subarray(20, 20 + pinBytes)),
        name: nameText(name),
        leaf,
    }
    records.snapshots.push(snapshot)
    const fault = nameFault(name, snapshotNameBytesMax)
    if (fault) say("name-bad", `snapshot ${sub}: ${fault}`)
}

export function parseProperties(value: Uint8Array): { properties: Property[]; fault: string | undefined } {
    const properties: Property[] = []
    const names = new Set<string>()
    if (value.length < 1 || value.length > propertyBytesMax) return { properties, fault: `${value.length} bytes` }
    for (let at = 0; at < value.length;) {
        const name = value.subarray(at + 1, at + 1 + value[at])
        const valueAt = at + 1 + name.length
        const bytes = value[valueAt] ?? 0
        const end = valueAt + 1 + bytes
        if (name.length < value[at] || end > value.length) return { properties, fault: "they do not fit their record" }
        if (name.length === 0) return { properties, fault: "an empty name" }
        const key = Buffer.from(name).toString("latin1")
        if (names.has(key)) return { properties, fault: `${nameText(name)} twice` }
        names.add(key)
        properties.push({ name, value: value.subarray(valueAt + 1, end) })
        at = end
    }
    return { properties, fault: undefined }
}

function add<Value>(map: Map<number, Value[]>, key: number, value: Value): void {
    const known = map.get(key)
    if (known) known.push(value)
    else map.set(key, [value])
}

export const blocksOf = (size: number): number => Math.ceil(size / bodyBytes)
