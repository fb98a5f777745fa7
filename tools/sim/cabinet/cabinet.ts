// The hardware of a cabinet: N pairs of boards with their arrays, without the boards' programs, which plug in as ports.
// Kept true: pairs share nothing but the bus, which is not here; every chance is forked by the element's name, so that adding
// a pair or an element does not change what happens to another; an element is in its slot, out of it, or was never there.

import { join } from "node:path"
import { projectRoot } from "../devs-cli"
import { openChipImage } from "../chips/open-image"
import type { NorWear } from "../chips/nor-cells"
import type {
    ChipTiming,
    Element,
    ElementCounters,
    ElementFaults,
    ElementOperation,
    ElementPart,
} from "../chips/element"
import { SpiNor } from "../chips/spi-nor"
import { findPart } from "../chips/parts"
import { SdCard } from "../chips/sd-card"
import { throwViolation, type ReportViolation } from "../chips/violation"
import type { BoardPort } from "../board-port"
import type { Random } from "../random"
import type { Level } from "./line"
import type { ArrayWiring } from "./array"
import type { CabinetNode, NodeState } from "./node"
import { CabinetPair, type LineFault, type LineName } from "./pair"
import { elementsMax, readBoardPins, type BoardPins } from "./pins"

/** Two straps number the pair. */
export const pairsMax = 4

/** `operation` of an element, as the cabinet counts them over all its elements. */
export interface CabinetOperation extends ElementOperation {
    /** As `a.E0` */
    element: string
    /** Counts the operations of the cabinet, from 0 */
    cabinetIndex: number
}

export interface CabinetConfig {
    random: Random
    pairs?: number
    /** What the straps of a node say; its own number unless given. A builder may have set others */
    strapsOf?(node: string): number | undefined
    /** Elements in each array, 2 to 6 */
    elements?: number
    /** Elements in the slots after the array's, blank when their image is new */
    spares?: number
    /** Name of a part, see chips/parts.ts */
    chip?: string
    /** For an element of another part than the others', as `a.E0`; undefined = like the others */
    partOf?(element: string): string | undefined
    /** Folder of image files; without one, contents are in memory only */
    images?: string
    /** Board file that names the pins, or its parsed form */
    board?: string | BoardPins
    timing?: ChipTiming
    wear?(element: string): NorWear
    trace?: { add(timeNs: number, kind: string, data: Uint8Array | string): void }
    report?: ReportViolation
    /** Whoever selects an element that is with the other node commits a violation; for firmware, not for hands that probe */
    oneController?: boolean
    /** The board must follow: off = lose power; reset = held; run = start from its reset vector */
    onNode?(node: string, state: NodeState, atNs: number): void
    /** Before a program or erase starts: to cut the power there, or return "drop" to have it not done */
    onOperation?(operation: CabinetOperation): "drop" | void
}

/** What both kinds count; what only one does is there, too. */
export interface ElementStatistics extends ElementCounters {
    name: string
    kind: "nor" | "sd"
    part: string
    bytes: number
    image: string
    isPresent: boolean
    /** In a slot after the array's */
    isSpare: boolean
    faults: ElementFaults
    eraseCountTotal: number
    eraseCountMax: number
}

interface Place {
    pair: CabinetPair
    node: CabinetNode
}

export class Cabinet {
    /** Of the elements that partOf does not say otherwise of */
    readonly part: ElementPart
    /** Slots of each array that are its own; the spares' are behind them */
    readonly arraySlots: number
    readonly nodeNames: readonly string[]
    private readonly places = new Map<string, Place>()
    private readonly pairs: CabinetPair[] = []
    private readonly all = new Map<string, Element>()
    private replaced = 0
    private operations = 0

    constructor(private readonly config: CabinetConfig) {
        const pairs = config.pairs ?? 1
        const elements = config.elements ?? 2
        const spares = config.spares ?? 0
        if (!Number.isInteger(pairs) || pairs < 1 || pairs > pairsMax)
            throw new Error(`--pairs ${pairs}: choose 1 to ${pairsMax}`)
        if (!Number.isInteger(elements) || elements < 2 || elements > elementsMax)
            throw new Error(`--elements ${elements}: an array has 2 to ${elementsMax}`)
        if (!Number.isInteger(spares) || spares < 0 || elements + spares > elementsMax)
            throw new Error(
                `--spares ${spares}: beside ${elements} elements there is room for ${elementsMax - elements}`,
            )
        this.part = findPart(this.partName).part
        this.arraySlots = elements
        const board = config.board ?? join(projectRoot, "boards", "pico_node.board.json")
        const pins = typeof board === "string" ? readBoardPins(board) : board
        const names: string[] = []
        try {
            for (let i = 0; i < pairs; i++) names.push(...this.addPair(i, elements + spares, pins))
        } catch (error) {
            this.close()
            throw error
        }
        this.nodeNames = names
    }

    private get partName(): string {
        return this.config.chip ?? "W25Q128JV"
    }

    private addPair(index: number, slots: number, pins: BoardPins): [string, string] {
        const names: [string, string] = [nodeName(2 * index), nodeName(2 * index + 1)]
        const elementsOf = (node: string) =>
            Array.from({ length: slots }, (_, i) => {
                const name = `${node}.E${i}`
                return this.addElement(name, this.config.partOf?.(name) ?? this.partName, name)
            })
        const straps = names.map((name, side) => this.config.strapsOf?.(name) ?? 2 * index + side) as [number, number]
        const pair = new CabinetPair(names, straps, pins, [elementsOf(names[0]), elementsOf(names[1])], {
            report: this.config.report ?? throwViolation,
            oneController: this.config.oneController ?? false,
            onNode: (node, state, atNs) => {
                this.config.trace?.add(atNs, "node", `${node} ${state}`)
                this.config.onNode?.(node, state, atNs)
            },
            onLine: (line, level, atNs) => this.config.trace?.add(atNs, "line", `${line}=${level}`),
            onSupply: (isAlive, atNs) => {
                this.config.trace?.add(atNs, "supply", `${names.join("")} ${isAlive ? "on" : "off"}`)
                if (!isAlive) this.flush()
            },
        })
        this.pairs.push(pair)
        for (const node of pair.nodes) this.places.set(node.name, { pair, node })
        return names
    }

    private addElement(name: string, partName: string, stream: string): Element {
        const found = findPart(partName)
        const common = {
            name,
            random: this.config.random.fork(stream),
            timing: this.config.timing,
            report: this.config.report,
            onOperation: (operation: ElementOperation) =>
                this.config.onOperation?.({ ...operation, element: name, cabinetIndex: this.operations++ }),
        }
        const [node, slot] = name.split(".E")
        const open = (blank: number) => openChipImage(this.config.images, node, Number(slot), found.part.bytes, blank)
        const element: Element =
            found.kind === "sd"
                ? new SdCard({ ...common, part: found.part, image: open(found.part.erasedByte) })
                : new SpiNor({ ...this.config.wear?.(name), ...common, part: found.part, image: open(0xff) })
        this.all.set(name, element)
        return element
    }

    /** What the board's program drives and senses. */
    port(name: string): BoardPort {
        const { pair, node } = this.place(name)
        return {
            drive: (gpio, level, pull, atNs) => pair.drive(node, gpio, level, pull, atNs),
            sense: (gpio, atNs) => pair.sense(node, gpio, atNs),
            transfer: (spi, tx, startNs, endNs) => pair.transfer(node, spi, tx, startNs, endNs),
            aborted: atNs => pair.aborted(node, atNs),
        }
    }

    power(name: string, on: boolean, atNs: number): void {
        const { pair, node } = this.place(name)
        pair.power(node, on, atNs)
    }

    /** The button on the board: everything but its power is lost. */
    pressReset(name: string, atNs: number): void {
        const { pair, node } = this.place(name)
        pair.pressReset(node, atNs)
    }

    /** Breaks (or mends) the wire of a node's line to its partner. */
    cutLine(name: string, line: LineName, isCut: boolean, atNs: number): void {
        this.faultLine(name, line, isCut ? "cut" : undefined, atNs)
    }

    /** Breaks a node's line in any way; undefined mends it. */
    faultLine(name: string, line: LineName, fault: LineFault | undefined, atNs: number): void {
        const { pair, node } = this.place(name)
        this.config.trace?.add(atNs, "line", `${name}.${line} ${faultWord(fault)}`)
        pair.faultLine(node, line, fault, atNs)
    }

    /** Connects the array of `name` as a builder did who was not careful; before there is power. */
    miswire(name: string, wiring: Partial<ArrayWiring>): void {
        Object.assign(this.arrayOf(name).wiring, wiring)
    }

    /** Leaves out the diode from the board `from` to the supply of the array of `name`; before there is power. */
    leaveOutDiode(name: string, from: string): void {
        this.miswire(name, { noDiodeFrom: this.place(from).node })
    }

    lineFault(name: string, line: LineName): LineFault | undefined {
        const { pair, node } = this.place(name)
        return pair.lineFault(node, line)
    }

    nodeState(name: string): NodeState {
        return this.place(name).node.state
    }

    /** The level on OWN or HOLD of a node now. */
    line(name: string, line: "OWN" | "HOLD"): Level {
        const { node } = this.place(name)
        return line === "OWN" ? node.own.latest : node.hold.latest
    }

    /** The level on the wire from a node's RESET to its partner's RUN pin. */
    resetLevel(name: string): Level {
        const { pair, node } = this.place(name)
        return pair.resetLevel(node)
    }

    /** Which node's pins reach the array of `name`. */
    controller(name: string): string {
        return this.arrayOf(name).reaches.name
    }

    /** `a.E0`, or `a:0`; also when it is pulled out. */
    element(name: string): Element {
        const element = this.all.get(slotName(name))
        if (!element) throw new Error(`no element ${name}; there are ${[...this.all.keys()].join(", ")}`)
        return element
    }

    /** An element that is a NOR chip. */
    chip(name: string): SpiNor {
        const element = this.element(name)
        if (!(element instanceof SpiNor)) throw new Error(`${name} is a ${element.part.name}, not a NOR chip`)
        return element
    }

    /** An element that is an SD card. */
    card(name: string): SdCard {
        const element = this.element(name)
        if (!(element instanceof SdCard)) throw new Error(`${name} is a ${element.part.name}, not a card`)
        return element
    }

    isPresent(name: string): boolean {
        const { array, index } = this.socket(name)
        return array.slots[index] !== undefined
    }

    /** Pulls an element out of its slot; what it was writing is torn. */
    pull(name: string, atNs: number): void {
        const { array, index } = this.socket(this.element(name).name)
        array.pull(index, atNs)
        this.config.trace?.add(atNs, "element", `${slotName(name)} pulled`)
    }

    /**
     * Puts the element back as it was, or a blank one in its stead; with `part`, one of that part. A slot that never had one, up to the
     * sixth, takes a blank one.
     */
    insert(name: string, contents: "kept" | "blank", atNs: number, part?: string): void {
        const { array, index } = this.socket(name)
        if (array.slots[index]) throw new Error(`${name} is in its socket; pull it first`)
        const element = this.elementToInsert(slotName(name), part)
        if (contents === "blank") element.renew()
        array.insert(index, element, this.place(array.name).pair.isFed(array), atNs)
        this.config.trace?.add(atNs, "element", `${slotName(name)} inserted, ${contents}`)
    }

    /** Another, blank element in the slot, whatever is in it. */
    replace(name: string, atNs: number, part?: string): void {
        if (this.isPresent(name)) this.pull(name, atNs)
        this.insert(name, "blank", atNs, part)
    }

    private elementToInsert(name: string, part: string | undefined): Element {
        const old = this.all.get(name)
        if (old && (part === undefined || findPart(part).part === old.part)) return old
        if (old && this.config.images !== undefined && findPart(part!).part.bytes !== old.part.bytes)
            throw new Error(`${name}: with images on disk an element is replaced by one of the same size only`)
        old?.image.close()
        return this.addElement(name, part ?? this.partName, `${name} ${++this.replaced}`)
    }

    setTiming(timing: ChipTiming): void {
        for (const element of this.all.values()) element.setTiming(timing)
    }

    elements(): ElementStatistics[] {
        return [...this.all].map(([name, element]) => {
            const { array, index } = this.socket(name)
            const counts = element.eraseCounts
            const { silent, lies, dropsWrites, staysBusy } = element.faults
            return {
                ...structuredClone(element.statistics),
                name,
                kind: element.kind,
                part: element.part.name,
                bytes: element.part.bytes,
                image: element.image.place,
                isPresent: array.slots[index] !== undefined,
                isSpare: index >= this.arraySlots,
                faults: { silent, lies, dropsWrites, staysBusy },
                eraseCountTotal: counts.reduce((sum, count) => sum + count, 0),
                eraseCountMax: counts.reduce((max, count) => Math.max(max, count), 0),
            }
        })
    }

    /** Writes what changed to the image files. */
    flush(): void {
        for (const { image } of this.all.values()) image.flush()
    }

    /** Ends what has ended by then, writes the images and closes them; what is in flight is torn as by a power cut. */
    shutDown(atNs: number): void {
        for (const name of this.nodeNames) this.power(name, false, atNs)
        this.close()
    }

    close(): void {
        for (const { image } of this.all.values()) image.close()
    }

    private place(name: string): Place {
        const place = this.places.get(name)
        if (!place) throw new Error(`no node ${name}; there are ${[...this.places.keys()].join(", ")}`)
        return place
    }

    private arrayOf(name: string) {
        const { pair, node } = this.place(name)
        return pair.arrays[pair.nodes.indexOf(node)]
    }

    private socket(element: string) {
        const [node, slot] = slotName(element).split(".E")
        const index = Number(slot)
        if (!Number.isInteger(index) || index < 0 || index >= elementsMax)
            throw new Error(`no slot ${element}; an array has slots 0 to ${elementsMax - 1}, as ${nodeName(0)}:0`)
        return { array: this.arrayOf(node), index }
    }
}

function faultWord(fault: LineFault | undefined): string {
    return fault === undefined ? "mended" : fault === "cut" || fault === "floats" ? fault : `stuck ${fault}`
}

/** People write `a:1`; the slots' own names are as `a.E1`. */
export function slotName(name: string): string {
    return name.replace(/^([a-z]):(\d+)$/, "$1.E$2")
}

/** Does to a board what its wires do: pass onNode's state on with this. */
export function followState(
    board: { powerOn(): void; powerOff(): void; holdReset(): void; releaseReset(): void },
    state: NodeState,
): void {
    if (state === "off") return board.powerOff()
    // Held first, so that a board that gets its power while in reset does not start
    if (state === "reset") board.holdReset()
    board.powerOn()
    if (state === "run") board.releaseReset()
}

/** a, b for the first pair, c, d for the next, ... */
export function nodeName(index: number): string {
    return String.fromCharCode(97 + index)
}
