/**
 * Repairs an array in memory: what redundancy allows to make again, and figures that the tree gives. Nothing that a check finds worse than
 * before is kept, and a damaged tree is left as it is: what is lost, only a person can decide on. Nothing at all while copies of elements are
 * beside them.
 *
 * Repaired: bad copies and parity, a weak last row, labels, the newest anchor; usage, pages in use, next object.
 */
import { goodPage } from "./anchors"
import { checkArray, type CheckOptions, type Reading, type Report } from "./check-array"
import { deltasMax, formatVersion, idText, rootAt, usagesPerPage } from "./fields"
import { ChangedImage, type Image } from "./image"
import { bodyAt, checkOf, pageBytes, PageChecks, pageType, putU16, putU32, u32 } from "./page"
import type { Problem, ProblemCode } from "./problems"

export interface Repair {
    /** What was done, for people. */
    steps: string[]
    /** In the order given; those without changes have none in `changes`. */
    images: ChangedImage[]
    before: Report
    after: Report
    /** Why nothing was done, whatever there is to repair. */
    refusal: string | undefined
}

/** Redundancy, then figures, then once more. */
const passesMax = 4

export function repairArray(originals: readonly Image[], options: CheckOptions = {}): Repair {
    const checks = options.pageChecks ?? new PageChecks()
    const settings = { ...options, pageChecks: checks }
    let images = originals.map(image => new ChangedImage(image))
    const before = checkArray(images, settings)
    let after = before
    const steps: string[] = []
    const copies = before.notes.filter(({ code }) => code === "element-duplicate")
    if (copies.length > 0) {
        // pages of one would be written into the other, and nobody could tell them apart any more
        const refusal = `copies of elements are beside them, move them away: ${copies.map(({ image }) => image).join(", ")}`
        return { steps, images, before, after, refusal }
    }
    for (let pass = 0; pass < passesMax && after.reading; pass++) {
        const tried = originals.map((image, i) => {
            const copy = new ChangedImage(image)
            for (const [offset, page] of images[i].changes) copy.write(offset, page)
            return copy
        })
        const report = checkArray(tried, settings)
        const done = new Pass(report, checks).run()
        if (done.length === 0) break
        const result = checkArray(tried, settings)
        if (!isBetter(result, after)) break
        steps.push(...done)
        images = tried
        after = result
    }
    return { steps, images, before, after, refusal: undefined }
}

function isBetter(now: Report, before: Report): boolean {
    if (!now.isReadable || now.faults.length > before.faults.length) return false
    return now.faults.length < before.faults.length || now.degraded.length < before.degraded.length
}

const rowCodes: ProblemCode[] = ["copy-bad", "row-weak", "parity-bad"]
const labelCodes: ProblemCode[] = ["label-bad", "label-field", "label-differs", "page-field"]
const spaceCodes: ProblemCode[] = ["usage-count", "usage-sum", "next-object"]

class Pass {
    private readonly steps: string[] = []
    private readonly reading: Reading
    private readonly problems: Problem[]

    constructor(
        report: Report,
        private readonly checks: PageChecks,
    ) {
        this.reading = report.reading!
        this.problems = [...report.faults, ...report.degraded]
    }

    run(): string[] {
        this.labels()
        this.anchors()
        const rows = this.problems.filter(({ code }) => rowCodes.includes(code))
        for (const problem of rows) this.row(problem)
        // figures when all copies are right, and only when nothing else is wrong with what they count
        const faults = this.problems.filter(({ severity }) => severity === "fault")
        if (this.steps.length === 0 && faults.length > 0 && faults.every(({ code }) => spaceCodes.includes(code)))
            this.figures()
        return this.steps
    }

    private write(image: Image, offset: number, page: Uint8Array, step: string): void {
        if (offset + pageBytes > image.bytes) return
        ;(image as ChangedImage).write(offset, page)
        this.steps.push(`${image.name}: ${step}`)
    }

    private labels(): void {
        const { members } = this.reading
        const { label: common, anchor, volume } = members
        const volumes = this.problems.filter(({ code, message }) => code === "label-differs" && /volume/.test(message))
        for (const element of members.elements) {
            if (!element) continue
            const isWrong = this.problems.some(
                ({ code, image, offset }) =>
                    labelCodes.includes(code) && image === element.image.name && (offset ?? 0) === 0,
            )
            // which of two volumes is right, no third says
            if (!isWrong || (volumes.length > 1 && element.label)) continue
            const page = new Uint8Array(pageBytes)
            page[4] = pageType.label
            putU32(page, 12, common.arrayId)
            const body = page.subarray(bodyAt)
            body.set(Buffer.from("TWIN", "latin1"))
            putU16(body, 4, formatVersion)
            body[6] = volume
            body[7] = element.position
            body[8] = common.elements
            putU16(body, 10, common.segmentRows)
            putU32(body, 12, common.rows)
            putU16(body, 16, common.stride)
            body[18] = anchor.generations[element.position]
            putU32(body, 20, anchor.epoch)
            putU32(page, 0, checkOf(page, 0))
            this.write(
                element.image,
                0,
                page,
                `label written: position ${element.position} of array ${idText(common.arrayId)}`,
            )
        }
    }

    private anchors(): void {
        const { members } = this.reading
        const { elements, anchorSlot, geometry } = members
        if (!this.problems.some(({ code }) => code === "anchor-copy")) return
        // a board looks at the first slot of a sector before all others
        for (const slot of new Set([anchorSlot - (anchorSlot % 16), anchorSlot])) {
            const good = elements.map(element => element && goodPage(element.image, slot, geometry.stride, this.checks))
            const isNewest = (page: Uint8Array | undefined) =>
                page && (slot !== anchorSlot || u32(page, 12) === members.anchor.sequence)
            const source = good.find(isNewest)
            if (!source) continue
            for (const [position, element] of elements.entries())
                if (element && !isNewest(good[position]))
                    this.write(element.image, slot * geometry.stride, source, `anchor in slot ${slot} written`)
        }
    }

    private row({ page, position, offset }: Problem): void {
        const { pages } = this.reading
        const { geometry, members } = pages
        const element = position === undefined ? undefined : members.elements[position]
        if (!element || offset === undefined) return
        const row = offset / geometry.stride
        const content = page === undefined ? pages.xor(row, position!) : pages.read(page)
        const what = page === undefined ? `parity of row ${row}` : `page ${page}`
        if (content) this.write(element.image, offset, content, `${what} written from the others`)
    }

    private figures(): void {
        const { reading } = this
        const { state, space, counted, records, tree } = reading
        if (!tree.isComplete || !space.isComplete) return
        const root = new Uint8Array(reading.pages.read(state.rootPage)!)
        const body = root.subarray(bodyAt)
        const usagePages = new Map(space.pages.map(number => [number, new Uint8Array(reading.pages.read(number)!)]))
        let deltas = state.root.deltaCount
        const changed: string[] = []
        for (const [segment, usage] of space.usage.entries()) {
            if (usage === counted[segment] || usage === 0xffff) continue
            changed.push(`segment ${segment}: ${counted[segment]}`)
            const delta = state.root.deltas.findIndex(one => one.segment === segment)
            const usagePage = usagePages.get(space.pages[Math.floor(segment / usagesPerPage)])
            if (delta >= 0) putU16(body, rootAt.deltas + 5 * delta + 2, counted[segment])
            else if (usagePage) putU16(usagePage, bodyAt + 2 * (segment % usagesPerPage), counted[segment])
            else if (deltas < deltasMax) {
                const at = rootAt.deltas + 5 * deltas++
                putU16(body, at, segment)
                putU16(body, at + 2, counted[segment])
                body[at + 4] = space.wear[segment]
            } else return
        }
        body[rootAt.deltaCount] = deltas
        const sum = counted.reduce((total, pages, segment) => total + (space.usage[segment] === 0xffff ? 0 : pages), 0)
        putU32(body, rootAt.inUse, sum)
        let highest = state.root.nextObject - 1
        for (const tree of [records, ...reading.snapshots.map(one => one.records)])
            for (const object of tree.inodes.keys()) highest = Math.max(highest, object)
        putU32(body, rootAt.nextObject, highest + 1)
        for (const [number, page] of usagePages) this.rewrite(number, page, `usage page ${number} written`)
        const figures = [...changed, `${sum} pages in use`, `next object ${highest + 1}`].join(", ")
        this.rewrite(state.rootPage, root, `root ${state.rootPage} written with ${figures}`)
    }

    /** Other contents for a page, on every element that counts, and its row's parity. */
    private rewrite(number: number, page: Uint8Array, step: string): void {
        const { pages } = this.reading
        const { geometry, members } = pages
        const old = pages.read(number)!
        putU32(page, 0, checkOf(page, number))
        if (Buffer.compare(old, page) === 0) return
        const row = geometry.rowOf(number)
        for (let position = 0; position < geometry.n; position++) {
            const raw = pages.raw(position, row)
            if (!raw) continue
            const { image } = members.elements[position]!
            if (geometry.isMirror || position === geometry.positionOf(number))
                this.write(image, row * geometry.stride, page, step)
            else if (position === geometry.parityPositionOf(row)) {
                const parity = raw.map((byte, i) => byte ^ old[i] ^ page[i])
                this.write(image, row * geometry.stride, parity, `parity of row ${row} written`)
            }
        }
    }
}
