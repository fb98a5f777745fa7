// The elements are SD cards, whose commands take several exchanges while the select stays low.

import { CardPort, useBanks } from "../flash/bank"
import { SdBank } from "../flash/sd"
import { exchange, Selects, setSpiClock } from "./board"

class Cards implements CardPort {
    private selects: Selects

    constructor(selects: Selects) {
        this.selects = selects
    }

    async transfer(mask: number, tx: Buffer, rx: Buffer): Promise<void> {
        await this.selects.transfer(mask, tx, rx)
    }

    select(mask: number): void {
        this.selects.drive(mask, true)
    }

    deselect(mask: number): void {
        this.selects.drive(mask, false)
    }

    async exchange(tx: Buffer, rx: Buffer): Promise<void> {
        await exchange(tx, rx)
    }

    setClock(hz: number): void {
        setSpiClock(hz)
    }
}

useBanks((selects, out, into) => new SdBank(new Cards(selects as Selects), out, into))
