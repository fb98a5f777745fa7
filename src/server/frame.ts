// Frames in their slots: a command is held in a buffer of 236 bytes, padded with zeros, over which its check is computed.

import { platform } from "../platform"

export const frameBytesMax = 236

const parts: Buffer[] = [undefined]

/** Whether the check in the first four bytes is right; the frame is left as it was. */
export function frameIsGood(frame: Buffer): boolean {
    const stored = frame.getAt(0, "i32")
    frame.setAt(0, "i32", 0)
    parts[0] = frame
    const good = platform.sha256(parts).getAt(0, "i32") === stored
    frame.setAt(0, "i32", stored)
    return good
}

/** Sets the check of a report: over its own length. */
export function sealFrame(frame: Buffer): void {
    frame.setAt(0, "i32", 0)
    parts[0] = frame
    frame.setAt(0, "i32", platform.sha256(parts).getAt(0, "i32"))
}
