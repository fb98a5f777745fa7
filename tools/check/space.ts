/** Usage and wear of segments against what is really in use. From docs/FORMAT.md, "Usage". */
import { bit, retired, usagesPerPage, type Root } from "./fields"
import { blockOf, bodyAt, lengthOf, none, ownerOf, pageType, typeOf, u16 } from "./page"
import type { ArrayPages } from "./pages"
import type { Findings } from "./problems"
import type { SnapshotRecord } from "./records"
import type { State } from "./state"

export interface Space {
    /** By segment; `retired` for those not to be used. */
    usage: Uint16Array
    /** Erases beyond the wear base. */
    wear: Uint8Array
    /** The usage pages. */
    pages: number[]
    isComplete: boolean
}

/** `use` is told each usage page. */
export function readSpace(
    { root, rootPage }: State,
    pages: ArrayPages,
    findings: Findings,
    use: (page: number) => boolean,
): Space {
    const { geometry } = pages
    const { segments } = geometry
    const space: Space = {
        usage: new Uint16Array(segments),
        wear: new Uint8Array(segments),
        pages: [],
        isComplete: true,
    }
    for (let first = 0; root.usage !== none && first < segments; first += usagesPerPage) {
        const number = root.usage + first / usagesPerPage
        const place = pages.place(number)
        if (!geometry.isInLog(number)) {
            findings.add("page-range", `usage page ${number}`, pages.place(rootPage))
            space.isComplete = false
            break
        }
        if (!use(number)) findings.add("page-twice", `usage page ${number} is used twice`, place)
        space.pages.push(number)
        const page = pages.read(number)
        if (!page || typeOf(page) !== pageType.usage) {
            if (page) findings.add("page-type", `page ${number} should be a usage page`, place)
            else findings.add("page-lost", `usage page ${number} is good on no element`, place)
            space.isComplete = false
            continue
        }
        if (blockOf(page) !== first)
            findings.add("usage-field", `usage page ${number} counts from ${blockOf(page)}, not ${first}`, place)
        if (ownerOf(page) !== 0 || lengthOf(page) !== 0)
            findings.add("page-field", `usage page ${number}: owner and length must be 0`, place)
        for (let i = 0; i < usagesPerPage && first + i < segments; i++) {
            space.usage[first + i] = u16(page, bodyAt + 2 * i)
            space.wear[first + i] = page[bodyAt + 2 * usagesPerPage + i]
        }
    }
    const named = new Set<number>()
    for (const { segment, usage, wear } of root.deltas) {
        if (segment >= segments || named.has(segment))
            findings.add("usage-field", `root ${rootPage}: a delta of segment ${segment}`, pages.place(rootPage))
        if (segment >= segments) continue
        named.add(segment)
        space.usage[segment] = usage
        space.wear[segment] = wear
    }
    return space
}

/** `counted`: pages really in use, by segment; complete when the whole tree was read. */
export function checkSpace(
    space: Space,
    counted: Uint16Array,
    isComplete: boolean,
    state: State,
    pages: ArrayPages,
    findings: Findings,
): void {
    const { root, rootPage } = state
    const { geometry } = pages
    const rootPlace = pages.place(rootPage)
    let sum = 0
    for (let segment = 0; segment < geometry.segments; segment++) {
        const usage = space.usage[segment]
        const place = { ...sourceOf(segment, root, space, pages, rootPage), segment }
        if (usage === retired) {
            if (counted[segment] > 0)
                findings.add(
                    "segment-retired",
                    `${counted[segment]} pages of retired segment ${segment} are in use`,
                    place,
                )
            if (segment === 0) findings.add("usage-field", "segment 0 cannot be retired", place)
            continue
        }
        sum += usage
        if (usage > geometry.S) findings.add("usage-field", `usage ${usage} of segment ${segment}`, place)
        if (usage !== counted[segment] && isComplete && space.isComplete)
            findings.add(
                "usage-count",
                `segment ${segment} has usage ${usage}, ${counted[segment]} of its pages are in use`,
                place,
            )
    }
    if (sum !== root.inUse && space.isComplete)
        findings.add("usage-sum", `root ${rootPage}: ${root.inUse} pages in use, its segments say ${sum}`, rootPlace)
}

/** Where the usage of a segment is said. */
function sourceOf(segment: number, root: Root, space: Space, pages: ArrayPages, rootPage: number) {
    const isDelta = root.deltas.some(delta => delta.segment === segment)
    const page = isDelta ? undefined : space.pages[Math.floor(segment / usagesPerPage)]
    return pages.place(page ?? rootPage)
}

export type SegmentState = "reserved" | "retired" | "present" | "tail" | "used" | "pinned" | "free"

export function segmentState(
    segment: number,
    space: Space,
    present: number,
    tail: ReadonlySet<number>,
    snapshots: readonly SnapshotRecord[],
): SegmentState {
    if (segment === 0) return "reserved"
    if (space.usage[segment] === retired) return "retired"
    if (segment === present) return "present"
    if (space.usage[segment] > 0) return "used"
    if (tail.has(segment)) return "tail"
    return snapshots.some(({ pins }) => bit(pins, segment)) ? "pinned" : "free"
}
