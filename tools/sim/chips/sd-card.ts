// An SD card in SPI mode, as seen from its pins. Kept true:
// - it takes nothing but CMD0 until it has seen 74 clocks of at most 400 kHz with its select high, 1 ms or more after power-up;
// - it drives MISO from its first response on while selected, and for 8 clocks after; so two cards are never selected together;
// - what has started goes on while the card has power; a node that takes over finds a card initialised, busy, or in the middle of a
//   block, and must cope (poll until 0xFF, clock a block's length, CMD0);
// - after powerLost() only blocks whose writing had not settled may differ from what was acknowledged (sd-writes.ts, sd-cells.ts).
// Sections are those of the SD Physical Layer Simplified Specification, version 4.10.

import type { Random } from "../random"
import {
    noFaults,
    type ChipTiming,
    type Element,
    type ElementConfig,
    type ElementFaults,
    type SpiReply,
} from "./element"
import type { ChipImage } from "./image-file"
import { SdCells } from "./sd-cells"
import { sdBlockBytes, type SdPart } from "./sd-parts"
import { SdProtocol, type SdInside } from "./sd-protocol"
import { newSdState, type SdState } from "./sd-state"
import { copySdStatistics, newSdStatistics, type SdStatistics } from "./sd-statistics"
import { SdWrites, type SdOperation, type SdOperationKind } from "./sd-writes"
import { sectorBytes } from "./spi-nor-parts"
import { throwViolation, Violation } from "./violation"

export interface SdCardConfig extends ElementConfig {
    part: SdPart
    random: Random
}

export interface SdFaults extends ElementFaults {
    /** Blocks whose write ends in a write error */
    writeErrors: Set<number>
    /** Blocks whose read ends in an error token, whatever is written */
    readErrors: Set<number>
}

/** 6.4.1, 7.2.1: from power-up to the first clocks, and how many of them */
const powerUpNs = 1_000_000
const wakeClocks = 74
/** 7.2.1: until the card is initialised */
const idleHz = 400_000

interface LastTransfer {
    tx: Uint8Array
    fromNs: number
    byteNs: number
    endNs: number
    state: SdState
    statistics: SdStatistics
}

export class SdCard implements Element {
    readonly kind = "sd"
    readonly name: string
    readonly part: SdPart
    readonly image: ChipImage
    readonly cells: SdCells
    readonly statistics = newSdStatistics()
    readonly faults: SdFaults = { ...noFaults(), writeErrors: new Set(), readErrors: new Set() }
    readonly eraseCounts = new Uint32Array(0)
    private readonly writes: SdWrites
    private readonly protocol: SdProtocol
    private readonly lieRandom: Random

    private powered = false
    private selected = false
    /** Until it is selected anew it may take the rest of a command for another one, which is not the node's doing. */
    private isCutOff = false
    private poweredNs = 0
    private clocksSeen = 0
    /** What it still drives after its select rose */
    private held: number | undefined
    private last: LastTransfer | undefined
    private isTransferring = false
    private isReplaying = false

    constructor(private readonly config: SdCardConfig) {
        const { name, part, image, random } = config
        this.name = name
        this.part = part
        this.image = image
        if (image.bytes !== part.bytes || image.blank !== part.erasedByte)
            throw new Error(
                `${name}: an image of ${image.bytes} bytes, blank 0x${image.blank.toString(16)}, for a ${part.name} of ${part.bytes}`,
            )
        this.lieRandom = random.fork("lies")
        this.cells = new SdCells(image, part, random.fork("cells"))
        this.writes = new SdWrites(
            part,
            this.cells,
            random.fork("writes"),
            this.statistics,
            this.faults,
            config.timing ?? "typical",
        )
        this.protocol = new SdProtocol(this.inside(random.fork("protocol"), random.fork("serial").uint32()))
    }

    setTiming(timing: ChipTiming): void {
        this.writes.timing = timing
    }

    powerUp(atNs: number): void {
        if (this.powered) return
        this.writes.advance(atNs)
        this.powered = true
        this.poweredNs = this.writes.nowNs
        this.clocksSeen = 0
        this.protocol.state = newSdState()
    }

    powerLost(atNs: number): void {
        if (!this.powered) return
        this.writes.advance(atNs)
        this.writes.takeBack(this.writes.nowNs)
        this.writes.tear()
        this.powered = this.selected = false
        this.held = undefined
        this.protocol.state = newSdState()
    }

    select(atNs: number): void {
        if (!this.powered || this.selected) return
        this.writes.advance(atNs)
        this.selected = true
        this.isCutOff = false
        this.held = undefined
        this.last = undefined
    }

    cutOff(): void {
        this.isCutOff = true
        this.protocol.excuse()
    }

    deselect(atNs: number): void {
        if (!this.powered || !this.selected) return
        this.writes.advance(atNs)
        this.selected = false
        this.last = undefined
        if (this.protocol.drives && !this.faults.silent)
            this.held = this.protocol.isBusy(this.writes.nowNs) ? 0x00 : 0xff
        this.protocol.deselected()
    }

    clocked(bytes: number, startNs: number, hz: number): number | undefined {
        if (!this.powered || this.selected || bytes === 0) return undefined
        if (hz <= idleHz && startNs >= this.poweredNs + powerUpNs) this.clocksSeen += bytes * 8
        this.protocol.state.quietBytes += bytes
        const held = this.held
        this.held = undefined
        return held
    }

    transfer(tx: Uint8Array, startNs: number, endNs: number, hz: number): SpiReply {
        const reply = { rx: new Uint8Array(tx.length).fill(0xff), drivenFrom: tx.length }
        if (!this.powered || !this.selected || this.faults.silent || tx.length === 0) return reply
        this.writes.advance(startNs)
        const fromNs = this.writes.nowNs
        // one that was put in a moment ago in another's stead: who clocks it cannot know, and it understands nothing
        if (hz > idleHz && this.protocol.state.phase === "sd") return reply
        this.checkClock(hz)
        this.last = {
            tx: tx.slice(),
            fromNs,
            byteNs: (endNs - startNs) / tx.length,
            endNs,
            state: this.protocol.snapshot(),
            statistics: copySdStatistics(this.statistics),
        }
        this.isTransferring = true
        try {
            this.run(this.last, tx.length, reply)
        } finally {
            this.isTransferring = false
        }
        return reply
    }

    abort(atNs: number): void {
        const { last } = this
        // From within a transfer, by who was told of an operation: what is clocked so far stands, and the rest never comes
        if (!last || this.isTransferring || !this.powered || atNs >= last.endNs) return
        this.last = undefined
        this.writes.takeBack(atNs)
        this.protocol.state = last.state
        Object.assign(this.statistics, last.statistics)
        this.isReplaying = true
        const bytes = Math.min(last.tx.length, Math.max(0, Math.floor((atNs - last.fromNs) / last.byteNs)))
        this.run(last, bytes, { rx: new Uint8Array(last.tx.length), drivenFrom: 0 })
        this.isReplaying = false
    }

    isBusy(atNs: number): boolean {
        this.writes.advance(atNs)
        return this.protocol.isBusy(this.writes.nowNs)
    }

    get busyUntilNs(): number | undefined {
        const { busyUntilNs } = this.protocol.state
        return busyUntilNs > this.writes.nowNs ? busyUntilNs : undefined
    }

    peek(address: number, bytes: number): Uint8Array {
        const into = new Uint8Array(bytes)
        const data = new Uint8Array(sdBlockBytes)
        for (let done = 0; done < bytes;) {
            const at = address + done
            const offset = at % sdBlockBytes
            const count = Math.min(sdBlockBytes - offset, bytes - done)
            this.cells.read((at - offset) / sdBlockBytes, data)
            into.set(data.subarray(offset, offset + count), done)
            done += count
        }
        return into
    }

    corrupt(address: number, mask: Uint8Array): void {
        for (let i = 0; i < mask.length; i++) {
            const at = address + i
            this.image.writable(Math.floor(at / sectorBytes))[at % sectorBytes] ^= mask[i]
        }
    }

    renew(): void {
        this.image.clearRange(0, this.part.bytes / sectorBytes)
        this.cells.unreadable.clear()
        this.faults.writeErrors.clear()
        this.faults.readErrors.clear()
        Object.assign(this.faults, noFaults())
    }

    private run({ tx, fromNs, byteNs }: LastTransfer, bytes: number, reply: SpiReply): void {
        for (let i = 0; i < bytes && this.powered && this.selected; i++) {
            const { drives } = this.protocol
            const byte = this.protocol.clockByte(tx[i], fromNs + i * byteNs, fromNs + (i + 1) * byteNs)
            if (!drives) continue
            reply.rx[i] = byte
            if (i < reply.drivenFrom) reply.drivenFrom = i
        }
    }

    private checkClock(hz: number): void {
        const { phase } = this.protocol.state
        const limitHz = phase === "ready" ? this.part.clockHz : idleHz
        if (hz <= limitHz) return
        const until = phase === "ready" ? "" : " until it is initialised"
        this.report(
            `clocked at ${hz / 1e6} MHz; a ${this.part.name} takes ${limitHz / 1e6} MHz${until}`,
            this.writes.nowNs,
        )
    }

    private inside(random: Random, serial: number): SdInside {
        const writes = () => this.writes
        const faults = () => this.faults
        return {
            part: this.part,
            random,
            statistics: this.statistics,
            get timing() {
                return writes().timing
            },
            blocks: this.cells.blocks,
            serial,
            get staysBusy() {
                return faults().staysBusy
            },
            isAwake: () => this.clocksSeen >= wakeClocks,
            report: (what, atNs, block) => this.report(what, atNs, block),
            begin: (kind, first, last, startNs, data) => this.begin(kind, first, last, Math.floor(startNs), data),
            readBlock: block => this.readBlock(block),
            failsToWrite: block => this.faults.writeErrors.has(block),
            reset: atNs => this.reset(atNs),
        }
    }

    private begin(
        kind: SdOperationKind,
        first: number,
        last: number,
        startNs: number,
        data?: Uint8Array,
    ): SdOperation | undefined {
        if (this.isReplaying) return this.writes.beganAt(startNs)
        const operation = this.writes.plan(kind, first, last, startNs, data)
        const { index, address, bytes, endNs } = operation
        const verdict = this.config.onOperation?.({ index, kind, address, bytes, startNs, endNs })
        if (!this.powered) return undefined
        if (verdict === "drop") operation.isDropped = true
        this.writes.begin(operation)
        return operation
    }

    private readBlock(block: number): Uint8Array | undefined {
        if (this.faults.readErrors.has(block) || (this.cells.unreadable.has(block) && !this.writes.holds(block)))
            return undefined
        const data = new Uint8Array(sdBlockBytes)
        this.writes.read(block, data)
        this.statistics.bytesRead += sdBlockBytes
        if (!this.isReplaying && this.lieRandom.chance(this.faults.lies)) {
            this.statistics.lies++
            for (let n = 1 + this.lieRandom.int(8); n > 0; n--)
                data[this.lieRandom.int(sdBlockBytes)] ^= 1 << this.lieRandom.int(8)
        }
        return data
    }

    private reset(atNs: number): void {
        if (this.isReplaying) return
        this.writes.advance(atNs)
        this.writes.reset()
    }

    private report(what: string, atNs: number, block?: number): void {
        if (this.isReplaying) return
        if (this.isCutOff) return
        const report = this.config.report ?? throwViolation
        report(new Violation(this.name, what, atNs, block === undefined ? undefined : block * sdBlockBytes))
    }
}
