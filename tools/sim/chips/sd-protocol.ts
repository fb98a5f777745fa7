// The bytes of SPI mode, in and out at once: commands, responses, tokens, data, busy. Kept true:
// - the byte that goes out was decided before the one that comes in;
// - what the specification leaves open is drawn at random: the delay of a response (NCR), the upper bits of a data response, and whether
//   a card whose select rose in the middle of a block forgets the block or waits for the rest of it;
// - a rule of the bus that the host breaks is reported; what a card answers with an error bit is answered so.
// Sections are those of the SD Physical Layer Simplified Specification, version 4.10.

import type { Random } from "../random"
import { spanNs, type ChipTiming } from "./element"
import { runCommand } from "./sd-commands"
import { sdBlockBytes, type SdPart } from "./sd-parts"
import { crc16, crc7, r1, r2 } from "./sd-registers"
import { copySdState, newSdState, type SdState } from "./sd-state"
import type { SdStatistics } from "./sd-statistics"
import type { SdOperation, SdOperationKind } from "./sd-writes"

/** 7.3.3.1 */
const dataResponse = { accepted: 0x05, crc: 0x0b, writeError: 0x0d } as const
/** 7.3.3.2 */
const token = { block: 0xfe, blockOn: 0xfc, stop: 0xfd } as const
/** 7.3.3.3, data error token */
const errorToken = { ecc: 0x04, range: 0x08 } as const

/** 7.5: NCR is 1 to 8 times 8 clocks */
const responseDelayMax = 8
const commandBytes = 6
/** 7.5, NRC and NWR: at least 8 clocks; the byte that ends the wait is counted, too */
const quietBytesMin = 2

/** What the protocol needs of the card around it. */
export interface SdInside {
    readonly part: SdPart
    readonly random: Random
    readonly statistics: SdStatistics
    readonly timing: ChipTiming
    readonly blocks: number
    readonly serial: number
    readonly staysBusy: boolean
    /** The clocks that a card needs before its first command have come */
    isAwake(atNs: number): boolean
    report(what: string, atNs: number, block?: number): void
    /** undefined: the power went with it */
    begin(
        kind: SdOperationKind,
        first: number,
        last: number,
        startNs: number,
        data?: Uint8Array,
    ): SdOperation | undefined
    /** undefined: it cannot be read */
    readBlock(block: number): Uint8Array | undefined
    failsToWrite(block: number): boolean
    /** CMD0 */
    reset(atNs: number): void
}

export class SdProtocol {
    state = newSdState()

    constructor(readonly card: SdInside) {}

    /** In SD mode a card leaves its data line alone. */
    get drives(): boolean {
        return this.state.phase !== "sd"
    }

    snapshot(): SdState {
        return copySdState(this.state)
    }

    isBusy(atNs: number): boolean {
        return (this.card.staysBusy && this.state.phase === "ready") || atNs < this.state.busyUntilNs
    }

    /** By a fault: it takes whoever has just found it ready by surprise. */
    private isBusyByItself(atNs: number): boolean {
        return this.isBusy(atNs) && atNs >= this.state.busyUntilNs
    }

    clockByte(input: number, fromNs: number, toNs: number): number {
        const output = this.emit(fromNs, toNs)
        if (!this.state.isDeaf) this.take(input, fromNs, toNs)
        return output
    }

    /** Of the pauses that it is owed some were clocked while its wires were cut off. */
    excuse(): void {
        this.state.quietBytes = quietBytesMin
    }

    deselected(): void {
        const { state, card } = this
        if (state.command.length > 0) card.statistics.ignored.short++
        state.command = []
        state.isDeaf = false
        if (state.output[0]?.kind === "response") state.output.shift()
        const isSending = state.read !== undefined || state.output.length > 0
        if (state.data || isSending) card.statistics.abandoned++
        const forgets = (state.data || isSending || state.receive?.isMultiple === false) && card.random.chance(0.5)
        if (state.receive) state.receive.isOrphan = true
        if (!forgets) return
        state.data = state.read = undefined
        state.output = []
        // A multiple write goes on being one until it is ended
        if (state.receive?.isMultiple === false) state.receive = undefined
    }

    private emit(fromNs: number, toNs: number): number {
        const { state } = this
        const head = state.output[0]
        if (head) {
            if (fromNs < head.fromNs) return 0xff
            state.quietBytes = 0
            const byte = head.bytes[head.at++]
            if (head.at === head.bytes.length) {
                state.output.shift()
                if (head.kind === "data" && state.output.length === 0) this.readOn(toNs)
            }
            return byte
        }
        if (!this.isBusy(fromNs)) {
            state.quietBytes++
            return 0xff
        }
        const leftNs = toNs - state.busyUntilNs
        // Ready in the middle of a byte: its last bits are ones already
        const byte = leftNs > 0 && !this.card.staysBusy ? (1 << Math.floor((8 * leftNs) / (toNs - fromNs))) - 1 : 0
        state.quietBytes = byte === 0 ? 0 : 1
        return byte & 0xff
    }

    private take(input: number, fromNs: number, toNs: number): void {
        const { state } = this
        if (state.data) {
            state.data.bytes[state.data.count++] = input
            if (state.data.count === state.data.bytes.length) this.finishBlock(toNs)
        } else if (state.command.length > 0) {
            state.command.push(input)
            if (state.command.length === commandBytes) this.execute(toNs)
        } else if (input === 0xff) return
        else if ((input & 0xc0) === 0x40) this.beginCommand(input, fromNs)
        else if (state.receive) this.takeToken(input, fromNs, toNs)
    }

    private beginCommand(first: number, atNs: number): void {
        const { state, card } = this
        const index = first & 0x3f
        state.command = [first]
        state.isUnheard = false
        if (state.phase === "sd" || index === 0) return
        if (this.isBusy(atNs)) {
            state.isUnheard = true
            if (!this.isBusyByItself(atNs)) card.report(`CMD${index} while busy`, atNs)
        } else if (state.read || state.output[0]?.kind === "data") return
        else if (state.receive && index !== 12) {
            if (!state.receive.isOrphan) card.report(`CMD${index} where a data token is due`, atNs)
        } else if (state.output.length > 0) card.report(`CMD${index} before the last command was answered`, atNs)
        else if (state.quietBytes < quietBytesMin)
            card.report(`CMD${index} without 8 clocks after the last answer (NRC)`, atNs)
    }

    private execute(atNs: number): void {
        const { state, card } = this
        const { ignored, commands } = card.statistics
        const [first, ...rest] = state.command
        const index = first & 0x3f
        const isRight = rest[4] === ((crc7(state.command.slice(0, 5)) << 1) | 1)
        state.command = []
        if (state.phase === "sd") {
            if (index !== 0 || !isRight || !card.isAwake(atNs)) ignored.unwoken++
            else this.goIdle(atNs)
            return
        }
        if (state.isUnheard) return void ignored.busy++
        const isApp = state.isApp
        state.isApp = false
        // 7.2.2: that of CMD8 is always verified; that of CMD0 is here too
        if ((state.checksCrc || index === 0 || index === 8) && !isRight) {
            ignored.crc++
            return this.respond(r1.crc)
        }
        const isReading = state.read !== undefined || state.output[0]?.kind === "data"
        // While it sends data a card hears nothing else
        if (isReading && index !== 12 && index !== 0) return void ignored.illegal++
        const name = `${isApp ? "A" : ""}CMD${index}`
        commands[name] = (commands[name] ?? 0) + 1
        if (index === 0) return this.goIdle(atNs)
        if (state.receive && index !== 12) {
            ignored.illegal++
            return this.respond(r1.illegal)
        }
        runCommand(this, index, isApp, ((rest[0] << 24) | (rest[1] << 16) | (rest[2] << 8) | rest[3]) >>> 0, atNs)
    }

    private goIdle(atNs: number): void {
        this.card.reset(atNs)
        this.state = { ...newSdState(), phase: "idle" }
        this.respond(0)
    }

    /** R1 with what follows it; the idle bit is added. */
    respond(flags: number, ...rest: number[]): void {
        const { state, card } = this
        const first = flags | (state.phase === "idle" ? r1.idle : 0)
        const delay = new Array<number>(1 + card.random.int(responseDelayMax)).fill(0xff)
        state.output = [{ kind: "response", fromNs: 0, bytes: Uint8Array.from([...delay, first, ...rest]), at: 0 }]
    }

    /** CMD12: a byte of anything goes before the response (7.3.2.1, stuff byte). */
    respondStuffed(): void {
        this.respond(0)
        const [response] = this.state.output
        response.bytes = Uint8Array.from([this.card.random.int(256), ...response.bytes])
    }

    /** A block of any length behind the response, ready at the time. */
    sendData(data: Uint8Array, readyNs: number): void {
        const crc = crc16(data)
        // NAC, 7.5: at least 8 clocks
        const bytes = Uint8Array.from([0xff, token.block, ...data, crc >> 8, crc & 0xff])
        this.state.output.push({ kind: "data", fromNs: readyNs, bytes, at: 0 })
    }

    sendBlock(block: number, readyNs: number): void {
        const { state, card } = this
        const data = block < card.blocks ? card.readBlock(block) : undefined
        if (data) {
            this.sendData(data, readyNs)
            if (state.read) state.read.block = block + 1
            return
        }
        const isRange = block >= card.blocks
        state.errors |= isRange ? r2.range : r2.ecc
        card.statistics.readErrors++
        const bytes = Uint8Array.of(0xff, isRange ? errorToken.range : errorToken.ecc)
        state.output.push({ kind: "data", fromNs: readyNs, bytes, at: 0 })
        if (state.read) state.read.block = undefined
    }

    private readOn(atNs: number): void {
        const { state, card } = this
        if (state.read?.block === undefined) return
        this.sendBlock(state.read.block, atNs + spanNs(card.part.readOnNs, card.timing))
    }

    private takeToken(input: number, fromNs: number, toNs: number): void {
        const { state, card } = this
        const { isMultiple, isOrphan } = state.receive!
        const isStart = input === (isMultiple ? token.blockOn : token.block)
        const isStop = isMultiple && input === token.stop
        let fault = ""
        if (!isStart && !isStop) fault = `0x${input.toString(16)} where a data token is due`
        else if (this.isBusy(fromNs)) fault = "data token while busy"
        else if (state.output.length > 0) fault = "data token before the card answered"
        else if (state.quietBytes < quietBytesMin) fault = "data token without 8 clocks before it (NWR)"
        if (fault) {
            state.isDeaf = true
            if (!isOrphan && !this.isBusyByItself(fromNs)) card.report(fault, fromNs)
        } else if (isStart) state.data = { bytes: new Uint8Array(sdBlockBytes + 2), count: 0 }
        else {
            this.endWrite(toNs)
            // 7.2.4: busy shows one byte after the stop token
            state.output = [{ kind: "response", fromNs: 0, bytes: Uint8Array.of(0xff), at: 0 }]
        }
    }

    /** The end of a multiple write, by its token or CMD12. */
    endWrite(atNs: number): void {
        this.state.receive = undefined
        this.busyWith(this.card.begin("stop", 0, -1, atNs))
    }

    busyWith(operation: SdOperation | undefined): void {
        if (operation) this.state.busyUntilNs = operation.endNs
    }

    private finishBlock(atNs: number): void {
        const { state, card } = this
        const { bytes } = state.data!
        const receive = state.receive!
        const data = bytes.slice(0, sdBlockBytes)
        state.data = undefined
        receive.failure ||= this.failureOf(receive.block, data, (bytes[sdBlockBytes] << 8) | bytes[sdBlockBytes + 1])
        // 7.3.3.1: the three upper bits are not defined
        const answer = (receive.failure || dataResponse.accepted) | (card.random.int(8) << 5)
        state.output = [{ kind: "response", fromNs: 0, bytes: Uint8Array.of(answer), at: 0 }]
        if (!receive.failure) {
            card.statistics.programs++
            card.statistics.bytesProgrammed += sdBlockBytes
            state.wellWritten++
            const kind = receive.isMultiple ? "writeOn" : "write"
            this.busyWith(card.begin(kind, receive.block, receive.block, atNs, data))
        }
        receive.block++
        if (!receive.isMultiple) state.receive = undefined
    }

    /** The data response of a block that is not taken, or 0. */
    private failureOf(block: number, data: Uint8Array, crc: number): number {
        const { state, card } = this
        if (state.checksCrc && crc16(data) !== crc) {
            card.statistics.wrongData++
            return dataResponse.crc
        }
        const isRange = block >= card.blocks
        if (!isRange && !card.failsToWrite(block)) return 0
        state.errors |= isRange ? r2.range : r2.error
        card.statistics.writeErrors++
        return dataResponse.writeError
    }
}
