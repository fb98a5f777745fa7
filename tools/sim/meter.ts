// Adds up what a board's VM has done, over its whole life: counts of the VM wrap at 32 bits and die with its memory, these do not.

import type { Processor } from "./processor"
import { meterWords } from "./vm/vm-layout"
import type { VmInstance } from "./vm/vm-instance"

export interface Counters {
    ops: number
    opNs: number
    calls: number
    allocs: number
    allocBytes: number
    memsets: number
    memsetBytes: number
    memcpys: number
    memcpyBytes: number
    gcRuns: number
    shaBlocks: number
    numberTexts: number
    doubles: number
    slices: number
    logLines: number
    /** Virtual time spent computing. */
    busyNs: number
    /** The longest time without looking at the bus. */
    busyNsMax: number
    framesReceived: number
    framesSent: number
    framesDropped: number
    spiTransfers: number
    spiBytes: number
    starts: number
}

const gcIndex = meterWords.indexOf("gcRuns")

export class Meter {
    logLines = 0
    busyNs = 0
    busyNsMax = 0
    /** Operations by opcode. */
    readonly histogram = new Float64Array(256)
    private readonly totals = new Float64Array(meterWords.length)
    private readonly mark = new Uint32Array(meterWords.length)
    private readonly histogramMark = new Uint32Array(256)
    private lineMark = 0

    constructor(private readonly processor: Processor) {}

    /** A new VM counts from zero. */
    restart(): void {
        this.mark.fill(0)
        this.histogramMark.fill(0)
        this.lineMark = this.logLines
    }

    /** Time of the work since the last `settle`. */
    spentNs(vm: VmInstance): number {
        return this.processor.costNs(vm.meter, this.mark, this.logLines - this.lineMark)
    }

    /** Ends a stretch of work: returns its time, and whether memory was collected in it. */
    settle(vm: VmInstance): { ns: number; collected: boolean } {
        const ns = this.spentNs(vm)
        const collected = vm.meter[gcIndex] !== this.mark[gcIndex]
        const { totals, mark } = this
        for (let i = 0; i < totals.length; i++) totals[i] += (vm.meter[i] - mark[i]) >>> 0
        mark.set(vm.meter)
        this.lineMark = this.logLines
        this.busyNs += ns
        if (ns > this.busyNsMax) this.busyNsMax = ns
        return { ns, collected }
    }

    /** Takes in the histogram, which may wrap if this is not called for hours of virtual time. */
    gather(vm: VmInstance): void {
        for (let i = 0; i < 256; i++) this.histogram[i] += (vm.histogram[i] - this.histogramMark[i]) >>> 0
        this.histogramMark.set(vm.histogram)
    }

    words(): Record<(typeof meterWords)[number], number> {
        return Object.fromEntries(meterWords.map((word, i) => [word, this.totals[i]])) as Record<
            (typeof meterWords)[number],
            number
        >
    }

    ops(): number {
        return this.histogram.reduce((sum, n) => sum + n, 0)
    }
}
