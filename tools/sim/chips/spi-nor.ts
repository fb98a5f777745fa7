// A W25Q chip as seen from its pins. Kept true:
// - a command takes effect when select rises, and only if it was whole: anything else leaves the chip as it was;
// - the chip has a time of its own that never goes back: a call with an earlier time is taken as now, because boards compute
//   in bursts and one may be a little ahead of the other;
// - a started program or erase ends by itself while the chip has power, whoever started it;
// - after powerLost() the array holds the torn state of what was in flight, and nothing else changed.
// - what three address bytes do not reach is reached only as the W25Q256JV says: its 4-byte mode, its 4-byte commands, or its extended
//   address register, which every 4-byte address overwrites.
// Capitalised names are the instruction descriptions of the W25Q128JV datasheet.

import type { Random } from "../random"
import { noFaults, type ChipTiming, type Element, type ElementConfig, type SpiReply } from "./element"
import type { ChipImage } from "./image-file"
import { NorCells, type NorWear, type PageWrite } from "./nor-cells"
import { NorOperations, type EraseKind, type Operation, type OperationKind } from "./nor-operations"
import {
    addressBytes,
    eraseBytes,
    headerBytes,
    isReading,
    opcode,
    opcodeName,
    type AddressMode,
} from "./spi-nor-opcodes"
import { pageBytes, powerDownNs, sectorBytes, threeByteBytes, wakeNs, type SpiNorPart } from "./spi-nor-parts"
import { newStatistics, type Ignored, type SpiNorStatistics } from "./spi-nor-statistics"
import { throwViolation, Violation } from "./violation"

export interface SpiNorConfig extends NorWear, Omit<ElementConfig, "onOperation"> {
    part: SpiNorPart
    random: Random
    /** Called before the operation starts: to cut the power there, or return "drop" to have the chip not do it */
    onOperation?(operation: Operation): "drop" | void
}

// Status Registers: BUSY and WEL of status-1, SUS of status-2
const busyBit = 0x01
const enabledBit = 0x02
const suspendBit = 0x80
// W25Q256JV, Status Register-3: ADS; and the drivers' strength as it is delivered, 25 %
const fourByteBit = 0x01
const driveBits = 0x60

export class SpiNor implements Element {
    readonly kind = "nor"
    readonly name: string
    readonly part: SpiNorPart
    readonly cells: NorCells
    readonly statistics: SpiNorStatistics = newStatistics()
    readonly faults = noFaults()
    private readonly operations: NorOperations
    private readonly faultRandom: Random

    private powered = false
    /** Sectors of which an erase was acknowledged, or could be taken for done, and was not, by a fault. */
    private readonly droppedErases = new Set<number>()
    private selected = false
    /** Until it is selected anew it may take the rest of a command for another one, which is not the node's doing. */
    private isCutOff = false
    private resetEnabled = false
    private asleep = false
    private mode: AddressMode = 3
    /** Address bits 31 to 24, for commands with three address bytes */
    private extended = 0

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
        this.faultRandom = config.random.fork("faults")
        this.operations = new NorOperations(
            this.part,
            this.cells,
            this.statistics,
            this.faults,
            config.timing ?? "typical",
        )
    }

    get image(): ChipImage {
        return this.cells.image
    }

    get eraseCounts(): Uint32Array {
        return this.cells.eraseCounts
    }

    private get isLarge(): boolean {
        return this.part.bytes > threeByteBytes
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
        this.clearAddressing()
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
        this.isCutOff = false
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

    cutOff(): void {
        this.isCutOff = true
    }

    /** A NOR chip lets go of the line at once, and counts no clocks. */
    clocked(): undefined {
        return undefined
    }

    transfer(tx: Uint8Array, startNs: number, endNs: number, hz: number): SpiReply {
        const reply = { rx: new Uint8Array(tx.length).fill(0xff), drivenFrom: tx.length }
        if (!this.powered || !this.selected || this.faults.silent || tx.length === 0) return reply
        this.last = { startNs, endNs, before: this.count, bytes: tx.length }
        this.operations.advance(startNs)
        let i = 0
        if (this.count === 0) {
            this.begin(tx[i++], hz)
            this.count = 1
        }
        const header = this.header
        const addressed = addressBytes(this.code, this.mode)
        for (; i < tx.length && this.count < header; i++, this.count++) {
            if (this.count > addressed) continue
            this.address = ((this.address << 8) | tx[i]) >>> 0
            if (this.count === addressed && this.ignored === undefined) this.completeAddress(addressed)
        }
        if (this.count >= header && i < tx.length) {
            if (this.ignored === undefined) this.data(tx, reply, i, startNs, endNs)
            this.count += tx.length - i
        }
        return reply
    }

    private get header(): number {
        return headerBytes(this.code, this.mode)
    }

    /** W25Q256JV, Extended Address Register: for three bytes it stands in; four bytes replace it. */
    private completeAddress(bytes: number): void {
        if (!this.isLarge) return
        if (bytes === 4) this.extended = this.address >>> 24
        else if (bytes === 3) this.address = ((this.extended << 24) | this.address) >>> 0
    }

    private clearAddressing(): void {
        this.mode = 3
        this.extended = 0
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

    renew(): void {
        this.cells.renew()
        Object.assign(this.faults, noFaults())
        this.droppedErases.clear()
    }

    private begin(code: number, hz: number): void {
        this.code = code
        this.address = 0
        const name = opcodeName(code, this.isLarge)
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
        const limitHz = code === opcode.read || code === opcode.read4 ? this.part.readHz : this.part.clockHz
        if (hz > limitHz) this.report(`${name} at ${hz / 1e6} MHz; the ${this.part.name} takes ${limitHz / 1e6} MHz`)
        if (!this.operations.isBusy || allowedBusy.has(code)) return
        this.ignored = "busy"
        const running = this.operations.running
        // one that turns busy by itself takes whoever wrote to it by surprise
        if (this.faults.staysBusy && !running) return
        this.report(`${name} while busy${running ? ` with ${running.kind} at 0x${running.address.toString(16)}` : ""}`)
    }

    /** `from` is the first byte of the transfer behind the header. */
    private data(tx: Uint8Array, reply: SpiReply, from: number, startNs: number, endNs: number): void {
        const { rx } = reply
        const position = this.count - this.header
        switch (this.code) {
            case opcode.program:
            case opcode.program4:
                for (let i = from; i < tx.length; i++) this.latch[(position + i - from) % pageBytes] = tx[i]
                return
            case opcode.read:
            case opcode.fastRead:
            case opcode.read4:
            case opcode.fastRead4:
                if (position === 0) this.checkAddress(this.address)
                this.checkNotSuspended(this.address + position, tx.length - from)
                this.checkReach(this.address + position, tx.length - from)
                this.cells.read(this.address + position, rx.subarray(from))
                this.statistics.bytesRead += tx.length - from
                this.lie(rx.subarray(from))
                break
            case opcode.readExtended:
                rx.fill(this.extended, from)
                break
            case opcode.status1:
            case opcode.status2:
            case opcode.status3: {
                // Clocked out over and over, each byte as the chip is then (Read Status Register)
                const stepNs = (endNs - startNs) / tx.length
                for (let i = from; i < tx.length; i++) {
                    this.operations.advance(Math.floor(startNs + i * stepNs))
                    rx[i] = this.status()
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

    private status(): number {
        const { operations } = this
        switch (this.code) {
            case opcode.status1:
                return (operations.isBusy ? busyBit : 0) | (operations.writeEnabled ? enabledBit : 0)
            case opcode.status2:
                return operations.suspended ? suspendBit : 0
            default:
                return driveBits | (this.mode === 4 ? fourByteBit : 0)
        }
    }

    private lie(rx: Uint8Array): void {
        if (!this.faultRandom.chance(this.faults.lies)) return
        this.statistics.lies++
        for (let n = 1 + this.faultRandom.int(8); n > 0; n--)
            rx[this.faultRandom.int(rx.length)] ^= 1 << this.faultRandom.int(8)
    }

    /** Select rose: the command is whole or it never was. */
    private execute(): void {
        const isArmed = this.resetEnabled
        this.resetEnabled = false
        if (this.ignored) {
            this.statistics.ignored[this.ignored]++
            // and who finds it ready later takes the erase for done
            const erase = eraseBytes(this.code, this.part.bytes)
            const address = this.address % this.part.bytes
            if (this.faults.staysBusy && erase) this.noteErase(address - (address % erase.bytes), erase.bytes, true)
            return
        }
        const isProgram = this.code === opcode.program || this.code === opcode.program4
        const isWhole = isProgram ? this.count > this.header : this.count === this.header
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
                if (!isArmed) return false
                operations.reset()
                this.clearAddressing()
                return true
            case opcode.enter4:
            case opcode.exit4:
                this.mode = this.code === opcode.enter4 ? 4 : 3
                return true
            case opcode.writeExtended:
                if (!operations.writeEnabled) return false
                this.extended = this.address
                operations.writeEnabled = false
                return true
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
        // who takes a chip's word for its erase is not to blame
        if (over >= 0 && !this.droppedErases.has(Math.floor(over / sectorBytes)))
            this.report("program over programmed bits", over)
        this.start("program", address, write.data.length, write)
    }

    private noteErase(address: number, bytes: number, isDropped: boolean): void {
        for (let sector = address / sectorBytes; sector < (address + bytes) / sectorBytes; sector++)
            if (isDropped) this.droppedErases.add(sector)
            else this.droppedErases.delete(sector)
    }

    /** More than a page sent: it wraps, and the later bytes stand over the earlier (Page Program). */
    private latched(address: number): PageWrite {
        const sent = this.count - this.header
        const count = Math.min(sent, pageBytes)
        const data = new Uint8Array(count)
        for (let i = 0; i < count; i++) data[i] = this.latch[(sent - count + i) % pageBytes]
        const first = address % pageBytes
        return { page: address - first, first: (first + sent - count) % pageBytes, data }
    }

    private start(kind: OperationKind, address: number, bytes: number, write?: PageWrite): void {
        const planned = this.operations.plan(kind, address, bytes, write)
        const { index, startNs, endNs } = planned
        planned.isDropped = this.faultRandom.chance(this.faults.dropsWrites)
        const verdict = this.config.onOperation?.({ index, kind, address, bytes, startNs, endNs })
        if (!write) this.noteErase(address, bytes, verdict === "drop" || planned.isDropped)
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

    /** What a read with a 3-byte address does at the end of its 16 MB is not said: "executed within that region". */
    private checkReach(address: number, bytes: number): void {
        const addressed = addressBytes(this.code, this.mode)
        const reached = (this.address % threeByteBytes) + (address - this.address) + bytes
        if (this.isLarge && addressed === 3 && reached > threeByteBytes)
            this.report("read over the end of the 16 MB that three address bytes reach", address)
    }

    private checkNotSuspended(address: number, bytes: number): void {
        const operation = this.operations.suspended?.operation
        if (operation && address < operation.address + operation.bytes && operation.address < address + bytes)
            this.report(`read of a place whose ${operation.kind} is suspended`, address)
    }

    private report(what: string, address?: number): void {
        if (this.isCutOff) return
        const report = this.config.report ?? throwViolation
        report(new Violation(this.name, what, this.operations.nowNs, address))
    }
}

// Status Registers, BUSY: "the device will ignore further instructions except for the Read Status Register and Erase/Program Suspend"
const allowedBusy = new Set<number>([opcode.status1, opcode.status2, opcode.suspend, opcode.enableReset, opcode.reset])
