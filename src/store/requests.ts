// The changing requests of docs/PROTOCOL.md, executed on a volume: each is one commit that carries its effect and its result together.
//
// `execute` may be called twice with the same frame, by a retry or by a partner that finishes what its owner began: the second call
// changes nothing and gives the first one's result.

import { platform } from "../platform"
import {
    flagProperties,
    flagUpload,
    nameBytesMax,
    nameIsGood,
    rootDirectory,
    typeDirectory,
    typeFile,
    uploadList,
    loadDirectory,
    touchDirectory,
    isWithin,
    isEmpty,
    findEntry,
    putEntry,
} from "./directory"
import { copyProperties, putProperty } from "./properties"
import { dropSession, findSession, sequenceOf, statusOf, storeResult, valueOf } from "./sessions"
import { loadPins, putSnapshot, removeSnapshot } from "./snapshots"
import {
    badName,
    badRequest,
    busy,
    checksum,
    exists,
    isDirectory,
    noSession,
    noSpace,
    noUpload,
    notDirectory,
    notEmpty,
    notFound,
    ok,
    stale,
} from "./status"
import { Upload, beginUpload, releaseUpload, appendPartial, takenBytes, putExtents } from "./upload"
import {
    keptSegments,
    Volume,
    prepare,
    uploadOfHandle,
    commitResult,
    isHeldBySnapshots,
    uploadOf,
    hasRuns,
} from "./volume"
import { available, takeObject, commitNumber, ensure, roomIn } from "./log"
import { rebuildElement } from "./rebuild"
import { scrubArray } from "./repair"

export const opHello = 1
export const opBye = 2
export const opMkdir = 3
export const opCreate = 4
export const opCommit = 5
export const opAbort = 6
export const opRename = 7
export const opRemove = 8
export const opSetattr = 9
export const opSnapshotCreate = 10
export const opSnapshotDelete = 11
export const opSetProperty = 12
export const opRebuild = 13
export const opScrub = 14

const atSession = 8
const atSequence = 12
const atArguments = 16

/** In a request's op: commit and rename may replace what bears the name. */
const mayReplace = 0x80
export const opMask = 0x7f

/** An upload nobody wrote to for this long gives way to a new one. A mount begins it anew; a host that waits gives up after 30 s. */
const uploadIdleMsMax = 10000

/** Pages that removing a snapshot writes, at most. */
const removalPagesMax = 32

/** No answer is due: an old frame, or one whose predecessor has not come. */
export const silent = 255

export class Requests {
    /** The value that goes with the status returned. */
    value: number
    volume: Volume
    listed: Buffer

    constructor(volume: Volume) {
        this.volume = volume
        this.value = 0
        this.listed = Buffer.alloc(4)
    }
}

/** Whether `execute` would find this request executed already. */
export function isDone(requests: Requests, frame: Buffer): boolean {
    const root = requests.volume.log.root
    const known = findSession(root, frame.getAt(atSession, "u32"))
    return known >= 0 && sequenceOf(root, known) >= frame.getAt(atSequence, "u32")
}

/**
 * Executes the request in the first `bytes` bytes of `frame`, unless it was executed before.
 * @returns the status to answer, or `silent`
 */
export async function executeRequest(requests: Requests, frame: Buffer, bytes: number): Promise<number> {
    requests.value = 0
    if (bytes < atArguments) return badRequest
    const volume = requests.volume
    const root = volume.log.root
    const op = frame[5] & opMask
    const session = frame.getAt(atSession, "u32")
    const sequence = frame.getAt(atSequence, "u32")
    if (session === 0) return badRequest
    const known = findSession(root, session)
    if (known < 0) {
        // a `bye` already obeyed leaves no session behind
        if (op === opBye) return ok
        if (op !== opHello) return noSession
        if (sequence !== 1) return noSession
        if (bytes < atArguments + 4) return badRequest
        // one that comes late would open a session of which nothing is left that shows what it did
        if (frame.getAt(atArguments, "u32") !== volume.challenge) {
            requests.value = volume.challenge
            return noSession
        }
        volume.challenge++
    } else {
        const last = sequenceOf(root, known)
        if (sequence === last) {
            requests.value = valueOf(root, known)
            return statusOf(root, known)
        }
        if (sequence !== last + 1) return silent
    }
    const removesSnapshot = op === opSnapshotDelete
    const givesBack =
        op === opRemove || op === opAbort || op === opBye || op === opHello || removesSnapshot || op === opScrub
    const hasRoom = (await prepare(volume, givesBack)) || removesSnapshot
    if (!hasRoom || isHeldBySnapshots(volume)) {
        if (!removesSnapshot) return await runWithoutRoom(requests, op, session, sequence, known)
        if (available(volume.log) === 0) if (roomIn(volume.log) < removalPagesMax) return noSpace
    }
    if (op === opBye) {
        dropSession(root, session)
        await volume.commit()
        return ok
    }
    const status =
        op < opSnapshotCreate
            ? await run(requests, op, frame, bytes, session)
            : await runLater(requests, op, frame, bytes, frame.getAt(atArguments, "u32"))
    if (status !== ok) requests.value = 0
    await commitResult(volume, session, sequence, status, requests.value)
    if (op === opSnapshotCreate || removesSnapshot) await loadPins(volume.tree, volume.log)
    return status
}

/** On a full volume the result is stored all the same, or the session's next request would never be in order. */
async function runWithoutRoom(
    requests: Requests,
    op: number,
    session: number,
    sequence: number,
    known: number,
): Promise<number> {
    const volume = requests.volume
    const root = volume.log.root
    if (!isHeldBySnapshots(volume)) {
        if (known >= 0) await commitResult(volume, session, sequence, noSpace, 0)
        return noSpace
    }
    // a session is known in RAM only until the next commit: a host that finds it gone says hello again
    const status = op === opHello || op === opBye ? ok : noSpace
    if (op === opBye) dropSession(root, session)
    else if (known >= 0 || op === opHello) storeResult(root, session, sequence, status, 0)
    return status
}

async function run(requests: Requests, op: number, frame: Buffer, bytes: number, session: number): Promise<number> {
    const a = frame.getAt(atArguments, "u32")
    const b = frame.getAt(atArguments + 4, "u32")
    const c = frame.getAt(atArguments + 8, "u32")
    if (op === opHello) return ok
    if (op === opCreate) return await create(requests, session)
    if (bytes < atArguments + 4) return badRequest
    if (op === opAbort) return await abort(requests, a)
    if (bytes < atArguments + 8) return badRequest
    if (op === opSetattr) return await setattr(requests, a, b)
    if (op === opMkdir) return await mkdir(requests, a, b, frame, atArguments + 8, bytes - atArguments - 8)
    if (bytes < atArguments + 16) return badRequest
    const d = frame.getAt(atArguments + 12, "u32")
    if (op === opRemove) return await remove(requests, a, b, c, d)
    if (op === opCommit) return await commit(requests, a, b, c, d, frame, atArguments + 16, bytes - atArguments - 16)
    if (op === opRename) return await rename(requests, a, b, c, d, frame, bytes)
    return badRequest
}

async function runLater(requests: Requests, op: number, frame: Buffer, bytes: number, a: number): Promise<number> {
    const volume = requests.volume
    if (bytes < atArguments + 2) return badRequest
    if (op === opScrub) return await scrubArray(volume.repair, frame.getAt(atArguments, "u16"))
    if (bytes < atArguments + 4) return badRequest
    if (op === opSnapshotCreate) return await snapshot(requests, a, frame, atArguments + 4, bytes - atArguments - 4)
    if (op === opSnapshotDelete) return await removeSnapshot(volume.tree, a)
    if (op === opSetProperty) return await setProperty(requests, a, frame, bytes)
    if (op === opRebuild)
        return await rebuildElement(volume.repair, frame[atArguments], frame[atArguments + 1], frame[atArguments + 2])
    return badRequest
}

async function mkdir(
    requests: Requests,
    parent: number,
    mtime: number,
    name: Buffer,
    at: number,
    bytes: number,
): Promise<number> {
    const volume = requests.volume
    const directory = volume.directory
    const status = await findFreeName(requests, parent, name, at, bytes)
    if (status !== ok) return status
    if (directory.object) return exists
    const key = directory.freeKey
    const object = takeObject(volume.log)
    const change = commitNumber(volume.log) + 1
    directory.setInode(typeDirectory, 0, 0, mtime, change, parent)
    await directory.store(object)
    await putEntry(directory, parent, key, object, typeDirectory, name, at, bytes)
    await touchDirectory(directory, parent, mtime, change)
    requests.value = object
    return ok
}

/** Looks a name up in what must be a directory. */
async function findFreeName(
    requests: Requests,
    parent: number,
    name: Buffer,
    at: number,
    bytes: number,
): Promise<number> {
    const status = await loadDirectory(requests.volume.directory, parent)
    if (status !== ok) return status
    return await requests.volume.directory.lookup(parent, name, at, bytes)
}

async function create(requests: Requests, session: number): Promise<number> {
    const volume = requests.volume
    const now = platform.now()
    let free: Upload = undefined
    let oldest: Upload = undefined
    for (let i = 0; i < volume.uploads.length; i++) {
        const upload = volume.uploads[i]
        if (!upload.object) free = upload
        else if (!oldest || upload.usedMs < oldest.usedMs) oldest = upload
    }
    if (!free) {
        if (now - oldest.usedMs < uploadIdleMsMax) return busy
        await abort(requests, oldest.object)
        free = oldest
    }
    let object = takeObject(volume.log)
    while (uploadOfHandle(volume, object % 0x10000)) object = takeObject(volume.log)
    volume.directory.setInode(typeFile, flagUpload, 0, 0, 0, 0)
    await volume.directory.store(object)
    requests.listed.setAt(0, "u32", session)
    await volume.tree.put(uploadList, object, requests.listed, 0, 4)
    beginUpload(free, object, session, now)
    requests.value = object
    return ok
}

async function abort(requests: Requests, object: number): Promise<number> {
    const volume = requests.volume
    const upload = uploadOf(volume, object)
    if (!object) return noUpload
    if (!upload) return noUpload
    releaseUpload(upload, volume.log)
    await volume.tree.remove(uploadList, object)
    await volume.drop(object)
    return ok
}

async function commit(
    requests: Requests,
    object: number,
    size: number,
    mtime: number,
    parent: number,
    frame: Buffer,
    at: number,
    bytes: number,
): Promise<number> {
    const volume = requests.volume
    const directory = volume.directory
    const upload = uploadOf(volume, object)
    if (!object) return noUpload
    if (!upload) return noUpload
    const replace = (frame[5] & mayReplace) !== 0
    if (size !== takenBytes(upload)) return checksum
    const status = await findFreeName(requests, parent, frame, at, bytes)
    if (status !== ok) return status
    const old = directory.object
    if (old) if (directory.type === typeDirectory) return isDirectory
    if (old) if (!replace) return exists
    const key = old ? directory.key : directory.freeKey
    await ensure(volume.log, 1)
    await appendPartial(upload, volume.log)
    await putExtents(upload, volume.tree, volume.log)
    const change = commitNumber(volume.log) + 1
    const flags = old && (await copyProperties(volume.tree, old, object)) ? flagProperties : 0
    directory.setInode(typeFile, flags, size, mtime, change, parent)
    await directory.store(object)
    await volume.tree.remove(uploadList, object)
    await putEntry(directory, parent, key, object, typeFile, frame, at, bytes)
    await touchDirectory(directory, parent, mtime, change)
    if (old) await volume.drop(old)
    upload.object = 0
    requests.value = object
    return ok
}

async function rename(
    requests: Requests,
    from: number,
    key: number,
    object: number,
    to: number,
    frame: Buffer,
    frameBytes: number,
): Promise<number> {
    const volume = requests.volume
    const directory = volume.directory
    const at = atArguments + 20
    const bytes = frameBytes - at
    if (bytes < 1) return badName
    if (bytes > nameBytesMax) return badName
    if (!nameIsGood(frame, at, bytes)) return badName
    const mtime = frame.getAt(atArguments + 16, "u32")
    const replace = (frame[5] & mayReplace) !== 0
    if (!(await findEntry(directory, from, key))) return stale
    if (directory.object !== object) return stale
    const type = directory.type
    const status = await findFreeName(requests, to, frame, at, bytes)
    if (status !== ok) return status
    const old = directory.object
    const oldType = directory.type
    const newKey = old ? directory.key : directory.freeKey
    requests.value = object
    if (old === object) return ok
    if (type === typeDirectory) if (await isWithin(directory, to, object)) return badRequest
    if (old) {
        if (!replace) return exists
        if (oldType !== type) return oldType === typeDirectory ? isDirectory : notDirectory
        if (oldType === typeDirectory) if (!(await isEmpty(directory, old))) return notEmpty
    }
    const change = commitNumber(volume.log) + 1
    await volume.tree.remove(from, key)
    await putEntry(directory, to, newKey, object, type, frame, at, bytes)
    if (await directory.load(object)) {
        directory.inode.setAt(12, "u32", change)
        directory.inode.setAt(16, "u32", to)
        await directory.store(object)
    }
    await touchDirectory(directory, from, mtime, change)
    if (to !== from) await touchDirectory(directory, to, mtime, change)
    if (old) await volume.drop(old)
    return ok
}

async function remove(requests: Requests, from: number, key: number, object: number, mtime: number): Promise<number> {
    const volume = requests.volume
    const directory = volume.directory
    if (!(await findEntry(directory, from, key))) return stale
    if (directory.object !== object) return stale
    if (directory.type === typeDirectory) if (!(await isEmpty(directory, object))) return notEmpty
    await volume.tree.remove(from, key)
    await touchDirectory(directory, from, mtime, commitNumber(volume.log) + 1)
    await volume.drop(object)
    return ok
}

async function setattr(requests: Requests, object: number, mtime: number): Promise<number> {
    const directory = requests.volume.directory
    if (object === rootDirectory || !(await directory.load(object))) return object === rootDirectory ? ok : notFound
    directory.inode.setAt(8, "u32", mtime)
    directory.inode.setAt(12, "u32", commitNumber(requests.volume.log) + 1)
    await directory.store(object)
    return ok
}

async function snapshot(requests: Requests, mtime: number, frame: Buffer, at: number, bytes: number): Promise<number> {
    const volume = requests.volume
    if (hasRuns(volume)) await volume.commit()
    // what it pins cannot be emptied any more, so there must be segments to go on with
    if (available(volume.log) < keptSegments + 2) return noSpace
    const number = await putSnapshot(volume.tree, volume.log, mtime, frame, at, bytes)
    if (number < 0) return -number
    requests.value = number
    return ok
}

async function setProperty(requests: Requests, object: number, frame: Buffer, bytes: number): Promise<number> {
    const volume = requests.volume
    const directory = volume.directory
    const at = atArguments + 9
    if (bytes < at) return badRequest
    const nameBytes = frame[at - 1]
    if (nameBytes === 0) return badRequest
    if (at + nameBytes > bytes) return badRequest
    if (!(await directory.load(object))) return notFound
    const left = await putProperty(volume.tree, object, frame, at, nameBytes, bytes)
    if (left < 0) return -left
    directory.inode[1] = left > 0 ? flagProperties : 0
    const mtime = frame.getAt(atArguments + 4, "u32")
    if (mtime !== 0) directory.inode.setAt(8, "u32", mtime)
    directory.inode.setAt(12, "u32", commitNumber(volume.log) + 1)
    await directory.store(object)
    return ok
}
