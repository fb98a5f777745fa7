/** Which images belong to which array, by their labels and anchors, whatever the files are called. */
import { arrayOfAnchors } from "./anchors"
import { labelOf } from "./elements"
import { formatVersion, idText } from "./fields"
import type { Image } from "./image"
import { isBlank, PageChecks, pageBytes } from "./page"
import { problemCodes, type Problem, type ProblemCode } from "./problems"

export interface Grouped {
    /** The images of each array, in the order given. */
    arrays: Image[][]
    /** Images of no array. */
    strays: Problem[]
}

export function groupImages(images: readonly Image[], checks = new PageChecks()): Grouped {
    const byId = new Map<number, Image[]>()
    const bare: Image[] = []
    const strays: Problem[] = []
    const stray = (code: ProblemCode, image: Image, message: string) =>
        strays.push({ severity: problemCodes[code], code, message, image: image.name, offset: 0 })
    for (const image of images) {
        const label = labelOf(image, checks)
        if (!label) bare.push(image)
        else if (label.version !== formatVersion)
            stray("label-field", image, `format version ${label.version}; this program reads version ${formatVersion}`)
        else byId.set(label.arrayId, [...(byId.get(label.arrayId) ?? []), image])
    }
    for (const image of bare) {
        const id = arrayOfAnchors(image, checks)
        const group = id === undefined ? undefined : byId.get(id)
        if (group) group.push(image)
        else if (id !== undefined)
            stray("element-foreign", image, `no good label, and no labelled element of its array ${idText(id)}`)
        else if (image.bytes >= pageBytes && isBlank(image.read(0, pageBytes)))
            stray("element-blank", image, "is blank")
        else stray("element-unknown", image, "has neither a label nor an anchor: not the image of an element")
    }
    return { arrays: [...byId.values()], strays }
}
