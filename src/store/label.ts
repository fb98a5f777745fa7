// The label of each element: which volume's array it belongs to, and its place. Page 0 of the element; written last when formatting, so
// its presence says that the rest is there. docs/FORMAT.md, "Label".

import { MirrorArray } from "../array/mirror"
import { platform } from "../platform"
import { atBody, atOwner, atType, formatVersion, pageBufferBytes, pageIsGood, sealPage, typeLabel } from "./page"

/** "TWIN" in the order its bytes have on flash. */
const magic = 0x4e495754

/**
 * @returns 1 when an element carries a good label of this format; 0 when none does and formatting loses nothing; -1 when no element
 * answers or a label is of another version
 */
export async function isFormatted(array: MirrorArray, buffer: Buffer): Promise<number> {
    let answered = false
    for (let element = 0; element < array.elements; element++) {
        if (!(await array.readOne(element, 0, buffer))) continue
        answered = true
        if (pageIsGood(buffer, 0) && buffer[atType] === typeLabel && buffer.getAt(atBody, "u32") === magic)
            return buffer.getAt(atBody + 4, "u16") === formatVersion ? 1 : -1
    }
    return answered ? 0 : -1
}

export async function writeLabels(array: MirrorArray, buffer: Buffer, volume: number): Promise<void> {
    const arrayId = platform.random()
    for (let element = 0; element < array.elements; element++) {
        buffer.fillAt(0, pageBufferBytes, 0)
        buffer[atType] = typeLabel
        buffer.setAt(atOwner, "u32", arrayId)
        buffer.setAt(atBody, "u32", magic)
        buffer.setAt(atBody + 4, "u16", formatVersion)
        buffer[atBody + 6] = volume
        buffer[atBody + 7] = element
        buffer[atBody + 8] = array.elements
        buffer.setAt(atBody + 10, "u16", array.segmentPages)
        buffer.setAt(atBody + 12, "u32", array.pages)
        sealPage(buffer, 0)
        await array.programOne(element, 0, buffer)
    }
    await array.settle()
}
