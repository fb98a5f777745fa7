/**
 * What a check can find. Each kind has a stable code and one severity:
 * - fault: something the format promises does not hold;
 * - degraded: all that was promised can be read, but a copy of it is missing;
 * - note: worth knowing, nothing is wrong.
 */
export type Severity = "fault" | "degraded" | "note"

export const problemCodes = {
    // the array as a whole
    "array-unreadable": "fault", // too few elements, or no way to the state
    "label-field": "fault", // a label with a right check and an impossible field
    "label-differs": "fault", // labels of one array do not agree
    "anchor-field": "fault",
    "anchor-order": "fault", // the ring of anchors contradicts itself
    "anchor-differs": "fault", // elements hold different anchors in one slot
    "root-field": "fault",
    "root-row": "fault", // a root shares its row
    "session-field": "fault",
    // pages
    "page-lost": "fault", // in use, and good in no way
    "page-range": "fault", // a page is named that the log has not
    "page-type": "fault", // not of the type that what names it expects
    "page-field": "fault", // a field of the header
    "page-twice": "fault", // used twice by one tree
    "page-since": "fault",
    "page-serial": "fault",
    // the tree
    "node-level": "fault",
    "node-layout": "fault",
    "node-order": "fault", // keys do not rise
    "node-separator": "fault", // a key outside what its parent says
    "node-empty": "fault",
    // records
    "key-unknown": "fault",
    "record-length": "fault",
    "inode-missing": "fault",
    "inode-field": "fault",
    "extent-field": "fault",
    "extent-hole": "fault", // extents do not cover the file's blocks once
    "block-field": "fault", // a data page that is not the block it should be
    "entry-object": "fault", // leads to nothing, or to what may not be there
    "entry-type": "fault",
    "entry-hash": "fault",
    "name-bad": "fault",
    "name-twice": "fault",
    "object-lost": "fault", // in no directory and no list
    "object-twice": "fault",
    "object-cycle": "fault", // in a directory that the root does not lead to
    "object-parent": "fault",
    "next-object": "fault",
    "list-field": "fault",
    "property-field": "fault",
    "snapshot-field": "fault",
    "snapshot-pin": "fault", // a snapshot's page in a segment it does not pin
    // space
    "usage-field": "fault",
    "usage-count": "fault",
    "usage-sum": "fault",
    "segment-retired": "fault", // something is in use in a retired segment
    // redundancy
    "image-short": "degraded",
    "element-missing": "degraded",
    "element-out": "degraded", // its label or the anchor says that it fell behind
    "element-old": "degraded", // a member's image of an earlier time: a copy in its place
    "element-joining": "degraded", // a rebuild is not finished
    "label-bad": "degraded",
    "anchor-copy": "degraded", // the newest anchor is not good on every element
    "copy-bad": "degraded", // a page is not good on its element, but was made from the others
    "parity-bad": "degraded", // a parity page is not the XOR of its row
    "row-weak": "degraded", // the last row of the log was being programmed
    // notes
    "element-blank": "note",
    "element-unknown": "note", // no label and no anchor: no element of an array
    "element-foreign": "note",
    "element-stale": "note", // another generation than the array wants at that position
    "element-duplicate": "note", // a copy of an element that is here, too
    "tail-gap": "note", // a page of an open upload that nothing leads up to
    "row-stale": "note", // a row without use whose parity does not fit: a weak row of the past
    more: "note", // how many were not listed
} as const satisfies Record<string, Severity>

export type ProblemCode = keyof typeof problemCodes

/** Where something is. `offset` is that of the page in the image file. */
export interface Place {
    page?: number
    segment?: number
    position?: number
    image?: string
    offset?: number
    object?: number
    path?: string
    snapshot?: string
}

export interface Problem extends Place {
    severity: Severity
    code: ProblemCode
    message: string
}

/** Of one code; what comes after is counted. */
const listedMax = 1_000

export class Findings {
    private readonly listed: Problem[] = []
    private readonly counts = new Map<ProblemCode, number>()

    add(code: ProblemCode, message: string, place: Place = {}): void {
        const count = (this.counts.get(code) ?? 0) + 1
        this.counts.set(code, count)
        if (count <= listedMax) this.listed.push({ severity: problemCodes[code], code, message, ...place })
    }

    count(code: ProblemCode): number {
        return this.counts.get(code) ?? 0
    }

    of(severity: Severity): Problem[] {
        const found = this.listed.filter(problem => problem.severity === severity)
        for (const [code, count] of this.counts)
            if (problemCodes[code] === severity && count > listedMax)
                found.push({ severity, code: "more", message: `${count - listedMax} more of ${code}` })
        return found
    }

    /** Gives each problem with an object its path, when there is one. */
    name(pathOf: (object: number, snapshot: string | undefined) => string | undefined): void {
        for (const problem of this.listed) {
            if (problem.object === undefined || problem.path !== undefined) continue
            const path = pathOf(problem.object, problem.snapshot)
            if (path !== undefined) problem.path = path
        }
    }
}
