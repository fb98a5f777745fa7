/**
 * Images of one array from different times: copies of its elements beside them, and old ones in place of them. From docs/FORMAT.md, "Crash
 * orders": every step is settled on all elements that count before the next begins, so the newest anchor that an image took, and the pages it
 * has since, tell of when it is, the same for all elements of a set.
 */
import { goodPage, type Found } from "./anchors"
import type { Element } from "./elements"
import { readAnchor } from "./fields"
import type { Geometry } from "./geometry"
import type { Image } from "./image"
import { isBlank, ownerOf, pageBytes, samePage, serialOf, type PageChecks } from "./page"
import type { Findings } from "./problems"

interface KnownAnchor extends Found {
    page: Uint8Array
}

/** When an image is of. */
interface Time {
    /** How many anchors of the array are newer. */
    behind: number
    /** Of its last page since the newest anchor it took; 0 = none. */
    serial: number
    /** The last row of that segment in which something is programmed. */
    row: number
}

export class Times {
    /** All that are on an image, the newest first. */
    private anchors: KnownAnchor[] | undefined

    constructor(
        private readonly images: readonly Image[],
        private readonly newest: Found,
        private readonly geometry: Geometry,
        private readonly checks: PageChecks,
    ) {}

    /** Of the elements that belong in each position. */
    get generations(): number[] {
        return this.newest.anchor.generations
    }

    /** How many anchors of the array are newer than those of the image. */
    anchorsAfter(image: Image): number {
        const at = this.known().findIndex(anchor => this.holds(image, anchor))
        return at < 0 ? this.known().length : at
    }

    of(element: Element): Time {
        const anchors = this.known()
        for (const [behind, known] of anchors.entries()) {
            // where its anchor is damaged, pages that came after it tell the same
            const serial = this.lastSerial(element, known.anchor.segment, known.anchor.serial)
            if (serial > 0 || this.holds(element.image, known))
                return { behind, serial, row: this.lastRow(element.image, known.anchor.segment) }
        }
        return { behind: anchors.length, serial: 0, row: 0 }
    }

    /**
     * Whether an image never took an anchor after which others went on: its pages may be of what was erased since. Not so when an anchor is only
     * damaged, or was being written when the power went: nothing comes after it then.
     */
    isPast(element: Element, others: readonly Element[]): boolean {
        if (!this.lacks(element.image, this.newest)) return false
        const { behind } = this.of(element)
        const newer = this.known().slice(0, behind)
        const first = newer.at(-1)
        if (!first || !this.lacks(element.image, first)) return false
        const wentOn = (other: Element) =>
            newer.some(({ anchor }) => this.lastSerial(other, anchor.segment, first.anchor.serial) > 0)
        return others.some(other => other !== element && wentOn(other))
    }

    private known(): KnownAnchor[] {
        return (this.anchors ??= this.gather())
    }

    private gather(): KnownAnchor[] {
        const { newest, geometry, checks } = this
        const found: KnownAnchor[] = []
        for (const image of this.images)
            for (let slot = 16; slot < 16 * (geometry.ringSectors + 1); slot++) {
                const page = goodPage(image, slot, geometry.stride, checks)
                const anchor = page && readAnchor(page)
                if (!page || anchor?.arrayId !== newest.anchor.arrayId) continue
                if (anchor.sequence > newest.anchor.sequence) continue
                if (!found.some(one => samePage(one.page, page)))
                    found.push({ anchor, slot, page: new Uint8Array(page) })
            }
        return found.sort((one, other) => other.anchor.sequence - one.anchor.sequence)
    }

    private holds(image: Image, { slot, page }: KnownAnchor): boolean {
        const own = goodPage(image, slot, this.geometry.stride, this.checks)
        return own !== undefined && samePage(own, page)
    }

    /** Whether the anchor's slot is as it was before it; damage is something else. */
    private lacks(image: Image, { slot, anchor }: Found): boolean {
        const { stride } = this.geometry
        if (slot * stride + pageBytes > image.bytes) return false
        const good = goodPage(image, slot, stride, this.checks)
        return good ? ownerOf(good) < anchor.sequence : isBlank(image.read(slot * stride, pageBytes))
    }

    /** Of the element's last good page in the segment whose serial is at least that; 0 = it has none. */
    private lastSerial({ image, position }: Element, segment: number, least: number): number {
        const { R, stride } = this.geometry
        for (let row = segment * R + R - 1; row >= segment * R; row--) {
            const number = this.geometry.pageAt(position, row)
            if (number === undefined || row * stride + pageBytes > image.bytes) continue
            const page = image.read(row * stride, pageBytes)
            if (serialOf(page) >= least && this.checks.isGood(page, number)) return serialOf(page)
        }
        return 0
    }

    private lastRow(image: Image, segment: number): number {
        const { R, stride } = this.geometry
        for (let row = segment * R + R - 1; row >= segment * R; row--)
            if (row * stride + pageBytes <= image.bytes && !isBlank(image.read(row * stride, pageBytes))) return row
        return 0
    }
}

/** Leaves the newest of several images of the element that belongs in a position. */
export function withoutCopies(
    elements: readonly Element[],
    times: Times,
    geometry: Geometry,
    findings: Findings,
    checks: PageChecks,
): Element[] {
    const kept = new Set(elements)
    for (let position = 0; position < geometry.n; position++) {
        const isOne = ({ label }: Element) => label?.generation === times.generations[position]
        const group = elements.filter(element => element.position === position && isOne(element))
        if (group.length < 2) continue
        const claims = group.map(element => ({
            element,
            time: times.of(element),
            fit: fitOf(element, geometry, checks),
        }))
        // the newest first; what was left out was written to last; equals by what is not damaged
        claims.sort(
            (one, other) =>
                Number(other.fit.isThere) - Number(one.fit.isThere) ||
                compareTimes(one.time, other.time) ||
                (other.element.label?.state ?? 0) - (one.element.label?.state ?? 0) ||
                other.fit.pages - one.fit.pages,
        )
        const [first, ...rest] = claims
        for (const claim of rest) {
            const { image, label } = claim.element
            kept.delete(claim.element)
            if (first.fit.isThere && !claim.fit.isThere) {
                const message = `label: position ${position}; that is ${first.element.image.name}`
                findings.add("label-field", message, { image: image.name, page: 0, offset: 0 })
            } else if (label?.state !== 1)
                // one that says of itself that it is not to be read confuses nobody: what a replacement left, that was given up
                addCopy(claim.element, first.element, compareTimes(claim.time, first.time) > 0, findings)
        }
    }
    return elements.filter(element => kept.has(element))
}

export function addCopy({ image, position }: Element, of: Element, isOlder: boolean, findings: Findings): void {
    const what = isOlder ? "an older copy" : "a copy"
    const message = `${what} of position ${position}, which is ${of.image.name}: move it away and check again`
    findings.add("element-duplicate", message, { image: image.name, position, page: 0, offset: 0 })
}

/** Above 0: `one` is older. */
function compareTimes(one: Time, other: Time): number {
    return one.behind - other.behind || other.serial - one.serial || other.row - one.row
}

interface Fit {
    /** Good pages at the position of the label. */
    pages: number
    /** Whether most of the newest pages are good there: a label may be wrong, and what an element held at another position be left. */
    isThere: boolean
}

/** Of some pages. */
function fitOf({ image, position }: Element, geometry: Geometry, checks: PageChecks): Fit {
    const good: { serial: number; isThere: boolean }[] = []
    const { R, D, rows, stride } = geometry
    for (let row = R; row < Math.min(rows, R + 4_096) && row * stride + pageBytes <= image.bytes; row++) {
        const own = geometry.pageAt(position, row)
        // the parity of a row with a single page is that page
        if (own === undefined) continue
        const page = image.read(row * stride, pageBytes)
        for (let number = row * D; number < row * D + D; number++)
            if (checks.isGood(page, number)) good.push({ serial: serialOf(page), isThere: number === own })
    }
    const newest = good.sort((one, other) => other.serial - one.serial).slice(0, 32)
    return {
        pages: good.filter(({ isThere }) => isThere).length,
        isThere: 2 * newest.filter(({ isThere }) => isThere).length >= newest.length,
    }
}
