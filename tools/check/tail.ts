/** What open uploads hold behind the root. From docs/FORMAT.md, "Uploads". */
import { bodyAt, bodyBytes, blockOf, lengthOf, ownerOf, pageType, typeOf } from "./page"
import type { ArrayPages } from "./pages"
import type { Findings } from "./problems"
import type { Records } from "./records"
import type { State } from "./state"
import { readExtents } from "./files"

export interface Upload {
    object: number
    session: number
    /** Held in the tree and the tail. */
    size: number
    /** Pages of blocks that the tail added, by block. */
    tail: Map<number, number>
}

export interface Tail {
    uploads: Map<number, Upload>
    /** Segments with pages behind the root that may matter. */
    segments: Set<number>
}

/** First and last page (not included) of each part of the tail, in order. */
function partsOf({ rootPage, end }: State, pages: ArrayPages): [number, number][] {
    const { geometry, members } = pages
    const { S } = geometry
    const { segment, rootTail, between, betweenTail } = members.anchor
    const rootSegment = geometry.segmentOf(rootPage)
    if (rootSegment === segment) return [[rootPage + 1, segment * S + end]]
    const parts: [number, number][] = []
    if (rootTail > 0) parts.push([rootPage + 1, rootSegment * S + Math.min(rootTail, S)])
    if (between > 0 && between < geometry.segments) parts.push([between * S, between * S + Math.min(betweenTail, S)])
    parts.push([segment * S, segment * S + end])
    return parts
}

/** `use` is told each page of the tail that holds something. */
export function readTail(
    state: State,
    records: Records,
    pages: ArrayPages,
    findings: Findings,
    use: (page: number) => void,
): Tail {
    const uploads = new Map<number, Upload>()
    for (const [object, { session }] of records.uploads) {
        const size = records.inodes.get(object)?.size ?? 0
        uploads.set(object, { object, session, size, tail: new Map() })
    }
    const segments = new Set<number>([pages.members.anchor.segment])
    for (const [from, to] of partsOf(state, pages)) {
        if (to > from) segments.add(pages.geometry.segmentOf(from))
        if (uploads.size === 0) continue
        for (let number = from; number < to; number++) {
            const page = pages.read(number)
            if (!page || typeOf(page) !== pageType.data) continue
            const upload = uploads.get(ownerOf(page))
            if (!upload) continue
            const block = blockOf(page)
            const next = Math.floor(upload.size / bodyBytes)
            const size = block * bodyBytes + lengthOf(page)
            const isNext = block === next && size >= upload.size
            const isAgain = block === next - 1 && lengthOf(page) === bodyBytes && upload.tail.has(block)
            if (isNext || isAgain) {
                upload.size = Math.max(upload.size, size)
                upload.tail.set(block, number)
            } else if (block > next)
                findings.add(
                    "tail-gap",
                    `block ${block} of upload ${upload.object}, which holds ${upload.size} bytes`,
                    {
                        ...pages.place(number),
                        object: upload.object,
                    },
                )
        }
    }
    for (const upload of uploads.values()) for (const page of upload.tail.values()) use(page)
    return { uploads, segments }
}

/** All that an upload holds; undefined when some of it is lost. */
export function readUpload(upload: Upload, records: Records, pages: ArrayPages): Buffer | undefined {
    const treeSize = records.inodes.get(upload.object)?.size ?? 0
    const inTree = readExtents(records.extents.get(upload.object) ?? [], treeSize, pages)
    if (!inTree) return undefined
    const bytes = Buffer.alloc(upload.size)
    bytes.set(inTree)
    for (const [block, number] of upload.tail) {
        const page = pages.read(number)
        if (!page) return undefined
        bytes.set(page.subarray(bodyAt, bodyAt + lengthOf(page)), block * bodyBytes)
    }
    return bytes
}
