// The board's pins: the elements of both arrays on one SPI port, and the lines between the nodes. docs/WIRING.md.
//
// The RP2040 takes only full-duplex transfers (a write-only one leaves stale bytes for the next), so every transfer has a buffer to receive.

import * as ds from "@devicescript/core"
import { GPIOMode } from "@devicescript/core"
import { pins } from "@dsboard/pico_node"
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
/** `spiXfer`: one transfer, with the selects as they are. */
export const native = ds as any as NativeSpi

export const high = GPIOMode.OutputHigh
export const low = GPIOMode.OutputLow

/** Both arrays are on the same pins. */
export function setSpiClock(hz: number): void {
    native.spiConfigure(pins.MISO.gpio, pins.MOSI.gpio, pins.SCK.gpio, 0, hz)
}

// the selects of the elements, by slot
export const homeSelects: ds.IOPin[] = [pins.E0, pins.E1, pins.E2, pins.E3, pins.E4, pins.E5]
export const partnerSelects: ds.IOPin[] = [pins.F0, pins.F1, pins.F2, pins.F3, pins.F4, pins.F5]

/** Sets every pin as it must be before anything else happens. @returns this node's number by its straps: 0 = a, 1 = b, 2 = c, … */
export function startBoard(): number {
    pins.OWN.setMode(low)
    pins.HOLD.setMode(low)
    // open drain: low or left alone, never driven high
    pins.RESET.setMode(GPIOMode.Input)
    pins.P_OWN.setMode(GPIOMode.InputPullDown)
    pins.P_HOLD.setMode(GPIOMode.InputPullDown)
    for (let i = 0; i < homeSelects.length; i++) {
        homeSelects[i].setMode(high)
        partnerSelects[i].setMode(high)
    }
    setSpiClock(spiHz)
    pins.NODE.setMode(GPIOMode.InputPullDown)
    pins.PAIR0.setMode(GPIOMode.InputPullDown)
    pins.PAIR1.setMode(GPIOMode.InputPullDown)
    return pins.NODE.value + 2 * pins.PAIR0.value + 4 * pins.PAIR1.value
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
