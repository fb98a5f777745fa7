// One running VM: its memory, its calls and what it asks of its host. It knows nothing of boards or of the event queue. All it
// takes from outside (time, randomness, flash) comes through `VmHost`, so the same host gives the same run.

import { vmImage } from "./vm-image"
import { ctxLayout, dcfgLayout, hostCall, meterLayout, meterWords, randomSeed } from "./vm-layout"

export interface VmHost {
    /** Microseconds, with fractions, since the board started. */
    micros(): number
    randomBytes(n: number): Uint8Array
    flash: Uint8Array
    /** The flash from its first byte on, as it is now; the program waits until it is written. */
    flashSave(bytes: Uint8Array): void
    log(line: string): void
    panic(code: number): void
    /** The program hands a frame to the bus; it is in the VM's memory. */
    frameSending(pointer: number): void
    native(call: number, args: Uint32Array): void
}

interface VmExports {
    memory: WebAssembly.Memory
    __wasm_call_ctors(): void
    emscripten_stack_init(): void
    malloc(bytes: number): number
    jd_em_init(): void
    jd_em_process(): number
    jd_em_set_device_id_string(text: number): void
    jd_em_devs_deploy(image: number, bytes: number): number
    devs_arg_int(ctx: number, index: number): number
    devs_arg_int_defl(ctx: number, index: number, fallback: number): number
    devs_bufferish_data(ctx: number, value: number, size: number): number
    devs_buffer_is_writable(ctx: number, value: number): number
    devs_panic(ctx: number, code: number): void
    devs_fiber_sleep(fiber: number, ms: number): void
    devs_throw_range_error(result: number, ctx: number, format: number, args: number): void
    devs_throw_expecting_error_ext(result: number, ctx: number, what: number, value: number): void
    jd_rx_frame_received_loopback(frame: number): number
    jd_send_frame_raw(frame: number): number
    jd_tx_get_frame(): number
    jd_tx_frame_sent(frame: number): void
}

/** The VM left the program for good: a reset it asked for, or an assertion of its own. */
export class VmExit extends Error {
    constructor(readonly cause: "reset" | "abort") {
        super(`VM ${cause}`)
    }
}

/** em_flash_size in the VM's own host; also JD_FSTOR_TOTAL_SIZE of the RP2040. */
export const flashBytes = 128 * 1024
/** jd_dmesg.c: JD_DMESG_LINE_BUFFER on boards. The VM itself allows 300. */
const lineBytesMax = 159
const scratchBytes = 64
const frameBytesMax = 256

export class VmInstance {
    readonly exports: VmExports
    readonly u8: Uint8Array
    readonly u32: Uint32Array
    readonly i32: Int32Array
    readonly meter: Uint32Array
    readonly histogram: Uint32Array
    readonly frame: number
    /** A few words for results and out-parameters. */
    readonly scratch: number
    private readonly args: Uint32Array
    private readonly strings = new Map<string, number>()

    constructor(
        private readonly host: VmHost,
        opCostNs?: Uint32Array,
    ) {
        const { module, meterBase } = vmImage()
        this.args = new Uint32Array(3)
        const instance = new WebAssembly.Instance(module, this.imports())
        this.exports = instance.exports as unknown as VmExports
        const buffer = this.exports.memory.buffer
        this.u8 = new Uint8Array(buffer)
        this.u32 = new Uint32Array(buffer)
        this.i32 = new Int32Array(buffer)
        this.args = new Uint32Array(buffer, meterBase + meterLayout.args, 3)
        this.meter = new Uint32Array(buffer, meterBase + meterLayout.counters, meterWords.length)
        this.histogram = new Uint32Array(buffer, meterBase + meterLayout.histogram, 256)
        if (opCostNs) new Uint32Array(buffer, meterBase + meterLayout.opCost, 256).set(opCostNs)
        this.exports.emscripten_stack_init()
        this.exports.__wasm_call_ctors()
        this.scratch = this.exports.malloc(scratchBytes)
        this.frame = this.exports.malloc(frameBytesMax)
    }

    /** Puts a board's configuration where a board has it. Before `start`. */
    setBoard(dcfg: Uint8Array): void {
        const pointer = (this.exports.malloc(dcfg.length + 8) + 7) & ~7
        this.u8.set(dcfg, pointer)
        this.u32[dcfgLayout.config >> 2] = pointer
        this.u8[dcfgLayout.inited] = 1
    }

    /** Every frame goes on the wire, also those that jd_need_to_send keeps off it. */
    setReachAll(): void {
        this.u32[(vmImage().meterBase + meterLayout.reachAll) >> 2] = 1
    }

    /** `seed` feeds the program's Math.random. */
    start(deviceId: string, seed: number): void {
        this.u32[randomSeed >> 2] = seed
        this.exports.jd_em_set_device_id_string(this.text(deviceId))
        this.exports.jd_em_init()
    }

    /** As a host's deploy does; 0 = accepted. */
    deploy(image: Uint8Array): number {
        const padded = new Uint8Array((image.length + 31) & ~31)
        padded.set(image)
        const pointer = this.exports.malloc(padded.length)
        this.u8.set(padded, pointer)
        return this.exports.jd_em_devs_deploy(pointer, padded.length)
    }

    text(s: string): number {
        let pointer = this.strings.get(s)
        if (pointer === undefined) {
            const bytes = Buffer.from(s + "\0", "utf8")
            pointer = this.exports.malloc(bytes.length)
            this.u8.set(bytes, pointer)
            this.strings.set(s, pointer)
        }
        return pointer
    }

    /** Address of argument `index` of the native call under way. */
    argument(ctx: number, index: number): number {
        return ctx + ctxLayout.stack + 8 * (index + 1)
    }

    /** Throws in the program, as `devs_throw_range_error(ctx, format, number)`. */
    throwRangeError(ctx: number, format: string, value = 0): void {
        this.i32[(this.scratch + 16) >> 2] = value
        this.exports.devs_throw_range_error(this.scratch, ctx, this.text(format), this.scratch + 16)
    }

    throwExpecting(ctx: number, what: string, value: number): void {
        this.exports.devs_throw_expecting_error_ext(this.scratch, ctx, this.text(what), value)
    }

    private line(pointer: number): string {
        const end = this.u8.indexOf(0, pointer)
        return Buffer.from(this.u8.subarray(pointer, Math.min(end, pointer + lineBytesMax))).toString("utf8")
    }

    private imports(): WebAssembly.Imports {
        const host = this.host
        const exit = (cause: VmExit["cause"]) => () => {
            throw new VmExit(cause)
        }
        const env = {
            em_time_now: () => host.micros() / 1000,
            em_print_dmesg: (p: number) => host.log(this.line(p)),
            em_send_frame: (p: number) => host.frameSending(p),
            em_send_large_frame: (call: number) => {
                if (call <= hostCall.last) host.native(call, this.args)
            },
            em_jd_crypto_get_random: (p: number, bytes: number) => this.u8.set(host.randomBytes(bytes), p),
            em_flash_size: () => flashBytes,
            em_flash_load: (p: number, bytes: number) => this.u8.set(host.flash.subarray(0, bytes), p),
            em_flash_save: (p: number, bytes: number) => host.flashSave(this.u8.subarray(p, p + bytes)),
            em_deploy_handler: () => {},
            _devs_panic_handler: (code: number) => host.panic(code),
            _jd_tcpsock_new: () => -1,
            _jd_tcpsock_write: () => -1,
            _jd_tcpsock_close: () => -1,
            _jd_tcpsock_is_available: () => 0,
            emscripten_memcpy_big: (to: number, from: number, bytes: number) =>
                this.u8.copyWithin(to, from, from + bytes),
            // the heap of a board does not grow
            emscripten_resize_heap: () => 0,
            exit: exit("reset"),
            abort: exit("abort"),
        }
        return { env, wasi_snapshot_preview1: { fd_close: () => 0, fd_write: () => 0, fd_seek: () => 0 } }
    }
}
