/** Snapshots: each a tree of its own, in segments that it pins. From docs/FORMAT.md, "Snapshots". */
import { bit } from "./fields"
import { checkFiles, type DataPages } from "./files"
import { none } from "./page"
import { checkObjects, type Paths } from "./objects"
import type { ArrayPages } from "./pages"
import type { Findings, Place } from "./problems"
import { readRecords, rootDirectory, snapshotsMax, type Records, type SnapshotRecord } from "./records"
import type { State } from "./state"
import { readTree } from "./tree"

export interface Snapshot {
    record: SnapshotRecord
    records: Records
    paths: Paths
}

/** `use` is told every page of a snapshot, whether other trees use it or not. */
export function checkSnapshots(
    list: readonly SnapshotRecord[],
    state: State,
    data: DataPages,
    pages: ArrayPages,
    findings: Findings,
    use: (page: number) => void,
): Snapshot[] {
    const snapshots: Snapshot[] = []
    const names = new Set<string>()
    for (const [i, record] of list.entries()) {
        const place = { ...pages.place(record.leaf), snapshot: record.name }
        if (i === snapshotsMax) findings.add("snapshot-field", `${list.length} snapshots`, place)
        if (names.has(record.name)) findings.add("name-twice", `snapshot "${record.name}" is there twice`, place)
        names.add(record.name)
        snapshots.push(checkOne(record, state, data, pages, findings, use))
    }
    return snapshots
}

function checkOne(
    record: SnapshotRecord,
    { root }: State,
    data: DataPages,
    pages: ArrayPages,
    findings: Findings,
    use: (page: number) => void,
): Snapshot {
    const where: Place = { snapshot: record.name }
    const place = { ...pages.place(record.leaf), ...where }
    const { geometry } = pages
    const must = (holds: boolean, message: string) => {
        if (!holds) findings.add("snapshot-field", `snapshot "${record.name}": ${message}`, place)
    }
    must(record.commit > 0 && record.commit <= root.commit, `commit ${record.commit}; the root's is ${root.commit}`)
    must(record.tree !== none || record.height === 0, `height ${record.height} of no tree`)
    must(record.pins.length <= 32, `${record.pins.length} bytes of pins`)
    for (let segment = 0; segment < 8 * record.pins.length; segment++)
        if (bit(record.pins, segment)) must(segment > 0 && segment < geometry.segments, `pins segment ${segment}`)
    const used = new Set<number>()
    let isTwice = false
    const useOnce = (page: number) => {
        const isNew = !used.has(page)
        if (!isNew) isTwice = true
        used.add(page)
        use(page)
        return isNew
    }
    const tree = readTree(record.tree, record.height, pages, findings, useOnce, where)
    const records = readRecords(tree, pages, findings, where)
    const paths = checkObjects(records, "snapshot", tree.isComplete, pages, findings, where)
    checkFiles(records, "snapshot", tree.isComplete, data, pages, findings, useOnce, where)
    const unpinned = new Map<number, number>()
    for (const page of used) {
        const segment = geometry.segmentOf(page)
        if (!bit(record.pins, segment) && !unpinned.has(segment)) unpinned.set(segment, page)
    }
    for (const [segment, page] of unpinned)
        findings.add(
            "snapshot-pin",
            `snapshot "${record.name}" has page ${page} in segment ${segment}, not pinned`,
            place,
        )
    let highest = rootDirectory
    for (const object of records.inodes.keys()) highest = Math.max(highest, object)
    if (highest > rootDirectory && highest >= root.nextObject)
        findings.add("next-object", `object ${highest}; the next object is ${root.nextObject}`, {
            ...place,
            object: highest,
        })
    // the root and its usage pages were in use besides
    const inTree = tree.nodes.size + countExtents(records)
    const most = inTree + 1 + Math.ceil(geometry.segments / 78)
    if (tree.isComplete && !isTwice)
        must(
            record.pages >= inTree && record.pages <= most,
            `${record.pages} pages; its tree has ${inTree} (with root and usage pages up to ${most})`,
        )
    return { record, records, paths }
}

/** All, those of uploads and dropped objects too: they were in use when the snapshot was made. */
function countExtents(records: Records): number {
    let count = 0
    for (const extents of records.extents.values()) for (const extent of extents) count += extent.count
    return count
}
