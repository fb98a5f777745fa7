// The wires to SPI-NOR chips: every command is one transfer, to one chip or to several at once.

import * as ds from "@devicescript/core"
import { ElementPort } from "../flash/bank"
import { high, low, native } from "./board"

/** The selects of one array's elements. */
export class ChipPort implements ElementPort {
    private first: ds.IOPin
    private second: ds.IOPin
    private pins: ds.IOPin[]

    constructor(pins: ds.IOPin[]) {
        this.first = pins[0]
        this.second = pins[1]
        this.pins = pins
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
            const pins = this.pins
            const pin =
                mask === 4 ? pins[2] : mask === 8 ? pins[3] : mask === 16 ? pins[4] : mask === 32 ? pins[5] : undefined
            if (pin) {
                pin.setMode(low)
                await native.spiXfer(tx, rx)
                pin.setMode(high)
            } else {
                drive(pins, mask, low)
                await native.spiXfer(tx, rx)
                drive(pins, mask, high)
            }
        }
    }
}

function drive(pins: ds.IOPin[], mask: number, level: number): void {
    for (let i = 0; mask; mask >>= 1) {
        if (mask & 1) pins[i].setMode(level)
        i++
    }
}
