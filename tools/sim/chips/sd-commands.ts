// The commands of SPI mode that a card with high capacity takes (SD Physical Layer Simplified Specification, version 4.10, table
// 7-3), behind their checksum. A command that is none of these is illegal.

import { spanNs } from "./element"
import { sdBlockBytes } from "./sd-parts"
import type { SdProtocol } from "./sd-protocol"
import { cidOf, csdOf, ocrOf, r1, r2, scrOf, sdStatusOf } from "./sd-registers"

/** 7.2.1, figure 7-2: what a card takes before it is initialised */
const idleCommands = new Set(["CMD8", "CMD55", "CMD58", "CMD59", "ACMD41"])
const appCommands = new Set([13, 22, 23, 41, 42, 51])
/** These leave an erase that is being described as it is */
const eraseCommands = new Set(["CMD13", "CMD32", "CMD33", "CMD38"])
/** 4.3.13: 2.7 to 3.6 V */
const voltage = 1
const highCapacity = 0x40000000

export function runCommand(protocol: SdProtocol, index: number, isApp: boolean, argument: number, atNs: number): void {
    const { state, card } = protocol
    const name = `${isApp && appCommands.has(index) ? "A" : ""}CMD${index}`
    if (state.phase === "idle" && !idleCommands.has(name)) {
        card.statistics.ignored.unready++
        return protocol.respond(r1.illegal)
    }
    let flags = 0
    if (state.erase && !eraseCommands.has(name)) {
        state.erase = undefined
        flags = r1.eraseReset
    }
    const readyNs = atNs + spanNs(card.part.readNs, card.timing)
    const send = (data: Uint8Array, ...rest: number[]) => {
        protocol.respond(flags, ...rest)
        protocol.sendData(data, readyNs)
    }
    switch (name) {
        case "CMD8": {
            // 4.3.13: echoes the pattern; a voltage it does not know is answered with none
            const isKnown = ((argument >> 8) & 0xf) === voltage
            state.hasCondition ||= isKnown
            return protocol.respond(flags, 0, 0, isKnown ? voltage : 0, argument & 0xff)
        }
        case "CMD9":
            return send(csdOf(card.part))
        case "CMD10":
            return send(cidOf(card.part, card.serial))
        case "CMD12":
            return stop(protocol, atNs)
        case "CMD13":
            protocol.respond(flags, state.errors)
            state.errors = 0
            return
        case "ACMD13":
            return send(sdStatusOf(card.part), 0)
        case "CMD16":
            // 4.3.2: blocks of a card with high capacity have 512 bytes whatever this says
            return argument <= sdBlockBytes ? protocol.respond(flags) : refuse(protocol, flags)
        case "CMD17":
        case "CMD18":
            if (isBeyond(protocol, name, argument, atNs)) return refuse(protocol, flags)
            protocol.respond(flags)
            state.read = index === 18 ? { block: argument } : undefined
            return protocol.sendBlock(argument, readyNs)
        case "CMD24":
        case "CMD25":
            if (isBeyond(protocol, name, argument, atNs)) return refuse(protocol, flags)
            state.wellWritten = 0
            state.receive = { block: argument, isMultiple: index === 25, failure: 0, isOrphan: false }
            return protocol.respond(flags)
        case "CMD32":
        case "CMD33":
        case "CMD38":
            return erase(protocol, name, argument, atNs)
        case "ACMD22":
            return send(Uint8Array.from([24, 16, 8, 0].map(shift => (state.wellWritten >>> shift) & 0xff)))
        case "ACMD23":
        case "ACMD42":
            return protocol.respond(flags)
        case "ACMD41":
            return initialise(protocol, flags, argument, atNs)
        case "ACMD51":
            return send(scrOf(card.part))
        case "CMD55":
            state.isApp = true
            return protocol.respond(flags)
        case "CMD58":
            return protocol.respond(flags, ...ocrOf(state.phase === "ready"))
        case "CMD59":
            state.checksCrc = (argument & 1) === 1
            return protocol.respond(flags)
        default:
            card.statistics.ignored.illegal++
            return protocol.respond(flags | r1.illegal)
    }
}

/** 4.2.3: without CMD8 before, or HCS in it, a card with high capacity never gets ready. */
function initialise(protocol: SdProtocol, flags: number, argument: number, atNs: number): void {
    const { state, card } = protocol
    if (state.hasCondition && (argument & highCapacity) !== 0) {
        if (state.readyNs === undefined) state.readyNs = atNs + spanNs(card.part.initNs, card.timing)
        else if (atNs >= state.readyNs) state.phase = "ready"
    }
    protocol.respond(flags)
}

function stop(protocol: SdProtocol, atNs: number): void {
    const { state, card } = protocol
    if (state.receive?.isMultiple) {
        protocol.endWrite(atNs)
        return protocol.respondStuffed()
    }
    if (!state.read && state.output[0]?.kind !== "data") {
        card.statistics.ignored.illegal++
        state.receive = undefined
        return protocol.respond(r1.illegal)
    }
    state.read = undefined
    protocol.respondStuffed()
}

/** 4.3.5, 7.2.5: first, last, go; in that order and nothing between. */
function erase(protocol: SdProtocol, name: string, argument: number, atNs: number): void {
    const { state, card } = protocol
    if (name !== "CMD38" && isBeyond(protocol, name, argument, atNs)) return refuse(protocol, 0)
    if (name === "CMD32") {
        state.erase = { first: argument, last: undefined }
        return protocol.respond(0)
    }
    if (!state.erase || (name === "CMD38" && state.erase.last === undefined)) {
        state.erase = undefined
        return protocol.respond(r1.eraseSequence)
    }
    if (name === "CMD33") {
        state.erase.last = argument
        return protocol.respond(0)
    }
    const { first, last } = state.erase
    state.erase = undefined
    if (last === undefined || last < first) {
        state.errors |= r2.eraseParameter
        return refuse(protocol, 0)
    }
    card.statistics.erases++
    protocol.busyWith(card.begin("erase", first, last, atNs))
    protocol.respond(0)
}

function isBeyond({ card }: SdProtocol, name: string, block: number, atNs: number): boolean {
    if (block < card.blocks) return false
    card.report(`${name}: beyond the ${card.blocks} blocks of a ${card.part.name}`, atNs, block)
    return true
}

function refuse(protocol: SdProtocol, flags: number): void {
    protocol.card.statistics.ignored.parameter++
    protocol.respond(flags | r1.parameter)
}
