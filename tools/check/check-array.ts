/**
 * Checks one array, from docs/FORMAT.md alone: everything that the format promises is looked at, every page in use is read,
 * nothing is changed.
 */
import { findMembers, likelyShapes, type Members } from "./elements"
import { nobody, type Label } from "./fields"
import { checkFiles, DataPages, readExtents } from "./files"
import type { Image } from "./image"
import { checkLogOrder } from "./log-order"
import { checkObjects, type Paths, type TreeEntry } from "./objects"
import { PageChecks } from "./page"
import { ArrayPages } from "./pages"
import { Findings, type Problem } from "./problems"
import { readRecords, rootDirectory, type Records } from "./records"
import { checkRedundancy } from "./redundancy"
import { checkSnapshots, type Snapshot } from "./snapshots"
import { checkSpace, readSpace, segmentState, type SegmentState, type Space } from "./space"
import { findState, type State } from "./state"
import { readTail, readUpload, type Tail, type Upload } from "./tail"
import { readTree, type TreeReading } from "./tree"

export interface CheckOptions {
    /** Keep one for checks of images that are nearly the same: it makes them much faster. */
    pageChecks?: PageChecks
    /** Told now and then how many of how many pages were read. */
    onProgress?: (pages: number, of: number) => void
}

/** What was read, for those who want more than a verdict: repair and dump. */
export interface Reading {
    pages: ArrayPages
    members: Members
    state: State
    tree: TreeReading
    records: Records
    paths: Paths
    space: Space
    /** Pages really in use, by segment. */
    counted: Uint16Array
    snapshots: Snapshot[]
    tail: Tail
    marks: Uint8Array
}

/** How a page is in use; bits of `Reading.marks`. */
export const mark = { live: 1, snapshot: 2, tail: 4 } as const

export interface SegmentFigures {
    segment: number
    state: SegmentState
    usage: number
    wear: number
}

export interface Report {
    /** Something promised does not hold. */
    faults: Problem[]
    /** All can be read, but something is there only once. */
    degraded: Problem[]
    notes: Problem[]
    /** Whether the state was found; otherwise nothing is known but the first fault. */
    isReadable: boolean
    arrayId: number | undefined
    volume: number | undefined
    images: string[]
    /** Files and directories by path ("a/b"), without the root directory. */
    tree: Map<string, TreeEntry>
    snapshots: Map<string, { commit: number; mtime: number; tree: Map<string, TreeEntry> }>
    uploads: Map<number, Upload>
    segments: SegmentFigures[]
    /** Contents of a file of the volume, or of a snapshot; undefined when it is not there or lost. */
    readFile(path: string, snapshot?: string): Buffer | undefined
    readUpload(object: number): Buffer | undefined
    reading: Reading | undefined
}

/** How many pages are read between two calls of `onProgress`. */
const progressPages = 4_096

/** `images` are the elements of one array, in any order; some may be missing, blank or foreign. */
export function checkArray(images: readonly Image[], options: CheckOptions = {}): Report {
    const pageChecks = options.pageChecks ?? new PageChecks()
    const shapes = likelyShapes(images, pageChecks)
    if (shapes.length === 0) {
        const findings = new Findings()
        findings.add("array-unreadable", "no image has a good label of this version", { image: images[0]?.name })
        return report(images, findings, undefined, undefined)
    }
    // labels that contradict each other, as many on each side: what they say is tried
    const reports = shapes.map(shape => checkShape(images, shape, { ...options, pageChecks }))
    const weight = (one: Report) => (one.isReadable ? 0 : 1e9) + 1e4 * one.faults.length + one.degraded.length
    reports.sort((one, other) => weight(one) - weight(other))
    return reports[0]
}

function checkShape(
    images: readonly Image[],
    shape: Label,
    options: CheckOptions & { pageChecks: PageChecks },
): Report {
    const findings = new Findings()
    const members = findMembers(images, shape, findings, options.pageChecks)
    const pages = members && new ArrayPages(members, options.pageChecks)
    const state = pages && findState(pages, findings)
    const reading = state && pages && readAll(pages, state, findings, options)
    if (reading) {
        findings.name((object, snapshot) =>
            snapshot === undefined
                ? reading.paths.byObject.get(object)
                : reading.snapshots.find(one => one.record.name === snapshot)?.paths.byObject.get(object),
        )
    }
    return report(images, findings, { arrayId: shape.arrayId, volume: members?.volume ?? shape.volume }, reading)
}

function report(
    images: readonly Image[],
    findings: Findings,
    array: { arrayId: number; volume: number } | undefined,
    reading: Reading | undefined,
): Report {
    return {
        faults: findings.of("fault"),
        degraded: findings.of("degraded"),
        notes: findings.of("note"),
        isReadable: reading !== undefined,
        arrayId: array?.arrayId,
        volume: array?.volume,
        images: images.map(({ name }) => name),
        tree: reading?.paths.tree ?? new Map(),
        snapshots: new Map(
            reading?.snapshots.map(({ record, paths }) => [
                record.name,
                { commit: record.commit, mtime: record.mtime, tree: paths.tree },
            ]),
        ),
        uploads: reading?.tail.uploads ?? new Map(),
        segments: reading ? figuresOf(reading) : [],
        readFile: (path, snapshot) => reading && readFile(reading, path, snapshot),
        readUpload: object => {
            const upload = reading?.tail.uploads.get(object)
            return upload && reading && readUpload(upload, reading.records, reading.pages)
        },
        reading,
    }
}

function readAll(pages: ArrayPages, state: State, findings: Findings, options: CheckOptions): Reading {
    const { geometry, members } = pages
    const { root, rootPage } = state
    const marks = new Uint8Array(geometry.pageEnd)
    const counted = new Uint16Array(geometry.segments)
    const use = (page: number): boolean => {
        if (marks[page] & mark.live) return false
        marks[page] |= mark.live
        counted[geometry.segmentOf(page)]++
        return true
    }
    let read = 0
    const data = new DataPages(pages, () => {
        if (++read % progressPages === 0) options.onProgress?.(read, Math.max(read, root.inUse))
    })
    use(rootPage)
    const space = readSpace(state, pages, findings, use)
    const tree = readTree(root.tree, root.height, pages, findings, use)
    const records = readRecords(tree, pages, findings)
    const paths = checkObjects(records, "live", tree.isComplete, pages, findings)
    checkFiles(records, "live", tree.isComplete, data, pages, findings, use)
    checkNextObject(records, root.nextObject, pages, findings)
    checkSpace(space, counted, tree.isComplete, state, pages, findings)
    const snapshots = checkSnapshots(records.snapshots, state, data, pages, findings, page => {
        marks[page] |= mark.snapshot
    })
    const tail = readTail(state, records, pages, findings, page => {
        marks[page] |= mark.tail
    })
    const used = new Uint8Array(geometry.segments)
    for (let page = geometry.S; page < geometry.pageEnd; page++) if (marks[page]) used[geometry.segmentOf(page)] = 1
    const { segment: present, joining } = members.anchor
    const isUsed = (segment: number) => used[segment] === 1
    checkRedundancy(marks, segment => isUsed(segment) || segment === present, state.lastRow, pages, findings)
    const isTail = (page: number) => marks[page] === mark.tail
    checkLogOrder(marks, isUsed, rootPage, pages, findings, isTail)
    if (joining !== nobody && !members.elements[joining]) {
        const message = `position ${joining} is being rebuilt onto an element that is not here`
        findings.add("element-joining", message, { position: joining })
    }
    return { pages, members, state, tree, records, paths, space, counted, snapshots, tail, marks }
}

/** One finding: the highest object tells it all. */
function checkNextObject(records: Records, nextObject: number, pages: ArrayPages, findings: Findings): void {
    let highest = rootDirectory
    for (const object of records.inodes.keys()) highest = Math.max(highest, object)
    if (highest === rootDirectory || highest < nextObject) return
    const place = pages.place(records.inodes.get(highest)!.leaf)
    findings.add("next-object", `object ${highest}; the next object is ${nextObject}`, { ...place, object: highest })
}

function readFile(reading: Reading, path: string, snapshot: string | undefined): Buffer | undefined {
    const from = snapshot === undefined ? reading : reading.snapshots.find(({ record }) => record.name === snapshot)
    const entry = from?.paths.tree.get(path)
    if (!from || entry?.type !== "file") return undefined
    return readExtents(from.records.extents.get(entry.object) ?? [], entry.size, reading.pages)
}

function figuresOf({ pages, members, space, snapshots, tail }: Reading): SegmentFigures[] {
    const list = snapshots.map(({ record }) => record)
    return Array.from({ length: pages.geometry.segments }, (_, segment) => ({
        segment,
        state: segmentState(segment, space, members.anchor.segment, tail.segments, list),
        usage: space.usage[segment],
        wear: space.wear[segment],
    }))
}
