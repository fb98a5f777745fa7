/**
 * Whether every page in use could be lost on one element: copies in a mirror, parity otherwise. A row without a page in use
 * promises nothing: it may be a weak row of the past.
 */
import { isBlank, samePage } from "./page"
import type { ArrayPages } from "./pages"
import type { Findings, Place } from "./problems"

/** `marks`: by page, 0 = not in use. `lastRow` is the last row of the log: a row that may be weak. */
export function checkRedundancy(
    marks: Uint8Array,
    segmentIsUsed: (segment: number) => boolean,
    lastRow: number | undefined,
    pages: ArrayPages,
    findings: Findings,
): void {
    const { geometry } = pages
    const { D, R, segments } = geometry
    for (let segment = 1; segment < segments; segment++) {
        if (!segmentIsUsed(segment)) continue
        for (let row = segment * R; row < (segment + 1) * R; row++) {
            let inUse = 0
            for (let page = row * D; page < row * D + D; page++) if (marks[page]) inUse++
            const isLast = row === lastRow
            if (geometry.isMirror) {
                if (inUse > 0 || isLast) checkCopies(row, isLast, pages, findings)
            } else checkRow(row, inUse, isLast, pages, findings)
        }
    }
}

function checkCopies(page: number, isLast: boolean, pages: ArrayPages, findings: Findings): void {
    const good = pages.read(page)
    if (!good) return
    for (let position = 0; position < 2; position++) {
        const raw = pages.raw(position, page)
        if (!raw || samePage(raw, good)) continue
        const code = isLast ? "row-weak" : "copy-bad"
        findings.add(code, `page ${page} is not good on position ${position}`, pages.place(page, position))
    }
}

function checkRow(row: number, inUse: number, isLast: boolean, pages: ArrayPages, findings: Findings): void {
    const { D } = pages.geometry
    if (inUse === 0 && !isLast) {
        const stale = wrongParity(row, pages)
        if (stale) findings.add("row-stale", `row ${row}, of which nothing is in use, has another parity`, stale)
        return
    }
    let bad = 0
    for (let page = row * D; page < row * D + D; page++) {
        const position = pages.geometry.positionOf(page)
        const raw = pages.raw(position, row)
        if (!raw || pages.checks.isGood(raw, page)) continue
        // what nothing uses may be torn, but when the others can make it, it was good once
        if (!pages.read(page)) continue
        bad++
        const code = isLast ? "row-weak" : "copy-bad"
        const what = isBlank(raw) ? "blank" : "not good"
        findings.add(code, `page ${page} is ${what} on position ${position}`, pages.place(page, position))
    }
    if (bad > 0) return
    const wrong = wrongParity(row, pages)
    if (!wrong) return
    const code = isLast ? "row-weak" : "parity-bad"
    findings.add(code, `the parity page of row ${row} is not the XOR of its pages`, wrong)
}

/** Positions that lack something in a segment which the others can make, be it in use or not. */
export function positionsLacking(segment: number, pages: ArrayPages): Set<number> {
    const { D, R, isMirror } = pages.geometry
    const lacking = new Set<number>()
    for (let row = segment * R; row < (segment + 1) * R; row++) {
        let isWhole = true
        for (let page = row * D; page < row * D + D; page++) {
            const good = pages.read(page)
            for (const position of isMirror ? [0, 1] : [pages.geometry.positionOf(page)]) {
                const raw = pages.raw(position, row)
                if (!raw || (good ? samePage(raw, good) : isBlank(raw))) continue
                isWhole = false
                // what cannot be made was torn before anybody relied on it, or is lost
                if (good) lacking.add(position)
            }
        }
        if (isWhole && !isMirror && wrongParity(row, pages)) lacking.add(pages.geometry.parityPositionOf(row))
    }
    return lacking
}

/** The place of the parity page if it is not the XOR; undefined too when an element of the row does not count. */
function wrongParity(row: number, pages: ArrayPages): Place | undefined {
    const position = pages.geometry.parityPositionOf(row)
    const parity = pages.raw(position, row)
    const sum = parity && pages.xor(row, position)
    if (!sum || samePage(sum, parity)) return undefined
    // a row of which nothing was used: blank pages, or a parity page that counts as zeros
    if (isBlank(parity) && sum.every(byte => byte === 0)) return undefined
    const place = pages.place(row * pages.geometry.D, position)
    return { ...place, page: undefined as number | undefined }
}
