// The firmware's store in Node, over the simulator's chips: for the many thousand cuts and histories that the VM would be too slow for.
// Virtual time only; the power can be cut at any program or erase, before it, within it, or after it.

import "./device-buffer"
import { createHash } from "node:crypto"
import { MirrorArray } from "../../src/array/mirror"
import { NorBank, pageBufferBytes, type ElementPort } from "../../src/flash/nor"
import { usePlatform } from "../../src/platform"
import { Reader } from "../../src/store/reader"
import { Requests } from "../../src/store/requests"
import { NodeCache } from "../../src/store/tree"
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
    /** Programs and erases begun, both elements of a mirror counted as one. */
    operations = 0
    transfers = 0
    volume!: Volume
    requests!: Requests
    readonly random: Random
    private cutAt = -1
    private cutFraction = 0
    private cut: Operation | undefined

    constructor(
        readonly part: SpiNorPart,
        readonly segmentPages: number,
        seed: number | string = 1,
        elements = 2,
    ) {
        this.random = new Random(seed)
        for (let i = 0; i < elements; i++) {
            const chip = new SpiNor({
                name: `bench.E${i}`,
                part,
                image: new MemoryImage(part.bytes),
                random: this.random.fork(`chip${i}`),
                onOperation: operation => this.begun(i, operation),
            })
            chip.powerUp(0)
            this.chips.push(chip)
        }
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

    private begun(chip: number, operation: Operation): "drop" | void {
        if (chip === 0) {
            if (this.operations === this.cutAt) this.cut = operation
            this.operations++
        }
    }

    async transfer(mask: number, tx: Buffer, rx: Buffer): Promise<void> {
        const startNs = this.nowNs + 20_000
        const endNs = startNs + tx.length * 800
        this.transfers++
        for (let i = 0; i < this.chips.length; i++) {
            if (!(mask & (1 << i))) continue
            const chip = this.chips[i]
            chip.select(startNs)
            const reply = chip.transfer(tx, startNs, endNs, 10_000_000)
            rx.set(reply.rx)
            chip.deselect(endNs)
        }
        this.nowNs = endNs
        if (this.cut) {
            const { startNs, endNs } = this.cut
            this.cut = undefined
            const at = startNs + Math.floor((endNs - startNs) * this.cutFraction)
            for (const chip of this.chips) chip.powerLost(at)
            this.nowNs = Math.max(this.nowNs, at)
            throw new PowerCut(`power cut at operation ${this.cutAt}`)
        }
    }

    /** Cuts the power in the n-th program or erase from the beginning of the bench, `fraction` of its time into it. */
    cutPowerAt(operation: number, fraction: number): void {
        this.cutAt = operation
        this.cutFraction = fraction
    }

    powerUp(): void {
        this.cutAt = -1
        this.cut = undefined
        this.nowNs += 1e9
        for (const chip of this.chips) chip.powerUp(this.nowNs)
    }

    /** A controller that knows nothing mounts the volume, as after a boot or a takeover. */
    async mount(): Promise<boolean> {
        const bank = new NorBank(this, Buffer.alloc(pageBufferBytes), Buffer.alloc(pageBufferBytes))
        const bytes = await bank.identify(this.chips.length)
        const array = new MirrorArray(bank, this.chips.length, bytes, this.segmentPages)
        const usage = Buffer.alloc(1024)
        this.volume = new Volume(
            0,
            array,
            new NodeCache(),
            Buffer.alloc(pageBufferBytes),
            usage,
            Buffer.alloc(pageBufferBytes),
        )
        this.requests = new Requests(this.volume)
        return await this.volume.mount()
    }

    async readFile(object: number): Promise<Buffer> {
        const reader = new Reader(Buffer.alloc(pageBufferBytes))
        const opened = await reader.open(this.volume, object)
        if (opened !== 0) throw new Error(`object ${object} cannot be read: status ${opened}`)
        const out = Buffer.alloc(reader.size)
        const status = await reader.read(0, reader.size, out, 0)
        if (status !== 0) throw new Error(`object ${object} cannot be read: status ${status}`)
        return out
    }
}
