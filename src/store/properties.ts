// Extended properties: names and values a client keeps with a file or directory, all of an object in one record of the tree (docs/FORMAT.md,
// "Keys and records").
//
// Promises: an object has at most one record, of at most 200 bytes; no name is in it twice and no value is empty; it goes when the object
// does. What a name or a value means is the client's business.

import { notFound, tooLarge } from "./status"
import { Tree, findKey } from "./tree"

/** Object whose entries are the properties, by object. */
export const propertyList = 5
export const propertyBytesMax = 200

/** Bytes of the properties of an object, which the tree then stands at; 0 when it has none. */
export async function findProperties(tree: Tree, object: number): Promise<number> {
    return (await findKey(tree, propertyList, object)) ? tree.valueBytes : 0
}

/**
 * Sets a property, or removes it when its value is empty. The object must exist.
 * @param frame the name, `nameBytes` bytes at `at`, then the value up to `end`
 * @returns the bytes its properties take then; or minus a status: notFound when what is to be removed is not there, tooLarge
 */
export async function putProperty(
    tree: Tree,
    object: number,
    frame: Buffer,
    at: number,
    nameBytes: number,
    end: number,
): Promise<number> {
    const valueBytes = end - at - nameBytes
    const had = await findProperties(tree, object)
    const leaf = tree.leaf
    const from = tree.valueAt
    const record = Buffer.alloc(propertyBytesMax)
    let used = 0
    let found = false
    let next = 0
    while (next < had) {
        const length = leaf[from + next]
        const whole = 2 + length + leaf[from + next + 1 + length]
        let same = length === nameBytes
        for (let i = 0; same && i < length; i++) same = leaf[from + next + 1 + i] === frame[at + i]
        if (same) found = true
        else {
            record.blitAt(used, leaf, from + next, whole)
            used += whole
        }
        next += whole
    }
    if (valueBytes === 0) {
        if (!found) return -notFound
    } else {
        if (used + 2 + nameBytes + valueBytes > propertyBytesMax) return -tooLarge
        record[used] = nameBytes
        record.blitAt(used + 1, frame, at, nameBytes)
        record[used + 1 + nameBytes] = valueBytes
        record.blitAt(used + 2 + nameBytes, frame, at + nameBytes, valueBytes)
        used += 2 + nameBytes + valueBytes
    }
    if (used === 0) await tree.remove(propertyList, object)
    else await tree.put(propertyList, object, record, 0, used)
    return used
}

/** Gives what replaces an object its properties: RFC 4918 §9.7.1 keeps them over a PUT. @returns whether there are any */
export async function copyProperties(tree: Tree, from: number, to: number): Promise<boolean> {
    const bytes = await findProperties(tree, from)
    if (bytes === 0) return false
    const record = Buffer.alloc(bytes)
    record.blitAt(0, tree.leaf, tree.valueAt, bytes)
    await tree.put(propertyList, to, record, 0, bytes)
    return true
}

export async function dropProperties(tree: Tree, object: number): Promise<void> {
    await tree.remove(propertyList, object)
}
