// A W25Q chip as seen from its pins. Kept true:
// - a command takes effect when select rises, and only if it was whole: anything else leaves the chip as it was;
// - the chip has a time of its own that never goes back: a call with an earlier time is taken as now, because boards compute
//   in bursts and one may be a little ahead of the other;
// - a started program or erase ends by itself while the chip has power, whoever started it;
// - after powerLost() the array holds the torn state of what was in flight, and nothing else changed.
// Capitalised names are the instruction descriptions of the W25Q128JV datasheet.

import type { Random } from "../random"
import type { ChipImage } from "./image-file"
import { NorCells, type NorWear, type PageWrite } from "./nor-cells"
import { NorOperations, type ChipTiming, type EraseKind, type Operation, type OperationKind } from "./nor-operations"
import { eraseBytes, headerBytes, isReading, opcode, opcodeName } from "./spi-nor-opcodes"
import { pageBytes, powerDownNs, sectorBytes, wakeNs, type SpiNorPart } from "./spi-nor-parts"
import { newStatistics, type Ignored, type SpiNorStatistics } from "./spi-nor-statistics"
import { throwViolation, Violation, type ReportViolation } from "./violation"

export interface SpiNorConfig extends NorWear {
    /** As `a.E0` */
    name: string
    part: SpiNorPart
    image: ChipImage
    random: Random
    timing?: ChipTiming
    report?: ReportViolation
    /** Called before the operation starts: to cut the power there, or return "drop" to have the chip not do it */
    onOperation?(operation: Operation): "drop" | void
}

export interface SpiReply {
    rx: Uint8Array
    /** From this byte on the chip drives MISO; before, it floats */
    drivenFrom: number
}

// Status Registers: BUSY and WEL of status-1, SUS of status-2
const busyBit = 0x01
const enabledBit = 0x02
const suspendBit = 0x80

export class SpiNor {
    readonly name: string
    readonly part: SpiNorPart
    readonly cells: NorCells
    readonly statistics: SpiNorStatistics = newStatistics()
    private readonly operations: NorOperations

    private powered = false
    private selected = false
    private resetEnabled = false
    private asleep = false

    // The command since select fell
    private code = 0
    private count = 0
    private wholeBytes = true
    private ignored: Ignored | undefined
    private address = 0
    private readonly latch = new Uint8Array(pageBytes)
    private last = { startNs: 0, endNs: 0, before: 0, bytes: 0 }

    constructor(private readonly config: SpiNorConfig) {
        this.name = config.name
        this.part = config.part
        if (config.image.bytes !== config.part.bytes)
            throw new Error(
                `${this.name}: an image of ${config.image.bytes} bytes for a ${this.part.name} of ${this.part.bytes}`,
            )
        this.cells = new NorCells(config.image, config.random, config)
        this.operations = new NorOperations(this.part, this.cells, this.statistics, config.timing ?? "typical")
    }

    /** Holds for operations that start from now on. */
    setTiming(timing: ChipTiming): void {
        this.operations.timing = timing
    }

    powerUp(atNs: number): void {
        if (this.powered) return
        this.operations.advance(atNs)
        this.powered = true
        this.resetEnabled = this.asleep = false
        this.operations.unreadyUntilNs = 0
    }

    /** Both supplies are gone: what was in flight is torn. */
    powerLost(atNs: number): void {
        if (!this.powered) return
        this.operations.advance(atNs)
        this.operations.tear()
        this.powered = this.selected = false
    }

    select(atNs: number): void {
        if (!this.powered || this.selected) return
        this.operations.advance(atNs)
        this.selected = true
        this.count = 0
        this.wholeBytes = true
        this.ignored = undefined
        this.last.bytes = 0
    }

    deselect(atNs: number): void {
        if (!this.powered || !this.selected) return
        this.operations.advance(atNs)
        this.selected = false
        if (this.count > 0) this.execute()
    }

    /** The board stopped clocking in the middle of the last transfer; select has not risen yet. */
    abort(atNs: number): void {
        const { startNs, endNs, before, bytes } = this.last
        if (!this.selected || bytes === 0 || atNs >= endNs) return
        const bits = Math.max(0, Math.floor(((atNs - startNs) / (endNs - startNs)) * bytes * 8))
        this.count = before + Math.floor(bits / 8)
        this.wholeBytes = bits % 8 === 0
        this.last.bytes = 0
        if (this.count === 0 && !this.wholeBytes) this.statistics.ignored.short++
    }

    transfer(tx: Uint8Array, startNs: number, endNs: number, hz: number): SpiReply {
        const reply = { rx: new Uint8Array(tx.length).fill(0xff), drivenFrom: tx.length }
        if (!this.powered || !this.selected || tx.length === 0) return reply
        this.last = { startNs, endNs, before: this.count, bytes: tx.length }
        this.operations.advance(startNs)
        let i = 0
        if (this.count === 0) {
            this.begin(tx[i++], hz)
            this.count = 1
        }
        const header = headerBytes(this.code)
        for (; i < tx.length && this.count < header; i++, this.count++)
            if (this.count < 4) this.address = ((this.address << 8) | tx[i]) >>> 0
        if (this.count >= header && i < tx.length) {
            if (this.ignored === undefined) this.data(tx, reply, i, startNs, endNs)
            this.count += tx.length - i
        }
        return reply
    }

    /** As status-1 would say. */
    isBusy(atNs: number): boolean {
        this.operations.advance(atNs)
        return this.operations.isBusy
    }

    /** When the running operation ends, if one runs. */
    get busyUntilNs(): number | undefined {
        return this.operations.running?.endNs
    }

    /** For tests and the host: the contents, without the chip noticing. */
    peek(address: number, bytes: number): Uint8Array {
        const into = new Uint8Array(bytes)
        this.cells.read(address, into)
        return into
    }

    /** Damage, as from age or radiation: the mask is xored over the contents. */
    corrupt(address: number, mask: Uint8Array): void {
        for (let i = 0; i < mask.length; i++) {
            const at = address + i
            this.cells.image.writable(Math.floor(at / sectorBytes))[at % sectorBytes] ^= mask[i]
        }
    }

    private begin(code: number, hz: number): void {
        this.code = code
        this.address = 0
        const name = opcodeName(code)
        if (name === undefined) {
            this.ignored = "unknown"
            return
        }
        this.statistics.commands[name] = (this.statistics.commands[name] ?? 0) + 1
        if (this.asleep) {
            // Power-down (B9h): only release power-down is seen
            if (code !== opcode.wake) this.ignored = "asleep"
            return
        }
        const limitHz = code === opcode.read ? this.part.readHz : this.part.clockHz
        if (hz > limitHz) this.report(`${name} at ${hz / 1e6} MHz; the ${this.part.name} takes ${limitHz / 1e6} MHz`)
        if (!this.operations.isBusy || allowedBusy.has(code)) return
        this.ignored = "busy"
        const running = this.operations.running
        this.report(`${name} while busy${running ? ` with ${running.kind} at 0x${running.address.toString(16)}` : ""}`)
    }

    /** `from` is the first byte of the transfer behind the header. */
    private data(tx: Uint8Array, reply: SpiReply, from: number, startNs: number, endNs: number): void {
        const { rx } = reply
        const position = this.count - headerBytes(this.code)
        switch (this.code) {
            case opcode.program:
                for (let i = from; i < tx.length; i++) this.latch[(position + i - from) % pageBytes] = tx[i]
                return
            case opcode.read:
            case opcode.fastRead:
                if (position === 0) this.checkAddress(this.address)
                this.checkNotSuspended(this.address + position, tx.length - from)
                this.cells.read(this.address + position, rx.subarray(from))
                this.statistics.bytesRead += tx.length - from
                break
            case opcode.status1:
            case opcode.status2: {
                // Clocked out over and over, each byte as the chip is then (Read Status Register)
                const stepNs = (endNs - startNs) / tx.length
                for (let i = from; i < tx.length; i++) {
                    this.operations.advance(Math.floor(startNs + i * stepNs))
                    rx[i] = this.code === opcode.status1 ? this.status1() : this.status2()
                }
                break
            }
            case opcode.jedec:
                for (let i = from; i < tx.length; i++) rx[i] = this.part.jedec[(position + i - from) % 3]
                break
            case opcode.wake:
                rx.fill(this.part.deviceId, from)
                break
            default:
                return
        }
        reply.drivenFrom = from
    }

    private status1(): number {
        return (this.operations.isBusy ? busyBit : 0) | (this.operations.writeEnabled ? enabledBit : 0)
    }

    private status2(): number {
        return this.operations.suspended ? suspendBit : 0
    }

    /** Select rose: the command is whole or it never was. */
    private execute(): void {
        const isArmed = this.resetEnabled
        this.resetEnabled = false
        if (this.ignored) {
            this.statistics.ignored[this.ignored]++
            return
        }
        const isWhole = this.code === opcode.program ? this.count > 4 : this.count === headerBytes(this.code)
        if (isReading(this.code)) {
            if (this.code === opcode.wake) this.wake()
        } else if (!isWhole || !this.wholeBytes) this.statistics.ignored.short++
        else if (!this.command(isArmed)) this.statistics.ignored.notEnabled++
    }

    /** False if the chip's state did not allow it. */
    private command(isArmed: boolean): boolean {
        const { operations } = this
        switch (this.code) {
            case opcode.writeEnable:
                operations.writeEnabled = true
                return true
            case opcode.writeDisable:
                operations.writeEnabled = false
                return true
            case opcode.powerDown:
                this.asleep = true
                operations.unreadyUntilNs = operations.nowNs + powerDownNs
                return true
            case opcode.enableReset:
                this.resetEnabled = true
                return true
            case opcode.reset:
                if (isArmed) operations.reset()
                return isArmed
            case opcode.suspend:
                return operations.suspend()
            case opcode.resume:
                return operations.resume()
            default:
                if (!operations.writeEnabled) return false
                this.startWrite()
                return true
        }
    }

    private wake(): void {
        if (this.asleep) this.operations.unreadyUntilNs = this.operations.nowNs + wakeNs
        this.asleep = false
    }

    private startWrite(): void {
        this.checkAddress(this.address)
        const address = this.address % this.part.bytes
        const erase = eraseBytes(this.code, this.part.bytes)
        if (!erase) this.startProgram(address)
        else if (!this.operations.suspended) this.start(erase.kind, address - (address % erase.bytes), erase.bytes)
        else this.ignoreSuspended(`${erase.kind} while an operation is suspended`, address)
    }

    private startProgram(address: number): void {
        const write = this.latched(address)
        const suspended = this.operations.suspended?.operation
        if (
            suspended &&
            (suspended.write || (write.page >= suspended.address && write.page < suspended.address + suspended.bytes))
        )
            return this.ignoreSuspended("program while a program, or an erase of this place, is suspended", address)
        const over = this.cells.programmedAddress(write)
        if (over >= 0) this.report("program over programmed bits", over)
        this.start("program", address, write.data.length, write)
    }

    /** More than a page sent: it wraps, and the later bytes stand over the earlier (Page Program). */
    private latched(address: number): PageWrite {
        const sent = this.count - 4
        const count = Math.min(sent, pageBytes)
        const data = new Uint8Array(count)
        for (let i = 0; i < count; i++) data[i] = this.latch[(sent - count + i) % pageBytes]
        const first = address % pageBytes
        return { page: address - first, first: (first + sent - count) % pageBytes, data }
    }

    private start(kind: OperationKind, address: number, bytes: number, write?: PageWrite): void {
        const planned = this.operations.plan(kind, address, bytes, write)
        const { index, startNs, endNs } = planned
        const verdict = this.config.onOperation?.({ index, kind, address, bytes, startNs, endNs })
        if (verdict === "drop" || !this.powered) return
        const { statistics, cells } = this
        const sector = Math.floor(address / sectorBytes)
        if (write) {
            statistics.programs++
            statistics.bytesProgrammed += bytes
            if (cells.tornSectors.has(sector)) statistics.programsOnTornSector++
        } else statistics.erases[kind as EraseKind]++
        if (cells.badSectors.has(sector)) statistics.operationsOnBadSector++
        this.operations.running = planned
    }

    private ignoreSuspended(what: string, address: number): void {
        this.statistics.ignored.suspended++
        this.report(what, address)
    }

    private checkAddress(address: number): void {
        if (address >= this.part.bytes)
            this.report(`address beyond the ${this.part.bytes} bytes of a ${this.part.name}`, address)
    }

    private checkNotSuspended(address: number, bytes: number): void {
        const operation = this.operations.suspended?.operation
        if (operation && address < operation.address + operation.bytes && operation.address < address + bytes)
            this.report(`read of a place whose ${operation.kind} is suspended`, address)
    }

    private report(what: string, address?: number): void {
        const report = this.config.report ?? throwViolation
        report(new Violation(this.name, what, this.operations.nowNs, address))
    }
}

// Status Registers, BUSY: "the device will ignore further instructions except for the Read Status Register and Erase/Program Suspend"
const allowedBusy = new Set<number>([opcode.status1, opcode.status2, opcode.suspend, opcode.enableReset, opcode.reset])
