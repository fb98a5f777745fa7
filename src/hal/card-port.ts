// The wires to SD cards, whose commands take several exchanges while the select stays low.

import * as ds from "@devicescript/core"
import { CardPort } from "../flash/bank"
import { high, low, native, setSpiClock } from "./board"

export class CardSelects implements CardPort {
    private pins: ds.IOPin[]

    constructor(pins: ds.IOPin[]) {
        this.pins = pins
    }

    select(mask: number): void {
        drive(this.pins, mask, low)
    }

    deselect(mask: number): void {
        drive(this.pins, mask, high)
    }

    async exchange(tx: Buffer, rx: Buffer): Promise<void> {
        await native.spiXfer(tx, rx)
    }

    setClock(hz: number): void {
        setSpiClock(hz)
    }
}

function drive(pins: ds.IOPin[], mask: number, level: number): void {
    for (let i = 0; mask; mask >>= 1) {
        if (mask & 1) pins[i].setMode(level)
        i++
    }
}
