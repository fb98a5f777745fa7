/**
 * Which images are elements of one array, and which of them are to be read: labels and the newest anchor. From
 * docs/FORMAT.md, "Label", "Anchor" and "Finding the state" 1 and 2.
 */
import { anchorsOf, arrayOfAnchors, goodPage, newestAnchor, type Found } from "./anchors"
import { addCopy, Times, withoutCopies } from "./copies"
import {
    bit,
    elementsMax,
    formatVersion,
    idText,
    nobody,
    readAnchor,
    readLabel,
    segmentsMax,
    type Anchor,
    type Label,
} from "./fields"
import { Geometry } from "./geometry"
import type { Image } from "./image"
import { blockOf, isBlank, lengthOf, none, pageBytes, samePage, type PageChecks } from "./page"
import type { Findings, Place } from "./problems"

export interface Element {
    image: Image
    /** undefined: it has no good label, but belongs by its anchors. */
    label: Label | undefined
    position: number
}

export interface Members {
    geometry: Geometry
    /** The volume that most labels say. */
    volume: number
    /** What all labels of the array have in common; volume, position, state, generation and epoch are of one of them. */
    label: Label
    anchor: Anchor
    /** The slot of the newest anchor; on some elements it may not be good. */
    anchorSlot: number
    /** By position; what is missing, stale or left out is undefined. */
    elements: (Element | undefined)[]
    /** Whether the position holds what is in the segment. */
    counts(position: number, segment: number): boolean
}

/** The label of an image, whatever its version; undefined when it has none that is good. */
export function labelOf(image: Image, checks: PageChecks): Label | undefined {
    const page = goodPage(image, 0, pageBytes, checks)
    return page && readLabel(page)
}

/** The generation an element has: its label's; without one `wanted`, if one of its anchors is from that time. */
function generationOf({ image, label, position }: Element, wanted: number, checks: PageChecks): number | undefined {
    if (label) return label.generation
    let last: number | undefined
    for (const { generations } of anchorsOf(image, checks)) {
        last = generations[position]
        if (last === wanted) break
    }
    return last
}

/** Why a label makes no sense; undefined when it does. */
export function labelFault(label: Label): string | undefined {
    const { elements, position, segmentRows, rows, stride, state } = label
    if (label.version !== formatVersion) return `version ${label.version}; this program reads version ${formatVersion}`
    if (elements < 2 || elements > elementsMax) return `${elements} elements; an array has 2 to ${elementsMax}`
    if (position >= elements) return `position ${position} of ${elements} elements`
    if (state > 1) return `state ${state}`
    if (segmentRows < 48 || segmentRows % 16 !== 0) return `R = ${segmentRows}; at least 48 and a multiple of 16`
    if (stride !== 256 && stride !== 512) return `stride ${stride}`
    const geometry = new Geometry(label)
    if (geometry.S > 32_768) return `segments of ${geometry.S} pages; at most 32768`
    if (geometry.segments < 2 || geometry.segments > segmentsMax)
        return `${rows} rows make ${geometry.segments} segments; 2 to ${segmentsMax}`
    return undefined
}

const shapeOf = (l: Label) => `${l.arrayId} ${l.elements} ${l.segmentRows} ${l.rows} ${l.stride}`

/** What the labels say the array is: what most say, or all that equally many say; none when no label is good. */
export function likelyShapes(images: readonly Image[], checks: PageChecks): Label[] {
    const votes = new Map<string, { label: Label; votes: number }>()
    for (const image of images) {
        const label = labelOf(image, checks)
        if (!label || labelFault(label)) continue
        const known = votes.get(shapeOf(label)) ?? { label, votes: 0 }
        // one that was left out has less to say
        known.votes += label.state === 0 ? 2 : 1
        votes.set(shapeOf(label), known)
    }
    const most = Math.max(...[...votes.values()].map(one => one.votes))
    return [...votes.values()].filter(one => one.votes === most).map(one => one.label)
}

/** `common`: what the array is. undefined: it cannot be read; the finding says why. */
export function findMembers(
    images: readonly Image[],
    common: Label,
    findings: Findings,
    checks: PageChecks,
): Members | undefined {
    const labelled: Element[] = []
    const bare: Image[] = []
    for (const image of images) {
        const label = labelOf(image, checks)
        const fault = label && labelFault(label)
        if (fault) findings.add("label-field", `label: ${fault}`, { image: image.name, page: 0, offset: 0 })
        if (label && !fault) labelled.push({ image, label, position: label.position })
        else if (label?.version === formatVersion || !label) bare.push(image)
    }
    const geometry = new Geometry(common)
    const ours = ofThisArray(labelled, common, bare, findings)
    const unlabelled = bare.filter(image => arrayOfAnchors(image, checks) === common.arrayId)
    const inUse = ours.filter(({ label }) => label?.state !== 1)
    const sources = [...inUse.map(({ image }) => image), ...unlabelled]
    const newest = newestAnchor(sources, common, geometry, findings, checks)
    if (!newest) {
        withoutLabel(bare, ours, common, findings, checks)
        const why = sources.length === 0 ? "every element was left out" : "no element has a good anchor"
        findings.add("array-unreadable", why)
        return undefined
    }
    const { anchor } = newest
    const times = new Times(sources, newest, geometry, checks)
    const single = withoutCopies(ours, times, geometry, findings, checks)
    const isMember = (position: number) => (anchor.members & (1 << position)) !== 0
    const isCounted = ({ label, position }: Element) =>
        label?.state !== 1 &&
        (label?.generation ?? anchor.generations[position]) === anchor.generations[position] &&
        (isMember(position) || anchor.joining === position)
    const isPast = (element: Element, among: Element[]) => isCounted(element) && times.isPast(element, among)
    const present = single.filter(element => !isPast(element, single))
    // the newest first: an older one does not take its place
    if (bare.length > 1) bare.sort((one, other) => times.anchorsAfter(one) - times.anchorsAfter(other))
    present.push(...withoutLabel(bare, present, common, findings, checks))
    const candidates = [...present, ...single.filter(element => !present.includes(element))]
    const past = new Set(candidates.filter(element => isPast(element, candidates)))
    for (const { image, position } of candidates)
        if (image.bytes < (geometry.rows - 1) * geometry.stride + pageBytes)
            findings.add("image-short", `${image.bytes} bytes; the array has ${geometry.rows * geometry.stride}`, {
                image: image.name,
                position,
            })
    const elements = byPosition(candidates, past, newest, geometry, findings, checks)
    const counts = (position: number, segment: number) =>
        elements[position] !== undefined &&
        (isMember(position) || (anchor.joining === position && !bit(anchor.away, segment)))
    const left = elements.filter((element, position) => element && (isMember(position) || anchor.joining === position))
    if (left.length < (geometry.isMirror ? 1 : geometry.n - 1)) {
        const least = geometry.isMirror ? "one" : geometry.n - 1
        const why = `${left.length} of ${geometry.n} elements can be read, at least ${least} must`
        // the newer ones may be few, and a backup beside them whole
        const hint = past.size > 0 ? "; a check of the older ones alone may read what was then" : ""
        findings.add("array-unreadable", why + hint)
        return undefined
    }
    const members = {
        geometry,
        volume: common.volume,
        label: common,
        anchor,
        anchorSlot: newest.slot,
        elements,
        counts,
    }
    members.volume = checkLabels(members, findings, checks)
    checkAnchor(members, findings, checks)
    return members
}

function ofThisArray(labelled: Element[], common: Label, bare: Image[], findings: Findings): Element[] {
    return labelled.filter(({ image, label }) => {
        const place = { image: image.name, page: 0, offset: 0, position: label!.position }
        if (label!.arrayId !== common.arrayId)
            findings.add("element-foreign", `belongs to array ${idText(label!.arrayId)}`, place)
        else if (shapeOf(label!) !== shapeOf(common)) {
            const { elements, segmentRows, rows, stride } = label!
            const shape = `${elements} elements, R ${segmentRows}, ${rows} rows, stride ${stride}`
            findings.add("label-differs", `label: ${shape}: not the shape of the others`, place)
            bare.push(image)
        } else return true
        return false
    })
}

/** Elements that lost their label belong at the position that is their slot, when their anchors say so. */
function withoutLabel(
    bare: Image[],
    known: Element[],
    common: Label,
    findings: Findings,
    checks: PageChecks,
): Element[] {
    const found: Element[] = []
    for (const image of bare) {
        const place = { image: image.name, page: 0, offset: 0 }
        const id = arrayOfAnchors(image, checks)
        const free = Array.from({ length: common.elements }, (_, i) => i).filter(
            position => ![...known, ...found].some(other => other.position === position),
        )
        // on a host the slot may be unknown; with one position free there is no doubt
        const position = image.slot !== undefined && free.includes(image.slot) ? image.slot : free[0]
        if (id === common.arrayId && position !== undefined && (free.length === 1 || image.slot === position)) {
            findings.add("label-bad", `no good label; it belongs at position ${position}`, { ...place, position })
            found.push({ image, label: undefined, position })
        } else if (id !== undefined)
            findings.add("element-foreign", `no good label; its anchors are of array ${idText(id)}`, place)
        else if (image.bytes >= pageBytes && isBlank(image.read(0, pageBytes)))
            findings.add("element-blank", "is blank", place)
        else findings.add("element-unknown", "has neither a label nor an anchor", place)
    }
    return found
}

/** Says what is missing, stale, left out or of an earlier time. `past`: what others are newer than comes last in `candidates`. */
function byPosition(
    candidates: Element[],
    past: ReadonlySet<Element>,
    { anchor, slot }: Found,
    geometry: Geometry,
    findings: Findings,
    checks: PageChecks,
): (Element | undefined)[] {
    const elements = new Array<Element | undefined>(geometry.n).fill(undefined)
    const whyNot = new Array<string>(geometry.n).fill("")
    const isTold = new Array<boolean>(geometry.n).fill(false)
    for (const element of candidates) {
        const { image, label, position } = element
        const place = { image: image.name, page: 0, offset: 0, position }
        const wanted = anchor.generations[position]
        const generation = generationOf(element, wanted, checks)
        const other = elements[position]
        if (generation !== wanted)
            findings.add("element-stale", `generation ${generation}; at position ${position} belongs ${wanted}`, place)
        else if (label?.state === 1) whyNot[position] = `${image.name} fell behind and is not to be read`
        else if (other) addCopy(element, other, past.has(element), findings)
        else if (past.has(element)) {
            findings.add(
                "element-old",
                `is older than anchor ${anchor.sequence}, after which the others went on: not read`,
                {
                    ...place,
                    page: slot,
                    offset: slot * geometry.stride,
                },
            )
            isTold[position] = true
        } else elements[position] = element
    }
    for (let position = 0; position < geometry.n; position++) {
        const element = elements[position]
        const isMember = (anchor.members & (1 << position)) !== 0
        const place = { position, image: element?.image.name }
        if (whyNot[position] && !element) findings.add("element-out", whyNot[position], place)
        else if (!element) {
            if (!isTold[position]) findings.add("element-missing", `no element for position ${position}`, place)
        } else if (anchor.joining === position) findings.add("element-joining", "is being rebuilt", place)
        else if (!isMember) {
            findings.add("element-out", "is no member: it lacks what was written since it was lost", place)
            elements[position] = undefined
        }
    }
    return elements
}

/** Returns the volume. */
function checkLabels({ elements, anchor, label: common }: Members, findings: Findings, checks: PageChecks): number {
    const volumes = elements.flatMap(element => (element?.label ? [element.label.volume] : []))
    const votes = (volume: number) => volumes.filter(other => other === volume)
    const agreed = volumes.map(votes).sort((one, other) => other.length - one.length)[0] ?? []
    for (const element of elements) {
        if (!element?.label) continue
        const { label, image, position } = element
        const place = { image: image.name, page: 0, offset: 0, position }
        if (label.volume !== agreed[0] || (agreed.length < volumes.length && 2 * agreed.length <= volumes.length))
            findings.add(
                "label-differs",
                `label: volume ${label.volume}, ${agreed.length} of ${volumes.length} say ${agreed[0]}`,
                place,
            )
        if (label.epoch > anchor.epoch)
            findings.add("label-field", `label: epoch ${label.epoch}; the array is at ${anchor.epoch}`, place)
        checkHeader(goodPage(image, 0, common.stride, checks), "label", place, findings)
    }
    return agreed[0] ?? common.volume
}

/** Length and block of a page that has neither. */
function checkHeader(page: Uint8Array | undefined, what: string, place: Place, findings: Findings): void {
    if (page && (lengthOf(page) !== 0 || blockOf(page) !== 0))
        findings.add("page-field", `${what}: length ${lengthOf(page)} and block ${blockOf(page)} must be 0`, place)
}

function checkAnchor(members: Members, findings: Findings, checks: PageChecks): void {
    const { geometry, anchor, anchorSlot, elements } = members
    const { n, S, D, segments } = geometry
    let first: { page: Uint8Array; name: string } | undefined
    for (const element of elements) {
        if (!element) continue
        const { image, position } = element
        const place = { page: anchorSlot, offset: anchorSlot * geometry.stride, image: image.name, position }
        const page = goodPage(image, anchorSlot, geometry.stride, checks)
        const own = page && readAnchor(page)
        if (!page || own?.sequence !== anchor.sequence)
            findings.add("anchor-copy", `anchor ${anchor.sequence} is not here`, place)
        else if (first && !samePage(first.page, page))
            findings.add("anchor-differs", `anchor ${anchor.sequence} is not the one of ${first.name}`, place)
        else if (!first) {
            first = { page, name: image.name }
            checkHeader(page, "anchor", place, findings)
        }
    }
    const place = { page: anchorSlot, offset: anchorSlot * geometry.stride, image: first?.name }
    const must = (holds: boolean, message: string) => {
        if (!holds) findings.add("anchor-field", `anchor ${anchor.sequence}: ${message}`, place)
    }
    const { segment, start, root, rootTail, between, betweenTail, joining, away } = anchor
    must(segment >= 1 && segment < segments, `segment ${segment} of ${segments}`)
    must(start <= S && start % D === 0, `start ${start} in segments of ${S} pages, ${D} to a row`)
    must(geometry.isInLog(root), `root ${root === none ? "none" : root}`)
    must(anchor.serial > 0, "serial 0")
    const rootSegment = geometry.segmentOf(root)
    if (rootSegment === segment) must(rootTail === 0, `root tail ${rootTail} with the root in the present segment`)
    else must(rootTail === 0 || (rootTail > root % S && rootTail <= S), `root tail ${rootTail}`)
    must(between < segments, `between ${between} of ${segments} segments`)
    must(between === 0 || (between !== segment && between !== rootSegment), `between ${between} is another's segment`)
    must(betweenTail <= S && (between !== 0 || betweenTail === 0), `tail ${betweenTail} in between ${between}`)
    must(anchor.members > 0 && anchor.members < 1 << n, `members ${anchor.members.toString(2)} of ${n} elements`)
    must(joining === nobody || joining < n, `position ${joining} is being rebuilt`)
    must(joining === nobody || !(anchor.members & (1 << joining)), `position ${joining} is a member and being rebuilt`)
    for (let s = 0; s < segmentsMax; s++)
        if (bit(away, s))
            must(joining !== nobody && s > 0 && s < segments, `segment ${s} away, position ${joining} being rebuilt`)
}
