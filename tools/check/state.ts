/** Which root is the state, and where the log ends. From docs/FORMAT.md, "Finding the state" 3 and 4, and "Root". */
import { deltasMax, readRoot, type Root } from "./fields"
import { blockOf, lengthOf, none, ownerOf, serialOf, sinceOf } from "./page"
import type { ArrayPages } from "./pages"
import type { Findings } from "./problems"

export interface State {
    root: Root
    rootPage: number
    /** Index in the anchor's segment below which all rows are begun. */
    end: number
    /** The last row with a good page, or undefined. */
    lastRow: number | undefined
}

export function findState(pages: ArrayPages, findings: Findings): State | undefined {
    const { geometry, members } = pages
    const { anchor } = members
    const { D, R, S } = geometry
    const firstRow = anchor.segment * R
    if (anchor.segment < 1 || anchor.segment >= geometry.segments || anchor.start > S) {
        findings.add("array-unreadable", "the newest anchor names no segment of the log")
        return undefined
    }
    let row = firstRow + Math.floor(anchor.start / D)
    let last: { row: number; page: number } | undefined
    for (; row < firstRow + R && !pages.isRowBlank(row); row++) {
        const page = lastGoodOf(row, pages)
        // an element that did not take the erase may hold pages of what the segment was before
        if (page !== undefined && serialOf(pages.read(page)!) >= anchor.serial) last = { row, page }
    }
    const end = (row - firstRow) * D
    for (let before = firstRow + Math.floor(anchor.start / D) - 1; !last && before >= firstRow; before--) {
        const page = lastGoodOf(before, pages)
        if (page !== undefined) last = { row: before, page }
    }
    let rootPage = anchor.root
    if (last) {
        const since = sinceOf(pages.read(last.page)!)
        if (since <= geometry.indexOf(last.page)) rootPage = last.page - since
    }
    if (!geometry.isInLog(rootPage)) {
        findings.add(
            "array-unreadable",
            `the root would be page ${rootPage}, which the log has not`,
            pages.place(rootPage),
        )
        return undefined
    }
    if (!pages.read(rootPage) && anchor.isRootWeak && rootPage === anchor.root) {
        // the element that had it is gone: the one before is the last
        const before = lastGoodBelow(rootPage, pages)
        const since = before === undefined ? 0 : sinceOf(pages.read(before)!)
        if (before !== undefined && since <= geometry.indexOf(before)) rootPage = before - since
    }
    const place = pages.place(rootPage)
    const page = pages.read(rootPage)
    const root = page && readRoot(page)
    if (!root) {
        const what = page ? "is no root" : "is not good on any element and cannot be made from the others"
        findings.add("array-unreadable", `page ${rootPage} should be the newest root and ${what}`, place)
        return undefined
    }
    const state = { root, rootPage, end, lastRow: last?.row }
    checkRoot(state, page, pages, findings)
    return state
}

function lastGoodOf(row: number, pages: ArrayPages): number | undefined {
    const { D } = pages.geometry
    for (let page = row * D + D - 1; page >= row * D; page--) if (pages.read(page)) return page
    return undefined
}

/** In the same segment. */
function lastGoodBelow(end: number, pages: ArrayPages): number | undefined {
    for (let page = end - 1; page >= end - pages.geometry.indexOf(end); page--) if (pages.read(page)) return page
    return undefined
}

function checkRoot({ root, rootPage }: State, page: Uint8Array, pages: ArrayPages, findings: Findings): void {
    const { geometry, members } = pages
    const { anchor } = members
    const place = pages.place(rootPage)
    const must = (holds: boolean, message: string) => {
        if (!holds) findings.add("root-field", `root ${rootPage}: ${message}`, place)
    }
    must(root.commit > 0, "commit 0")
    must(root.epoch <= anchor.epoch, `epoch ${root.epoch}; the newest anchor says ${anchor.epoch}`)
    must(root.tree === none || geometry.isInLog(root.tree), `tree ${root.tree}`)
    must(root.tree !== none || root.height === 0, `height ${root.height} of no tree`)
    must(root.deltaCount <= deltasMax, `${root.deltaCount} deltas`)
    must(root.nextObject >= 16, `next object ${root.nextObject}`)
    must(root.usage === none || geometry.isInLog(root.usage), `usage ${root.usage}`)
    if (lengthOf(page) !== 0 || ownerOf(page) !== 0 || blockOf(page) !== 0)
        findings.add("page-field", `root ${rootPage}: length, owner and block must be 0`, place)
    if (sinceOf(page) !== 0) findings.add("page-since", `root ${rootPage}: since ${sinceOf(page)} must be 0`, place)
    // a newer root than the anchor's was written by the controller that wrote the anchor
    const isAfter = geometry.segmentOf(rootPage) === anchor.segment && geometry.indexOf(rootPage) >= anchor.start
    if (isAfter) must(root.epoch === anchor.epoch, `epoch ${root.epoch} after the anchor of epoch ${anchor.epoch}`)
    else if (rootPage !== anchor.root)
        findings.add("anchor-field", `the newest anchor says root ${anchor.root}, its segment ${rootPage}`, place)
    const inRow = rootPage % geometry.D
    let others = 0
    for (let i = 0; i < geometry.D; i++) if (i !== inRow && pages.read(rootPage - inRow + i)) others++
    if (inRow !== 0 || others > 0) findings.add("root-row", `root ${rootPage} must be the only page of its row`, place)
    checkSessions(root, rootPage, pages, findings)
}

function checkSessions(root: Root, rootPage: number, pages: ArrayPages, findings: Findings): void {
    const seen = new Set<number>()
    let wasFree = false
    for (const { session } of root.sessions) {
        const place = pages.place(rootPage)
        if (session === 0) wasFree = true
        else if (wasFree) findings.add("session-field", `session ${session.toString(16)} after a free one`, place)
        else if (seen.has(session)) findings.add("session-field", `session ${session.toString(16)} twice`, place)
        seen.add(session)
    }
}
