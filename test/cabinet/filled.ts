// A pair that finds files on its arrays at its first start.

import type { SimSession } from "../../tools/sim/session"

// of the firmware's sources, which are checked by other rules
const filledModule: string = "../../tools/bench/store/filled"

interface Filled {
    sectors: (Uint8Array | undefined)[][]
    files: Map<string, Buffer>
}

interface FilledModule {
    filledImages(chip: string, elements: number, files: number, fileBytes: number): Promise<Filled>
}

export interface Filling {
    node: string
    chip: string
    elements: number
    files: number
    fileBytes: number
}

const made = new Map<string, Promise<Filled>>()

/** Before the boards start. @returns the files, by name, all at the root */
export async function loadFilled(
    session: SimSession,
    { node, chip, elements, files, fileBytes }: Filling,
): Promise<Map<string, Buffer>> {
    const key = [chip, elements, files, fileBytes].join(" ")
    const { filledImages } = (await import(filledModule)) as FilledModule
    if (!made.has(key)) made.set(key, filledImages(chip, elements, files, fileBytes))
    const filled = await made.get(key)!
    filled.sectors.forEach((sectors, slot) =>
        sectors.forEach((sector, index) => {
            if (sector) session.simulation.cabinet.element(`${node}:${slot}`).image.writable(index).set(sector)
        }),
    )
    return new Map(filled.files)
}
