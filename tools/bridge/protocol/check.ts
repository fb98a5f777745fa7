/**
 * The check of a frame: its first four bytes are the first four of SHA-256 over it. While it is computed these four hold, in a
 * command, the frame's length (it is computed over 236 bytes, zero-padded), and in a notice what it is about, which the frame does not
 * name otherwise: of file data the object it is of, of an answer the check of the query, of others 0. `seal*` writes it, `hasValid*` verifies it and leaves the frame
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

function noticeCheck(frame: Buffer, about: number): number {
    const was = frame.readUInt32LE(0)
    frame.writeUInt32LE(about, 0)
    const check = sha256(frame).readUInt32LE(0)
    frame.writeUInt32LE(was, 0)
    return check
}

export function sealCommand(frame: Buffer): Buffer {
    frame.writeUInt32LE(commandCheck(frame), 0)
    return frame
}

export function sealNotice(frame: Buffer, about = 0): Buffer {
    frame.writeUInt32LE(noticeCheck(frame, about), 0)
    return frame
}

/** `frame` is at least 4 and at most 236 bytes. */
export function hasValidCommandCheck(frame: Buffer): boolean {
    return frame.readUInt32LE(0) === commandCheck(frame)
}

/** `frame` is at least 4 bytes. */
export function hasValidNoticeCheck(frame: Buffer, about = 0): boolean {
    return frame.readUInt32LE(0) === noticeCheck(frame, about)
}
