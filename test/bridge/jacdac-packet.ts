/** Packets by jacdac-ts itself, typed as far as the tests use them. */
import * as jacdac from "jacdac-ts"
import { serviceClassOf } from "../../tools/bridge/protocol/numbers"

interface JacdacPacket {
    serviceIndex: number
    deviceIdentifier: string
    isCommand: boolean
    toBuffer(): Uint8Array
}
const { Packet } = jacdac as unknown as { Packet: { from(code: number, data: Uint8Array): JacdacPacket } }

/** A frame in which a device announces the file service. */
export function announcement(id: Buffer): Buffer {
    const data = Buffer.alloc(8)
    data.writeUInt32LE(0x0101, 0) // restarted once, one packet
    data.writeUInt32LE(serviceClassOf(0), 4)
    const packet = Packet.from(0, new Uint8Array(data))
    packet.serviceIndex = 0
    packet.deviceIdentifier = id.toString("hex")
    return Buffer.from(packet.toBuffer())
}

/** A frame with one command, by jacdac-ts. */
export function libraryCommand(id: Buffer, code: number, data: Buffer): Buffer {
    const packet = Packet.from(code, new Uint8Array(data))
    packet.serviceIndex = 1
    packet.deviceIdentifier = id.toString("hex")
    packet.isCommand = true
    return Buffer.from(packet.toBuffer())
}
