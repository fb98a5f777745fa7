// Checksums, registers and status bits of an SD card, as bytes on the bus. Sections are those of the SD Physical Layer Simplified
// Specification, version 4.10.

import { sdBlockBytes, type SdPart } from "./sd-parts"

/** 7.3.2.1, response R1 */
export const r1 = {
    idle: 0x01,
    eraseReset: 0x02,
    illegal: 0x04,
    crc: 0x08,
    eraseSequence: 0x10,
    parameter: 0x40,
} as const
/** 7.3.2.3, second byte of R2 */
export const r2 = { error: 0x04, ecc: 0x10, eraseParameter: 0x40, range: 0x80 } as const
/** 4.5: x^7 + x^3 + 1, the first bit on the wire first; without the end bit. */
export function crc7(bytes: ArrayLike<number>): number {
    let crc = 0
    for (let i = 0; i < bytes.length; i++)
        for (let bit = 7; bit >= 0; bit--) {
            const carry = ((crc >> 6) ^ (bytes[i] >> bit)) & 1
            crc = ((crc << 1) & 0x7f) ^ (carry ? 0x09 : 0)
        }
    return crc
}

const crc16Table = Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
    return crc & 0xffff
})

/** 4.5: x^16 + x^12 + x^5 + 1 from 0. */
export function crc16(bytes: Uint8Array): number {
    let crc = 0
    for (let i = 0; i < bytes.length; i++) crc = ((crc << 8) & 0xffff) ^ crc16Table[(crc >> 8) ^ bytes[i]]
    return crc
}

/** 5.3.3, CSD version 2.0: nearly all fields are fixed; the size is (C_SIZE + 1) times 512 KB. */
export function csdOf(part: SdPart): Uint8Array {
    const size = part.bytes / (1024 * sdBlockBytes) - 1
    // TAAC 1 ms, NSAC 0, TRAN_SPEED 25 MHz, classes 0 2 4 5 7 8 10, blocks of 512 bytes both ways, erase by block allowed
    const bytes = [0x40, 0x0e, 0x00, 0x32, 0x5b, 0x59, 0x00, (size >> 16) & 0x3f, (size >> 8) & 0xff, size & 0xff]
    bytes.push(0x7f, 0x80, 0x0a, 0x40, 0x00)
    return withCrc(bytes)
}

/** 5.2: `serial` is the card's own. */
export function cidOf(part: SdPart, serial: number): Uint8Array {
    const { manufacturer, application, product } = part.identity
    const text = [...application, ...product].map(letter => letter.charCodeAt(0))
    const number = [24, 16, 8, 0].map(shift => (serial >>> shift) & 0xff)
    // Revision 1.0, made in January 2020
    return withCrc([manufacturer, ...text, 0x10, ...number, 0x01, 0x41])
}

/** 5.6: version 3.0, DATA_STAT_AFTER_ERASE, no security, both bus widths. */
export function scrOf(part: SdPart): Uint8Array {
    return Uint8Array.of(0x02, (part.erasedByte ? 0x80 : 0) | 0x05, 0x80, 0, 0, 0, 0, 0)
}

/** 4.10.2, SD Status: AU_SIZE (1 = 16 KB, doubling), ERASE_SIZE of 1 AU and its ERASE_TIMEOUT of 1 s. */
export function sdStatusOf(part: SdPart): Uint8Array {
    const status = new Uint8Array(64)
    status[10] = (Math.log2(part.allocationUnitBytes / 16384) + 1) << 4
    status[12] = 1
    status[13] = 1 << 2
    return status
}

/** 5.1: 2.7 to 3.6 V; the power-up bit and CCS (block addresses) only hold when the card is ready. */
export function ocrOf(isReady: boolean): number[] {
    return [isReady ? 0xc0 : 0x00, 0xff, 0x80, 0x00]
}

function withCrc(bytes: number[]): Uint8Array {
    return Uint8Array.from([...bytes, (crc7(bytes) << 1) | 1])
}
