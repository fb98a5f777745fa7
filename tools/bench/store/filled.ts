// Images of an array that holds so many files, made by the store in Node: through boards it would take hours.

import { findSpiNorPart } from "../../sim/chips/spi-nor-parts"
import { StoreLoad } from "./load"

const segmentRows = 256
const seed = 1

export interface Filled {
    /** For each element its sectors of 4,096 bytes, undefined where nothing was written. */
    sectors: (Uint8Array | undefined)[][]
    /** `file 0` and so on, all at the root. */
    files: Map<string, Buffer>
}

export async function filledImages(chip: string, elements: number, files: number, fileBytes: number): Promise<Filled> {
    const load = new StoreLoad(findSpiNorPart(chip), segmentRows, elements, seed)
    await load.begin()
    while (load.files.size < files) await load.put(`file ${load.files.size}`, fileBytes)
    const content = load.content.subarray(0, fileBytes)
    return { sectors: load.bench.snapshot(), files: new Map([...load.files.keys()].map(name => [name, content])) }
}
