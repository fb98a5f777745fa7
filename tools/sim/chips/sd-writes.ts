// What a card does by itself once told to: write, erase, end a multiple write, and being cut off. Kept true:
// - a block is in the cells when its operation settles: a single write at the end of its busy time, a block of a multiple write when
//   the write is ended or the card's memory is full; until then a power cut may lose or tear it, acknowledged or not;
// - what is read is what was written, settled or not;
// - operations begin in the order of their times, so those that a dead board never clocked can be taken back.

import type { Random } from "../random"
import { spanNs, type ChipTiming, type ElementFaults, type ElementOperation } from "./element"
import type { SdCells } from "./sd-cells"
import { sdBlockBytes, type SdPart } from "./sd-parts"
import type { SdStatistics } from "./sd-statistics"

export type SdOperationKind = "write" | "writeOn" | "stop" | "erase"

export interface SdOperation extends ElementOperation {
    kind: SdOperationKind
    first: number
    last: number
    data?: Uint8Array
    isDropped: boolean
    /** When it can no longer be lost; Infinity = not known yet */
    settleNs: number
}

export class SdWrites {
    nowNs = 0
    /** Begun and not settled, oldest first */
    private begun: SdOperation[] = []
    private count = 0

    constructor(
        private readonly part: SdPart,
        private readonly cells: SdCells,
        private readonly random: Random,
        private readonly statistics: SdStatistics,
        private readonly faults: ElementFaults,
        public timing: ChipTiming,
    ) {}

    plan(kind: SdOperationKind, first: number, last: number, startNs: number, data?: Uint8Array): SdOperation {
        const endNs = startNs + this.durationNs(kind, first, last)
        const bytes = (last + 1 - first) * sdBlockBytes
        const index = this.count++
        const isDropped = this.random.chance(this.faults.dropsWrites)
        const settleNs = kind === "writeOn" ? Infinity : endNs
        return {
            index,
            kind,
            address: first * sdBlockBytes,
            bytes,
            startNs,
            endNs,
            first,
            last,
            data,
            isDropped,
            settleNs,
        }
    }

    begin(operation: SdOperation): void {
        this.begun.push(operation)
        if (operation.kind === "stop") this.settleHeld(0, operation.endNs)
        else if (operation.kind === "writeOn") this.settleHeld(this.part.bufferBlocks, operation.endNs)
    }

    /** The operation that began at that very time, if it is still there. */
    beganAt(startNs: number): SdOperation | undefined {
        return this.begun.find(operation => operation.startNs === startNs)
    }

    advance(atNs: number): void {
        if (atNs > this.nowNs) this.nowNs = atNs
        while (this.begun.length > 0 && this.begun[0].settleNs <= this.nowNs) this.settle(this.begun.shift()!)
    }

    /** Takes back what begins later than that: the board died before it had clocked it. */
    takeBack(atNs: number): void {
        for (let last = this.begun.at(-1); last && last.startNs > atNs; last = this.begun.at(-1)) {
            this.begun.pop()
            for (const other of this.begun)
                if (other.kind === "writeOn" && other.settleNs === last.endNs) other.settleNs = Infinity
        }
    }

    read(block: number, into: Uint8Array): void {
        this.cells.read(block, into)
        for (const { data, first, isDropped } of this.begun) if (data && first === block && !isDropped) into.set(data)
    }

    /** Written, but not settled */
    holds(block: number): boolean {
        return this.begun.some(({ data, first, isDropped }) => data && first === block && !isDropped)
    }

    /** Leaves what has not settled as a power cut now leaves it. */
    tear(): void {
        for (const operation of this.begun) this.tearOne(operation)
        this.begun = []
    }

    /** CMD0: only what the card is busy with is torn, what it holds in memory it keeps. */
    reset(): void {
        for (const operation of this.begun)
            if (operation.endNs > this.nowNs) this.tearOne(operation)
            else this.settle(operation)
        this.begun = []
    }

    private settleHeld(left: number, atNs: number): void {
        const held = this.begun.filter(({ kind, settleNs }) => kind === "writeOn" && settleNs === Infinity)
        for (const operation of held.slice(0, Math.max(0, held.length - left))) operation.settleNs = atNs
    }

    private settle({ kind, first, last, data, startNs, endNs, isDropped }: SdOperation): void {
        this.statistics.busyNs += endNs - startNs
        if (isDropped) return
        if (data) this.cells.write(first, data)
        else if (kind === "erase") this.cells.erase(first, last)
    }

    private tearOne({ kind, first, last, data, startNs, endNs, isDropped }: SdOperation): void {
        const fraction = Math.min(1, (this.nowNs - startNs) / (endNs - startNs))
        if (fraction <= 0 || isDropped) return
        const { statistics, cells } = this
        if (kind === "erase") {
            statistics.tornErases++
            cells.tearErase(first, last, fraction)
        } else if (data) {
            statistics.cutWrites++
            if (cells.tearWrite(first, data, fraction)) statistics.tornBlocks++
            statistics.tornNeighbours += cells.tearNeighbours(first)
        }
    }

    private durationNs(kind: SdOperationKind, first: number, last: number): number {
        const { part, timing } = this
        if (kind === "erase") {
            const units = Math.ceil(((last + 1 - first) * sdBlockBytes) / part.allocationUnitBytes)
            return spanNs(part.eraseNs, timing) * units
        }
        if (kind === "stop") return spanNs(part.stopNs, timing)
        if (timing !== "maximum" && this.random.chance(part.pause.chance)) return part.pause.ns
        return spanNs(kind === "write" ? part.writeNs : part.writeOnNs, timing)
    }
}
