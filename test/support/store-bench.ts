// The firmware's store in Node, over the simulator's chips: for the many thousand cuts and histories that the VM would be too slow for.
// Virtual time only; the power can be cut at any program or erase, before it, within it, or after it.

import "./device-buffer"
import { createHash } from "node:crypto"
import { ElementArray } from "../../src/array/array"
import { pageBufferBytes, type ElementPort } from "../../src/flash/bank"
import { NorBank } from "../../src/flash/nor"
import { usePlatform } from "../../src/platform"
import { Reader, openFile, readFile } from "../../src/store/reader"
import { Requests } from "../../src/store/requests"
import { NodeCache } from "../../src/store/node-cache"
import { Volume } from "../../src/store/volume"
import { MemoryImage } from "../../tools/sim/chips/image-file"
import type { Operation } from "../../tools/sim/chips/nor-operations"
import { SpiNor } from "../../tools/sim/chips/spi-nor"
import { findSpiNorPart, type SpiNorPart } from "../../tools/sim/chips/spi-nor-parts"
import { Random } from "../../tools/sim/random"

export class PowerCut extends Error {}

/** A geometry nobody sells, small enough to fill and to cut everywhere. */
export function smallPart(log2Bytes: number): SpiNorPart {
    return { ...findSpiNorPart("tiny"), bytes: 1 << log2Bytes, jedec: [0xef, 0x40, log2Bytes] }
}

export class StoreBench implements ElementPort {
    nowNs = 0
    readonly chips: SpiNor[] = []
    /** Programs and erases begun, those that several elements began at the same time counted as one. */
    operations = 0
    transfers = 0
    /** Transfers that read memory. */
    reads = 0
    /** The transfer that is to throw, as a fault of the processor's own would; counted as `transfers`. */
    failAt = -1
    cacheSlots = 30
    volume!: Volume
    requests!: Requests
    readonly random: Random
    /** Elements, as bits, that have come off their wires. */
    silent = 0
    private inserted = 0
    private powered = true
    private cutAt = -1
    private cutFraction = 0
    private cutNs: number | undefined
    private lastStartNs = -1

    constructor(
        readonly part: SpiNorPart,
        /** Rows of a segment when the array is made new. */
        readonly segmentRows: number,
        seed: number | string = 1,
        elements = 2,
    ) {
        this.random = new Random(seed)
        for (let i = 0; i < elements; i++) this.insert(i)
        const platformRandom = this.random.fork("platform")
        usePlatform({
            now: () => Math.floor(this.nowNs / 1e6),
            sleep: async ms => {
                this.nowNs += ms * 1e6
            },
            sha256: parts => {
                const hash = createHash("sha256")
                for (const part of parts) hash.update(part)
                return hash.digest()
            },
            random: () => platformRandom.int(0x7fffffff),
        })
    }

    /** Puts a blank element, or one with contents, into a slot. */
    insert(slot: number, image = new MemoryImage(this.part.bytes), part = this.part): void {
        const chip = new SpiNor({
            name: `bench.E${slot}`,
            part,
            image,
            random: this.random.fork(`chip${slot} ${this.inserted++}`),
            onOperation: operation => this.begun(operation),
        })
        chip.powerUp(this.nowNs)
        this.chips[slot] = chip
        this.silent &= ~(1 << slot)
    }

    private begun(operation: Operation): "drop" | void {
        if (operation.startNs === this.lastStartNs) return
        this.lastStartNs = operation.startNs
        if (this.operations === this.cutAt)
            this.cutNs = operation.startNs + Math.floor((operation.endNs - operation.startNs) * this.cutFraction)
        this.operations++
    }

    // commands of several exchanges are for cards; the chips here take whole ones
    select(): void {
        throw new Error("select on a bench of NOR chips")
    }

    async exchange(): Promise<void> {
        throw new Error("exchange on a bench of NOR chips")
    }

    deselect(): void {
        throw new Error("deselect on a bench of NOR chips")
    }

    setClock(): void {}

    async transfer(mask: number, tx: Buffer, rx: Buffer): Promise<void> {
        if (tx[0] === 0x03) this.reads++
        if (!this.powered) throw new PowerCut("no power")
        const startNs = this.nowNs + 20_000
        const endNs = startNs + tx.length * 800
        if (this.cutNs !== undefined && endNs >= this.cutNs) {
            // the processor went on until now, and said what it said
            this.nowNs = Math.max(this.nowNs, this.cutNs)
            for (const chip of this.chips) chip.powerLost(this.cutNs)
            this.powered = false
            throw new PowerCut(`power cut in operation ${this.cutAt}`)
        }
        if (this.transfers++ === this.failAt) throw new Error("transfer failed")
        let answered = false
        for (let i = 0; i < 6; i++) {
            const chip = this.chips[i]
            if (!chip || !(mask & ~this.silent & (1 << i))) continue
            answered = true
            chip.select(startNs)
            const reply = chip.transfer(tx, startNs, endNs, 10_000_000)
            rx.set(reply.rx)
            chip.deselect(endNs)
        }
        // nobody drives the line, which has a pull-up
        if (!answered) rx.fill(0xff)
        this.nowNs = endNs
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
        for (const chip of this.chips) chip.powerUp(this.nowNs)
    }

    /** A controller that knows nothing mounts the volume, as after a boot or a takeover. */
    async mount(): Promise<boolean> {
        const into = Buffer.alloc(pageBufferBytes)
        const bank = new NorBank(this, Buffer.alloc(pageBufferBytes), into)
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
        return await this.volume.mount()
    }

    /** The contents of the chips, for `load`. */
    snapshot(): (Uint8Array | undefined)[][] {
        return this.chips.map(chip => {
            const sectors: (Uint8Array | undefined)[] = []
            for (let i = 0; i < this.part.bytes / 4096; i++) sectors.push(chip.cells.image.sector(i)?.slice())
            return sectors
        })
    }

    load(snapshot: (Uint8Array | undefined)[][]): void {
        snapshot.forEach((sectors, i) =>
            sectors.forEach((sector, index) => {
                const image = this.chips[i].cells.image
                if (sector) image.writable(index).set(sector)
                else image.clear(index)
            }),
        )
    }

    /** Cuts the power between two transfers. */
    cutPowerNow(): void {
        for (const chip of this.chips) chip.powerLost(this.nowNs)
        this.powered = false
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
