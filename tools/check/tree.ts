/** A tree of nodes: its layout, levels, order and separators; all its items in order. From docs/FORMAT.md, "Node". */
import { bodyAt, bodyBytes, blockOf, lengthOf, none, ownerOf, pageType, typeOf, u32 } from "./page"
import type { ArrayPages } from "./pages"
import type { Findings, Place } from "./problems"

export interface Item {
    object: number
    sub: number
    value: Uint8Array
    /** The leaf it is in. */
    leaf: number
}

interface Key {
    object: number
    sub: number
}

interface NodeItem extends Key {
    value: Uint8Array
}

export interface TreeReading {
    items: Item[]
    nodes: Set<number>
    /** Whether every node was read: otherwise what is not found may be in one that is lost. */
    isComplete: boolean
}

/** Deepest tree that can be: 4 billion pages, 2 children at least to a node. */
const heightMax = 32
const entryBytes = 10
const entriesAt = 2

const isLess = (one: Key, other: Key) =>
    one.object < other.object || (one.object === other.object && one.sub < other.sub)
const keyText = ({ object, sub }: Key) => `(${object}, ${sub})`

/** The items of a node's page; the faults of its layout. */
export function parseNode(page: Uint8Array): { items: NodeItem[]; faults: string[] } {
    const b = page.subarray(bodyAt)
    const count = b[0]
    const heap = b[1]
    const faults: string[] = []
    const items: NodeItem[] = []
    const keysEnd = entriesAt + entryBytes * count
    if (keysEnd > bodyBytes) return { items, faults: [`${count} keys do not fit`] }
    if (heap < keysEnd || heap > bodyBytes) faults.push(`heap ${heap} with ${count} keys`)
    const spans: [number, number][] = []
    for (let at = entriesAt; at < keysEnd; at += entryBytes) {
        const offset = b[at + 8]
        const length = b[at + 9]
        if (offset + length > bodyBytes) faults.push(`a value at ${offset} of ${length} bytes`)
        spans.push([offset, length])
        items.push({ object: u32(b, at), sub: u32(b, at + 4), value: b.subarray(offset, offset + length) })
    }
    spans.sort((one, other) => one[0] - other[0])
    let next = heap
    for (const [offset, length] of spans) {
        if (offset !== next) {
            faults.push(`values overlap or leave a hole at ${Math.min(offset, next)}`)
            break
        }
        next = offset + length
    }
    if (faults.length === 0 && next !== bodyBytes) faults.push(`values end at ${next}`)
    return { items, faults }
}

interface Visit {
    page: number
    level: number
    from: Key
    /** Below this; undefined = no bound. */
    below: Key | undefined
}

/** `use` is told each node once; it says whether it was not used before. */
export function readTree(
    top: number,
    height: number,
    pages: ArrayPages,
    findings: Findings,
    use: (page: number) => boolean,
    where: Place = {},
): TreeReading {
    const reading: TreeReading = { items: [], nodes: new Set(), isComplete: true }
    let previous: Key | undefined
    const visit = ({ page: number, level: wanted, from, below }: Visit, parent: number | undefined) => {
        const place = { ...where, ...pages.place(number) }
        const parentPlace = parent === undefined ? place : { ...where, ...pages.place(parent) }
        const lost = (code: "page-range" | "page-lost" | "page-type" | "page-twice", message: string, at = place) => {
            findings.add(code, message, at)
            reading.isComplete = false
        }
        if (!pages.geometry.isInLog(number)) return lost("page-range", `a child is page ${number}`, parentPlace)
        if (reading.nodes.has(number)) return lost("page-twice", `node ${number} is in the tree twice`)
        reading.nodes.add(number)
        const page = pages.read(number)
        if (!page) return lost("page-lost", `node ${number} is good on no element and cannot be made from the others`)
        if (typeOf(page) !== pageType.node)
            return lost("page-type", `page ${number} should be a node and has type ${typeOf(page)}`)
        if (!use(number)) findings.add("page-twice", `node ${number} is used twice`, place)
        if (ownerOf(page) !== 0 || blockOf(page) !== 0)
            findings.add("page-field", `node ${number}: owner and block must be 0`, place)
        if (lengthOf(page) !== wanted)
            findings.add("node-level", `node ${number} has level ${lengthOf(page)}; it must be ${wanted}`, place)
        // of a root and its top node that disagree, the node is right: below it all levels follow
        const level = parent === undefined ? Math.min(lengthOf(page), heightMax) : wanted
        const { items, faults } = parseNode(page)
        for (const fault of faults) findings.add("node-layout", `node ${number}: ${fault}`, place)
        if (items.length === 0 && faults.length === 0) findings.add("node-empty", `node ${number} has no key`, place)
        if (faults.length > 0 && items.length === 0) reading.isComplete = false
        for (const [i, item] of items.entries()) {
            const before = level > 0 ? items[i - 1] : previous
            if (before && !isLess(before, item))
                findings.add("node-order", `node ${number}: ${keyText(item)} after ${keyText(before)}`, place)
            if ((isLess(item, from) && (level === 0 || i > 0)) || (below && !isLess(item, below)))
                findings.add(
                    "node-separator",
                    `node ${number}: ${keyText(item)} must be from ${keyText(from)} to below ${below ? keyText(below) : "the end"}`,
                    place,
                )
            if (level === 0) {
                previous = item
                reading.items.push({ ...item, leaf: number })
            } else if (item.value.length !== 4)
                lost("page-range", `node ${number}: a child's page of ${item.value.length} bytes`)
            else
                visit(
                    {
                        page: u32(item.value, 0),
                        level: level - 1,
                        from: isLess(item, from) ? from : item,
                        below: items[i + 1] ?? below,
                    },
                    number,
                )
        }
    }
    if (top === none) return reading
    if (height > heightMax) {
        findings.add("node-level", `a tree of height ${height}`, { ...where, ...pages.place(top) })
        reading.isComplete = false
    } else visit({ page: top, level: height, from: { object: 0, sub: 0 }, below: undefined }, undefined)
    return reading
}
