// The board's pins: the elements of both arrays on one SPI port, and the lines between the nodes. docs/WIRING.md.
//
// The RP2040 takes only full-duplex transfers (a write-only one leaves stale bytes for the next), so every transfer has a buffer to receive.

import * as ds from "@devicescript/core"
import { GPIOMode } from "@devicescript/core"
import { pins } from "@dsboard/pico_node"
import { ElementPort } from "../flash/bank"
import { spiHz } from "../config"

// natives of the runtime; the libraries that declare them bring functions of their own (docs/decisions/0006)
declare module "@devicescript/core" {
    interface PinBase {
        setMode(mode: GPIOMode): void
    }
    interface InputPin {
        value: number
    }
}
type NativeSpi = {
    spiConfigure(miso: number, mosi: number, sck: number, mode: number, hz: number): void
    spiXfer(tx: Buffer, rx: Buffer): Promise<void>
}
const native = ds as any as NativeSpi

const high = GPIOMode.OutputHigh
const low = GPIOMode.OutputLow

/** The selects of one array's elements. */
export class Selects implements ElementPort {
    private first: ds.IOPin
    private second: ds.IOPin
    private rest: ds.IOPin[]

    constructor(first: ds.IOPin, second: ds.IOPin, rest: ds.IOPin[]) {
        this.first = first
        this.second = second
        this.rest = rest
    }

    async transfer(mask: number, tx: Buffer, rx: Buffer): Promise<void> {
        // flat, one branch for each mask that is common: this is the hottest code of the firmware
        if (mask === 1) {
            const first = this.first
            first.setMode(low)
            await native.spiXfer(tx, rx)
            first.setMode(high)
        } else if (mask === 2) {
            const second = this.second
            second.setMode(low)
            await native.spiXfer(tx, rx)
            second.setMode(high)
        } else if (mask === 3) {
            const first = this.first
            const second = this.second
            first.setMode(low)
            second.setMode(low)
            await native.spiXfer(tx, rx)
            first.setMode(high)
            second.setMode(high)
        } else {
            const rest = this.rest
            const pin =
                mask === 4 ? rest[0] : mask === 8 ? rest[1] : mask === 16 ? rest[2] : mask === 32 ? rest[3] : undefined
            if (pin) {
                pin.setMode(low)
                await native.spiXfer(tx, rx)
                pin.setMode(high)
            } else {
                this.drive(mask, true)
                await native.spiXfer(tx, rx)
                this.drive(mask, false)
            }
        }
    }

    /** Sets the selects of `mask` low, or high again. */
    drive(mask: number, isSelected: boolean): void {
        const level = isSelected ? low : high
        const rest = this.rest
        if (mask & 1) this.first.setMode(level)
        if (mask & 2) this.second.setMode(level)
        let bits = mask >> 2
        let i = 0
        while (bits) {
            if (bits & 1) rest[i].setMode(level)
            bits >>= 1
            i++
        }
    }
}

/** One transfer with the selects as they are. */
export async function exchange(tx: Buffer, rx: Buffer): Promise<void> {
    await native.spiXfer(tx, rx)
}

/** Both arrays are on the same pins. */
export function setSpiClock(hz: number): void {
    native.spiConfigure(pins.MISO.gpio, pins.MOSI.gpio, pins.SCK.gpio, 0, hz)
}

export const homeSelects = new Selects(pins.E0, pins.E1, [pins.E2, pins.E3, pins.E4, pins.E5])
export const partnerSelects = new Selects(pins.F0, pins.F1, [pins.F2, pins.F3, pins.F4, pins.F5])

/** Sets every pin as it must be before anything else happens. @returns this node's number: 0 = a, 1 = b, by its strap */
export function startBoard(): number {
    pins.OWN.setMode(low)
    pins.HOLD.setMode(low)
    // open drain: low or left alone, never driven high
    pins.RESET.setMode(GPIOMode.Input)
    pins.P_OWN.setMode(GPIOMode.InputPullDown)
    pins.P_HOLD.setMode(GPIOMode.InputPullDown)
    pins.NODE.setMode(GPIOMode.InputPullDown)
    const selects: ds.IOPin[] = [pins.E0, pins.E1, pins.E2, pins.E3, pins.E4, pins.E5]
    for (let i = 0; i < selects.length; i++) selects[i].setMode(high)
    const others: ds.IOPin[] = [pins.F0, pins.F1, pins.F2, pins.F3, pins.F4, pins.F5]
    for (let i = 0; i < others.length; i++) others[i].setMode(high)
    setSpiClock(spiHz)
    return pins.NODE.value ? 1 : 0
}

/** Partner's OWN, plus 2 times partner's HOLD. */
export function readLines(): number {
    return (pins.P_OWN.value ? 1 : 0) + (pins.P_HOLD.value ? 2 : 0)
}

export function setOwn(on: boolean): void {
    pins.OWN.setMode(on ? high : low)
}

export function setHold(on: boolean): void {
    pins.HOLD.setMode(on ? high : low)
}

/** Holds the partner in reset, or lets it go. */
export function setPartnerReset(on: boolean): void {
    pins.RESET.setMode(on ? low : GPIOMode.Input)
}
