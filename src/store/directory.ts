// Inodes and directory entries in the tree. docs/FORMAT.md, "Keys".
//
// An entry's key is 23 bits of a hash of its name and an 8-bit number that tells names of the same hash apart; it stays while the
// entry does, so it serves as a cookie for listing.

import { platform } from "../platform"
import { badName, noSpace, notDirectory, notFound, ok } from "./status"
import { Tree, findKey, nextKey } from "./tree"

export const rootDirectory = 1
/** Object whose entries are the open uploads, by object number. */
export const uploadList = 2
/** Object whose entries are objects no name leads to any more, their pages not yet given back. */
export const orphanList = 3

/** Objects from here on are files and directories. */
const firstObject = 16

export const typeFile = 1
export const typeDirectory = 2
/** Not committed yet. */
export const flagUpload = 1
/** In the orphan list. */
export const flagDropped = 2
/** Has extended properties, so that a listing tells which to ask. */
export const flagProperties = 4

export const inodeBytes = 20
/** The first sub of a directory's entries, above its inode's. */
export const firstEntry = 256
export const nameBytesMax = 200
const entryHeadBytes = 5
/** Directories deeper than this are refused; it bounds the walk that keeps a directory out of itself. */
const depthMax = 64

export class Directory {
    /** The inode last loaded, 20 bytes: type u8, flags u8, reserved u16, size u32, mtime u32, change u32, parent u32. */
    inode: Buffer
    /** What `lookup` found. */
    key: number
    object: number
    type: number
    /** Where `lookup` would put a name it did not find. */
    freeKey: number
    tree: Tree
    entry: Buffer

    constructor(tree: Tree) {
        this.tree = tree
        this.inode = Buffer.alloc(inodeBytes)
        this.entry = Buffer.alloc(entryHeadBytes + nameBytesMax)
    }

    // --- inodes

    /** @returns false when there is no such object, it is an upload nobody committed, or it was dropped */
    async load(object: number): Promise<boolean> {
        if (isList(object)) return false
        if (!(await this.loadAny(object))) return false
        return (this.inode[1] & ~flagProperties) === 0
    }

    /** Loads an inode whatever its flags. */
    async loadAny(object: number): Promise<boolean> {
        const tree = this.tree
        if (!(await findKey(tree, object, 0))) return false
        this.inode.blitAt(0, tree.leaf, tree.valueAt, inodeBytes)
        return true
    }

    setInode(type: number, flags: number, size: number, mtime: number, change: number, parent: number): void {
        const inode = this.inode
        inode.setAt(0, "u32", type | (flags << 8))
        inode.setAt(4, "u32", size)
        inode.setAt(8, "u32", mtime)
        inode.setAt(12, "u32", change)
        inode.setAt(16, "u32", parent)
    }

    async store(object: number): Promise<void> {
        await this.tree.put(object, 0, this.inode, 0, inodeBytes)
    }

    // --- entries

    /**
     * Finds a name, `bytes` bytes of `name` from `at`. Sets `object`, `type` and `key`; `object` is 0 and `freeKey` set when there is
     * none of that name.
     * @returns ok, badName, or noSpace when 256 names of one directory have the same hash
     */
    async lookup(directory: number, name: Buffer, at: number, bytes: number): Promise<number> {
        if (!nameIsGood(name, at, bytes)) return badName
        const exact = Buffer.alloc(bytes)
        exact.blitAt(0, name, at, bytes)
        // 1 to 2^23 - 1: subs below `firstEntry` are the directory's own; by bits, as `%` of a number above 2^31 is negative on a board
        let hash = platform.sha256([exact]).getAt(0, "i32") & 0x7fffff
        if (hash === 0) hash = 1
        const tree = this.tree
        let free = 0
        const first = hash * 256
        let more = await tree.seek(directory, first)
        this.object = 0
        while (more) {
            const index = tree.sub - first
            // what is sought comes in the order of its key, none below the first
            if (tree.object !== directory) break
            if (index > 255) break
            if (index === free) free++
            if (tree.valueBytes === entryHeadBytes + bytes)
                if (sameBytes(tree.leaf, tree.valueAt + entryHeadBytes, exact)) {
                    loadEntry(this)
                    return ok
                }
            more = await nextKey(tree)
        }
        if (free > 255) return noSpace
        this.freeKey = first + free
        return ok
    }
}

/** @returns ok, notFound or notDirectory */
export async function loadDirectory(names: Directory, object: number): Promise<number> {
    if (!(await names.load(object))) return notFound
    return names.inode[0] === typeDirectory ? ok : notDirectory
}

/** Marks a directory as changed. */
export async function touchDirectory(
    names: Directory,
    directory: number,
    mtime: number,
    change: number,
): Promise<void> {
    if (!(await names.load(directory))) return
    names.inode.setAt(8, "u32", mtime)
    names.inode.setAt(12, "u32", change)
    await names.store(directory)
}

/** Whether `directory` is `object` or lies below it, or too deep to tell. */
export async function isWithin(names: Directory, directory: number, object: number): Promise<boolean> {
    for (let i = 0; i < depthMax; i++) {
        if (directory === object) return true
        if (directory === rootDirectory) return false
        if (!(await names.load(directory))) return false
        directory = names.inode.getAt(16, "u32")
    }
    return true
}

export async function isEmpty(names: Directory, directory: number): Promise<boolean> {
    return !((await names.tree.seek(directory, firstEntry)) && names.tree.object === directory)
}

/** Finds the entry at a key. @returns false when there is none */
export async function findEntry(names: Directory, directory: number, key: number): Promise<boolean> {
    if (key < firstEntry) return false
    if (isList(directory)) return false
    if (!(await findKey(names.tree, directory, key))) return false
    loadEntry(names)
    return true
}

/** Takes `object`, `type` and `key` from the entry the tree stands at. */
export function loadEntry(names: Directory): void {
    const tree = names.tree
    names.key = tree.sub
    names.object = tree.leaf.getAt(tree.valueAt, "u32")
    names.type = tree.leaf[tree.valueAt + 4]
}

export async function putEntry(
    names: Directory,
    directory: number,
    key: number,
    object: number,
    type: number,
    name: Buffer,
    at: number,
    bytes: number,
): Promise<void> {
    const entry = names.entry
    entry.setAt(0, "u32", object)
    entry[4] = type
    entry.blitAt(entryHeadBytes, name, at, bytes)
    await names.tree.put(directory, key, entry, 0, entryHeadBytes + bytes)
}

/** Whether an object is one of the store's own lists, whose records are no inodes and no entries. */
function isList(object: number): boolean {
    return object < firstObject && object !== rootDirectory
}

function sameBytes(a: Buffer, at: number, b: Buffer): boolean {
    const n = b.length
    for (let i = 0; i < n; i++) if (a[at + i] !== b[i]) return false
    return true
}

/** 1 to 200 bytes of UTF-8, no NUL, no `/`, not `.` or `..`. */
export function nameIsGood(name: Buffer, at: number, bytes: number): boolean {
    if (bytes < 1) return false
    if (bytes > nameBytesMax) return false
    if (at + bytes > name.length) return false
    if (name[at] === 0x2e) if (bytes === 1 || (bytes === 2 && name[at + 1] === 0x2e)) return false
    // the least the byte after a lead may be, and the most: no overlong form, no surrogate, nothing above U+10FFFF (RFC 3629 §4)
    let least = 0x80
    let most = 0xbf
    let follow = 0
    for (let i = 0; i < bytes; i++) {
        const c = name[at + i]
        if (follow > 0) {
            if (c < least) return false
            if (c > most) return false
            least = 0x80
            most = 0xbf
            follow--
        } else if (c >= 0x80) {
            if (c < 0xc2) return false
            if (c > 0xf4) return false
            follow = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1
            if (c === 0xe0) least = 0xa0
            else if (c === 0xed) most = 0x9f
            else if (c === 0xf0) least = 0x90
            else if (c === 0xf4) most = 0x8f
        } else if (c === 0 || c === 0x2f) return false
    }
    return follow === 0
}
