// A store under load: fills a volume to a given part, replaces and reads files as a host would, and does the firmware's idle work
// between. Counts are the chips' own.

import { freePages, uploadOf } from "../../../src/store/volume"
import { StoreBench } from "../../../test/support/store-bench"
import { StoreClient } from "../../../test/support/store-client"
import { Random } from "../../sim/random"
import type { SpiNorPart } from "../../sim/chips/spi-nor-parts"
import { Programs } from "./programs"
import { eraseAhead } from "../../../src/store/log"
import { cacheSlots } from "../../../src/store/node-cache"
import { takenBytes } from "../../../src/store/upload"

const opCreate = 4
const opAbort = 6
const opRemove = 8
const opReplace = 0x85
const mtime = 1_700_000_000
const rootDirectory = 1
const noSpace = 6
const bodyBytes = 236
/** As in src/server/worker.ts: work that can wait begins after so long without a command. */
const quietMs = 25
const nsPerMs = 1e6

interface Known {
    object: number
    bytes: number
}

export class StoreLoad {
    readonly bench: StoreBench
    readonly programs: Programs
    readonly random: Random
    readonly files = new Map<string, Known>()
    readonly client: StoreClient
    /** What files begin with. */
    readonly content: Buffer
    userBytes = 0
    private readonly names: string[] = []

    constructor(part: SpiNorPart, segmentRows: number, elements: number, seed: number) {
        this.bench = new StoreBench(part, segmentRows, seed, elements)
        this.bench.cacheSlots = cacheSlots
        this.programs = new Programs(this.bench)
        this.random = new Random(`store load ${seed}`)
        this.client = new StoreClient(this.bench, 1)
        this.content = Buffer.from(this.random.bytes(1 << 20))
    }

    async begin(): Promise<void> {
        if (!(await this.bench.mount())) throw new Error("the volume cannot be mounted")
        const { status } = await this.client.hello()
        if (status !== 0) throw new Error(`hello: status ${status}`)
    }

    private async ask(op: number, ...args: (number | Buffer)[]): Promise<number> {
        const { status, value } = await this.client.send(op, ...args)
        if (status !== 0) throw new Error(`request ${op}: status ${status}`)
        return value
    }

    /** Writes a file, over the one that has the name. */
    async put(name: string, bytes: number): Promise<void> {
        if (!(await this.tryPut(name, bytes))) throw new Error(`${name}: no space`)
    }

    /** @returns false when the volume is full; it holds what it held then */
    async tryPut(name: string, bytes: number): Promise<boolean> {
        const { status, value: object } = await this.client.send(opCreate)
        if (status === noSpace) return false
        if (status !== 0) throw new Error(`create: status ${status}`)
        const isTaken = (await this.client.write(object, this.content.subarray(0, bytes))) === bytes
        const end = isTaken
            ? await this.client.send(opReplace, object, bytes, mtime, rootDirectory, Buffer.from(name))
            : { status: noSpace }
        if (end.status !== 0) {
            if (end.status !== noSpace) throw new Error(`commit: status ${end.status}`)
            await this.ask(opAbort, object)
            return false
        }
        this.files.set(name, { object, bytes })
        this.userBytes += bytes
        return true
    }

    // --- uploads that stay open

    async beginUpload(): Promise<number> {
        return await this.ask(opCreate)
    }

    async extend(object: number, bytes: number): Promise<void> {
        const taken = await this.client.write(object, this.content.subarray(0, bytes))
        if (taken !== bytes) throw new Error(`upload ${object}: ${taken} of ${bytes} bytes taken`)
    }

    uploaded(object: number): number {
        return takenBytes(uploadOf(this.bench.volume, object))
    }

    async abort(object: number): Promise<void> {
        await this.ask(opAbort, object)
    }

    async remove(name: string): Promise<void> {
        const { directory } = this.bench.volume
        const bytes = Buffer.from(name)
        await directory.lookup(rootDirectory, bytes, 0, bytes.length)
        await this.ask(opRemove, rootDirectory, directory.key, directory.object, mtime)
        this.files.delete(name)
    }

    async read(name: string): Promise<void> {
        const { directory } = this.bench.volume
        const bytes = Buffer.from(name)
        await directory.lookup(rootDirectory, bytes, 0, bytes.length)
        const back = await this.bench.readFile(directory.object)
        const { bytes: size } = this.files.get(name)!
        if (!back.equals(this.content.subarray(0, size))) throw new Error(`${name} is not what was written`)
        this.userBytes += size
    }

    /** Pages that a segment of the log has. */
    segmentPages(): number {
        const { chips, segmentRows } = this.bench
        return segmentRows * (chips.length === 2 ? 1 : chips.length - 1)
    }

    /** As a host sees it: 1 = full. */
    fullness(): number {
        const { volume } = this.bench
        return 1 - freePages(volume) / ((volume.log.segments - 1) * this.segmentPages())
    }

    /** New files of `bytes` bytes until the volume is so full, or says that it has no space. */
    async fillTo(fullness: number, bytes: number): Promise<void> {
        while (this.fullness() < fullness) if (!(await this.tryPut(`fill ${this.files.size}`, bytes))) return
    }

    capacityBytes(): number {
        return (this.bench.volume.log.segments - 1) * this.segmentPages() * bodyBytes
    }

    anyFile(): string {
        if (!this.names.length) this.names.push(...this.files.keys())
        return this.names[this.random.int(this.names.length)]
    }

    /** Writes a file, and removes the one that it stands for. */
    async tryReplace(name: string, old: string, bytes: number): Promise<boolean> {
        if (!(await this.tryPut(name, bytes))) return false
        if (this.files.has(old)) await this.remove(old)
        return true
    }

    /** Counts begin anew. */
    restart(): void {
        this.userBytes = 0
        this.programs.take()
        for (const { statistics } of this.bench.chips) {
            statistics.bytesProgrammed = 0
            statistics.bytesRead = 0
        }
    }

    /** Lets `ms` pass, with the idle work of a node that nobody asks anything. A step once begun is finished. */
    async idle(ms: number): Promise<void> {
        const { bench } = this
        const endNs = bench.nowNs + ms * nsPerMs
        bench.nowNs += Math.min(ms, quietMs) * nsPerMs
        while (bench.nowNs < endNs) {
            if (bench.volume.orphans) await bench.volume.reclaim()
            else if (!(await eraseAhead(bench.volume.log))) break
        }
        bench.nowNs = Math.max(bench.nowNs, endNs)
    }

    /** Pages that hold `bytes` bytes, as bytes on flash for each of them. */
    static leastAmplification(bytes: number): number {
        return (Math.ceil(bytes / bodyBytes) * 256) / bytes
    }

    bytesProgrammed(): number {
        return this.bench.chips.reduce((sum, chip) => sum + chip.statistics.bytesProgrammed, 0)
    }

    bytesRead(): number {
        return this.bench.chips.reduce((sum, chip) => sum + chip.statistics.bytesRead, 0)
    }
}
