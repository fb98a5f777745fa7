// The arrays that store tests and the bench run on, in one place: a mirror, and rotating parity over 3 to 6 elements.

import type { SpiNorPart } from "../../tools/sim/chips/spi-nor-parts"
import { smallPart } from "./store-bench"

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

/** The shapes asked for, by number of elements. */
export function shapes(elements: readonly number[] = [2, 3, 4, 5, 6]): ArrayShape[] {
    return elements.map(n => (n === 2 ? mirror : parity(n)))
}

/** Geometries of 200 to 600 KB, so small that cleaning is never far away: 10 to 21 segments, with parity of the fewest rows there may be. */
export function smallGeometries(elements?: readonly number[]): Geometry[] {
    return shapes(elements).map(shape => ({
        ...shape,
        part: smallPart(shape.elements < 5 ? 18 : 17),
        segmentRows: shape.elements === 2 ? 64 : 48,
    }))
}
