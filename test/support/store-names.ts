// Names whose hash is the same, found by brute force: hashing is 23 bits, so a few thousand random names give pairs.

import { createHash } from "node:crypto"

export function hashOfName(name: Buffer | string): number {
    return createHash("sha256").update(name).digest().readUInt32LE(0) & 0x7fffff || 1
}

/** Groups of `size` names with one hash. */
export function collidingNames(size: number, groups: number, prefix = "n"): string[][] {
    const byHash = new Map<number, string[]>()
    const found: string[][] = []
    for (let i = 0; found.length < groups; i++) {
        const name = prefix + i.toString(36)
        const hash = hashOfName(name)
        const names = byHash.get(hash)
        if (!names) byHash.set(hash, [name])
        else {
            names.push(name)
            if (names.length === size) found.push(names)
        }
    }
    return found
}
