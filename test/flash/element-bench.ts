// Elements of any kind on the wires of one array, driven by the firmware's banks in virtual time. The power, or only the node, can be cut at
// any transfer, also in its middle.

import { buffersInNode } from "../support/device-buffer"
import assert from "node:assert/strict"
import { pageBufferBytes, type ElementPort } from "../../src/flash/bank"
import { usePlatform } from "../../src/platform"
import type { Element, ElementOperation } from "../../tools/sim/chips/element"
import { MemoryImage } from "../../tools/sim/chips/image-file"
import { findPart } from "../../tools/sim/chips/parts"
import { SdCard } from "../../tools/sim/chips/sd-card"
import { SpiNor } from "../../tools/sim/chips/spi-nor"
import type { Violation } from "../../tools/sim/chips/violation"
import { Random } from "../../tools/sim/random"

/** The node is no more: what it awaited never comes. */
export class NodeDied extends Error {}

/** A node's own time for one transfer: what its program takes around it. */
const callNs = 20_000

export class ElementBench implements ElementPort {
    nowNs = 2_000_000
    hz = 16_000_000
    readonly slots: (Element | undefined)[]
    readonly violations: Violation[] = []
    readonly operations: (ElementOperation & { slot: number })[] = []
    readonly masks: number[] = []
    transfers = 0
    sleepsMs = 0
    /** The transfer in whose middle the node dies, counted as `transfers`, and how far it gets. */
    dieAt = -1
    dieFraction = 0.5
    /** Lines that nobody drives read so. */
    floating = 0xff
    private selected = 0

    /** @param names of parts, by slot; "" = nothing there */
    constructor(names: string[], seed: number | string = 1) {
        const random = new Random(seed)
        this.slots = names.map((name, slot) => {
            if (name === "") return undefined
            const found = findPart(name)
            const common = {
                name: `bench.E${slot}`,
                random: random.fork(`slot${slot}`),
                report: (violation: Violation): void => {
                    this.violations.push(violation)
                },
                onOperation: (operation: ElementOperation): void => {
                    this.operations.push({ ...operation, slot })
                },
            }
            const element: Element =
                found.kind === "nor"
                    ? new SpiNor({ ...common, part: found.part, image: new MemoryImage(found.part.bytes) })
                    : new SdCard({
                          ...common,
                          part: found.part,
                          image: new MemoryImage(found.part.bytes, "bench", found.part.erasedByte),
                      })
            element.powerUp(0)
            return element
        })
        usePlatform({
            now: () => Math.floor(this.nowNs / 1e6),
            sleep: async ms => {
                this.sleepsMs += ms
                this.nowNs += ms * 1e6
            },
            ...buffersInNode,
            sha256: () => Buffer.alloc(32),
            random: () => 4,
        })
    }

    async transfer(mask: number, tx: Buffer, rx: Buffer): Promise<void> {
        this.select(mask)
        await this.exchange(tx, rx)
        this.deselect(mask)
    }

    select(mask: number): void {
        assert.equal(this.selected, 0, "two commands at once")
        this.selected = mask
        this.slots.forEach((element, slot) => mask & (1 << slot) && element?.select(this.nowNs))
    }

    deselect(mask: number): void {
        assert.equal(this.selected, mask)
        this.selected = 0
        for (const element of this.slots) element?.deselect(this.nowNs)
    }

    setClock(hz: number): void {
        this.hz = hz
    }

    async exchange(tx: Buffer, rx: Buffer): Promise<void> {
        assert.equal(tx.length, rx.length)
        const startNs = this.nowNs + callNs
        const endNs = startNs + Math.round((tx.length * 8e9) / this.hz)
        const sent = Uint8Array.from(tx)
        if (this.selected) this.masks.push(this.selected)
        rx.fill(this.floating)
        let drivers = 0
        let held = 0
        this.slots.forEach((element, slot) => {
            if (!element) return
            if (!(this.selected & (1 << slot))) {
                if (element.clocked(tx.length, startNs, this.hz) !== undefined) held++
                return
            }
            const reply = element.transfer(sent, startNs, endNs, this.hz)
            if (reply.drivenFrom < tx.length) {
                drivers++
                for (let i = reply.drivenFrom; i < tx.length; i++) rx[i] = reply.rx[i]
            }
        })
        // two NOR chips programmed together both answer nothing; a card and its neighbour must never meet on the line
        assert.ok(drivers + held <= 1, "two elements drive the line")
        if (this.transfers++ === this.dieAt) this.die(startNs + Math.floor((endNs - startNs) * this.dieFraction))
        this.nowNs = endNs
    }

    /** Its pins float, the pull-ups raise the selects, the clock stops. The elements keep their power. */
    private die(atNs: number): void {
        this.nowNs = atNs
        for (const element of this.slots) element?.abort(atNs)
        this.selected = 0
        for (const element of this.slots) element?.deselect(atNs)
        throw new NodeDied()
    }

    cutPower(atNs = this.nowNs): void {
        this.nowNs = atNs
        for (const element of this.slots) element?.powerLost(atNs)
        this.selected = 0
    }

    powerUp(): void {
        this.nowNs += 5e6
        for (const element of this.slots) element?.powerUp(this.nowNs)
        this.nowNs += 2e6
    }

    /** What a program of `page` is expected to leave in the raw element. */
    stored(slot: number, page: number): Buffer {
        const element = this.slots[slot]!
        return Buffer.from(element.peek(page * (element.kind === "nor" ? 256 : 512), 256))
    }
}

/** A page buffer with content that tells which page it is. */
export function pageOf(value: number): Buffer {
    const buffer = Buffer.alloc(pageBufferBytes)
    for (let i = 4; i < pageBufferBytes; i++) buffer[i] = (value * 31 + i * 7) & 0xff
    return buffer
}

export function contentOf(value: number): Buffer {
    return pageOf(value).subarray(4)
}
