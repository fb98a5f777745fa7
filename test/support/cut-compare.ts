// What the check tool reads from the chips against what a host knows: to the byte, with snapshots and open uploads.

import assert from "node:assert/strict"
import { checkArray, type PageChecks, type ProblemCode, type Report } from "../../tools/check"
import type { Known } from "./cut-host"
import { imagesOf } from "./flash-timeline"
import type { StoreBench } from "./store-bench"

/** What a power cut may leave of a row that was being programmed. */
const afterAnyCut: ProblemCode[] = ["row-weak"]

/** And what stays so until the first commit after the mount: the row that was not whole, which the mount wrote again behind others. */
const beforeCommit: ProblemCode[] = ["parity-bad", "copy-bad"]

/** Checks what the chips of a bench hold: no fault, and nothing degraded but what is expected. */
export function checkBench(bench: StoreBench, pageChecks: PageChecks, expected: readonly ProblemCode[] = []): Report {
    const report = checkArray(imagesOf(bench), { pageChecks })
    const known = [...afterAnyCut, ...expected, ...(bench.volume?.isRestored ? beforeCommit : [])]
    const degraded = report.degraded.filter(({ code }) => !known.includes(code))
    const said = [...report.faults, ...degraded].map(({ code, message }) => `${code}: ${message}`)
    assert.ok(report.isReadable && said.length === 0, `check: ${said.slice(0, 5).join("; ") || "not readable"}`)
    return report
}

/** @returns undefined when there is no difference */
export function differenceOf(report: Report, known: Known): string | undefined {
    for (const [path, node] of known.tree) {
        const found = report.tree.get(path)
        if (!found) return `${path} is missing`
        if (found.object !== node.object) return `${path} is object ${found.object}, not ${node.object}`
        if (found.type !== (node.type === 2 ? "directory" : "file")) return `type of ${path}`
        if (node.mtime !== undefined && found.mtime !== node.mtime) return `mtime of ${path}`
        if (node.type !== 1) continue
        if (found.size !== node.content.length) return `size of ${path}`
        if (!report.readFile(path)?.equals(node.content)) return `content of ${path}`
    }
    if (report.tree.size > known.tree.size)
        return `${[...report.tree.keys()].find(path => !known.tree.has(path))} should not be there`
    for (const [name, { content }] of known.snapshots) {
        const found = report.snapshots.get(name)
        if (!found) return `snapshot ${name} is missing`
        if (found.tree.size !== content.size) return `paths of snapshot ${name}`
        for (const [path, data] of content)
            if (data === "directory" ? !found.tree.has(path) : !report.readFile(path, name)?.equals(data))
                return `${path} in snapshot ${name}`
    }
    for (const name of report.snapshots.keys())
        if (!known.snapshots.has(name)) return `snapshot ${name} should not be there`
    return differenceOfUploads(report, known)
}

/** An upload holds what was acknowledged, and nothing that was not sent. */
function differenceOfUploads(report: Report, { uploads }: Known): string | undefined {
    for (const [object, { sent, acknowledged }] of uploads) {
        const found = report.uploads.get(object)
        if (!found) return `upload ${object} is missing`
        if (found.size < acknowledged) return `upload ${object} holds ${found.size} of ${acknowledged}`
        const bytes = report.readUpload(object)
        if (!bytes?.equals(sent.subarray(0, found.size))) return `bytes of upload ${object}`
    }
    for (const object of report.uploads.keys()) if (!uploads.has(object)) return `upload ${object} should not be there`
    return undefined
}
