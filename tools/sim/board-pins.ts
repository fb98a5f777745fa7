// The pins of a board, as impl_gpio.c and the RP2040's pins.c drive them: the program's modes in, levels and pulls out.

import type { BoardConfig } from "./board-config"
import type { Level, Pull } from "./board-port"
import { ctxLayout, pinLayout } from "./vm/vm-layout"
import type { VmInstance } from "./vm/vm-instance"

const mode = { off: 0, input: 1, output: 2, analogIn: 3, baseMask: 0xf, pullUp: 0x10, pullDown: 0x20, pullMask: 0xf0 }
/** RP2040: GPIO 26 to 29 (arch.json, pins.analogIn). */
const analogFirst = 26
const analogLast = 29
/** How values look inside the VM: an integer is tagged by all ones in the upper word, undefined is all zeros. */
const integerTag = -1

export interface PinsOutside {
    drive(gpio: number, level: Level | undefined, pull: Pull): void
    sense(gpio: number): Level
}

export class BoardPins {
    /** GPIOs this board has driven or pulled since it started. */
    private readonly touched = new Set<number>()

    constructor(
        private readonly config: BoardConfig,
        private readonly outside: PinsOutside,
    ) {}

    drive(gpio: number, level: Level | undefined, pull: Pull): void {
        this.touched.add(gpio)
        this.outside.drive(gpio, level, pull)
    }

    /** devs_gpio_init_dcfg: at start the pins with an initial state; with a program (ctx) all others go off too. */
    initialize(ctx: number): void {
        for (const gpio of this.config.pins.values()) {
            const level = this.config.initial.get(gpio)
            if (level !== undefined) this.drive(gpio, level, undefined)
            else if (ctx !== 0) this.drive(gpio, undefined, undefined)
        }
    }

    /** Power or reset took the board. */
    release(): void {
        for (const gpio of this.touched) this.outside.drive(gpio, undefined, undefined)
        this.touched.clear()
    }

    setMode(vm: VmInstance, ctx: number): void {
        const self = ctx + ctxLayout.stack
        const pin = findPin(vm, ctx, self)
        if (pin === 0) return vm.throwExpecting(ctx, "GPIO", self)
        const wanted = vm.exports.devs_arg_int_defl(ctx, 0, -1)
        const gpio = vm.u8[pin + pinLayout.gpio]
        const pull = pullOf(wanted)
        switch (pull === "bad" ? -1 : wanted & mode.baseMask) {
            case mode.off:
            case mode.input:
                this.drive(gpio, undefined, pull as Pull)
                break
            case mode.output:
                this.drive(gpio, pull === "up" ? 1 : 0, undefined)
                break
            case mode.analogIn:
                if (wanted !== mode.analogIn) return vm.throwExpecting(ctx, "mode", vm.argument(ctx, 0))
                if (gpio < analogFirst || gpio > analogLast) return vm.throwExpecting(ctx, "analog pin", self)
                this.drive(gpio, undefined, undefined)
                break
            default:
                return vm.throwExpecting(ctx, "mode", vm.argument(ctx, 0))
        }
        vm.u8[pin + pinLayout.mode] = wanted
    }

    /** Writes 0 or 1 for an input, undefined for any other mode (analogue readings are not modelled). */
    value(vm: VmInstance, result: number, ctx: number, self: number): void {
        const pin = findPin(vm, ctx, self)
        const isInput = pin !== 0 && (vm.u8[pin + pinLayout.mode] & mode.baseMask) === mode.input
        vm.i32[result >> 2] = isInput ? this.outside.sense(vm.u8[pin + pinLayout.gpio]) : 0
        vm.i32[(result + 4) >> 2] = isInput ? integerTag : 0
        if (pin === 0) vm.throwExpecting(ctx, "GPIO", self)
    }
}

/** Only the low byte of a mode is meaningful; anything else is not a mode. */
function pullOf(wanted: number): Pull | "bad" {
    if (wanted < 0 || wanted > 0xff) return "bad"
    switch (wanted & mode.pullMask) {
        case 0:
            return undefined
        case mode.pullUp:
            return "up"
        case mode.pullDown:
            return "down"
        default:
            return "bad"
    }
}

/** Address of the state of the pin whose object `self` is; 0 when it is none. */
function findPin(vm: VmInstance, ctx: number, self: number): number {
    const count = vm.u8[ctx + ctxLayout.numPins]
    const first = vm.u32[(ctx + ctxLayout.pinState) >> 2]
    const low = vm.u32[self >> 2]
    const high = vm.u32[(self + 4) >> 2]
    for (let i = 0; i < count; i++) {
        const pin = first + i * pinLayout.bytes
        if (vm.u32[pin >> 2] === low && vm.u32[(pin + 4) >> 2] === high) return pin
    }
    return 0
}
