// The usage of a volume's segments as pages of the log: read when a root is loaded, written by a commit whose root has no room for the changes.

import { atType, noPage, pageBufferBytes, typeUsage } from "./page"
import { Log, atUsageStart, account, ensure } from "./log"
import { fillUsagePage, forgetChanges, loadUsagePage, noteWritten, recount, takeDeltas, usagePerPage } from "./usage"

/** Pages that end a commit, at most: usage pages, the rest of a row, and a row for the root. */
export function closingPages(log: Log): number {
    return usagePages(log) + 2 * log.array.rowPages - 1
}

function usagePages(log: Log): number {
    return ((log.segments + usagePerPage - 1) / usagePerPage) | 0
}

/** The usage as the root in RAM has it. @returns false when one of its pages is lost */
export async function readUsage(log: Log): Promise<boolean> {
    const usage = log.usage
    const root = log.root
    usage.counts.fillAt(0, usage.counts.length, 0)
    usage.wear.fillAt(0, usage.wear.length, 0)
    forgetChanges(usage)
    const start = root.getAt(atUsageStart, "u32")
    if (start !== noPage) {
        let page = start
        for (let first = 0; first < log.segments; first += usagePerPage) {
            if (!(await log.readPage(page++, log.scratch))) return false
            if (log.scratch[atType] !== typeUsage) return false
            loadUsagePage(usage, log.scratch, first)
        }
    }
    takeDeltas(usage, root)
    recount(usage)
    return true
}

/** Whether the last usage pages lie in `segment`. */
export function hasUsage(log: Log, segment: number): boolean {
    const start = log.root.getAt(atUsageStart, "u32")
    return start !== noPage && ((start / log.array.segmentPages) | 0) === segment
}

/** Writes the usage of all segments anew, in log segment; a root must follow. */
export async function writeUsage(log: Log): Promise<void> {
    const scratch = log.scratch
    const count = usagePages(log)
    await ensure(log, closingPages(log))
    const old = log.root.getAt(atUsageStart, "u32")
    account(log, log.segment * log.array.segmentPages, count)
    if (old !== noPage) account(log, old, -count)
    let start = noPage
    for (let first = 0; first < log.segments; first += usagePerPage) {
        scratch.fillAt(0, pageBufferBytes, 0)
        fillUsagePage(log.usage, scratch, first)
        const page = await log.append(scratch, typeUsage, 0, 0, first)
        if (start === noPage) start = page
    }
    log.root.setAt(atUsageStart, "u32", start)
    noteWritten(log.usage)
}
