/**
 * The one error class of the bridge. Whatever goes wrong, in a frame, on the bus, at a node or in an argument, the
 * caller sees a `TwinfilerError` with a stable `code`, a message that says what to do, and the exit code of the
 * command line.
 */
import type { StatusName } from "./protocol/numbers"

/** Codes the host gives itself; a node's answers use the status names of PROTOCOL.md. */
export type HostCode =
    | "badFrame" // bytes that are no frame of this protocol
    | "usage" // an argument makes no sense
    | "noBus" // nothing listens at the bus address
    | "noNode" // the bus is there, but no node answers
    | "timeout" // a node controls the volume or should, but no answer came in time
    | "unknownOutcome" // a request may or may not have been executed
    | "replaced" // the file was replaced or removed while it was read, or changed before it was to be removed
    | "readOnly" // it lies in a snapshot
    | "aborted" // the caller asked to stop
    | "closed" // the client was closed

export type ErrorCode = Exclude<StatusName, "ok"> | HostCode

export const exitCodes = {
    done: 0,
    error: 1,
    usage: 2,
    notFound: 3,
    degraded: 4,
    noNode: 5,
    checksum: 6,
    noSpace: 7,
    interrupted: 130,
} as const

const exitOf: Partial<Record<ErrorCode, number>> = {
    usage: exitCodes.usage,
    badName: exitCodes.usage,
    notFound: exitCodes.notFound,
    noBus: exitCodes.noNode,
    noNode: exitCodes.noNode,
    checksum: exitCodes.checksum,
    noSpace: exitCodes.noSpace,
    aborted: exitCodes.interrupted,
}

export class TwinfilerError extends Error {
    /** Exit code the command line ends with. */
    readonly exitCode: number

    constructor(
        readonly code: ErrorCode,
        message: string,
        /** Details for programs: the path, the reason of a veto, and so on. */
        readonly details: Record<string, unknown> = {},
    ) {
        super(message)
        this.name = "TwinfilerError"
        this.exitCode = exitOf[code] ?? exitCodes.error
    }
}

/** Whether `error` is a TwinfilerError, with one of `codes` when any are given. */
export function isError(error: unknown, ...codes: ErrorCode[]): error is TwinfilerError {
    return error instanceof TwinfilerError && (codes.length === 0 || codes.includes(error.code))
}
