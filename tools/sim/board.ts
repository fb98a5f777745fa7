// One microcontroller board: the official VM with a board's configuration, pins and SPI, on the event queue. What its program
// does takes the time that the board's processor would need: meanwhile timers wait, frames queue up and `millis()` moves.
// Power and reset take the RAM at once; the flash stays. Nothing a board does is seen outside before its virtual time has come.

import type { BoardConfig } from "./board-config"
import { BoardFlash } from "./board-flash"
import { BoardLink, type Reach } from "./board-link"
import { BoardPins } from "./board-pins"
import type { BoardPort } from "./board-port"
import { BoardSpi, noPin } from "./board-spi"
import type { EventQueue, Timer } from "./event-queue"
import { type Counters, Meter } from "./meter"
import { processor, type ProcessorKind } from "./processor"
import { programFlash } from "./program-flash"
import type { Random } from "./random"
import { type HeapUse, heapUse, largestPiece } from "./vm/heap"
import { VmExit, VmInstance } from "./vm/vm-instance"
import { hostCall } from "./vm/vm-layout"
import type { Wire } from "./wire"

/** Reset to main(): boot ROM, second stage, crystal and PLL. Not in our sources; an assumption, small beside the next. */
export const resetToMainNs = 10_000_000
/** devsmgr.c, devsmgr_init: next_restart = now + SECONDS(1.1), seconds of 2^20 us. The VM itself waits this long. */
export const mainToProgramNs = Math.floor(1.1 * 1024 * 1024) * 1000
/** platform.c, hw_panic: 60 blinks of 140 ms, then reset. */
export const hardPanicNs = 60 * 140_000_000
/** tim.c, tim_set_timer: never less than 10 us. */
const sleepNsMin = 10_000
/** devicescript-pico main.c: jd_set_max_sleep(1000) in each turn. */
const sleepNsMax = 1_000_000
/** A wait that spins on the clock must see it move, also where computing takes no time. */
const clockReadsFree = 1000
const spinNs = 1000

/** Longer than any run. */
const foreverMs = 1e9
/** devs_vm.h: why the runtime stops a program. */
export const panicCodes = { endlessLoop: 60001, memory: 60004, exception: 60005, depth: 60006 } as const
export type PanicCode = (typeof panicCodes)[keyof typeof panicCodes]

export interface BoardOptions {
    name: string
    queue: EventQueue
    random: Random
    /** 16 hex digits. */
    deviceId: string
    /** Compiled program. */
    image: Uint8Array
    config: BoardConfig
    cpu: ProcessorKind
    port: BoardPort
    wire: Wire
    reach: Reach
    onLog?: (line: string, atNs: number) => void
    /** Program panics (60004, ...); 0 is a restart the program asked for, -1 an assertion of the runtime. Planted: `panic` asked for it. */
    onPanic?: (code: number, atNs: number, isPlanted: boolean) => void
    /** What the board forwards to a host on its USB port: its own frames and those it hears on the wire. */
    onUsb?: (frame: Uint8Array, atNs: number) => void
}

export interface BoardHeap extends HeapUse {
    /** Most in use right after a collection, over all starts of the board. */
    liveBytesHigh: number
    /** The largest piece that a collection left free, when it was smallest; Infinity before the first. */
    largestPieceLow: number
}

export class Board {
    private readonly flash: BoardFlash
    /** What writing its flash took of the call under way. */
    private flashNs = 0
    private vm: VmInstance | undefined
    private powered = false
    private held = false
    /** Raised by each start and stop: what was planned in an earlier life does not happen. */
    private life = 0
    private busyUntilNs = 0
    private bootNs = 0
    private inCall = false
    private isHung = false
    /** What was left to compute when it began to hang: its effects are planned already. */
    private owedNs = 0
    /** The runtime has stopped the program and not started it again. */
    private isStopped = false
    /** What the runtime is to stop the program with at its next turn. */
    private dueCode: PanicCode | undefined
    private isPanicPlanted = false
    private callNs = 0
    private clockReads = 0
    private ctx = 0
    private timer: Timer | undefined
    private timerNs = Infinity
    private urgent = false
    private inFlight: Timer | undefined
    private readonly link: BoardLink
    private readonly pins: BoardPins
    private spi: BoardSpi
    private readonly meter: Meter
    private readonly entropy: Random
    private liveBytesHigh = 0
    private largestPieceLow = Infinity
    private readonly count = { spiTransfers: 0, spiBytes: 0, starts: 0 }

    constructor(private readonly options: BoardOptions) {
        this.entropy = options.random.fork(`board/${options.name}`)
        const flashRandom = options.random.fork(`flash/${options.name}`)
        this.flash = new BoardFlash(programFlash(options.image), options.cpu, flashRandom)
        this.meter = new Meter(processor(options.cpu))
        this.link = new BoardLink(options, {
            vm: () => this.vm,
            nowNs: () => this.nowNs(),
            busyUntilNs: () => this.busyUntilNs,
            wake: () => this.wakeUrgently(),
            soon: effect => this.soon(effect),
        })
        this.pins = new BoardPins(options.config, {
            drive: (gpio, level, pull) => this.soon(atNs => options.port.drive(gpio, level, pull, atNs)),
            sense: gpio => options.port.sense(gpio, this.nowNs()),
        })
        this.spi = this.newSpi()
    }

    get id(): string {
        return this.options.name
    }

    get deviceIdBytes(): Uint8Array {
        return this.link.deviceIdBytes
    }

    /** Frames that found the receive queue full. */
    get droppedFrames(): number {
        return this.link.droppedFrames
    }

    get isPowered(): boolean {
        return this.powered
    }

    /** Powered and out of reset; its program starts `mainToProgramNs` later. */
    get isRunning(): boolean {
        return this.vm !== undefined
    }

    powerOn(): void {
        if (this.powered) return
        this.powered = true
        if (!this.held) this.bootAfter(resetToMainNs)
    }

    powerOff(): void {
        this.powered = false
        this.stop()
    }

    /** A pulse on the RUN pin. */
    reset(): void {
        this.holdReset()
        this.releaseReset()
    }

    /** RUN is low. */
    holdReset(): void {
        this.held = true
        this.stop()
    }

    releaseReset(): void {
        if (!this.held) return
        this.held = false
        if (this.powered) this.bootAfter(resetToMainNs)
    }

    /** The board hangs: pins stay as they are, nothing is computed. */
    pause(ms: number): void {
        if (!this.vm) return
        this.busyUntilNs = Math.max(this.busyUntilNs, this.options.queue.nowNs) + Math.round(ms * 1e6)
        this.disarm()
        this.wake(this.busyUntilNs)
    }

    /** The board hangs until `resume`, a reset or the loss of its power. */
    hang(): void {
        if (!this.vm || this.isHung) return
        this.isHung = true
        this.owedNs = Math.max(0, this.busyUntilNs - this.options.queue.nowNs)
        this.pause(foreverMs)
    }

    resume(): void {
        if (!this.isHung) return
        this.isHung = false
        this.busyUntilNs = this.options.queue.nowNs + this.owedNs
        this.disarm()
        this.wakeUrgently()
    }

    /**
     * The runtime stops the program with this code, as it does by itself when memory is out or a program loops; it starts it again.
     * It does so when the computation under way is done, whose effects are planned already. False while no program runs.
     */
    panic(code: PanicCode): boolean {
        if (!this.vm || this.ctx === 0 || this.isStopped || this.inCall) return false
        this.resume()
        this.dueCode = code
        this.wake(this.options.queue.nowNs)
        return true
    }

    /** As the bench does with a new image: everything else in the flash is gone. The board starts again if it has power. */
    flashProgram(image: Uint8Array): void {
        this.stop()
        this.flash.content = programFlash(image)
        if (this.powered && !this.held) this.bootAfter(resetToMainNs)
    }

    counters(): Counters {
        if (this.vm) this.meter.gather(this.vm)
        const { logLines, busyNs, busyNsMax } = this.meter
        const { framesReceived, framesSent, droppedFrames } = this.link
        return {
            ops: this.meter.ops(),
            ...this.meter.words(),
            ...{ logLines, busyNs, busyNsMax, framesReceived, framesSent, framesDropped: droppedFrames },
            ...this.count,
        }
    }

    /** Operations by opcode. */
    histogram(): Float64Array {
        if (this.vm) this.meter.gather(this.vm)
        return this.meter.histogram.slice()
    }

    /** Undefined while no program runs. */
    heap(): BoardHeap | undefined {
        if (!this.vm || this.ctx === 0) return undefined
        const use = heapUse(this.vm.u32, this.ctx)
        return use && { ...use, liveBytesHigh: this.liveBytesHigh, largestPieceLow: this.largestPieceLow }
    }

    /** A frame from a host on the board's USB port. */
    fromUsb(frame: Uint8Array): void {
        this.link.fromUsb(frame)
    }

    /** The board's own time, ahead of the queue's while it computes. */
    nowNs(): number {
        if (!this.inCall) return this.options.queue.nowNs
        const spins = this.clockReads > clockReadsFree ? (this.clockReads - clockReadsFree) * spinNs : 0
        return this.callNs + this.meter.spentNs(this.vm!) + spins + this.flashNs
    }

    private bootAfter(delayNs: number): void {
        const life = ++this.life
        this.options.queue.after(delayNs, () => {
            if (life === this.life) this.boot()
        })
    }

    private boot(): void {
        const { queue, cpu, config, deviceId, reach } = this.options
        this.count.starts++
        this.meter.restart()
        this.bootNs = this.busyUntilNs = queue.nowNs
        this.ctx = 0
        const vm = new VmInstance(
            {
                micros: () => this.micros(),
                randomBytes: n => this.entropy.bytes(n),
                flash: this.flash.content,
                flashSave: bytes => void (this.flashNs += this.flash.save(bytes, this.nowNs())),
                log: line => this.log(line),
                panic: code => {
                    this.isStopped = true
                    this.options.onPanic?.(code, this.nowNs(), this.isPanicPlanted)
                },
                frameSending: pointer => this.link.frameSending(pointer),
                native: (call, args) => this.native(call, args),
            },
            processor(cpu).opCostNs,
        )
        this.vm = vm
        vm.setBoard(config.dcfg)
        if (reach === "all") vm.setReachAll()
        this.call(() => vm.start(deviceId, this.entropy.uint32()))
        if (this.vm === vm) this.wake(this.busyUntilNs)
    }

    private stop(): void {
        if (this.inCall) throw new Error("a board cannot lose power or be reset from within its own call")
        this.life++
        this.disarm()
        if (this.vm) this.meter.gather(this.vm)
        this.vm = undefined
        this.flash.cut(this.options.queue.nowNs)
        this.ctx = 0
        this.urgent = false
        this.isHung = this.isStopped = false
        this.dueCode = undefined
        this.isPanicPlanted = false
        this.link.drop()
        const nowNs = this.options.queue.nowNs
        if (this.inFlight) {
            this.inFlight.cancel()
            this.inFlight = undefined
            this.options.port.aborted(nowNs)
        }
        this.pins.release()
        this.spi = this.newSpi()
    }

    private wake(atNs: number): void {
        if (atNs < this.busyUntilNs) atNs = this.busyUntilNs
        if (atNs >= this.timerNs) return
        this.disarm()
        this.timerNs = atNs
        this.timer = this.options.queue.at(atNs, () => this.run())
    }

    private wakeUrgently(): void {
        this.urgent = true
        this.wake(this.options.queue.nowNs)
    }

    private disarm(): void {
        this.timer?.cancel()
        this.timer = undefined
        this.timerNs = Infinity
    }

    /** One turn of the board's main loop: at most one frame from the wire, then all that is due. */
    private run(): void {
        this.timer = undefined
        this.timerNs = Infinity
        const vm = this.vm!
        this.link.releaseHandled()
        this.urgent = false
        const code = this.dueCode
        this.dueCode = undefined
        let sleepUs = 0
        this.call(() => {
            this.isPanicPlanted = code !== undefined
            if (code !== undefined) vm.exports.devs_panic(this.ctx, code)
            this.isPanicPlanted = false
            this.link.handleNext(vm)
            sleepUs = vm.exports.jd_em_process()
        })
        if (this.vm !== vm) return
        const more = this.urgent || this.link.hasWaiting
        this.wake(this.busyUntilNs + (more ? 0 : Math.min(Math.max(sleepUs * 1000, sleepNsMin), sleepNsMax)))
    }

    /** Runs VM code from the queue's present time on and charges its cost. */
    private call(work: () => void): void {
        const vm = this.vm!
        const startNs = this.options.queue.nowNs
        this.callNs = startNs
        this.clockReads = 0
        this.flashNs = 0
        this.inCall = true
        let exit: VmExit | undefined
        try {
            work()
        } catch (e) {
            if (!(e instanceof VmExit)) throw e
            exit = e
        }
        const endNs = this.nowNs()
        this.inCall = false
        const { collected } = this.meter.settle(vm)
        this.busyUntilNs = endNs
        if (exit) return this.left(exit)
        const use = collected ? heapUse(vm.u32, this.ctx) : undefined
        if (!use) return
        this.liveBytesHigh = Math.max(this.liveBytesHigh, use.liveBytes)
        // what is free now is part of a piece as large, or larger: nothing to be found then
        if (use.largestFreeBytes < this.largestPieceLow)
            this.largestPieceLow = Math.min(this.largestPieceLow, largestPiece(vm.u32, this.ctx))
    }

    /** The runtime reset the board, or failed an assertion and blinks before it does. */
    private left(exit: VmExit): void {
        const nowNs = this.options.queue.nowNs
        if (exit.cause === "abort") this.options.onPanic?.(-1, nowNs, false)
        this.stop()
        this.bootAfter(resetToMainNs + (exit.cause === "abort" ? hardPanicNs : 0))
    }

    private micros(): number {
        this.clockReads++
        return (this.nowNs() - this.bootNs) / 1000 + 1000
    }

    /** What the board does at its own time happens outside when the queue gets there, unless power or reset came first. */
    private soon(effect: (atNs: number) => void): void {
        const atNs = this.nowNs()
        if (!this.inCall) return effect(atNs)
        const life = this.life
        this.options.queue.at(atNs, () => {
            if (life === this.life) effect(atNs)
        })
    }

    private native(call: number, args: Uint32Array): void {
        const vm = this.vm!
        switch (call) {
            case hostCall.spiXfer:
                return this.spi.transfer(vm, args[0])
            case hostCall.spiConfigure:
                return this.spi.configure(vm, args[0])
            case hostCall.setMode:
                return this.pins.setMode(vm, args[0])
            case hostCall.pinValue:
                return this.pins.value(vm, args[0], args[1], args[2])
            case hostCall.pinsReset:
                if (args[0] !== 0) {
                    this.ctx = args[0]
                    this.isStopped = false
                }
                return this.pins.initialize(args[0])
            case hostCall.txReady:
                return this.link.pump()
        }
    }

    private log(line: string): void {
        // what a program prints, as against what the runtime does
        if (line.includes("> ")) this.meter.logLines++
        this.options.onLog?.(line, this.nowNs())
    }

    private newSpi(): BoardSpi {
        const { queue, port } = this.options
        const wakeAfter = (done: () => void) => {
            done()
            this.wakeUrgently()
        }
        return new BoardSpi({
            nowNs: () => this.nowNs(),
            claim: setup => {
                if (setup.sck !== noPin) this.pins.drive(setup.sck, setup.mode & 2 ? 1 : 0, undefined)
                if (setup.mosi !== noPin) this.pins.drive(setup.mosi, 0, undefined)
                if (setup.miso !== noPin) this.pins.drive(setup.miso, undefined, undefined)
            },
            soon: done => this.soon(() => queue.at(queue.nowNs, () => wakeAfter(done))),
            transfer: (setup, tx, startNs, endNs, done) => {
                this.count.spiTransfers++
                this.count.spiBytes += tx.length
                this.soon(() => {
                    const received = port.transfer(setup, tx, startNs, endNs)
                    const finish = () => {
                        this.inFlight = undefined
                        wakeAfter(() => done(received))
                    }
                    this.inFlight = queue.at(endNs, finish)
                })
            },
        })
    }
}
