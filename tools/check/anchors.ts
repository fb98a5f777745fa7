/** The ring of anchors: those an image holds, and the newest of an array. From docs/FORMAT.md, "Anchor" and "Finding the state" 2. */
import { idText, readAnchor, type Anchor, type Label } from "./fields"
import type { Geometry } from "./geometry"
import type { Image } from "./image"
import { pageBytes, type PageChecks } from "./page"
import type { Findings } from "./problems"

export function goodPage(image: Image, number: number, stride: number, checks: PageChecks): Uint8Array | undefined {
    const offset = number * stride
    if (offset + pageBytes > image.bytes) return undefined
    const page = image.read(offset, pageBytes)
    return checks.isGood(page, number) ? page : undefined
}

/** The good anchors of an image without a label, whose stride nobody tells. */
export function* anchorsOf(image: Image, checks: PageChecks): Generator<Anchor> {
    for (const stride of [256, 512])
        for (let slot = 16; slot < 256; slot++) {
            const page = goodPage(image, slot, stride, checks)
            const anchor = page && readAnchor(page)
            if (anchor) yield anchor
        }
}

/** The array id in the anchors of an image without a label. */
export function arrayOfAnchors(image: Image, checks: PageChecks): number | undefined {
    for (const anchor of anchorsOf(image, checks)) return anchor.arrayId
    return undefined
}

export interface Found {
    anchor: Anchor
    slot: number
}

/** The newest anchor as a board finds it. */
export function newestAnchor(
    images: readonly Image[],
    common: Label,
    geometry: Geometry,
    findings: Findings,
    checks: PageChecks,
): Found | undefined {
    const newestIn = (slot: number): Found | undefined => {
        let newest: Found | undefined
        for (const image of images) {
            const page = goodPage(image, slot, geometry.stride, checks)
            const anchor = page && readAnchor(page)
            if (!anchor) continue
            if (anchor.arrayId !== common.arrayId) {
                const place = { page: slot, offset: slot * geometry.stride, image: image.name }
                findings.add("anchor-field", `an anchor of array ${idText(anchor.arrayId)}`, place)
                continue
            }
            if (!newest || anchor.sequence > newest.anchor.sequence) newest = { anchor, slot }
        }
        return newest
    }
    let sector: Found | undefined
    for (let index = 1; index <= geometry.ringSectors; index++) {
        const first = newestIn(16 * index)
        if (first && (!sector || first.anchor.sequence > sector.anchor.sequence)) sector = first
    }
    if (!sector) return undefined
    let newest: Found | undefined = sector
    for (let slot = sector.slot + 1; slot < sector.slot + 16; slot++) {
        const found = newestIn(slot)
        // an element that was away holds anchors of an earlier turn
        if (!found || found.anchor.sequence < sector.anchor.sequence) continue
        if (found.anchor.sequence <= newest.anchor.sequence)
            findings.add(
                "anchor-order",
                `anchor ${found.anchor.sequence} comes after anchor ${newest.anchor.sequence} in the ring`,
                { page: slot, offset: slot * geometry.stride },
            )
        newest = found
    }
    const inSector = newest
    for (let slot = 16; slot < 16 * (geometry.ringSectors + 1); slot++) {
        const found = slot >= sector.slot && slot < sector.slot + 16 ? undefined : newestIn(slot)
        if (found && found.anchor.sequence >= inSector.anchor.sequence)
            findings.add(
                "anchor-order",
                `anchor ${found.anchor.sequence} is not found: the newest found is ${inSector.anchor.sequence}`,
                { page: slot, offset: slot * geometry.stride },
            )
    }
    return newest
}
