/**
 * Objects against each other: every one in exactly one directory or list, parents and types, no cycles, names once. Gives
 * every object its path. From docs/FORMAT.md, "Keys and records".
 */
import { nameText } from "./names"
import type { ArrayPages } from "./pages"
import type { Findings, Place, ProblemCode } from "./problems"
import {
    directoryType,
    droppedFlag,
    fileType,
    firstObject,
    rootDirectory,
    uploadFlag,
    type Entry,
    type Records,
} from "./records"

export interface TreeEntry {
    type: "file" | "directory"
    size: number
    mtime: number
    change: number
    object: number
}

export interface Paths {
    /** By path, names joined by "/"; the root directory is not in it. */
    tree: Map<string, TreeEntry>
    byObject: Map<number, string>
}

/** How a tree is judged: of a snapshot's uploads and dropped objects nothing is said. */
export type TreeKind = "live" | "snapshot"

export function checkObjects(
    records: Records,
    kind: TreeKind,
    isComplete: boolean,
    pages: ArrayPages,
    findings: Findings,
    where: Place = {},
): Paths {
    const say = (code: ProblemCode, message: string, leaf: number, object: number) =>
        findings.add(code, message, { ...where, ...pages.place(leaf), object })
    const holders = new Map<number, string>()
    const hold = (object: number, by: string, leaf: number) => {
        const other = holders.get(object)
        if (other) say("object-twice", `object ${object} is in ${other} and in ${by}`, leaf, object)
        else holders.set(object, by)
    }
    for (const [directory, entries] of records.entries) {
        const names = new Set<string>()
        for (const entry of entries) {
            const key = Buffer.from(entry.name).toString("latin1")
            const text = nameText(entry.name)
            if (names.has(key))
                say("name-twice", `"${text}" is twice in directory ${directory}`, entry.leaf, entry.object)
            names.add(key)
            hold(entry.object, `directory ${directory}`, entry.leaf)
            checkEntry(entry, text)
        }
    }
    function checkEntry({ object, type, directory, leaf }: Entry, text: string): void {
        const inode = records.inodes.get(object)
        if (type !== fileType && type !== directoryType)
            say("entry-type", `"${text}" of directory ${directory} has type ${type}`, leaf, object)
        if (object < firstObject || !inode) {
            if (isComplete || object < firstObject)
                say("entry-object", `"${text}" of directory ${directory} is object ${object}: not there`, leaf, object)
            return
        }
        if (inode.type !== type)
            say(
                "entry-type",
                `"${text}" of directory ${directory} says type ${type}, its inode ${inode.type}`,
                leaf,
                object,
            )
        if (inode.flags !== 0)
            say("entry-object", `"${text}" of directory ${directory} has flags ${inode.flags}`, inode.leaf, object)
        if (inode.parent !== directory)
            say(
                "object-parent",
                `object ${object} is in ${directory}, its inode says ${inode.parent}`,
                inode.leaf,
                object,
            )
    }
    if (kind === "live") checkLists(records, say, hold, isComplete)
    const root = records.inodes.get(rootDirectory)
    if (root && root.parent !== rootDirectory)
        say("object-parent", `the root directory's parent is ${root.parent}`, root.leaf, rootDirectory)
    if (!root && isComplete && records.inodes.size + records.entries.size > 0)
        findings.add("inode-missing", "there is no root directory", where)
    const paths = walk(records)
    for (const [object, { leaf, flags, type }] of records.inodes) {
        if (object === rootDirectory || (kind === "snapshot" && flags !== 0)) continue
        if (!holders.has(object)) {
            if (isComplete) say("object-lost", `object ${object} is in no directory and no list`, leaf, object)
        } else if (type === directoryType && flags === 0 && !paths.byObject.has(object) && isComplete)
            say("object-cycle", `directory ${object} is not below the root directory`, leaf, object)
    }
    for (const [object, { leaf }] of records.properties)
        if (!records.inodes.has(object) && isComplete)
            say("property-field", `properties of object ${object}, which is not there`, leaf, object)
    for (const [object, { hasProperties, leaf }] of records.inodes)
        if (hasProperties !== records.properties.has(object) && (isComplete || !hasProperties)) {
            const what = hasProperties
                ? "is flagged to have properties and has none"
                : "has properties and no flag for them"
            say("property-field", `object ${object} ${what}`, leaf, object)
        }
    return paths
}

function checkLists(
    { uploads, dropped, inodes }: Records,
    say: (code: ProblemCode, message: string, leaf: number, object: number) => void,
    hold: (object: number, by: string, leaf: number) => void,
    isComplete: boolean,
): void {
    for (const [object, { leaf }] of uploads) {
        hold(object, "the list of uploads", leaf)
        const inode = inodes.get(object)
        if (!inode) {
            if (isComplete) say("inode-missing", `upload ${object} has no inode`, leaf, object)
        } else if (inode.flags !== uploadFlag || inode.type !== fileType)
            say("list-field", `upload ${object} has flags ${inode.flags} and type ${inode.type}`, inode.leaf, object)
        else if (inode.parent !== 0)
            say("object-parent", `upload ${object} has parent ${inode.parent}`, inode.leaf, object)
    }
    for (const [object, { leaf }] of dropped) {
        hold(object, "the list of dropped objects", leaf)
        const inode = inodes.get(object)
        if (!inode) {
            if (isComplete) say("inode-missing", `dropped object ${object} has no inode`, leaf, object)
        } else if (!(inode.flags & droppedFlag))
            say("list-field", `object ${object} is dropped, its flags are ${inode.flags}`, inode.leaf, object)
    }
    if (!isComplete) return
    for (const [object, { flags, leaf }] of inodes) {
        if (flags & droppedFlag && !dropped.has(object))
            say("list-field", `object ${object} is flagged as dropped and not in that list`, leaf, object)
        else if (flags === uploadFlag && !uploads.has(object))
            say("list-field", `object ${object} is flagged as an upload and not in that list`, leaf, object)
    }
}

/** From the root directory down, each directory once. */
function walk(records: Records): Paths {
    const tree: Paths["tree"] = new Map()
    const byObject = new Map<number, string>([[rootDirectory, ""]])
    const waiting: [number, string][] = [[rootDirectory, ""]]
    for (let next = waiting.pop(); next; next = waiting.pop()) {
        const [directory, prefix] = next
        for (const { object, name } of records.entries.get(directory) ?? []) {
            const path = prefix + nameText(name)
            const inode = records.inodes.get(object)
            if (!inode) continue
            const { type, size, mtime, change } = inode
            tree.set(path, { type: type === directoryType ? "directory" : "file", size, mtime, change, object })
            if (byObject.has(object)) continue
            byObject.set(object, path)
            if (type === directoryType) waiting.push([object, `${path}/`])
        }
    }
    return { tree, byObject }
}
