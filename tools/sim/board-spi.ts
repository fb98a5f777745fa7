// The SPI port of a board as impl_dsspi.c and the RP2040's spi.c run it, with their traps: a write leaves up to eight bytes in
// the receive queue for the next transfer to find, a read without a write has no clock and never ends, one transfer at a time.

import type { SpiSetup } from "./board-port"
import { ctxLayout, fiberKindAwaiting, fiberLayout } from "./vm/vm-layout"
import type { VmInstance } from "./vm/vm-instance"

/** RP2040 datasheet 4.4: receive FIFO of eight. */
const fifoBytes = 8
/** devicescript-pico spi.c: BLOCK_SIZE. */
const blockBytesMax = 4096
/** clk_peri of the pico-sdk's clocks_init. */
const peripheralHz = 125_000_000
const spi1 = 1
/** jd_pins.h: NO_PIN */
export const noPin = 0xff
const foreverMs = 0xffffffff

const error = { inUse: -100, noPin: -1, tooLong: -2, empty: -3 }

export interface SpiOutside {
    nowNs(): number
    /** Pins that now belong to the SPI block. */
    claim(setup: SpiSetup): void
    /** Starts at startNs; `done` is called at endNs with the bytes received, unless power or reset came first. */
    transfer(
        setup: SpiSetup,
        tx: Uint8Array,
        startNs: number,
        endNs: number,
        done: (received: Uint8Array) => void,
    ): void
    /** `done` at the board's present time: it took no clock. */
    soon(done: () => void): void
}

export class BoardSpi {
    private setup: SpiSetup | undefined
    private configured = ""
    private peripheral = 0
    private inUse = false
    private stale: number[] = []
    /** Byte in the VM's memory that a waiting fiber watches. */
    private doneFlag = 0

    constructor(private readonly outside: SpiOutside) {}

    configure(vm: VmInstance, ctx: number): void {
        const [miso, mosi, sck, mode, hz] = [0, 1, 2, 3, 4].map(i => vm.exports.devs_arg_int(ctx, i))
        // jd_spi_cfg_t holds pins as bytes: -1 is NO_PIN there
        const pins = { miso: miso & 0xff, mosi: mosi & 0xff, sck: sck & 0xff }
        const wanted = [vm.u32[(ctx + ctxLayout.sequence) >> 2], miso, mosi, sck, mode, hz].join()
        if (wanted === this.configured) return
        this.configured = wanted
        if (this.inUse) return vm.throwRangeError(ctx, "SPI init failed: %d", error.inUse)
        const first = [pins.sck, pins.miso, pins.mosi].find(pin => pin !== noPin)
        if (first === undefined) return vm.throwRangeError(ctx, "SPI init failed: %d", error.noPin)
        this.peripheral = (first >> 3) & 1
        this.stale = []
        this.setup = { ...pins, mode: mode & 3, hz: dividedHz(hz) }
        this.outside.claim(this.setup)
    }

    transfer(vm: VmInstance, ctx: number): void {
        const tx = bufferAt(vm, ctx, 0)
        const rx = bufferAt(vm, ctx, 1)
        const value = vm.argument(ctx, 0)
        if (!this.setup || this.inUse) return vm.throwRangeError(ctx, "SPI busy")
        if (!tx && !rx) return vm.throwExpecting(ctx, "at least one of TX/RX buffers", value)
        if (tx && rx && tx.bytes !== rx.bytes) return vm.throwExpecting(ctx, "same size TX/RX buffers", value)
        if (rx && !vm.exports.devs_buffer_is_writable(ctx, vm.argument(ctx, 1)))
            return vm.throwExpecting(ctx, "mutable Buffer", vm.argument(ctx, 1))
        const bytes = (tx ?? rx)!.bytes
        // the board throws these two when the fiber resumes, at once
        if (bytes > blockBytesMax) return vm.throwRangeError(ctx, "SPI error: %d", error.tooLong)
        if (bytes === 0) return vm.throwRangeError(ctx, "SPI error: %d", error.empty)
        this.inUse = true
        this.suspend(vm, ctx)
        const sequence = vm.u32[(ctx + ctxLayout.sequence) >> 2]
        const finish = (data: Uint8Array | number[]) => {
            this.inUse = false
            // a program that was restarted meanwhile has given its memory back
            const alive = vm.u32[(ctx + ctxLayout.sequence) >> 2] === sequence
            if (rx && alive) vm.u8.set(data, rx.pointer)
            vm.u8[this.doneFlag] = 1
        }
        if (!tx) return this.receiveOnly(bytes, finish)
        const sent = vm.u8.slice(tx.pointer, tx.pointer + bytes)
        const startNs = this.outside.nowNs()
        const endNs = startNs + Math.round((bytes * 8e9) / this.setup.hz)
        this.outside.transfer(this.setup, sent, startNs, endNs, received =>
            finish(rx ? this.receive(received) : this.leave(received)),
        )
    }

    /** No clock runs: only what an earlier write left can arrive. */
    private receiveOnly(bytes: number, finish: (data: number[]) => void): void {
        if (this.stale.length < bytes) return
        const data = this.stale.splice(0, bytes)
        this.outside.soon(() => finish(data))
    }

    /** The receive queue is first in, first out: what was left comes first and pushes as much of the new data behind. */
    private receive(received: Uint8Array): Uint8Array {
        // jd_spi_init gives the DMA the data register of spi0 whatever the pins: nothing of spi1 is ever read
        if (this.peripheral === spi1) return new Uint8Array(received.length)
        if (this.stale.length === 0) return received
        const all = [...this.stale, ...received]
        this.stale = all.slice(received.length)
        return Uint8Array.from(all.slice(0, received.length))
    }

    private leave(received: Uint8Array): Uint8Array {
        for (let i = 0; i < received.length && this.stale.length < fifoBytes; i++) this.stale.push(received[i])
        return received
    }

    /** devs_fiber_await */
    private suspend(vm: VmInstance, ctx: number): void {
        if (this.doneFlag === 0) this.doneFlag = vm.exports.malloc(4)
        vm.u8[this.doneFlag] = 0
        const fiber = vm.u32[(ctx + ctxLayout.currFiber) >> 2]
        vm.u32[(fiber + fiberLayout.awaiting) >> 2] = this.doneFlag
        vm.u8[fiber + fiberLayout.kind] = (vm.u8[fiber + fiberLayout.kind] & 0xf0) | fiberKindAwaiting
        vm.exports.devs_fiber_sleep(fiber, foreverMs | 0)
    }
}

function bufferAt(vm: VmInstance, ctx: number, index: number): { pointer: number; bytes: number } | undefined {
    const pointer = vm.exports.devs_bufferish_data(ctx, vm.argument(ctx, index), vm.scratch)
    return pointer === 0 ? undefined : { pointer, bytes: vm.u32[vm.scratch >> 2] }
}

/** pico-sdk, spi_set_baudrate: an even prescale of 2 to 254, a divider of 1 to 256; never faster than asked. */
export function dividedHz(hz: number): number {
    if (hz <= 0) hz = 1
    let prescale = 2
    while (prescale < 254 && peripheralHz >= (prescale + 2) * 256 * hz) prescale += 2
    let divider = 256
    while (divider > 1 && Math.floor(peripheralHz / (prescale * (divider - 1))) <= hz) divider--
    return Math.floor(peripheralHz / (prescale * divider))
}
