// The official VM, taken out of the pinned package, counted and opened to native SPI and pins at load time. One compiled module
// serves every board of the process. A package whose wasm is not the known one is refused: the offsets would be wrong.

import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { type Code, signed, unsigned, WasmFile } from "./wasm-patch"
import { hostCall, meterLayout, type MeterWord, meterWords, vmSha256 } from "./vm-layout"

const pageBytes = 65536
const dataUrl = "data:application/octet-stream;base64,"
/** Base64 of the first bytes of any wasm, "\0asm". */
const wasmStart = "AGFzbQ"

export interface VmImage {
    module: WebAssembly.Module
    /** Address of the meter page. */
    meterBase: number
}

export function cliPath(): string {
    const require = createRequire(import.meta.url)
    return join(dirname(require.resolve("@devicescript/cli/package.json")), "built", "devicescript-cli.cjs")
}

/** The VM's wasm as it is inside the bundle of the DeviceScript command line. */
export function readVmWasm(bundlePath = cliPath()): Uint8Array {
    const bundle = readFileSync(bundlePath, "latin1")
    const vm = bundle.indexOf("var require_devicescript_vm = __commonJS({")
    const start = vm < 0 ? -1 : bundle.indexOf(dataUrl + wasmStart, vm)
    if (start < 0) throw new Error(`no DeviceScript VM found in ${bundlePath}`)
    const text = /[A-Za-z0-9+/]+/y
    text.lastIndex = start + dataUrl.length
    return Buffer.from(text.exec(bundle)![0], "base64")
}

export function checkVmWasm(wasm: Uint8Array): void {
    const sha256 = createHash("sha256").update(wasm).digest("hex")
    if (sha256 === vmSha256) return
    throw new Error(
        `the simulator knows the VM of @devicescript/cli 2.16.4 (sha256 ${vmSha256}) and no other; found sha256 ${sha256}. ` +
            `Install the pinned version, or find the offsets in tools/sim/vm/vm-layout.ts anew.`,
    )
}

let cached: VmImage | undefined

export function vmImage(): VmImage {
    if (!cached) {
        const wasm = readVmWasm()
        checkVmWasm(wasm)
        cached = patchVm(wasm)
    }
    return cached
}

const op = {
    if: 0x04,
    end: 0x0b,
    return: 0x0f,
    call: 0x10,
    get: 0x20,
    load: 0x28,
    store: 0x36,
    const: 0x41,
    add: 0x6a,
    shl: 0x74,
}
const noResult = 0x40
/** Locals of devs_vm_exec_opcodes: the operation just fetched. */
const opcodeLocal = 6

/** Instruments the VM. The wasm must have passed `checkVmWasm`. */
export function patchVm(wasm: Uint8Array): VmImage {
    const file = new WasmFile(wasm)
    const base = file.memoryPages() * pageBytes
    const at = signed(base)
    const bump = (offset: number, amount: Code): number[] => [
        ...[op.const, ...at, op.const, ...at, op.load, 2, ...unsigned(offset)],
        ...[...amount, op.add, op.store, 2, ...unsigned(offset)],
    ]
    const one: Code = [op.const, 1]
    const local = (index: number): Code => [op.get, index]
    const count = (word: MeterWord, amount: Code = one): number[] =>
        bump(meterLayout.counters + 4 * meterWords.indexOf(word), amount)

    const ask = (call: number, args: number): number[] => {
        const code: number[] = []
        for (let i = 0; i < args; i++)
            code.push(op.const, ...at, op.get, i, op.store, 2, ...unsigned(meterLayout.args + 4 * i))
        code.push(op.const, call, op.const, 0, op.call, ...unsigned(file.indexOf("em_send_large_frame")))
        return code
    }

    // local 6 is the opcode: histogram[op] += 1; opNs += opCost[op]
    const slot: Code = [op.get, opcodeLocal, op.const, 2, op.shl, op.const, ...at, op.add]
    const histogram: Code = [
        ...[...slot, ...slot, op.load, 2, ...unsigned(meterLayout.histogram), op.const, 1, op.add],
        ...[op.store, 2, ...unsigned(meterLayout.histogram)],
        ...count("opNs", [...slot, op.load, 2, ...unsigned(meterLayout.opCost)]),
    ]

    // a board of which every frame is heard by all: see Board's `reach`
    const reachAll: Code = [
        ...[op.const, ...at, op.load, 2, ...unsigned(meterLayout.reachAll)],
        ...[op.if, noResult, op.const, 1, op.return, op.end],
    ]

    const patched = file.apply({
        entry: {
            devs_fiber_call_function: count("calls"),
            jd_gc_any_try_alloc: [...count("allocs"), ...count("allocBytes", local(2))],
            __memset: [...count("memsets"), ...count("memsetBytes", local(2))],
            __memcpy: [...count("memcpys"), ...count("memcpyBytes", local(2))],
            devs_gc: count("gcRuns"),
            consume_chunk: count("shaBlocks"),
            jd_print_double: count("numberTexts"),
            devs_value_from_double: count("doubles"),
            devs_vm_exec_opcodes: count("slices"),
            devs_gpio_init_dcfg: ask(hostCall.pinsReset, 1),
            jd_need_to_send: reachAll,
        },
        body: {
            fun2_DeviceScript_spiXfer: ask(hostCall.spiXfer, 1),
            fun5_DeviceScript_spiConfigure: ask(hostCall.spiConfigure, 1),
            meth1_GPIO_setMode: ask(hostCall.setMode, 1),
            prop_GPIO_value: ask(hostCall.pinValue, 3),
            jd_packet_ready: ask(hostCall.txReady, 0),
            // the host drains the send queue at the pace of the wire
            tx_process: [],
            // a Pico has no WiFi: devs_service_full_init skips these there
            wsskhealth_init: [],
            devscloud_init: [],
        },
        // `opcode = fetch & 255`, in the loop over operations
        after: [{ fn: "devs_vm_exec_opcodes", pattern: "41 ff 01 71 21 06", code: histogram }],
        exports: [
            "devs_arg_int",
            "devs_arg_int_defl",
            "devs_bufferish_data",
            "devs_buffer_is_writable",
            "devs_panic",
            "devs_fiber_sleep",
            "devs_throw_range_error",
            "devs_throw_expecting_error_ext",
            "jd_rx_frame_received_loopback",
            "jd_send_frame_raw",
            "jd_tx_get_frame",
            "jd_tx_frame_sent",
        ],
        extraPages: 1,
    })
    return { module: new WebAssembly.Module(patched), meterBase: base }
}
