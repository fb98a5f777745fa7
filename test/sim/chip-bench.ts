// A chip on a bench: whole commands at 10 MHz, each after the other in virtual time. Shared by the chips' tests.

import { MemoryImage, type ChipImage } from "../../tools/sim/chips/image-file"
import { SpiNor, type SpiNorConfig } from "../../tools/sim/chips/spi-nor"
import { findSpiNorPart } from "../../tools/sim/chips/spi-nor-parts"
import type { Violation } from "../../tools/sim/chips/violation"
import { Random } from "../../tools/sim/random"

const byteNs = 800
const hz = 10_000_000

export class ChipBench {
    nowNs = 0
    readonly chip: SpiNor
    readonly violations: Violation[] = []

    constructor(part = "tiny", config: Partial<SpiNorConfig> = {}, image?: ChipImage, seed: string | number = 1) {
        const found = findSpiNorPart(part)
        this.chip = new SpiNor({
            name: "bench",
            part: found,
            image: image ?? new MemoryImage(found.bytes),
            random: new Random(seed),
            report: violation => this.violations.push(violation),
            ...config,
        })
        this.chip.powerUp(0)
    }

    /** One command; each argument is a transfer of its own while select stays low. */
    send(...parts: (number[] | Uint8Array)[]): Uint8Array {
        return this.sendAt(hz, ...parts)
    }

    sendAt(clock: number, ...parts: (number[] | Uint8Array)[]): Uint8Array {
        const rx: number[] = []
        this.chip.select(this.nowNs)
        for (const part of parts) {
            const endNs = this.nowNs + part.length * byteNs
            rx.push(...this.chip.transfer(Uint8Array.from(part), this.nowNs, endNs, clock).rx)
            this.nowNs = endNs
        }
        this.chip.deselect(this.nowNs)
        return Uint8Array.from(rx)
    }

    status(): number {
        return this.send([0x05, 0])[1]
    }

    wait(): number {
        const startNs = this.nowNs
        this.nowNs = this.chip.busyUntilNs ?? startNs
        this.chip.isBusy(this.nowNs)
        return this.nowNs - startNs
    }

    enable(): void {
        this.send([0x06])
    }

    program(address: number, data: ArrayLike<number>): number {
        this.enable()
        this.send([0x02, ...bytesOf(address)], Uint8Array.from(Array.from(data)))
        return this.wait()
    }

    erase(address: number, code = 0x20): number {
        this.enable()
        this.send([code, ...bytesOf(address)])
        return this.wait()
    }

    read(address: number, bytes: number): Uint8Array {
        return this.send([0x03, ...bytesOf(address)], new Uint8Array(bytes)).slice(4)
    }
}

export function bytesOf(address: number): [number, number, number] {
    return [address >> 16, (address >> 8) & 255, address & 255]
}

export function filled(bytes: number, value: number): Uint8Array {
    return new Uint8Array(bytes).fill(value)
}
