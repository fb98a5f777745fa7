/**
 * The check of a frame: its first four bytes are the first four of SHA-256 over it. While it is computed these four hold, in a
 * command, the frame's length (it is computed over 236 bytes, zero-padded), and in a notice of file data the object the data is
 * of, which the frame does not name otherwise; 0 in other notices. `seal*` writes it, `hasValid*` verifies it and leaves the frame
 * as it was.
 */
import * as crypto from "node:crypto"
import { frameBytesMax } from "./numbers"

const padded = Buffer.alloc(frameBytesMax)

// crypto.hash (Node 20.12) costs half of createHash for such small inputs.
const sha256: (bytes: Uint8Array) => Buffer =
    typeof crypto.hash === "function"
        ? bytes => crypto.hash("sha256", bytes, "buffer")
        : bytes => crypto.createHash("sha256").update(bytes).digest()

function commandCheck(frame: Buffer): number {
    frame.copy(padded, 4, 4)
    padded.fill(0, frame.length)
    padded.writeUInt32LE(frame.length, 0)
    return sha256(padded).readUInt32LE(0)
}

function noticeCheck(frame: Buffer, object: number): number {
    const was = frame.readUInt32LE(0)
    frame.writeUInt32LE(object, 0)
    const check = sha256(frame).readUInt32LE(0)
    frame.writeUInt32LE(was, 0)
    return check
}

export function sealCommand(frame: Buffer): Buffer {
    frame.writeUInt32LE(commandCheck(frame), 0)
    return frame
}

export function sealNotice(frame: Buffer, object = 0): Buffer {
    frame.writeUInt32LE(noticeCheck(frame, object), 0)
    return frame
}

/** `frame` is at least 4 and at most 236 bytes. */
export function hasValidCommandCheck(frame: Buffer): boolean {
    return frame.readUInt32LE(0) === commandCheck(frame)
}

/** `frame` is at least 4 bytes. */
export function hasValidNoticeCheck(frame: Buffer, object = 0): boolean {
    return frame.readUInt32LE(0) === noticeCheck(frame, object)
}
