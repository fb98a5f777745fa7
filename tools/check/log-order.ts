/** Since and serial of pages in use: the log was written in one order. From docs/FORMAT.md, "Page". */
import { pageType, serialOf, sinceOf, typeOf } from "./page"
import type { ArrayPages } from "./pages"
import type { Findings } from "./problems"

interface Span {
    segment: number
    first: number
    last: number
}

export function checkLogOrder(
    marks: Uint8Array,
    segmentIsUsed: (segment: number) => boolean,
    rootPage: number,
    pages: ArrayPages,
    findings: Findings,
    isTail: (page: number) => boolean,
): void {
    const { geometry, members } = pages
    const { S, segments } = geometry
    const rootSerial = serialOf(pages.read(rootPage)!)
    const spans: Span[] = []
    const againstAnchor: number[] = []
    const againstRoot: number[] = []
    for (let segment = 1; segment < segments; segment++) {
        if (!segmentIsUsed(segment)) continue
        const span = checkSegment(segment)
        if (span) spans.push(span)
    }
    // one page against all others is wrong, whoever says so
    if (againstAnchor.length > 1)
        findings.add(
            "anchor-field",
            `the newest anchor's serial ${members.anchor.serial} does not part the pages before it from those after it`,
            { page: members.anchorSlot, offset: members.anchorSlot * geometry.stride },
        )
    if (againstRoot.length > 1)
        findings.add(
            "page-serial",
            `root ${rootPage}: serial ${rootSerial} does not fit its pages`,
            pages.place(rootPage),
        )
    for (const list of [againstAnchor, againstRoot])
        if (list.length === 1)
            findings.add(
                "page-serial",
                `page ${list[0]}: serial ${serialOf(pages.read(list[0])!)}, the root's is ${rootSerial}, the anchor's ${members.anchor.serial}`,
                pages.place(list[0]),
            )
    spans.sort((one, other) => one.first - other.first)
    for (const [i, { segment, first }] of spans.entries()) {
        const before = spans[i - 1]
        if (before && before.last >= first)
            findings.add(
                "page-serial",
                `serials ${first} on of segment ${segment} lie among those of segment ${before.segment}`,
                { segment, ...pages.place(segment * S) },
            )
    }

    function checkSegment(segment: number): Span | undefined {
        const { anchor } = members
        let root = -1
        let span: Span | undefined
        for (let index = 0; index < S; index++) {
            const number = segment * S + index
            const peeked = pages.peek(number)
            const mayBeRoot = peeked !== undefined && typeOf(peeked) === pageType.root
            if (!mayBeRoot && !marks[number]) continue
            const page = pages.read(number)
            if (!page) continue
            if (typeOf(page) === pageType.root) root = index
            if (!marks[number]) continue
            const place = pages.place(number)
            const since = sinceOf(page)
            if (!isSince(segment, index, since, root))
                findings.add(
                    "page-since",
                    `page ${number}: since ${since}; the root before it is ${root < 0 ? "in another segment" : index - root + " pages back"}`,
                    place,
                )
            const serial = serialOf(page)
            if (span && serial <= span.last)
                findings.add("page-serial", `page ${number}: serial ${serial} after ${span.last}`, place)
            const isAfter = segment === anchor.segment && index >= anchor.start
            // the anchor may have been written when pages of its row were there already
            const isBegun = isAfter && index < anchor.start + geometry.D && !geometry.isMirror
            if (!isBegun && isAfter !== serial >= anchor.serial) againstAnchor.push(number)
            if (isTail(number) !== serial > rootSerial && number !== rootPage) againstRoot.push(number)
            span = { segment, first: span?.first ?? serial, last: Math.max(span?.last ?? 0, serial) }
        }
        return span
    }

    /**
     * A root may have been lost since that was weak when it was written: then a page may still name its place. One whose type is damaged is
     * not seen to be a root before it is read with the help of the others.
     */
    function isSince(segment: number, index: number, since: number, root: number): boolean {
        if (since > index) return root < 0
        const target = index - since
        if (target <= root) return target === root
        const page = pages.read(segment * S + target)
        return page === undefined || typeOf(page) === pageType.root
    }
}
