// Images of an array that holds so many files, made by the store in Node: through boards it would take hours.

import { findSpiNorPart } from "../../sim/chips/spi-nor-parts"
import { StoreLoad } from "./load"

const segmentRows = 256
const seed = 1

/** @returns for each element its sectors of 4,096 bytes, undefined where nothing was written; the files are `file 0` and so on, at the root */
export async function filledImages(
    chip: string,
    elements: number,
    files: number,
    fileBytes: number,
): Promise<(Uint8Array | undefined)[][]> {
    const load = new StoreLoad(findSpiNorPart(chip), segmentRows, elements, seed)
    await load.begin()
    while (load.files.size < files) await load.put(`file ${load.files.size}`, fileBytes)
    return load.bench.snapshot()
}
