// What a NOR chip does by itself once told to: program, erase, suspend, resume, reset, and being cut off. Kept true:
// - time never goes back; an operation ends at its time whoever asks next, and only then changes the cells;
// - write enable falls when an operation ends, however it ends;
// - at most one operation runs and at most one is suspended.
// Capitalised names are the instruction descriptions of the W25Q128JV datasheet.

import { spanNs, type ChipTiming, type ElementFaults, type ElementOperation } from "./element"
import type { NorCells, PageWrite } from "./nor-cells"
import { resetNs, suspendNs, type SpiNorPart } from "./spi-nor-parts"
import type { SpiNorStatistics } from "./spi-nor-statistics"

export type EraseKind = "erase4k" | "erase32k" | "erase64k" | "eraseChip"
export type OperationKind = "program" | EraseKind

/** A program or erase that starts. Cut the power at `startNs + fraction * (endNs - startNs)` to tear it. */
export interface Operation extends ElementOperation {
    kind: OperationKind
}

export interface RunningOperation extends Operation {
    write?: PageWrite
    /** It takes its time and changes nothing */
    isDropped?: boolean
}

const chipEraseBlockBytes = 65536

export class NorOperations {
    nowNs = 0
    writeEnabled = false
    running: RunningOperation | undefined
    suspended: { operation: RunningOperation; doneNs: number } | undefined
    /** After suspend, reset, power-down and wake the chip hears nothing for a moment */
    unreadyUntilNs = 0
    private count = 0

    constructor(
        private readonly part: SpiNorPart,
        private readonly cells: NorCells,
        private readonly statistics: SpiNorStatistics,
        private readonly faults: ElementFaults,
        public timing: ChipTiming,
    ) {}

    get isBusy(): boolean {
        return this.faults.staysBusy || this.running !== undefined || this.nowNs < this.unreadyUntilNs
    }

    advance(atNs: number): void {
        if (atNs > this.nowNs) this.nowNs = atNs
        const running = this.running
        if (!running || this.nowNs < running.endNs) return
        if (running.isDropped) this.statistics.dropped++
        else if (running.write) this.cells.program(running.write)
        else this.cells.erase(running.address, running.bytes)
        this.statistics.busyNs += running.endNs - running.startNs
        this.running = undefined
        this.writeEnabled = false
    }

    plan(kind: OperationKind, address: number, bytes: number, write?: PageWrite): RunningOperation {
        const startNs = this.nowNs
        return { index: this.count++, kind, address, bytes, startNs, endNs: startNs + this.durationNs(kind), write }
    }

    /** Erase / Program Suspend: not for a chip erase, not twice. False if the chip ignored it. */
    suspend(): boolean {
        const operation = this.running
        if (!operation || this.suspended || operation.kind === "eraseChip") return false
        this.suspended = { operation, doneNs: this.nowNs - operation.startNs }
        this.running = undefined
        this.writeEnabled = false
        this.unreadyUntilNs = this.nowNs + suspendNs
        return true
    }

    resume(): boolean {
        if (!this.suspended || this.running) return false
        const { operation, doneNs } = this.suspended
        const durationNs = operation.endNs - operation.startNs
        this.suspended = undefined
        operation.startNs = this.nowNs - doneNs
        operation.endNs = operation.startNs + durationNs
        this.running = operation
        return true
    }

    /** Enable Reset and Reset Device: what was in flight may be corrupted. */
    reset(): void {
        this.tear()
        this.unreadyUntilNs = this.nowNs + resetNs
    }

    /** Leaves what is in flight half done, as after a power cut now. */
    tear(): void {
        const { running, suspended } = this
        if (running) this.tearOne(running, this.nowNs - running.startNs)
        if (suspended) this.tearOne(suspended.operation, suspended.doneNs)
        this.running = this.suspended = undefined
        this.writeEnabled = false
    }

    private tearOne(operation: RunningOperation, doneNs: number): void {
        if (operation.isDropped) return
        const fraction = doneNs / (operation.endNs - operation.startNs)
        if (operation.write) {
            this.statistics.tornPrograms++
            return this.cells.tearProgram(operation.write, fraction)
        }
        this.statistics.tornErases++
        if (operation.kind !== "eraseChip") return this.cells.tearErase(operation.address, operation.bytes, fraction)
        // The whole chip goes block after block: those before the cut are erased, one is torn, those after are as they were
        const blockBytes = Math.min(chipEraseBlockBytes, this.part.bytes)
        const blocks = (this.part.bytes / blockBytes) * fraction
        const whole = Math.floor(blocks)
        this.cells.erase(0, whole * blockBytes)
        this.cells.tearErase(whole * blockBytes, blockBytes, blocks - whole)
    }

    private durationNs(kind: OperationKind): number {
        return spanNs(this.part[`${kind}Ns`], this.timing)
    }
}
