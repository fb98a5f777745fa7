// An SD card on a bench with a host that knows the protocol and nothing else: bytes one by one, in virtual time. Shared by the cards' tests.

import { MemoryImage, type ChipImage } from "../../tools/sim/chips/image-file"
import { SdCard, type SdCardConfig } from "../../tools/sim/chips/sd-card"
import type { SdPart } from "../../tools/sim/chips/sd-parts"
import { findSdPart } from "../../tools/sim/chips/parts"
import { crc16, crc7 } from "../../tools/sim/chips/sd-registers"
import type { Violation } from "../../tools/sim/chips/violation"
import { Random } from "../../tools/sim/random"

const answerBytesMax = 9
const dataBytesMax = 20_000
const pollsMax = 1_000

export class SdBench {
    nowNs = 2_000_000
    hz = 400_000
    readonly card: SdCard
    readonly violations: Violation[] = []
    checksCrc = true

    constructor(
        part: string | SdPart = "sd-tiny",
        config: Partial<SdCardConfig> = {},
        image?: ChipImage,
        seed: string | number = 1,
    ) {
        const found = typeof part === "string" ? findSdPart(part) : part
        this.card = new SdCard({
            name: "bench",
            part: found,
            image: image ?? new MemoryImage(found.bytes, "bench", found.erasedByte),
            random: new Random(seed),
            report: violation => this.violations.push(violation),
            ...config,
        })
        this.card.powerUp(0)
    }

    /** Select is where it is. */
    clock(tx: ArrayLike<number>): Uint8Array {
        const startNs = this.nowNs
        this.nowNs += Math.round((tx.length * 8e9) / this.hz)
        return this.card.transfer(Uint8Array.from(Array.from(tx)), startNs, this.nowNs, this.hz).rx
    }

    byte(tx = 0xff): number {
        return this.clock([tx])[0]
    }

    /** Clocks with select high. */
    idle(bytes: number): number | undefined {
        const startNs = this.nowNs
        this.nowNs += Math.round((bytes * 8e9) / this.hz)
        return this.card.clocked(bytes, startNs, this.hz)
    }

    select(): void {
        this.card.select(this.nowNs)
    }

    deselect(): void {
        this.card.deselect(this.nowNs)
        this.idle(1)
    }

    /** R1 and what follows it; -1 if no answer comes. Select stays low. */
    command(index: number, argument = 0, more = 0, crc?: number): number[] {
        this.select()
        const bytes = [0x40 | index, argument >>> 24, (argument >> 16) & 255, (argument >> 8) & 255, argument & 255]
        this.clock([0xff, ...bytes, crc ?? (crc7(bytes) << 1) | 1])
        if (index === 12) this.byte()
        for (let i = 0; i < answerBytesMax; i++) {
            const first = this.byte()
            if (first & 0x80) continue
            return [first, ...this.clock(new Uint8Array(more).fill(0xff))]
        }
        return [-1]
    }

    /** A whole command: select rises after it. */
    ask(index: number, argument = 0, more = 0, crc?: number): number[] {
        const answer = this.command(index, argument, more, crc)
        this.deselect()
        return answer
    }

    askApp(index: number, argument = 0, more = 0): number[] {
        this.ask(55)
        return this.ask(index, argument, more)
    }

    /** From power-up to ready; the number of ACMD41 it took. */
    initialise(): number {
        this.idle(10)
        this.ask(0)
        this.ask(8, 0x1aa, 4)
        if (this.checksCrc) this.ask(59, 1)
        for (let tries = 1; tries < 2000; tries++) {
            if (this.askApp(41, 0x40000000)[0] === 0) {
                this.hz = 25_000_000
                return tries
            }
            this.nowNs += 1e6
        }
        throw new Error("the card does not get ready")
    }

    /** The data behind a command, its CRC checked; an error token as a number. */
    data(bytes = 512): Uint8Array | number {
        for (let i = 0; i < dataBytesMax; i++) {
            const first = this.byte()
            if (first === 0xff) continue
            if (first !== 0xfe) return first
            const all = this.clock(new Uint8Array(bytes + 2).fill(0xff))
            const data = all.slice(0, bytes)
            if (crc16(data) !== ((all[bytes] << 8) | all[bytes + 1])) throw new Error("wrong CRC16")
            return data
        }
        throw new Error("no data token")
    }

    read(block: number): Uint8Array | number {
        const [first] = this.command(17, block)
        const data = first === 0 ? this.data() : first
        this.deselect()
        return data
    }

    readMany(block: number, count: number): (Uint8Array | number)[] {
        this.command(18, block)
        const all = Array.from({ length: count }, () => this.data())
        this.command(12)
        this.poll()
        this.deselect()
        return all
    }

    /** The block's token, data and CRC; the five defined bits of the data response. */
    sendBlock(data: Uint8Array, token: number, crc = crc16(data)): number {
        this.clock([0xff, token, ...data, crc >> 8, crc & 255])
        return this.byte() & 0x1f
    }

    /** Clocks until the line is high; the time it took. */
    poll(): number {
        const startNs = this.nowNs
        for (let i = 0; i < pollsMax; i++) {
            if (this.byte() === 0xff) return this.nowNs - startNs
            // Not every one of thousands of bytes: nearly to the end at once
            this.nowNs = Math.max(this.nowNs + 10_000, (this.card.busyUntilNs ?? 0) - 30_000)
        }
        throw new Error("busy for ever")
    }

    write(block: number, data: Uint8Array, crc?: number): number {
        const [first] = this.command(24, block)
        if (first !== 0) return first
        const answer = this.sendBlock(data, 0xfe, crc)
        this.poll()
        this.deselect()
        return answer
    }

    /** Without the end of it. */
    writeSome(block: number, blocks: Uint8Array[]): number[] {
        this.command(25, block)
        return blocks.map(data => {
            const answer = this.sendBlock(data, 0xfc)
            this.poll()
            return answer
        })
    }

    stop(): number {
        this.clock([0xff, 0xfd, 0xff])
        const ns = this.poll()
        this.deselect()
        return ns
    }

    erase(first: number, last: number): number {
        this.ask(32, first)
        this.ask(33, last)
        const [answer] = this.command(38)
        this.poll()
        this.deselect()
        return answer
    }
}

export function block(value: number): Uint8Array {
    return Uint8Array.from({ length: 512 }, (_, i) => (value * 31 + i * 7) & 255)
}

/** The same byte all over: what it holds is seen at a glance. */
export function flat(value: number): Uint8Array {
    return new Uint8Array(512).fill(value)
}
