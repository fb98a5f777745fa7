// Whether anything leads to the pages of a row: what a power cut left, and what was written anew elsewhere since, is not worth a repair.
// docs/decisions/0015-redundancy-nobody-missed.md.

import { readCopy } from "../array/array"
import { pageIsBlank } from "../flash/blank"
import { atUsageStart } from "./log"
import { atBlock, atBody, atLength, atOwner, atType, pageIsGood, typeData, typeNode, typeUsage } from "./page"
import { enterSnapshot, leaveSnapshot, snapshotList } from "./snapshots"
import { isNode } from "./tree"
import { isPartOf } from "./upload"
import { isPinned, usagePerPage } from "./usage"
import { Volume } from "./volume"

/**
 * Whether a row of the log holds a page in use, or may do so. Between two operations of the volume; changes nothing.
 * @param buffer a page buffer, overwritten
 */
export async function isNeeded(volume: Volume, row: number, buffer: Buffer): Promise<boolean> {
    const array = volume.array
    const rowPages = array.rowPages
    const end = (row + 1) * rowPages
    for (let page = row * rowPages; page < end; page++) {
        let isRead = false
        let isLost = false
        // one of them may be an older one
        for (let attempt = 0; attempt < array.copies; attempt++) {
            if (!(await readCopy(array, page, buffer, attempt))) continue
            if (pageIsGood(buffer, page)) {
                if (await isInUse(volume, page, buffer)) return true
                isRead = true
            } else if (attempt === 0 || rowPages === 1) if (!pageIsBlank(buffer)) isLost = true
        }
        // it may have read wrong this once
        if (isLost) if (!isRead) return true
    }
    return false
}

async function isInUse(volume: Volume, page: number, header: Buffer): Promise<boolean> {
    const log = volume.log
    const tree = volume.tree
    const type = header[atType]
    const level = header[atLength]
    const owner = header.getAt(atOwner, "u32")
    const block = header.getAt(atBlock, "u32")
    const object = header.getAt(atBody + 2, "u32")
    const sub = header.getAt(atBody + 6, "u32")
    if (type === typeUsage) return log.root.getAt(atUsageStart, "u32") + block / usagePerPage === page
    // what they appended since the last commit the tree does not know
    for (let i = 0; i < volume.uploads.length; i++) if (isPartOf(volume.uploads[i], page)) return true
    if (type !== typeData) if (type !== typeNode) return page === log.rootPage
    let snapshot = 0
    let isHere = false
    try {
        for (;;) {
            if (type === typeData) isHere = (await volume.pageOf(owner, block)) === page
            else isHere = await isNode(tree, page, level, object, sub)
            leaveSnapshot(tree, log)
            if (isHere) break
            // not that of this volume, so that of a snapshot
            if (!isPinned(log.usage, (page / volume.array.segmentPages) | 0)) break
            if (!(await tree.seek(snapshotList, snapshot + 1))) break
            if (tree.object !== snapshotList) break
            snapshot = tree.sub
            await enterSnapshot(tree, snapshot)
        }
    } catch (e) {
        // its way through a tree is lost
        leaveSnapshot(tree, log)
        return true
    }
    return isHere
}
