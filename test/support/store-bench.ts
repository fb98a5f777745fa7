// The firmware's store in Node, over the simulator's chips: for the many thousand cuts and histories that the VM would be too slow for.
// Virtual time only; the power can be cut at any program or erase, before it, within it, or after it.

import { buffersInNode } from "./device-buffer"
import { ElementArray } from "../../src/array/array"
import { pageBufferBytes, type CardPort, type ElementBank } from "../../src/flash/bank"
import { NorBank } from "../../src/flash/nor"
import { SdBank } from "../../src/flash/sd"
import { usePlatform } from "../../src/platform"
import { Reader, openFile, readFile } from "../../src/store/reader"
import { Requests } from "../../src/store/requests"
import { NodeCache } from "../../src/store/node-cache"
import { Volume } from "../../src/store/volume"
import type { Element, ElementOperation } from "../../tools/sim/chips/element"
import { MemoryImage, type ChipImage } from "../../tools/sim/chips/image-file"
import { SdCard } from "../../tools/sim/chips/sd-card"
import type { SdPart } from "../../tools/sim/chips/sd-parts"
import { SpiNor } from "../../tools/sim/chips/spi-nor"
import { findSpiNorPart, type SpiNorPart } from "../../tools/sim/chips/spi-nor-parts"
import type { Violation } from "../../tools/sim/chips/violation"
import { Random } from "../../tools/sim/random"

export class PowerCut extends Error {}

/** A geometry nobody sells, small enough to fill and to cut everywhere. */
export function smallPart(log2Bytes: number): SpiNorPart {
    return { ...findSpiNorPart("tiny"), bytes: 1 << log2Bytes, jedec: [0xef, 0x40, log2Bytes] }
}

/** Cards answer no sooner after power-up (SD Physical Layer, 6.4.1). */
const cardWakeNs = 2_000_000
const norHz = 10_000_000
/** What the program takes around each transfer. */
const callNs = 20_000
const cardsAreFor = (part: SpiNorPart | SdPart): part is SdPart => "capacity" in part

export class StoreBench implements CardPort {
    nowNs = 0
    /** By slot: all chips or all cards, as `part` is. */
    readonly elements: Element[] = []
    /** From page to page in the raw element. */
    readonly strideBytes: number
    /** Programs and erases begun, those that several elements began at the same time counted as one. */
    operations = 0
    transfers = 0
    /** Transfers that read memory. */
    reads = 0
    /** The transfer that is to throw, as a fault of the processor's own would; counted as `transfers`. */
    failAt = -1
    /** Elements that are broken may be asked for what a sound one would never be. */
    hasBroken = false
    cacheSlots = 30
    /** Whether nobody waits for a mount, so that the node tidies before the first request. */
    isIdleAfterMount: () => boolean = () => true
    /** Told in each mount, as `Volume.onControl` is. */
    onControl?: () => void
    volume!: Volume
    requests!: Requests
    readonly random: Random
    /** Elements, as bits, that have come off their wires. */
    silent = 0
    /** Told of each upload's durable bytes, from the moment on at which a mount lets them be told. */
    onTold?: (ns: number, object: number, durable: number) => void
    private tells = false
    /** Told of each program and erase of each chip when it begins; of a program the bytes too, from the beginning of its page. */
    onBegun?: (slot: number, operation: ElementOperation, data: Uint8Array) => void
    private sent: Uint8Array = new Uint8Array()
    private inserted = 0
    private powered = true
    private cutAt = -1
    private cutFraction = 0
    private cutNs: number | undefined
    private lastStartNs = -1
    private selected = 0
    private hz = norHz
    /** What becomes of the line to all elements, and when: open, or whole again. */
    private lineChanges: { atNs: number; isOpen: boolean }[] = []
    private isOpen = false

    constructor(
        readonly part: SpiNorPart | SdPart,
        /** Rows of a segment when the array is made new. */
        readonly segmentRows: number,
        seed: number | string = 1,
        elements = 2,
        /** What the elements hold; blank ones when it is left out. */
        images: readonly ChipImage[] = [],
        nowNs = 0,
    ) {
        this.nowNs = nowNs
        this.random = new Random(seed)
        this.strideBytes = cardsAreFor(part) ? 512 : 256
        for (let i = 0; i < elements; i++) this.insert(i, images[i])
        const platformRandom = this.random.fork("platform")
        usePlatform({
            now: () => Math.floor(this.nowNs / 1e6),
            sleep: async ms => {
                this.nowNs += ms * 1e6
            },
            ...buffersInNode,
            random: () => platformRandom.int(0x7fffffff),
        })
    }

    get chips(): SpiNor[] {
        return this.elements as SpiNor[]
    }

    get cards(): SdCard[] {
        return this.elements as SdCard[]
    }

    /** Puts a blank element, or one with contents, into a slot. */
    insert(slot: number, image?: ChipImage, part = this.part): void {
        const common = {
            name: `bench.E${slot}`,
            random: this.random.fork(`chip${slot} ${this.inserted++}`),
            report: (violation: Violation) => {
                if (!this.hasBroken) throw violation
            },
            onOperation: (operation: ElementOperation) => this.begun(slot, operation),
        }
        const element = cardsAreFor(part)
            ? new SdCard({ ...common, part, image: image ?? new MemoryImage(part.bytes, "bench", part.erasedByte) })
            : new SpiNor({ ...common, part, image: image ?? new MemoryImage(part.bytes) })
        element.powerUp(this.nowNs)
        if (cardsAreFor(part)) this.nowNs += cardWakeNs
        this.elements[slot] = element
        this.silent &= ~(1 << slot)
    }

    private begun(slot: number, operation: ElementOperation): "drop" | void {
        // a command and three bytes of address
        this.onBegun?.(slot, operation, this.sent.subarray(4))
        if (operation.startNs === this.lastStartNs) return
        this.lastStartNs = operation.startNs
        if (this.operations === this.cutAt)
            this.cutNs = operation.startNs + Math.floor((operation.endNs - operation.startNs) * this.cutFraction)
        this.operations++
    }

    async transfer(mask: number, tx: Buffer, rx: Buffer): Promise<void> {
        if (tx[0] === 0x03) this.reads++
        this.select(mask)
        await this.exchange(tx, rx)
        this.deselect()
    }

    select(mask: number): void {
        const atNs = this.nowNs + callNs
        this.changeLine(atNs)
        this.selected = mask & ~this.silent
        if (!this.isOpen) this.eachSelected(element => element.select(atNs))
    }

    deselect(): void {
        this.changeLine(this.nowNs)
        this.eachSelected(element => element.deselect(this.nowNs))
        this.selected = 0
    }

    private eachSelected(tell: (element: Element) => void): void {
        for (let i = 0; i < 6; i++) if (this.selected & (1 << i) && this.elements[i]) tell(this.elements[i])
    }

    /** The line to all elements is open from a time on, for so long: their selects rise, and nothing is heard either way. */
    openLine(fromNs: number, ns: number): void {
        this.lineChanges.push({ atNs: fromNs, isOpen: true }, { atNs: fromNs + ns, isOpen: false })
    }

    private changeLine(untilNs: number): void {
        while (this.lineChanges.length > 0 && this.lineChanges[0].atNs <= untilNs) {
            const { atNs, isOpen } = this.lineChanges.shift()!
            this.isOpen = isOpen
            this.eachSelected(element => (isOpen ? element.deselect(atNs) : element.select(atNs)))
            for (const element of this.elements) element?.cutOff()
        }
    }

    setClock(hz: number): void {
        this.hz = hz
    }

    async exchange(tx: Buffer, rx: Buffer): Promise<void> {
        this.tell()
        if (!this.powered) throw new PowerCut("no power")
        const startNs = this.nowNs + callNs
        const endNs = startNs + (tx.length * 8e9) / this.hz
        if (this.cutNs !== undefined && endNs >= this.cutNs) {
            // the processor went on until now, and said what it said
            this.nowNs = Math.max(this.nowNs, this.cutNs)
            this.loseElements(this.cutNs)
            throw new PowerCut(`power cut in operation ${this.cutAt}`)
        }
        if (this.transfers++ === this.failAt) throw new Error("transfer failed")
        // both may be one buffer, of which each byte is sent before it is overwritten
        const sent = tx === rx ? Uint8Array.from(tx) : tx
        this.sent = sent
        // nobody drives the line, which has a pull-up
        rx.fill(0xff)
        this.changeLine(startNs)
        let at = 0
        const timeOf = (byte: number) => startNs + ((endNs - startNs) * byte) / sent.length
        while (at < sent.length) {
            const change = this.lineChanges[0]?.atNs ?? Infinity
            let end = sent.length
            while (end > at + 1 && timeOf(end - 1) >= change) end--
            if (!this.isOpen) this.hear(sent.subarray(at, end), rx, at, timeOf(at), timeOf(end))
            at = end
            this.changeLine(timeOf(at))
        }
        this.nowNs = endNs
    }

    private hear(sent: Uint8Array, rx: Buffer, at: number, startNs: number, endNs: number): void {
        for (let i = 0; i < 6; i++) {
            const element = this.elements[i]
            if (!element) continue
            if (this.selected & (1 << i)) {
                const reply = element.transfer(sent, startNs, endNs, this.hz)
                if (reply.drivenFrom < sent.length) rx.set(reply.rx.subarray(reply.drivenFrom), at + reply.drivenFrom)
            } else if (!(this.silent & (1 << i))) element.clocked(sent.length, startNs, this.hz)
        }
    }

    private loseElements(atNs: number): void {
        for (const element of this.elements) element?.powerLost(atNs)
        this.selected = 0
        this.powered = false
    }

    /** Cuts the power in the n-th program or erase from the beginning of the bench, `fraction` of its time into it. */
    cutPowerAt(operation: number, fraction: number): void {
        this.cutAt = operation
        this.cutFraction = fraction
    }

    powerUp(): void {
        this.cutAt = -1
        this.cutNs = undefined
        this.powered = true
        this.nowNs += 1e9
        for (const element of this.elements) element?.powerUp(this.nowNs)
        if (this.strideBytes === 512) this.nowNs += cardWakeNs
    }

    /** A controller that knows nothing mounts the volume, as after a boot or a takeover. */
    async mount(): Promise<boolean> {
        const into = Buffer.alloc(pageBufferBytes)
        const out = Buffer.alloc(pageBufferBytes)
        const isCards = this.strideBytes === 512
        const bank: ElementBank = isCards ? new SdBank(this, out, into) : new NorBank(this, out, into)
        const array = new ElementArray(bank, into)
        const usage = Buffer.alloc(512)
        this.volume = new Volume(
            0,
            array,
            this.segmentRows,
            new NodeCache(this.cacheSlots),
            Buffer.alloc(pageBufferBytes),
            usage,
            Buffer.alloc(pageBufferBytes),
        )
        this.requests = new Requests(this.volume)
        const { volume } = this
        this.tells = false
        volume.onControl = () => {
            this.tells = true
            this.tell()
            this.onControl?.()
        }
        if (!(await volume.mount())) return false
        this.tell()
        if (this.isIdleAfterMount()) await this.tidyAfterMount()
        return true
    }

    private tell(): void {
        if (!this.tells || !this.onTold) return
        for (const upload of this.volume.uploads)
            if (upload.object) this.onTold(this.nowNs, upload.object, upload.durable)
    }

    /** What an idle node does of what the mount left. */
    async tidyAfterMount(): Promise<void> {
        if (this.volume.isRestored) await this.volume.reclaim()
    }

    /** The contents of the chips, for `load`. */
    snapshot(): (Uint8Array | undefined)[][] {
        return this.elements.map(({ image }) => {
            const sectors: (Uint8Array | undefined)[] = []
            for (let i = 0; i < this.part.bytes / 4096; i++) sectors.push(image.sector(i)?.slice())
            return sectors
        })
    }

    load(snapshot: (Uint8Array | undefined)[][]): void {
        snapshot.forEach((sectors, i) =>
            sectors.forEach((sector, index) => {
                const { image } = this.elements[i]
                if (sector) image.writable(index).set(sector)
                else image.clear(index)
            }),
        )
    }

    /** Cuts the power between two transfers. */
    cutPowerNow(): void {
        this.loseElements(this.nowNs)
    }

    async readFile(object: number, snapshot = 0): Promise<Buffer> {
        const reader = new Reader(Buffer.alloc(pageBufferBytes))
        const opened = await openFile(reader, this.volume, object, snapshot)
        if (opened !== 0) throw new Error(`object ${object} cannot be read: status ${opened}`)
        const out = Buffer.alloc(reader.size)
        const status = await readFile(reader, 0, reader.size, out, 0)
        if (status !== 0) throw new Error(`object ${object} cannot be read: status ${status}`)
        return out
    }
}

/** Whether the volume's own work goes on without anyone asking. */
export function hasWork({ array, log, repair }: Volume): boolean {
    return array.joining >= 0 || repair.retiring !== 0 || repair.segment !== 0 || log.hasLeft || repair.rate !== 0
}
