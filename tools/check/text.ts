/** A report for people: one line a problem, and a summary. */
import type { Report } from "./check-array"
import type { Problem } from "./problems"
import { bodyBytes } from "./page"
import { idText, retired } from "./fields"

/** Names come from the array: control characters must not move a terminal's cursor. */
export const printable = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f]/g, "?")

export const volumeName = (volume: number): string =>
    volume < 26 ? String.fromCharCode(97 + volume) : `number ${volume}`

export function problemLine(problem: Problem, report?: Report): string {
    const { severity, code, message, page, segment, position, image, offset, object, path, snapshot } = problem
    const where: string[] = []
    if (report?.volume !== undefined) where.push(`volume ${volumeName(report.volume)}`)
    if (page !== undefined) where.push(`page ${page}`)
    else if (segment !== undefined) where.push(`segment ${segment}`)
    if (position !== undefined) where.push(`element ${position}`)
    if (image !== undefined) where.push(offset === undefined ? image : `${image} byte ${offset}`)
    if (snapshot !== undefined) where.push(`snapshot "${snapshot}"`)
    if (object !== undefined) where.push(`object ${object}`)
    if (path !== undefined) where.push(path === "" ? "the root directory" : `"${path}"`)
    return printable(`${severity} ${code}: ${message} [${where.join(", ")}]`)
}

/** Notes on pages that are shown of one kind: there may be many after many power cuts, and none of them matters. */
const pageNotesMax = 3

/** Those on elements, all; those on pages, the first. */
export function noteLines(report: Report): string[] {
    const lines: string[] = []
    for (const code of new Set(report.notes.map(({ code }) => code))) {
        const notes = report.notes.filter(note => note.code === code)
        const shown = notes.filter(({ page, segment }, i) => (page ?? segment) === undefined || i < pageNotesMax)
        lines.push(...shown.map(note => problemLine(note, report)))
        const rest = notes.length - shown.length
        if (rest > 0) lines.push(`note ${code}: ${rest} more like these; --json lists them`)
    }
    return lines
}

export interface Figures {
    files: number
    directories: number
    snapshots: number
    uploads: number
    fileBytes: number
    bytesUsed: number
    bytesFree: number
    retiredSegments: number
    wearLeast: number
    wearMost: number
}

/** Bytes as files can use them. */
export function figuresOf(report: Report): Figures | undefined {
    const { reading } = report
    if (!reading) return undefined
    const entries = [...report.tree.values()]
    const files = entries.filter(({ type }) => type === "file")
    const { geometry } = reading.pages
    const wear = report.segments.slice(1).map(one => reading.state.root.wearBase + one.wear)
    const free = report.segments.filter(({ state }) => state === "free").length
    return {
        files: files.length,
        directories: entries.length - files.length,
        snapshots: report.snapshots.size,
        uploads: report.uploads.size,
        fileBytes: files.reduce((sum, { size }) => sum + size, 0),
        bytesUsed: reading.state.root.inUse * bodyBytes,
        bytesFree: free * geometry.S * bodyBytes,
        retiredSegments: report.segments.filter(({ usage }) => usage === retired).length,
        wearLeast: Math.min(...wear),
        wearMost: Math.max(...wear),
    }
}

export function arrayTitle(report: Report): string {
    if (report.arrayId === undefined) return `unreadable: ${report.images.join(", ")}`
    const title = `array ${idText(report.arrayId)}, volume ${volumeName(report.volume ?? 0)}`
    if (!report.reading) return `${title}: cannot be read`
    const { geometry, members } = report.reading.pages
    const here = members.elements.filter(Boolean).length
    return `${title}: ${geometry.isMirror ? "mirror" : "parity"}, ${here} of ${geometry.n} elements`
}

export function summaryLines(report: Report): string[] {
    const figures = figuresOf(report)
    if (!figures) return []
    const { files, directories, snapshots, uploads, fileBytes, bytesUsed, bytesFree } = figures
    const retiredText = figures.retiredSegments ? `, ${figures.retiredSegments} segments retired` : ""
    return [
        `  ${files} files (${fileBytes} bytes), ${directories} directories, ${snapshots} snapshots, ${uploads} open uploads`,
        `  ${bytesUsed} bytes used, ${bytesFree} free (in free segments), ` +
            `erased ${figures.wearLeast} to ${figures.wearMost} times${retiredText}`,
    ]
}

export function verdict(report: Report): string {
    if (!report.isReadable) return "cannot be read"
    const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`
    if (report.faults.length > 0) return count(report.faults.length, "fault")
    return report.degraded.length > 0 ? `no fault, degraded (${count(report.degraded.length, "place")})` : "clean"
}
