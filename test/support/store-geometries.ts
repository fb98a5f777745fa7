// The arrays that store tests and the bench run on, in one place: a mirror, and rotating parity over 3 to 6 elements.

import type { SpiNorPart } from "../../tools/sim/chips/spi-nor-parts"
import { smallPart } from "./store-bench"

/** The store's code knows parity arrays. */
export const hasParity: boolean = true

export interface ArrayShape {
    name: string
    elements: number
    /** Bytes programmed for each byte of a page, at least. */
    redundancy: number
}

export interface Geometry extends ArrayShape {
    part: SpiNorPart
    /** Pages of each element in a segment. */
    segmentRows: number
}

const mirror: ArrayShape = { name: "mirror of 2", elements: 2, redundancy: 2 }

function parity(elements: number): ArrayShape {
    return { name: `parity of ${elements}`, elements, redundancy: elements / (elements - 1) }
}

/** The shapes asked for, by number of elements, as far as the store knows them. */
export function shapes(elements: readonly number[] = [2, 3, 4, 5, 6]): ArrayShape[] {
    return elements.filter(n => n === 2 || hasParity).map(n => (n === 2 ? mirror : parity(n)))
}

/** Elements of 256 KB, so small that cleaning is never far away: 16 segments, or 21 of the fewest rows that an array may have. */
export function smallGeometries(elements?: readonly number[]): Geometry[] {
    return shapes(elements).map(shape =>
        shape.elements === 2
            ? { ...shape, part: smallPart(18), segmentRows: 64 }
            : { ...shape, part: smallPart(18), segmentRows: 48 },
    )
}
