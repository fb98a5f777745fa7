// What a mount makes of the log's tail: open uploads with what lies behind the last root, and rows that a power cut left weak written again.
//
// Crash order: volume.ts, "mounting", steps 3 to 5.

import { appendUploadAgain, recoverPages, resumeUpload, settleUpload, takeAgain } from "./upload"
import { beginCleaner } from "./cleaner"
import { beginWaits, readAgain, ensure } from "./log"
import { platform } from "../platform"
import { uploadList } from "./directory"
import { atBlock, atLength, atOwner, atType, bodyBytes, typeData } from "./page"
import { loadPins } from "./snapshots"
import { readTail, readTailPage } from "./tail"
import { uploadsMax, Volume, uploadOf, hasRuns } from "./volume"

/** Takes the tree from the log's root, and the open uploads from the tree and the tail, but for a row that is not whole. */
export async function restore(volume: Volume): Promise<void> {
    beginCleaner(volume.cleaner)
    volume.tree.load()
    await loadPins(volume.tree, volume.log)
    await findUploads(volume)
    const self = volume
    await readTail(volume.log, (page, object, block, bytes, count, buffer) => {
        const upload = uploadOf(self, object)
        if (!upload) return
        recoverPages(upload, self.log, page, block, bytes, count, buffer)
    })
}

async function findUploads(volume: Volume): Promise<void> {
    const tree = volume.tree
    const uploads = volume.uploads
    const now = platform.now()
    // an upload keeps its slot
    const before: number[] = []
    for (let i = 0; i < uploadsMax; i++) {
        before.push(uploads[i].object)
        uploads[i].object = 0
    }
    let found = 0
    let sub = 1
    while (found < uploadsMax && (await tree.seek(uploadList, sub)) && tree.object === uploadList) {
        const object = tree.sub
        const session = tree.leaf.getAt(tree.valueAt, "u32")
        sub = object + 1
        if (!(await volume.directory.loadAny(object))) continue
        let size = volume.directory.inode.getAt(4, "u32")
        let page = 0
        const block = (size / bodyBytes) | 0
        if (block * bodyBytes !== size) {
            page = await volume.pageOf(object, block)
            // a part of an upload that is lost is not worth the volume
            if (page < 0) size = block * bodyBytes
            else if (!(await volume.log.readPage(page, volume.scratch)))
                if (!(await readAgain(volume.log, page, volume.scratch))) size = block * bodyBytes
        }
        let slot = before.indexOf(object)
        if (slot < 0) slot = 0
        while (uploads[slot].object) slot = (slot + 1) % uploadsMax
        resumeUpload(uploads[slot], object, session, size, page, volume.scratch, now)
        found++
    }
}

/** Takes what is good of a row that is not whole into the log again, and what is in the tail into the tree. */
export async function secure(volume: Volume): Promise<void> {
    const log = volume.log
    const row = log.weakRow
    volume.isRestored = hasRuns(volume)
    if (row >= 0) {
        beginWaits(log)
        await appendAgain(volume, row)
        await volume.array.settle()
        noteSettled(volume)
        volume.isRestored = true
        // what it says is not safe yet, and the next thing that is said may build on it
        if (row === ((log.rootPage / volume.array.rowPages) | 0)) await volume.commit()
    }
    log.weakRow = -1
    volume.orphans = true
    volume.mounted = true
}

/** All that uploads appended is on the elements. */
export function noteSettled(volume: Volume): void {
    for (let i = 0; i < uploadsMax; i++) if (volume.uploads[i].object) settleUpload(volume.uploads[i])
}

/** Appends the pages of open uploads in a row, and those after it, again. */
async function appendAgain(volume: Volume, row: number): Promise<void> {
    const log = volume.log
    const scratch = volume.scratch
    const segmentPages = volume.array.segmentPages
    let page = row * volume.array.rowPages
    // where the tail lies, before anything is appended
    const rootSegment = (log.rootPage / segmentPages) | 0
    const segments = [rootSegment, log.between, log.segment]
    const ends = [log.rootTail, log.betweenTail, log.next]
    // nothing is good behind the last row
    const end = (log.lastRow + 1) * volume.array.rowPages - log.segment * segmentPages
    if (end < log.next) ends[2] = end
    let part = rootSegment === log.segment ? 2 : 0
    while (part < 2 && segments[part] !== ((page / segmentPages) | 0)) part++
    for (; part <= 2; part++) {
        const base = segments[part] * segmentPages
        if (page < base || page >= base + segmentPages) page = base
        for (; page < base + ends[part]; page++) {
            if (!(await readTailPage(log, page, scratch))) continue
            if (scratch[atType] !== typeData) continue
            const upload = uploadOf(volume, scratch.getAt(atOwner, "u32"))
            if (!upload) continue
            if (!takeAgain(upload, log, scratch.getAt(atBlock, "u32"), scratch[atLength], scratch)) continue
            await ensure(log, 1)
            await appendUploadAgain(upload, log)
        }
    }
}
