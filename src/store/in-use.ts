// Whether anything leads to the pages of a row: what a power cut left, and what was written anew elsewhere since, is not worth a repair.
// docs/decisions/0015-redundancy-nobody-missed.md.

import { readCopy } from "../array/array"
import { atUsageStart, available } from "./log"
import { atBlock, atBody, atLength, atOwner, atType, pageIsGood, typeData, typeNode, typeUsage } from "./page"
import { isNode } from "./tree"
import { isPinned, usagePerPage } from "./usage"
import { Volume } from "./volume"

/**
 * Whether a row of the log holds a page in use, or may do so. Commits what open uploads appended, so that the tree tells.
 * @param buffer a page buffer, overwritten
 */
export async function isNeeded(volume: Volume, row: number, buffer: Buffer): Promise<boolean> {
    const log = volume.log
    const array = volume.array
    // what only a snapshot leads to is not looked for
    if (isPinned(log.usage, (row / array.segmentRows) | 0)) return true
    if (volume.hasRuns()) {
        if (available(log) === 0) return true
        await volume.commit()
    }
    const end = (row + 1) * array.rowPages
    for (let page = row * array.rowPages; page < end; page++)
        // one of them may be an older one
        for (let attempt = 0; attempt < array.copies; attempt++)
            if (await readCopy(array, page, buffer, attempt))
                if (pageIsGood(buffer, page)) if (await isInUse(volume, page, buffer)) return true
    return false
}

async function isInUse(volume: Volume, page: number, header: Buffer): Promise<boolean> {
    const log = volume.log
    const type = header[atType]
    const block = header.getAt(atBlock, "u32")
    const key = header.getAt(atBody + 2, "u32")
    try {
        if (type === typeData) return (await volume.pageOf(header.getAt(atOwner, "u32"), block)) === page
        if (type === typeNode)
            return await isNode(volume.tree, page, header[atLength], key, header.getAt(atBody + 6, "u32"))
    } catch (e) {
        // its way through the tree is lost
        return true
    }
    if (type === typeUsage) return log.root.getAt(atUsageStart, "u32") + block / usagePerPage === page
    return page === log.rootPage
}
