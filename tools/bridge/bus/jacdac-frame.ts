/**
 * Jacdac frames as bytes, for the packets of our service only: they are the many, and jacdac-ts's objects cost ten
 * times as much for each. Layout: CRC-16 u16, size u8, flags u8, device id 8 bytes, then packets of size u8, service
 * index u8, command u16, data, each padded to four bytes (Jacdac protocol, "frame format").
 */
export const jacdacFrameBytesMax = 252
const headBytes = 12
const packetHeadBytes = 4
const flagCommand = 1
const flagClassIsDevice = 4
const serviceIndexMask = 0x3f

const crcTable = new Uint16Array(256)
for (let byte = 0; byte < 256; byte++) {
    let crc = byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
    crcTable[byte] = crc
}

function crc16(frame: Uint8Array, end: number): number {
    let crc = 0xffff
    for (let index = 2; index < end; index++) crc = ((crc << 8) ^ crcTable[(crc >> 8) ^ frame[index]]) & 0xffff
    return crc
}

/** A frame with one command for a service; `device` is its id as 8 bytes. */
export function commandFrame(
    device: Uint8Array,
    serviceIndex: number,
    code: number,
    data: Uint8Array,
    flags = flagCommand,
): Buffer {
    return packetFrame(flags, device, serviceIndex, code, data)
}

/** A frame in which a device with one service announces it; `count` is 1 to 15, rising. */
export function announceFrame(device: Uint8Array, count: number, serviceClass: number): Buffer {
    const data = Buffer.alloc(8)
    data.writeUInt32LE(count, 0)
    data.writeUInt32LE(serviceClass, 4)
    return packetFrame(0, device, 0, 0, data)
}

/** A frame with what a device's service reports. */
export function reportFrame(device: Uint8Array, serviceIndex: number, code: number, data: Uint8Array): Buffer {
    return packetFrame(0, device, serviceIndex, code, data)
}

/** One of several packets in a frame. */
export interface Packet {
    serviceIndex: number
    code: number
    data: Uint8Array
}

/** A frame with several commands for one device, which it carries out in their order. */
export function commandsFrame(device: Uint8Array, packets: readonly Packet[]): Buffer {
    return packetsFrame(flagCommand, device, packets)
}

function packetFrame(flags: number, device: Uint8Array, serviceIndex: number, code: number, data: Uint8Array): Buffer {
    return packetsFrame(flags, device, [{ serviceIndex, code, data }])
}

function packetsFrame(flags: number, device: Uint8Array, packets: readonly Packet[]): Buffer {
    const bytes = packets.reduce((sum, { data }) => sum + ((packetHeadBytes + data.length + 3) & ~3), headBytes)
    const frame = Buffer.alloc(bytes)
    frame[2] = bytes - headBytes
    frame[3] = flags
    frame.set(device, 4)
    let at = headBytes
    for (const { serviceIndex, code, data } of packets) {
        frame[at] = data.length
        frame[at + 1] = serviceIndex
        frame.writeUInt16LE(code, at + 2)
        frame.set(data, at + packetHeadBytes)
        at += (packetHeadBytes + data.length + 3) & ~3
    }
    frame.writeUInt16LE(crc16(frame, bytes), 0)
    return frame
}

export interface FrameHead {
    /** 16 hex digits. */
    device: string
    isCommand: boolean
    /** Of its first packet. */
    serviceIndex: number
    code: number
}

/** What a frame is about, judged by its first packet; undefined for a malformed or a multicast one. */
export function frameHead(frame: Buffer): FrameHead | undefined {
    if (frame.length < headBytes + packetHeadBytes || frame.length < headBytes + frame[2]) return undefined
    if (frame[3] & flagClassIsDevice) return undefined
    return {
        device: frame.toString("hex", 4, 12),
        isCommand: (frame[3] & flagCommand) !== 0,
        serviceIndex: frame[13] & serviceIndexMask,
        code: frame.readUInt16LE(14),
    }
}

/** Whether length and CRC are right. */
export function frameIsWhole(frame: Buffer): boolean {
    const end = headBytes + (frame[2] ?? 0)
    return frame.length >= headBytes && frame.length >= end && crc16(frame, end) === frame.readUInt16LE(0)
}

/** Calls `found` for each packet of a frame whose CRC is right; returns whether it was. */
export function eachPacket(frame: Buffer, found: (serviceIndex: number, code: number, data: Buffer) => void): boolean {
    const end = headBytes + (frame[2] ?? 0)
    if (!frameIsWhole(frame)) return false
    for (let at = headBytes; at + packetHeadBytes <= end;) {
        const next = at + packetHeadBytes + frame[at]
        if (next > end) return false
        found(frame[at + 1] & serviceIndexMask, frame.readUInt16LE(at + 2), frame.subarray(at + packetHeadBytes, next))
        at = (next + 3) & ~3
    }
    return true
}
