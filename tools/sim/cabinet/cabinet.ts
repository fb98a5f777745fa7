// The hardware of a cabinet: N pairs of boards with their arrays, without the boards' programs, which plug in as ports.
// Kept true: pairs share nothing but the bus, which is not here; every chance is forked by the chip's name, so that adding
// a pair or an element does not change what happens to another.

import type { ChipImage } from "../chips/image-file"
import { openChipImage } from "../chips/open-image"
import type { NorWear } from "../chips/nor-cells"
import type { ChipTiming } from "../chips/element"
import type { Operation } from "../chips/nor-operations"
import { SpiNor } from "../chips/spi-nor"
import { findSpiNorPart, sectorBytes, type SpiNorPart } from "../chips/spi-nor-parts"
import type { SpiNorStatistics } from "../chips/spi-nor-statistics"
import { throwViolation, type ReportViolation } from "../chips/violation"
import type { BoardPort } from "../board-port"
import type { Random } from "../random"
import type { Level } from "./line"
import type { CabinetNode, NodeState } from "./node"
import { CabinetPair, type LineName } from "./pair"
import { elementsMax, readBoardPins, type BoardPins } from "./pins"

export const pairsMax = 13

/** `operation` of a chip, as the cabinet counts them over all its chips. */
export interface CabinetOperation extends Operation {
    /** As `a.E0` */
    element: string
    /** Counts the operations of the cabinet, from 0 */
    cabinetIndex: number
}

export interface CabinetConfig {
    random: Random
    pairs?: number
    /** Elements in each array, 2 to 6 */
    elements?: number
    /** Name of a part in spi-nor-parts.ts */
    chip?: string
    /** Folder of image files; without one, contents are in memory only */
    images?: string
    /** Board file that names the pins, or its parsed form */
    board?: string | BoardPins
    timing?: ChipTiming
    wear?(element: string): NorWear
    trace?: { add(timeNs: number, kind: string, data: Uint8Array | string): void }
    report?: ReportViolation
    /** The board must follow: off = lose power; reset = held; run = start from its reset vector */
    onNode?(node: string, state: NodeState, atNs: number): void
    /** Before a program or erase starts: to cut the power there, or return "drop" to have it not done */
    onOperation?(operation: CabinetOperation): "drop" | void
}

export interface ElementStatistics extends SpiNorStatistics {
    name: string
    part: string
    bytes: number
    image: string
    isPresent: boolean
    eraseCountTotal: number
    eraseCountMax: number
}

interface Place {
    pair: CabinetPair
    node: CabinetNode
}

export class Cabinet {
    readonly part: SpiNorPart
    readonly nodeNames: readonly string[]
    private readonly places = new Map<string, Place>()
    private readonly pairs: CabinetPair[] = []
    private readonly chips = new Map<string, SpiNor>()
    private readonly images: ChipImage[] = []
    private operations = 0

    constructor(private readonly config: CabinetConfig) {
        const pairs = config.pairs ?? 1
        const elements = config.elements ?? 2
        if (!Number.isInteger(pairs) || pairs < 1 || pairs > pairsMax)
            throw new Error(`--pairs ${pairs}: choose 1 to ${pairsMax}`)
        if (!Number.isInteger(elements) || elements < 2 || elements > elementsMax)
            throw new Error(`--elements ${elements}: an array has 2 to ${elementsMax}`)
        this.part = findSpiNorPart(config.chip ?? "W25Q128JV")
        const board = config.board ?? "boards/pico_node.board.json"
        const pins = typeof board === "string" ? readBoardPins(board) : board
        const names: string[] = []
        try {
            for (let i = 0; i < pairs; i++) names.push(...this.addPair(i, elements, pins))
        } catch (error) {
            this.close()
            throw error
        }
        this.nodeNames = names
    }

    private addPair(index: number, elements: number, pins: BoardPins): [string, string] {
        const names: [string, string] = [nodeName(2 * index), nodeName(2 * index + 1)]
        const chipsOf = (node: string) => Array.from({ length: elements }, (_, i) => this.addChip(node, i))
        const pair = new CabinetPair(names, pins, [chipsOf(names[0]), chipsOf(names[1])], {
            report: this.config.report ?? throwViolation,
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

    private addChip(node: string, index: number): SpiNor {
        const name = `${node}.E${index}`
        const image = openChipImage(this.config.images, node, index, this.part.bytes)
        this.images.push(image)
        const chip = new SpiNor({
            ...this.config.wear?.(name),
            name,
            image,
            part: this.part,
            random: this.config.random.fork(name),
            timing: this.config.timing,
            report: this.config.report,
            onOperation: operation =>
                this.config.onOperation?.({ ...operation, element: name, cabinetIndex: this.operations++ }),
        })
        this.chips.set(name, chip)
        return chip
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
        const { pair, node } = this.place(name)
        pair.cutLine(node, line, isCut, atNs)
        this.config.trace?.add(atNs, "line", `${name}.${line} ${isCut ? "cut" : "mended"}`)
    }

    nodeState(name: string): NodeState {
        return this.place(name).node.state
    }

    /** The level on OWN or HOLD of a node now. */
    line(name: string, line: "OWN" | "HOLD"): Level {
        const { node } = this.place(name)
        return line === "OWN" ? node.own.latest : node.hold.latest
    }

    /** Which node's pins reach the array of `name`. */
    controller(name: string): string {
        return this.arrayOf(name).reaches.name
    }

    /** `a.E0`; also when it is pulled out. */
    chip(element: string): SpiNor {
        const chip = this.chips.get(element)
        if (!chip) throw new Error(`no element ${element}; there are ${[...this.chips.keys()].join(", ")}`)
        return chip
    }

    /** Pulls a chip out of its socket. */
    pull(element: string, atNs: number): void {
        const chip = this.chip(element)
        const { array, index } = this.socket(element)
        chip.powerLost(atNs)
        array.chips[index] = undefined
        this.config.trace?.add(atNs, "element", `${element} pulled`)
    }

    /** Puts the chip back: as it was, or an erased one in its stead. */
    insert(element: string, contents: "kept" | "blank", atNs: number): void {
        const chip = this.chip(element)
        const { array, index } = this.socket(element)
        if (array.chips[index]) throw new Error(`${element} is in its socket; pull it first`)
        if (contents === "blank") {
            for (let sector = 0; sector < this.part.bytes / sectorBytes; sector++) chip.cells.image.clear(sector)
            chip.cells.tornSectors.clear()
            chip.cells.badSectors.clear()
        }
        array.chips[index] = chip
        if (this.place(array.name).pair.hasSupply) array.powerUp(atNs)
        this.config.trace?.add(atNs, "element", `${element} inserted, ${contents}`)
    }

    setTiming(timing: ChipTiming): void {
        for (const chip of this.chips.values()) chip.setTiming(timing)
    }

    elements(): ElementStatistics[] {
        return [...this.chips].map(([name, chip]) => {
            const { array, index } = this.socket(name)
            const counts = chip.cells.eraseCounts
            return {
                ...structuredClone(chip.statistics),
                name,
                part: chip.part.name,
                bytes: chip.part.bytes,
                image: chip.cells.image.place,
                isPresent: array.chips[index] !== undefined,
                eraseCountTotal: counts.reduce((sum, count) => sum + count, 0),
                eraseCountMax: counts.reduce((max, count) => Math.max(max, count), 0),
            }
        })
    }

    /** Writes what changed to the image files. */
    flush(): void {
        for (const image of this.images) image.flush()
    }

    /** Ends what has ended by then, writes the images and closes them; what is in flight is torn as by a power cut. */
    shutDown(atNs: number): void {
        for (const name of this.nodeNames) this.power(name, false, atNs)
        this.close()
    }

    close(): void {
        for (const image of this.images) image.close()
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
        const [node, socket] = element.split(".E")
        return { array: this.arrayOf(node), index: Number(socket) }
    }
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
