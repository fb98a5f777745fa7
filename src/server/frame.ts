// Frames in their slots: a command is held in a buffer of 236 bytes, padded with zeros, over which its check is computed.

import { platform } from "../platform"

export const frameBytesMax = 236

const parts: Buffer[] = [undefined]

/** Whether the check in the first four bytes of a command is right; the frame is left as it was. */
export function frameIsGood(frame: Buffer, bytes: number): boolean {
    const stored = frame.getAt(0, "i32")
    frame.setAt(0, "i32", bytes)
    parts[0] = frame
    const good = platform.sha256(parts).getAt(0, "i32") === stored
    frame.setAt(0, "i32", stored)
    return good
}

/** Sets the check of a notice, over its own length; `about` is the object that file data is of, the check of the query that is answered, else 0. */
export function sealFrame(frame: Buffer, about: number): void {
    frame.setAt(0, "i32", about)
    parts[0] = frame
    frame.setAt(0, "i32", platform.sha256(parts).getAt(0, "i32"))
}

/** Whether the check of a notice that is not file data is right; the frame is left as it was. */
export function noticeIsGood(frame: Buffer): boolean {
    const stored = frame.getAt(0, "i32")
    sealFrame(frame, 0)
    const good = frame.getAt(0, "i32") === stored
    frame.setAt(0, "i32", stored)
    return good
}
