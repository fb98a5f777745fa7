/**
 * Pages of the log, from the elements that count; what is not good on its element is made from the others. From
 * docs/FORMAT.md, "Page". Nothing is read before it is asked for.
 */
import type { Members } from "./elements"
import type { Geometry } from "./geometry"
import { isBlank, none, pageBytes, typeOf, type PageChecks } from "./page"
import type { Place } from "./problems"

const blankPage = new Uint8Array(pageBytes).fill(0xff)

export class ArrayPages {
    readonly geometry: Geometry

    constructor(
        readonly members: Members,
        readonly checks: PageChecks,
    ) {
        this.geometry = members.geometry
    }

    /** Element page `row` of a position; undefined when the position does not count there. */
    raw(position: number, row: number): Uint8Array | undefined {
        const { geometry, members } = this
        if (!members.counts(position, Math.floor(row / geometry.R))) return undefined
        const { image } = members.elements[position]!
        const offset = row * geometry.stride
        // what a file lacks is as if never programmed
        return offset + pageBytes > image.bytes ? blankPage : image.read(offset, pageBytes)
    }

    /** The page if it is good on `position` itself. */
    goodOn(position: number, page: number): Uint8Array | undefined {
        const raw = this.raw(position, this.geometry.rowOf(page))
        return raw && this.checks.isGood(raw, page) ? raw : undefined
    }

    /** The good page, made from others if need be. */
    read(page: number): Uint8Array | undefined {
        if (!this.geometry.isMirror) return this.goodOn(this.geometry.positionOf(page), page) ?? this.rebuiltGood(page)
        return this.goodOn(0, page) ?? this.goodOn(1, page)
    }

    /** With parity: the page made from all other element pages of its row, whether it is good or not. */
    rebuilt(page: number): Uint8Array | undefined {
        const row = this.geometry.rowOf(page)
        return this.xor(row, this.geometry.positionOf(page))
    }

    /** XOR of the row's element pages but that of `without`; undefined when one of them does not count. */
    xor(row: number, without: number): Uint8Array | undefined {
        const sum = new Uint8Array(pageBytes)
        for (let position = 0; position < this.geometry.n; position++) {
            if (position === without) continue
            const raw = this.raw(position, row)
            if (!raw) return undefined
            if (typeOf(raw) === 0xff) continue
            for (let i = 0; i < pageBytes; i++) sum[i] ^= raw[i]
        }
        return sum
    }

    /** What is most likely there, good or not: enough to look at the type. */
    peek(page: number): Uint8Array | undefined {
        const row = this.geometry.rowOf(page)
        if (this.geometry.isMirror) return this.raw(0, row) ?? this.raw(1, row)
        return this.raw(this.geometry.positionOf(page), row) ?? this.rebuilt(page)
    }

    /** Whether nothing was programmed in the row. */
    isRowBlank(row: number): boolean {
        for (let position = 0; position < this.geometry.n; position++) {
            const raw = this.raw(position, row)
            if (raw && !isBlank(raw)) return false
        }
        return true
    }

    /** The place of a page on the element that should hold it, or on `position`. */
    place(page: number, position?: number): Place {
        const { geometry, members } = this
        if (page === none || !geometry.isInLog(page)) return { page }
        const row = geometry.rowOf(page)
        let at = position ?? geometry.positionOf(page)
        if (position === undefined && geometry.isMirror && !members.elements[0]) at = 1
        const image = members.elements[at]?.image.name
        return { page, segment: geometry.segmentOf(page), position: at, image, offset: row * geometry.stride }
    }

    private rebuiltGood(page: number): Uint8Array | undefined {
        const made = this.rebuilt(page)
        return made && this.checks.isGood(made, page) ? made : undefined
    }
}
