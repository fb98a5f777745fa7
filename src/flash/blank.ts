// What an element reads like where nothing was ever programmed.

import { platform } from "../platform"
import { pageBufferBytes } from "./bank"

const parts: Buffer[] = [undefined]

/** First four bytes of the SHA-256 of a page buffer that holds nothing but ones, or zeros. */
const onesDigest = -1942250884
const zerosDigest = -1063976804

/** Whether nothing of a page, or of its header when the buffer holds no more, was ever programmed: erased cards may read as zeros. */
export function pageIsBlank(buffer: Buffer): boolean {
    const first = buffer.getAt(4, "i32")
    if (first !== -1) if (first !== 0) return false
    if (buffer.length === pageBufferBytes) {
        // sixty words, one by one, take ten times as long
        buffer.setAt(0, "i32", first)
        parts[0] = buffer
        return platform.sha256(parts).getAt(0, "i32") === (first ? onesDigest : zerosDigest)
    }
    for (let i = 8; i < buffer.length; i += 4) if (buffer.getAt(i, "i32") !== first) return false
    return true
}
