// Single-field corruptions of good arrays, chosen by a seed: of raw bits, and of fields with the page's check made right again, so that only the
// meaning is wrong. Works on any images that the checker finds good, also on those a firmware wrote.

import type { Report } from "../../tools/check"
import type { Random } from "../../tools/sim/random"
import { seal } from "./image-pages"

export interface Mutation {
    name: string
    /** One of the problems must be at this page, or of this object, or in this image at this byte. */
    page?: number
    object?: number
    image?: number
    offset?: number
    /** Codes that say it as well, wherever: what is changed decides what is read at all. */
    codes?: string[]
    apply(images: Buffer[]): void
}

type Reading = NonNullable<Report["reading"]>
type Edit = (page: Buffer) => void
type Choice = [name: string, edit: Edit, where?: Partial<Mutation>]

const bodyAt = 20
const u32 = (page: Buffer, at: number) => page.readUInt32LE(at)

export class Mutator {
    private readonly reading: Reading
    private readonly position: number[]

    /** `report` is of the unchanged images, in their order. */
    constructor(
        report: Report,
        private readonly random: Random,
    ) {
        this.reading = report.reading!
        const { elements } = this.reading.members
        this.position = elements.map(element => (element ? report.images.indexOf(element.image.name) : -1))
    }

    next(): Mutation {
        const { random } = this
        const kinds = [
            () => this.flip(),
            () => this.flip(),
            () => this.label(),
            () => this.anchor(),
            () => this.log("root", this.reading.state.rootPage, this.rootChoices()),
            () => this.log("root", this.reading.state.rootPage, this.rootChoices()),
            () => this.node(),
            () => this.record(),
            () => this.record(),
            () => this.record(),
            () => this.data(),
            () => this.usage(),
        ]
        for (let tries = 0; tries < 1_000; tries++) {
            const mutation = kinds[random.int(kinds.length)]()
            if (mutation) return mutation
        }
        throw new Error("found nothing to change")
    }

    private pick<Value>(values: readonly Value[]): Value | undefined {
        return values[this.random.int(values.length)]
    }

    private at(image: Buffer, elementPage: number): Buffer {
        const at = elementPage * this.reading.pages.geometry.stride
        return image.subarray(at, at + 256)
    }

    // raw bits

    private flip(): Mutation | undefined {
        const { pages, marks, members } = this.reading
        const { geometry } = pages
        const bit = this.random.int(2048)
        const used = [...marks.keys()].filter(page => marks[page] !== 0)
        const page = this.pick(used)!
        const row = geometry.rowOf(page)
        const what = this.pick(["label", "anchor", "page", "page", "parity"])
        let position = this.random.int(geometry.n)
        let elementPage = row
        if (what === "label") elementPage = 0
        else if (what === "anchor") elementPage = members.anchorSlot
        else if (what === "parity" && !geometry.isMirror) position = geometry.parityPositionOf(row)
        else if (!geometry.isMirror) position = geometry.positionOf(page)
        if (!members.counts(position, Math.floor(elementPage / geometry.R))) return undefined
        // parity of a row of which the missing element holds nothing protects nothing
        const isNeeded = (other: number) =>
            members.counts(geometry.positionOf(other), geometry.segmentOf(other)) || marks[other] !== 0
        if (what === "parity" && !geometry.isMirror)
            for (let other = row * geometry.D; other < (row + 1) * geometry.D; other++)
                if (!isNeeded(other)) return undefined
        const image = this.position[position]
        return {
            name: `bit ${bit} of ${what}, element page ${elementPage} of position ${position}`,
            image,
            offset: elementPage * geometry.stride,
            apply: images => {
                this.at(images[image], elementPage)[bit >> 3] ^= 1 << (bit & 7)
            },
        }
    }

    // fields

    private label(): Mutation | undefined {
        const image = this.pick(this.position.filter(index => index >= 0))!
        const { geometry } = this.reading.pages
        const [name, edit] = this.pick<Choice>([
            ["version", page => (page[bodyAt + 4] = 3)],
            ["volume", page => (page[bodyAt + 6] ^= 1)],
            ["position", page => (page[bodyAt + 7] = (page[bodyAt + 7] + 1) % geometry.n)],
            ["position too high", page => (page[bodyAt + 7] = geometry.n)],
            ["elements", page => (page[bodyAt + 8] = geometry.n === 2 ? 3 : 2)],
            ["state left out", page => (page[bodyAt + 9] = 1)],
            ["state", page => (page[bodyAt + 9] = 2)],
            ["R", page => page.writeUInt16LE(geometry.R + 16, bodyAt + 10)],
            ["rows", page => page.writeUInt32LE(geometry.rows + 1, bodyAt + 12)],
            ["stride", page => page.writeUInt16LE(768 - geometry.stride, bodyAt + 16)],
            ["generation", page => page[bodyAt + 18]++],
            ["epoch", page => page.writeUInt32LE(this.reading.members.anchor.epoch + 1, bodyAt + 20)],
            ["magic", page => (page[bodyAt] = 0x50)],
            ["array id", page => (page[12] ^= 1)],
            ["length", page => (page[5] = 1)],
            ["block", page => (page[16] = 1)],
        ])!
        return {
            name: `label of image ${image}: ${name}`,
            // with one label against another
            codes: ["label-differs", "element-duplicate", "element-out"],
            image,
            offset: 0,
            apply: images => {
                const page = this.at(images[image], 0)
                edit(page)
                seal(page, 0)
            },
        }
    }

    private anchor(): Mutation | undefined {
        const { pages, members, state } = this.reading
        const { geometry, raw } = { geometry: pages.geometry, raw: bodyAt }
        const { anchor, anchorSlot } = members
        const put16 = (at: number, value: number) => (page: Buffer) => page.writeUInt16LE(value, raw + at)
        const put32 = (at: number, value: number) => (page: Buffer) => page.writeUInt32LE(value, raw + at)
        const member = this.pick([...this.position.keys()].filter(position => anchor.members & (1 << position)))!
        const choices: Choice[] = [
            ["epoch below the root's", put32(0, Math.max(0, state.root.epoch - 1))],
            ["segment that is not there", put16(4, geometry.segments)],
            ["reserved segment", put16(4, 0)],
            ["start over the end", put16(6, geometry.S + geometry.D)],
            ["root in the reserved segment", put32(8, 5)],
            ["no root", put32(8, 0xffffffff)],
            ["serial 1", put32(12, 1)],
            ["root tail over the end", put16(16, geometry.S + 1)],
            ["between that is not there", put16(18, geometry.segments)],
            ["between is the present one", put16(18, anchor.segment)],
            ["tail in between over the end", put16(20, geometry.S + 1)],
            ["a member too many", page => (page[raw + 22] |= 1 << geometry.n)],
            ["a member less", page => (page[raw + 22] &= ~(1 << member))],
            ["no member", page => (page[raw + 22] = 0)],
            ["joining that is not there", page => (page[raw + 23] = geometry.n)],
            ["joining is a member", page => (page[raw + 23] = member)],
            ["array id", page => (page[raw + 24] ^= 1)],
            ["generation", page => page[raw + 28 + member]++],
            ["segment 0 away", page => (page[raw + 36] |= 1)],
            // no sequence: with a lower one it counts as an old anchor, and the one before it may lead to the same state
            ["length", page => (page[5] = 1)],
            ["block", page => (page[16] = 1)],
        ]
        const [name, edit] = this.pick(choices)!
        return {
            name: `newest anchor: ${name}`,
            codes: ["array-unreadable", "element-out", "element-stale", "element-missing", "root-field"],
            page: anchorSlot,
            apply: images => {
                for (const [position, image] of this.position.entries()) {
                    if (image < 0 || !members.counts(position, 0)) continue
                    const page = this.at(images[image], anchorSlot)
                    edit(page)
                    seal(page, anchorSlot)
                }
            },
        }
    }

    /** Of a page of the log; on all elements that count, and the parity made right. */
    private log(what: string, number: number, choices: Choice[]): Mutation | undefined {
        const { pages, members } = this.reading
        const { geometry } = pages
        const choice = this.pick(choices)
        if (!choice) return undefined
        const [name, edit, where] = choice
        const old = Buffer.from(pages.read(number)!)
        const changed = Buffer.from(old)
        edit(changed)
        seal(changed, number)
        if (changed.equals(old)) return undefined
        const row = geometry.rowOf(number)
        const segment = geometry.segmentOf(number)
        return {
            name: `${what} ${number}: ${name}`,
            page: number,
            // a root is found by what it says of itself
            codes: what === "root" ? ["array-unreadable"] : [],
            ...where,
            apply: images => {
                for (let position = 0; position < geometry.n; position++) {
                    if (!members.counts(position, segment)) continue
                    const page = this.at(images[this.position[position]], row)
                    if (geometry.isMirror || position === geometry.positionOf(number)) changed.copy(page)
                    else if (position === geometry.parityPositionOf(row))
                        for (let i = 0; i < 256; i++) page[i] ^= old[i] ^ changed[i]
                }
            },
        }
    }

    private headerChoices(hasOwner: boolean): Choice[] {
        const choices: Choice[] = [
            ["type", page => (page[4] = page[4] === 6 ? 1 : 6)],
            ["serial", page => page.writeUInt32LE(page[4] === 3 ? 1 : 0xfffffff0, 8)],
            ["since", page => page.writeUInt16LE(page.readUInt16LE(6) === 0xffff ? 0 : page.readUInt16LE(6) + 1, 6)],
        ]
        if (!hasOwner) choices.push(["owner", page => (page[12] = 1)], ["block", page => (page[16] = 1)])
        return choices
    }

    private rootChoices(): Choice[] {
        const { root } = this.reading.state
        const { records } = this.reading
        const put32 = (at: number, value: number) => (page: Buffer) => page.writeUInt32LE(value >>> 0, bodyAt + at)
        const delta = this.random.int(Math.max(1, root.deltaCount))
        const highest = Math.max(...records.inodes.keys())
        const choices: Choice[] = [
            ...this.headerChoices(false),
            ["length", page => (page[5] = 1)],
            ["commit 0", put32(0, 0)],
            ["epoch", put32(4, this.reading.members.anchor.epoch + 1)],
            ["tree", put32(8, this.reading.state.rootPage), { page: this.reading.state.rootPage }],
            ["height", page => page[bodyAt + 12]++, { page: root.tree }],
            ["deltas", page => (page[bodyAt + 13] = 21)],
            ["usage", put32(20, 3)],
            ["pages in use", put32(24, root.inUse + 1)],
            ["delta's usage", page => page[bodyAt + 138 + 5 * delta]++],
            [
                "delta's segment",
                page => page.writeUInt16LE(this.reading.pages.geometry.segments, bodyAt + 136 + 5 * delta),
            ],
            ["session after a free one", put32(32 + 12 * 7, 77)],
        ]
        if (highest > 1) choices.push(["next object", put32(16, highest), { object: highest }])
        if (root.deltaCount === 0) return choices.filter(([name]) => !name.startsWith("delta's"))
        return choices
    }

    private node(): Mutation | undefined {
        const number = this.pick([...this.reading.tree.nodes])!
        const old = Buffer.from(this.reading.pages.read(number)!)
        const count = old[bodyAt]
        const i = this.random.int(count)
        const key = bodyAt + 2 + 10 * i
        const choices: Choice[] = [
            ...this.headerChoices(false),
            ["level", page => (page[5] ^= 1)],
            ["count", page => page[bodyAt]--],
            ["count too high", page => (page[bodyAt] = 24)],
            ["heap", page => page[bodyAt + 1]++],
            ["offset", page => page[key + 8]++],
            ["length of a value", page => page[key + 9]--],
        ]
        if (i > 0) choices.push(["key", page => page.copy(page, key, key - 10, key - 2)])
        if (old[5] > 0) {
            const child = bodyAt + old[key + 8]
            choices.push(["child", page => page.writeUInt32LE(number, child)])
            choices.push(["child that is not there", page => page.writeUInt32LE(0xfffffff0, child)])
        }
        return this.log("node", number, choices)
    }

    private record(): Mutation | undefined {
        const { tree, records, state } = this.reading
        const item = this.pick(tree.items)
        if (!item) return undefined
        const old = Buffer.from(this.reading.pages.read(item.leaf)!)
        let at = -1
        for (let key = bodyAt + 2; key < bodyAt + 2 + 10 * old[bodyAt]; key += 10)
            if (u32(old, key) === item.object && u32(old, key + 4) === item.sub) at = bodyAt + old[key + 8]
        const { object, sub } = item
        const here = { object }
        const put32 =
            (offset: number, value: number): Edit =>
            page =>
                page.writeUInt32LE(value >>> 0, at + offset)
        const inode = records.inodes.get(object)
        const choices: Choice[] = []
        if (object === 2) choices.push(["session of an upload", put32(0, 0)])
        else if (object === 4)
            choices.push(
                ["commit of a snapshot", put32(0, state.root.commit + 1)],
                ["tree of a snapshot", put32(4, state.rootPage), { page: state.rootPage }],
                ["height of a snapshot", page => page[at + 8]++, { page: u32(old, at + 4) }],
                ["pins of a snapshot", page => (page[at + 20] |= 1)],
                ["a pin that is needed", page => page.fill(0, at + 20, at + 20 + page[at + 9])],
                ["pages of a snapshot", put32(16, 0)],
                ["name of a snapshot", page => (page[at + 20 + page[at + 9]] = 0x2f)],
            )
        else if (object === 5) choices.push(["length of a property", page => page[at]++])
        else if (object >= 16 || object === 1) {
            if (sub === 0) choices.push(...this.inodeChoices(object, at, old))
            else if (inode?.type === 2)
                choices.push(
                    ["object of an entry", put32(0, object)],
                    ["object that is not there", put32(0, 0x0ffffff0)],
                    ["type of an entry", page => (page[at + 4] ^= 3)],
                    ["name", page => (page[at + 5] ^= 1)],
                    ["name that is none", page => (page[at + 5] = 0x2f)],
                    ["name not UTF-8", page => (page[at + 5] = 0xff)],
                )
            else
                choices.push(
                    ["page of an extent", put32(0, u32(old, at) + 1), here],
                    ["page that is not there", put32(0, 0xfffffff0)],
                    ["count of an extent", page => page.writeUInt16LE(page.readUInt16LE(at + 4) + 1, at + 4), here],
                    ["count 0", page => page.writeUInt16LE(0, at + 4), here],
                )
        }
        return this.log(`record (${object}, ${sub}) in leaf`, item.leaf, choices)
    }

    private inodeChoices(object: number, at: number, old: Buffer): Choice[] {
        const choices: Choice[] = [
            ["type", page => (page[at] ^= 3), { object }],
            ["type 0", page => (page[at] = 0), { object }],
            ["flags: upload", page => (page[at + 1] ^= 1), { object }],
            ["flags: dropped", page => (page[at + 1] ^= 2), { object }],
            ["flags: properties", page => (page[at + 1] ^= 4), { object }],
            ["flags", page => (page[at + 1] |= 8), { object }],
            ["parent", page => page.writeUInt32LE(u32(page, at + 16) + 1, at + 16), { object }],
        ]
        // of a dropped object neither is said
        if (old[at + 1] & 2) return choices.filter(([name]) => name !== "parent" && name !== "flags: upload")
        choices.push(["size", page => page.writeUInt32LE(u32(page, at + 4) + 1, at + 4), { object }])
        if (u32(old, at + 4) > 0) choices.push(["size 0", page => page.writeUInt32LE(0, at + 4), { object }])
        return choices
    }

    private data(): Mutation | undefined {
        const { records } = this.reading
        const object = this.pick([...records.extents.keys()])
        if (object === undefined) return undefined
        const extent = this.pick(records.extents.get(object)!)!
        const i = this.random.int(extent.count)
        return this.log("data", extent.page + i, [
            ...this.headerChoices(true),
            ["length 0", page => (page[5] = 0)],
            ["length too high", page => (page[5] = 237)],
            ["owner", page => (page[12] ^= 1)],
            ["block", page => (page[16] ^= 1)],
        ])
    }

    private usage(): Mutation | undefined {
        const { space, state, pages } = this.reading
        const i = this.random.int(space.pages.length)
        if (space.pages.length === 0) return undefined
        const segment = 78 * i + this.random.int(78)
        const choices: Choice[] = [...this.headerChoices(true), ["first segment", page => page[16]++]]
        choices.push(["owner", page => (page[12] = 1)], ["length", page => (page[5] = 1)])
        const isReplaced = state.root.deltas.some(delta => delta.segment === segment)
        if (segment < pages.geometry.segments && !isReplaced)
            choices.push(["usage of a segment", page => page[bodyAt + 2 * (segment % 78)]++])
        return this.log("usage page", space.pages[i], choices)
    }
}
