// The shape of a page on flash (docs/FORMAT.md) and of the buffers it travels in.
//
// A page buffer is 260 bytes: four for the chip's command and address, then the 256 bytes of the page. While a check is
// computed the first four hold the page's number, so a page that was written to, or read from, another place has a wrong check.

import { platform } from "../platform"

export { pageBufferBytes } from "../flash/nor"
export const bodyBytes = 236

// offsets in a page buffer
export const atCheck = 4
export const atType = 8
/** Data: bytes used, 1 to 236. Node: level, 0 = leaf. */
export const atLength = 9
/** Pages appended to the log since its last root; 0 in a root. */
export const atSince = 10
export const atSerial = 12
/** Data: the object. Anchor: the log's segment. */
export const atOwner = 16
/** Data: index of the block in its object. Anchor: see log.ts. */
export const atBlock = 20
export const atBody = 24

/** A buffer of this size reads all of a page's header and nothing of its body. */
export const headerBufferBytes = 24

/** Where the sessions begin in a root page's buffer (sessions.ts): 104 bytes. */
export const atSessions = atBody + 32

export const typeData = 1
export const typeNode = 2
export const typeRoot = 3
export const typeAnchor = 4
export const typeLabel = 5
export const typeUsage = 6
export const typeBlank = 0xff

export const formatVersion = 1
/** Not a page. */
export const noPage = 0xffffffff

const parts: Buffer[] = [undefined]

function checkOf(buffer: Buffer, page: number): number {
    buffer.setAt(0, "u32", page)
    buffer.setAt(atCheck, "u32", 0)
    parts[0] = buffer
    return platform.sha256(parts).getAt(0, "i32")
}

/** Sets the check of a page that is ready to be programmed as `page`. */
export function sealPage(buffer: Buffer, page: number): void {
    buffer.setAt(atCheck, "i32", checkOf(buffer, page))
}

/** Whether the buffer holds what was once sealed as `page`. */
export function pageIsGood(buffer: Buffer, page: number): boolean {
    const stored = buffer.getAt(atCheck, "i32")
    const good = checkOf(buffer, page) === stored
    buffer.setAt(atCheck, "i32", stored)
    return good
}
