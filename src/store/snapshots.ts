// Snapshots: earlier trees that are kept, each a record in the tree (docs/FORMAT.md, "Snapshots").
//
// Promises:
// - A snapshot is one record: making it costs one commit, whatever the volume holds, and it is what the last commit before it was.
// - The segments in which pages were in use then are pinned: neither erased nor emptied nor counted as free until its record is gone
//   from the last root. `pins` of the log is the union over all records.
// - Reading one changes nothing: the tree shows it for the length of one call (`enterSnapshot`, `leaveSnapshot`), between two operations.
//
// Crash order of making one: 1 commit, so that what uploads appended is in the tree, 2 record, 3 commit. Of removing one: 1 record gone,
// 2 commit, 3 its pins. A cut before the last commit leaves what was.

import { nameIsGood } from "./directory"
import { Log, treePage, treeHeight, commitNumber } from "./log"
import { badName, exists, notFound, ok, tooLarge } from "./status"
import { Tree, viewTree, findKey } from "./tree"
import { retired, hasPins, isUsed, recount, pagesIn } from "./usage"

/** Object whose entries are the snapshots, by number. */
export const snapshotList = 4
export const snapshotsMax = 8
const numberMax = 255
const snapshotNameMax = 100

// offsets in a record
const atCommit = 0
const atTree = 4
const atHeight = 8
const atPinBytes = 9
const atMtime = 12
const atPages = 16
const atPins = 20

/** In the count of a page of the list: there is no more. */
const lastPage = 0x80
const listedHeadBytes = 10

/** Takes the pins from the records: at a mount, and after a commit that changed them. Nothing may be changed and not committed. */
export async function loadPins(tree: Tree, log: Log): Promise<void> {
    const pins = log.usage.pins
    let any = hasPins(log.usage)
    pins.fillAt(0, pins.length, 0)
    let number = 1
    while ((await tree.seek(snapshotList, number)) && tree.object === snapshotList) {
        addPins(pins, tree)
        any = true
        number = tree.sub + 1
    }
    if (any) recount(log.usage)
}

function addPins(pins: Buffer, tree: Tree): void {
    const leaf = tree.leaf
    const at = tree.valueAt
    let bytes = leaf[at + atPinBytes]
    if (bytes > pins.length) bytes = pins.length
    for (let i = 0; i < bytes; i++) pins[i] |= leaf[at + atPins + i]
}

/**
 * Puts the record of a snapshot of the last commit; a commit and `loadPins` must follow.
 * @returns its number, or minus the status that refuses it
 */
export async function putSnapshot(
    tree: Tree,
    log: Log,
    mtime: number,
    name: Buffer,
    at: number,
    bytes: number,
): Promise<number> {
    if (bytes > snapshotNameMax || !nameIsGood(name, at, bytes)) return -badName
    const page = treePage(log)
    const height = treeHeight(log)
    const commit = commitNumber(log)
    let count = 0
    // numbers follow the commits, so that one that was removed does not come again soon
    let number = 1 + (commit % numberMax)
    let next = 1
    let taken = true
    while ((await tree.seek(snapshotList, next)) && tree.object === snapshotList) {
        if (nameOfRecordIs(tree, name, at, bytes)) return -exists
        count++
        next = tree.sub + 1
    }
    if (count >= snapshotsMax) return -tooLarge
    while (taken) {
        taken = await findKey(tree, snapshotList, number)
        if (taken) number = 1 + (number % numberMax)
    }
    const pinBytes = (log.segments + 7) >> 3
    const record = Buffer.alloc(atPins + pinBytes + bytes)
    record.setAt(atCommit, "u32", commit)
    record.setAt(atTree, "u32", page)
    record[atHeight] = height
    record[atPinBytes] = pinBytes
    record.setAt(atMtime, "u32", mtime)
    record.setAt(atPages, "u32", log.usage.live)
    for (let segment = 1; segment < log.segments; segment++)
        if (isUsed(log.usage, segment)) record[atPins + (segment >> 3)] |= 1 << (segment & 7)
    record.blitAt(atPins + pinBytes, name, at, bytes)
    await tree.put(snapshotList, number, record, 0, atPins + pinBytes + bytes)
    return number
}

function nameOfRecordIs(tree: Tree, name: Buffer, at: number, bytes: number): boolean {
    const leaf = tree.leaf
    const head = atPins + leaf[tree.valueAt + atPinBytes]
    if (tree.valueBytes !== head + bytes) return false
    const from = tree.valueAt + head
    for (let i = 0; i < bytes; i++) if (leaf[from + i] !== name[at + i]) return false
    return true
}

/** Takes a record out of the tree; a commit and `loadPins` must follow. @returns ok or notFound */
export async function removeSnapshot(tree: Tree, number: number): Promise<number> {
    if (number < 1) return notFound
    if (number > numberMax) return notFound
    return (await tree.remove(snapshotList, number)) ? ok : notFound
}

/** The commit a snapshot is of, which no other snapshot of the same number has; 0 when there is no such snapshot. */
export async function commitOfSnapshot(tree: Tree, number: number): Promise<number> {
    if (number < 1) return 0
    if (number > numberMax) return 0
    if (!(await findKey(tree, snapshotList, number))) return 0
    return tree.leaf.getAt(tree.valueAt + atCommit, "u32")
}

/**
 * Makes the tree show a snapshot until `leaveSnapshot`, which must follow before anything else is done.
 * @returns the commit it is of, or 0 when there is no such snapshot: then the tree shows the volume
 */
export async function enterSnapshot(tree: Tree, number: number): Promise<number> {
    const commit = await commitOfSnapshot(tree, number)
    if (commit !== 0) {
        const leaf = tree.leaf
        viewTree(tree, leaf.getAt(tree.valueAt + atTree, "u32"), leaf[tree.valueAt + atHeight])
    }
    return commit
}

export function leaveSnapshot(tree: Tree, log: Log): void {
    viewTree(tree, treePage(log), treeHeight(log))
}

/**
 * Lists the snapshots after number `cookie`, as many as fit `room` bytes.
 * @param room at least 111: one with the longest name
 * @returns bytes
 */
export async function listSnapshots(
    tree: Tree,
    log: Log,
    cookie: number,
    out: Buffer,
    at: number,
    room: number,
): Promise<number> {
    // what two or more pin comes back with none of them
    const once = Buffer.alloc(log.usage.pins.length)
    const twice = Buffer.alloc(log.usage.pins.length)
    let number = 1
    while ((await tree.seek(snapshotList, number)) && tree.object === snapshotList) {
        const from = tree.valueAt + atPins
        for (let i = tree.leaf[tree.valueAt + atPinBytes] - 1; i >= 0; i--) {
            const pins = tree.leaf[from + i]
            twice[i] |= once[i] & pins
            once[i] |= pins
        }
        number = tree.sub + 1
    }
    let count = 0
    let used = 1
    let last = lastPage
    number = cookie + 1
    while ((await tree.seek(snapshotList, number)) && tree.object === snapshotList) {
        const leaf = tree.leaf
        const record = tree.valueAt
        const head = atPins + leaf[record + atPinBytes]
        const bytes = tree.valueBytes - head
        if (used + listedHeadBytes + bytes > room) {
            last = 0
            break
        }
        const to = at + used
        out[to] = tree.sub
        out.setAt(to + 1, "u32", leaf.getAt(record + atMtime, "u32"))
        out.setAt(to + 5, "u32", pagesHeld(tree, log, twice))
        out[to + 9] = bytes
        out.blitAt(to + listedHeadBytes, leaf, record + head, bytes)
        used += listedHeadBytes + bytes
        count++
        number = tree.sub + 1
    }
    out[at] = count | last
    return used
}

/** Pages, used or not, that only the snapshot the tree stands at keeps from being used anew. */
function pagesHeld(tree: Tree, log: Log, shared: Buffer): number {
    const pins = Buffer.alloc(shared.length)
    const record = tree.valueAt
    for (let i = tree.leaf[record + atPinBytes] - 1; i >= 0; i--) pins[i] = tree.leaf[record + atPins + i] & ~shared[i]
    return pagesKept(log, pins)
}

/** Pages of pinned segments that are not in use. */
export function pagesKept(log: Log, pins: Buffer): number {
    let pages = 0
    for (let i = 0; i < pins.length; i++) {
        const byte = pins[i]
        if (byte === 0) continue
        for (let bit = 0; bit < 8; bit++) {
            const segment = i * 8 + bit
            if (byte & (1 << bit))
                if (segment !== log.segment)
                    if (pagesIn(log.usage, segment) !== retired)
                        pages += log.array.segmentPages - pagesIn(log.usage, segment)
        }
    }
    return pages
}
