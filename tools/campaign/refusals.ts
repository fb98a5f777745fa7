// Answers that turn an operation away for a reason that says nothing of the contents. Each needs something in the history that explains
// it; a pair that refuses without reason, or throws away what it acknowledged, shows here.

import { staleRetryMax } from "../bridge/client/limits"
import type { ErrorCode } from "../bridge/error"
import { volumeLetter } from "../bridge/protocol/numbers"
import type { Wait } from "./lateness"
import type { Action, Operation } from "./linear"

const refusalCodes = ["busy", "stale", "noSpace", "replaced", "noUpload", "vetoed"] as const
type RefusalCode = (typeof refusalCodes)[number]

/** An operation that did nothing. */
export interface Refused extends Wait {
    /** It would have waited for its turn. */
    isPatient: boolean
    code: RefusalCode
}

export function isRefusal(code: ErrorCode): code is RefusalCode {
    return refusalCodes.some(one => one === code)
}

/** What was turned away, and nothing that others did explains it. */
export function unexplained(refused: readonly Refused[], operations: readonly (readonly Operation[])[]): string[] {
    return refused
        .filter(one => !isExplained(one, operations[one.volume]))
        .map(({ client, volume, action, code, calledAt, returnedAt }) => {
            const when = `[${calledAt.toFixed(1)}, ${returnedAt.toFixed(1)}]`
            return `volume ${volumeLetter(volume)}: ${client} ${action.kind}: ${code} ${when}, and nothing explains it`
        })
}

function isExplained({ code, isPatient, action, ...when }: Refused, operations: readonly Operation[]): boolean {
    const before = operations.filter(({ calledAt, outcome }) => calledAt <= when.returnedAt && outcome !== "refused")
    const meanwhile = operations.filter(one => changes(one.action) && overlaps(one, when))
    switch (code) {
        case "replaced":
            return meanwhile.some(one => touches(one.action, action))
        case "stale":
            // it looks the name up again each time
            return meanwhile.length > staleRetryMax
        case "busy":
            // all uploads that a volume holds may be those of clients that gave up; they make room in time
            return !isPatient
        // a history is far smaller than a volume; but another snapshot may hold what a second one needs (docs/PROTOCOL.md, "Snapshots")
        case "noSpace":
            return action.kind === "snapshot" && before.some(one => one.action.kind === "snapshot")
        // what is acknowledged of an upload is on the array, whoever dies; nothing is vetoed but a change of control
        case "noUpload":
        case "vetoed":
            return false
    }
}

function overlaps(one: { calledAt: number; returnedAt: number }, other: { calledAt: number; returnedAt: number }) {
    return one.calledAt <= other.returnedAt && other.calledAt <= one.returnedAt
}

function changes({ kind }: Action): boolean {
    return kind === "put" || kind === "rename" || kind === "remove" || kind === "snapshot" || kind === "unsnapshot"
}

/** Whether a change takes away what was to be read. */
function touches(change: Action, read: Action): boolean {
    if (read.kind !== "read") return false
    if (read.snapshot !== undefined) return change.kind === "unsnapshot" && change.name === read.snapshot
    if (change.kind === "rename") return change.name === read.name || change.to === read.name
    return (change.kind === "put" || change.kind === "remove") && change.name === read.name
}
