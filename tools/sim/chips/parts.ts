// Every element that can be simulated, by the name that `--chip` takes.

import type { ElementPart } from "./element"
import { sdParts, type SdPart } from "./sd-parts"
import { spiNorParts, type SpiNorPart } from "./spi-nor-parts"

export function allParts(): ElementPart[] {
    return [...spiNorParts.values(), ...sdParts.values()]
}

export function findPart(name: string): { kind: "nor"; part: SpiNorPart } | { kind: "sd"; part: SdPart } {
    const nor = spiNorParts.get(name.toLowerCase())
    if (nor) return { kind: "nor", part: nor }
    const sd = sdParts.get(name.toLowerCase())
    if (sd) return { kind: "sd", part: sd }
    const names = allParts().map(part => (part.real ? part.name : `${part.name} (not real)`))
    throw new Error(`no such chip: ${name}. Choose one of ${names.join(", ")}`)
}

export function findSdPart(name: string): SdPart {
    const found = findPart(name)
    if (found.kind !== "sd") throw new Error(`${name} is not an SD card`)
    return found.part
}
