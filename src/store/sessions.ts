// The sessions a volume remembers: for each the last executed sequence and its result. They live in the root page, so they are
// committed with the effect they belong to; that is exactly-once, also across a takeover. Eight are kept, the one used last first.

import { atSessions } from "./page"

const sessionsMax = 8
const entryBytes = 12
const atStatus = atSessions + sessionsMax * entryBytes

/** Index of a session in the root's table, or -1. */
export function findSession(root: Buffer, session: number): number {
    let at = atSessions
    for (let i = 0; i < sessionsMax; i++) {
        if (root.getAt(at, "u32") === session) return i
        at += entryBytes
    }
    return -1
}

export function sequenceOf(root: Buffer, index: number): number {
    return root.getAt(atSessions + index * entryBytes + 4, "u32")
}

export function valueOf(root: Buffer, index: number): number {
    return root.getAt(atSessions + index * entryBytes + 8, "u32")
}

export function statusOf(root: Buffer, index: number): number {
    return root[atStatus + index]
}

/** Stores what became of a request and makes its session the most recent; a ninth session pushes out the one used longest ago. */
export function storeResult(root: Buffer, session: number, sequence: number, status: number, value: number): void {
    let index = findSession(root, session)
    if (index < 0) index = sessionsMax - 1
    for (; index > 0; index--) {
        const at = atSessions + index * entryBytes
        root.blitAt(at, root, at - entryBytes, entryBytes)
        root[atStatus + index] = root[atStatus + index - 1]
    }
    root.setAt(atSessions, "u32", session)
    root.setAt(atSessions + 4, "u32", sequence)
    root.setAt(atSessions + 8, "u32", value)
    root[atStatus] = status
}

/** Forgets a session that said bye. */
export function dropSession(root: Buffer, session: number): void {
    const index = findSession(root, session)
    if (index < 0) return
    for (let i = index; i < sessionsMax - 1; i++) {
        const at = atSessions + i * entryBytes
        root.blitAt(at, root, at + entryBytes, entryBytes)
        root[atStatus + i] = root[atStatus + i + 1]
    }
    root.fillAt(atSessions + (sessionsMax - 1) * entryBytes, entryBytes, 0)
    root[atStatus + sessionsMax - 1] = 0
}
