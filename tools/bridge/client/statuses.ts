/** A node's status as an error that says what to do. */
import { TwinfilerError, type ErrorCode } from "../error"
import type { StatusName } from "../protocol/numbers"

const advice: Record<Exclude<StatusName, "ok">, string> = {
    notFound: "not found",
    exists: "exists already",
    notDirectory: "is not a directory",
    isDirectory: "is a directory",
    notEmpty: "the directory is not empty",
    noSpace: "the volume is full: delete something",
    badName: "the node refuses the name",
    badRequest: "the node does not understand the request: firmware and bridge may be of different versions",
    wrongEpoch: "the volume changed hands: try again",
    notController: "the node does not control the volume at present: try again",
    noSession: "the volume forgot the session: try again",
    noUpload: "the volume does not know the upload any more: begin again",
    busy: "the node is busy: try again",
    ioError: "the array cannot be read or written: see `twinfiler status`",
    checksum: "the data does not match its checksum",
    tooLarge: "is too large",
    stale: "was changed by another client meanwhile: try again",
    vetoed: "the node refuses",
    foreign: "the element belongs to another array",
    tooSmall: "the element is too small",
}

/** `subject` is what it was about, as the user named it. */
export function statusError(status: StatusName, subject: string, details?: Record<string, unknown>): TwinfilerError {
    const code = status as ErrorCode & keyof typeof advice
    return new TwinfilerError(code, `${subject}: ${advice[code]}`, details)
}
