/** A readable listing of an array: labels, the newest anchor, the root, segments, trees with their records; a page as hex. */
import type { Reading, Report } from "./check-array"
import { mark } from "./check-array"
import { idText } from "./fields"
import { nameText } from "./names"
import { isGood, lengthOf, none, ownerOf, blockOf, serialOf, sinceOf, typeOf, u16, u32 } from "./page"
import { list, parseProperties, rootDirectory, type Records } from "./records"
import { printable } from "./text"
import { parseNode } from "./tree"

const typeNames = ["?", "data", "node", "root", "anchor", "label", "usage"]
const pageText = (page: number) => (page === none ? "none" : String(page))
const timeText = (mtime: number) => new Date(mtime * 1_000).toISOString().slice(0, 19).replace("T", " ")

export function* dumpArray(report: Report): Generator<string> {
    const { reading } = report
    if (!reading) return
    yield* dumpElements(reading)
    yield* dumpRoot(reading)
    yield "segments (not free):"
    for (const { segment, state, usage, wear } of report.segments)
        if (state !== "free") yield `  ${segment}: ${state}, ${usage} pages in use, wear ${wear}`
    yield "tree:"
    const { root } = reading.state
    yield* dumpNode(reading, root.tree, reading.records, "  ", new Set())
    for (const { record, records } of reading.snapshots) {
        yield printable(`tree of snapshot "${record.name}":`)
        yield* dumpNode(reading, record.tree, records, "  ", new Set())
    }
    for (const { object, session, size, tail } of reading.tail.uploads.values())
        yield `upload ${object} of session ${idText(session)}: ${size} bytes, ${tail.size} blocks in the tail`
}

function* dumpElements({ members }: Reading): Generator<string> {
    const { geometry, anchor, anchorSlot } = members
    yield `${geometry.n} elements of ${geometry.rows} rows, stride ${geometry.stride}; ${geometry.segments} segments of ${geometry.R} rows, ${geometry.S} pages`
    for (const [position, element] of members.elements.entries()) {
        const label = element?.label
        const text = label
            ? `generation ${label.generation}, state ${label.state}, epoch ${label.epoch}`
            : "no good label"
        yield element ? `  position ${position}: ${element.image.name}: ${text}` : `  position ${position}: missing`
    }
    const { sequence, epoch, segment, start, root, serial, rootTail, between, betweenTail } = anchor
    yield `anchor ${sequence} in slot ${anchorSlot}: epoch ${epoch}, segment ${segment} from index ${start}, root ${pageText(root)}, next serial ${serial}`
    yield `  tail: root's segment to ${rootTail}, segment ${between} to ${betweenTail}; members ${anchor.members.toString(2).padStart(geometry.n, "0")}, joining ${anchor.joining === 0xff ? "none" : anchor.joining}, generations ${anchor.generations.slice(0, geometry.n).join(" ")}`
}

function* dumpRoot({ state }: Reading): Generator<string> {
    const { root, rootPage } = state
    yield `root ${rootPage}: commit ${root.commit}, epoch ${root.epoch}, tree ${pageText(root.tree)}, height ${root.height}`
    yield `  next object ${root.nextObject}, ${root.inUse} pages in use, usage pages ${pageText(root.usage)}, wear base ${root.wearBase}`
    for (const { session, sequence, value, status } of root.sessions)
        if (session !== 0) yield `  session ${idText(session)}: sequence ${sequence}, value ${value}, status ${status}`
    for (const { segment, usage, wear } of root.deltas)
        yield `  delta: segment ${segment}, usage ${usage}, wear ${wear}`
}

function* dumpNode(
    reading: Reading,
    number: number,
    records: Records,
    indent: string,
    seen: Set<number>,
): Generator<string> {
    const { pages } = reading
    const page = pages.geometry.isInLog(number) && !seen.has(number) ? pages.read(number) : undefined
    seen.add(number)
    if (!page || typeOf(page) !== 2) return yield `${indent}node ${pageText(number)}: cannot be read`
    yield `${indent}node ${number}: level ${lengthOf(page)}`
    for (const { object, sub, value } of parseNode(page).items) {
        if (lengthOf(page) > 0 && value.length === 4) {
            yield `${indent}  from (${object}, ${sub})`
            yield* dumpNode(reading, u32(value, 0), records, `${indent}  `, seen)
        } else yield printable(`${indent}  (${object}, ${sub}) ${recordText(object, sub, value, records)}`)
    }
}

function recordText(object: number, sub: number, value: Uint8Array, records: Records): string {
    const hex = Buffer.from(value).toString("hex")
    if (object === list.uploads && value.length === 4) return `upload of session ${idText(u32(value, 0))}`
    if (object === list.dropped) return "dropped"
    if (object === list.snapshots) {
        const snapshot = records.snapshots.find(({ number }) => number === sub)
        if (!snapshot) return hex
        const { name, commit, tree, pages, mtime } = snapshot
        return `snapshot "${name}": commit ${commit}, tree ${pageText(tree)}, ${pages} pages, ${timeText(mtime)}`
    }
    if (object === list.properties)
        return `properties: ${parseProperties(value)
            .properties.map(one => `${nameText(one.name)}=${nameText(one.value)}`)
            .join(", ")}`
    const type = records.inodes.get(object)?.type
    if (sub === 0 && value.length === 20) {
        const what = value[0] === 2 ? "directory" : "file"
        return `${what}, flags ${value[1]}, ${u32(value, 4)} bytes, ${timeText(u32(value, 8))}, change ${u32(value, 12)}, parent ${u32(value, 16)}`
    }
    if ((type === 2 || object === rootDirectory) && value.length > 5)
        return `entry "${nameText(value.subarray(5))}": object ${u32(value, 0)}, type ${value[4]}`
    if (value.length === 6) return `extent: block ${sub - 1} on, ${u16(value, 4)} pages from ${pageText(u32(value, 0))}`
    return hex
}

/** Whether the array has such a page: of the log, or of the first rows, which each element has for itself. */
export function hasPage({ reading }: Report, number: number): boolean {
    const geometry = reading?.pages.geometry
    return geometry !== undefined && (geometry.isInLog(number) || number < geometry.R)
}

/** The page as it is on each element, and what is read. */
export function* dumpPage(report: Report, number: number): Generator<string> {
    const { reading } = report
    if (!reading) return
    const { pages, marks, members } = reading
    const { geometry } = pages
    if (!hasPage(report, number)) return yield `page ${number}: the array has no such page`
    if (!geometry.isInLog(number)) {
        for (const element of members.elements)
            if (element) {
                const page = element.image.read(number * geometry.stride, 256)
                yield `page ${number} of ${element.image.name}, byte ${number * geometry.stride}: ${isGood(page, number) ? "good" : "not good"}`
                yield* hexLines(page)
            }
        return
    }
    const page = pages.read(number)
    const uses = Object.entries(mark).flatMap(([name, bit]) => (marks[number] & bit ? [name] : []))
    const { segment, position, image, offset } = pages.place(number)
    const use = uses.length ? `in use (${uses.join(", ")})` : "not in use"
    yield `page ${number}, segment ${segment}, element ${position} (${image ?? "missing"} byte ${offset}): ${use}`
    if (!page) yield "  not good on any element, and cannot be made from the others; what is there:"
    const shown = page ?? pages.peek(number)
    if (!shown) return
    yield `  ${typeNames[typeOf(shown)] ?? "?"}, length ${lengthOf(shown)}, since ${sinceOf(shown)}, serial ${serialOf(shown)}, owner ${ownerOf(shown)}, block ${blockOf(shown)}`
    yield* hexLines(shown)
}

function* hexLines(page: Uint8Array): Generator<string> {
    for (let at = 0; at < page.length; at += 16) {
        const line = Buffer.from(page.subarray(at, at + 16))
        const text = line.toString("latin1").replace(/[^ -~]/g, ".")
        yield `  ${at.toString(16).padStart(2, "0")}  ${line.toString("hex").replace(/../g, "$& ")} ${text}`
    }
}
