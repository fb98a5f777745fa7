/** Extents and the data pages they name. From docs/FORMAT.md, "Keys and records". */
import { blockOf, bodyAt, bodyBytes, lengthOf, ownerOf, pageType, typeOf } from "./page"
import type { ArrayPages } from "./pages"
import type { Findings, Place, ProblemCode } from "./problems"
import { blocksOf, directoryType, droppedFlag, fileType, type Extent, type Inode, type Records } from "./records"
import type { TreeKind } from "./objects"

/** What is known of a page that was read as data. */
export const dataState = { unknown: 0, data: 1, lost: 2, other: 3 } as const

/** The headers of data pages, each page read once however many trees name it. */
export class DataPages {
    private readonly states: Uint8Array
    readonly owners: Uint32Array
    readonly blocks: Uint32Array
    readonly lengths: Uint8Array

    constructor(
        private readonly pages: ArrayPages,
        private readonly onRead: () => void,
    ) {
        const { pageEnd } = pages.geometry
        this.states = new Uint8Array(pageEnd)
        this.owners = new Uint32Array(pageEnd)
        this.blocks = new Uint32Array(pageEnd)
        this.lengths = new Uint8Array(pageEnd)
    }

    stateOf(number: number): number {
        if (this.states[number] !== dataState.unknown) return this.states[number]
        this.onRead()
        const page = this.pages.read(number)
        if (!page) return (this.states[number] = dataState.lost)
        if (typeOf(page) !== pageType.data) return (this.states[number] = dataState.other)
        this.owners[number] = ownerOf(page)
        this.blocks[number] = blockOf(page)
        this.lengths[number] = lengthOf(page)
        return (this.states[number] = dataState.data)
    }
}

/** `use` is told each data page; it says whether it was not used before. */
export function checkFiles(
    records: Records,
    kind: TreeKind,
    isComplete: boolean,
    data: DataPages,
    pages: ArrayPages,
    findings: Findings,
    use: (page: number) => boolean,
    where: Place = {},
): void {
    const say = (code: ProblemCode, message: string, leaf: number, object: number) =>
        findings.add(code, message, { ...where, ...pages.place(leaf), object })
    for (const [object, extents] of records.extents) {
        const inode = records.inodes.get(object)
        if (kind === "snapshot" && inode && inode.flags !== 0) continue
        if (inode?.type === fileType) checkCover(inode, extents)
        else if (inode && inode.type !== directoryType) continue
        for (const extent of extents) checkExtent(object, inode, extent)
    }
    for (const [object, inode] of records.inodes) {
        if (inode.type !== fileType || inode.size === 0 || records.extents.has(object) || !isComplete) continue
        // given back altogether, or nobody's business
        if (inode.flags & droppedFlag || (kind === "snapshot" && inode.flags !== 0)) continue
        say("extent-hole", `file ${object} of ${inode.size} bytes has no extents`, inode.leaf, object)
    }

    function checkCover(inode: Inode, extents: Extent[]): void {
        const { object, size, flags } = inode
        let next = flags & droppedFlag ? extents[0].block : 0
        for (const { block, count, leaf } of extents) {
            if (block > next && isComplete)
                say("extent-hole", `blocks ${next} to ${block - 1} of ${object} are nowhere`, leaf, object)
            if (block < next) say("extent-hole", `block ${block} of ${object} is in two extents`, leaf, object)
            next = Math.max(next, block + count)
        }
        const blocks = blocksOf(size)
        if (next > blocks || (next < blocks && isComplete))
            say("extent-hole", `file ${object} of ${size} bytes has ${next} blocks, not ${blocks}`, inode.leaf, object)
    }

    function checkExtent(object: number, inode: Inode | undefined, { block, page, count, leaf }: Extent): void {
        const { geometry } = pages
        const extentText = `extent of ${object}, block ${block}: ${count} pages from ${page}`
        if (count === 0) return say("extent-field", extentText, leaf, object)
        if (!geometry.isInLog(page) || !geometry.isInLog(page + count - 1))
            return say("page-range", `${extentText}: the log has not`, leaf, object)
        if (geometry.segmentOf(page) !== geometry.segmentOf(page + count - 1))
            say("extent-field", `${extentText}: not in one segment`, leaf, object)
        for (let i = 0; i < count; i++) checkBlock(object, inode, block + i, page + i)
    }

    function checkBlock(object: number, inode: Inode | undefined, block: number, page: number): void {
        const wrong = (code: ProblemCode, message: string) =>
            findings.add(code, message, { ...where, ...pages.place(page), object })
        if (!use(page)) wrong("page-twice", `page ${page}, block ${block} of ${object}, is used twice`)
        const state = data.stateOf(page)
        if (state === dataState.lost)
            return wrong(
                "page-lost",
                `block ${block} of ${object} is good on no element and cannot be made from the others`,
            )
        if (state === dataState.other)
            return wrong("page-type", `block ${block} of ${object} is on page ${page}: no data`)
        if (data.owners[page] !== object || data.blocks[page] !== block)
            wrong(
                "block-field",
                `page ${page} is block ${data.blocks[page]} of ${data.owners[page]}, not ${block} of ${object}`,
            )
        const length = data.lengths[page]
        if (length < 1 || length > bodyBytes) return wrong("block-field", `page ${page} holds ${length} bytes`)
        if (inode?.type !== fileType || block >= blocksOf(inode.size)) return
        const least = block === blocksOf(inode.size) - 1 ? inode.size - block * bodyBytes : bodyBytes
        if (length < least)
            wrong(
                "block-field",
                `page ${page}, block ${block} of ${object}, holds ${length} bytes, at least ${least} must be`,
            )
    }
}

/** The bytes that extents hold, `size` of them; undefined when some are nowhere. */
export function readExtents(extents: readonly Extent[], size: number, pages: ArrayPages): Buffer | undefined {
    const bytes = Buffer.alloc(size)
    let next = 0
    for (const { block, page, count } of extents) {
        if (block !== next) return undefined
        for (let i = 0; i < count; i++) {
            const read = pages.geometry.isInLog(page + i) ? pages.read(page + i) : undefined
            if (!read) return undefined
            const at = (block + i) * bodyBytes
            if (at < size) bytes.set(read.subarray(bodyAt, bodyAt + Math.min(bodyBytes, size - at)), at)
        }
        next = block + count
    }
    return next * bodyBytes < size ? undefined : bytes
}
