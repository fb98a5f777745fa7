// The shape of a page on flash (docs/FORMAT.md) and of the buffers it travels in.
//
// A page buffer is 260 bytes: four for the chip's command and address, then the 256 bytes of the page. While a check is
// computed the first four hold the page's number, so a page that was written to, or read from, another place has a wrong check.

import { platform } from "../platform"

export { pageBufferBytes, pageHeadBytes as headerBufferBytes } from "../flash/bank"
export const bodyBytes = 236

// offsets in a page buffer
export const atCheck = 4
export const atType = 8
/** Data: bytes used, 1 to 236. Node: level, 0 = leaf. */
export const atLength = 9
/** Pages back to the last root; 0 in a root; beyond the segment's start when the segment has no root yet. */
export const atSince = 10
export const atSerial = 12
/** Data: the object. Anchor: its sequence. Label: the array's id. */
export const atOwner = 16
/** Data: index of the block in its object. Usage: the first segment it counts. */
export const atBlock = 20
export const atBody = 24

/** Where the sessions begin in a root page's buffer (sessions.ts): 104 bytes. */
export const atSessions = atBody + 32

/** In a root page's buffer (usage.ts). */
export const atDeltaCount = atBody + 13
export const atDeltas = atBody + 136

export const typeData = 1
export const typeNode = 2
export const typeRoot = 3
export const typeAnchor = 4
export const typeLabel = 5
export const typeUsage = 6

export const formatVersion = 2
/** Not a page. */
export const noPage = 0xffffffff

const parts: Buffer[] = [undefined]

// both are flat, not built on a common function: a call costs as much as a third of the digest

/** Sets the check of a page that is ready to be programmed as `page`. */
export function sealPage(buffer: Buffer, page: number): void {
    buffer.setAt(0, "u32", page)
    buffer.setAt(atCheck, "u32", 0)
    parts[0] = buffer
    buffer.blitAt(atCheck, platform.sha256(parts), 0, 4)
}

/** Whether the buffer holds what was once sealed as `page`. */
export function pageIsGood(buffer: Buffer, page: number): boolean {
    const stored = buffer.getAt(atCheck, "i32")
    buffer.setAt(0, "u32", page)
    buffer.setAt(atCheck, "u32", 0)
    parts[0] = buffer
    const good = platform.sha256(parts).getAt(0, "i32") === stored
    buffer.setAt(atCheck, "i32", stored)
    return good
}
