// Command codes of the W25Q family (W25Q128JV datasheet, Instruction Set Table 1; W25Q256JV, Instruction Set
// Tables 1 to 3), those that the model knows; the rest it ignores and counts.

import type { EraseKind } from "./nor-operations"

export const opcode = {
    program: 0x02,
    read: 0x03,
    writeDisable: 0x04,
    status1: 0x05,
    writeEnable: 0x06,
    fastRead: 0x0b,
    erase4k: 0x20,
    status2: 0x35,
    erase32k: 0x52,
    enableReset: 0x66,
    suspend: 0x75,
    resume: 0x7a,
    reset: 0x99,
    read4: 0x13,
    fastRead4: 0x0c,
    program4: 0x12,
    erase4k4: 0x21,
    erase64k4: 0xdc,
    enter4: 0xb7,
    exit4: 0xe9,
    status3: 0x15,
    writeExtended: 0xc5,
    readExtended: 0xc8,
    jedec: 0x9f,
    wake: 0xab,
    powerDown: 0xb9,
    eraseChip: 0xc7,
    erase64k: 0xd8,
} as const

// Chip Erase (C7h/60h): 60h is a second code of chip erase
const eraseChipToo = 0x60

const names = new Map<number, string>(Object.entries(opcode).map(([name, code]) => [code, name]))
names.set(eraseChipToo, "eraseChip")

/** Those that chips of 16 MB and less do not have. */
const largeOnly = new Set<number>([
    opcode.read4,
    opcode.fastRead4,
    opcode.program4,
    opcode.erase4k4,
    opcode.erase64k4,
    opcode.enter4,
    opcode.exit4,
    opcode.status3,
    opcode.writeExtended,
    opcode.readExtended,
])

export function opcodeName(code: number, isLarge: boolean): string | undefined {
    return largeOnly.has(code) && !isLarge ? undefined : names.get(code)
}

export type AddressMode = 3 | 4

/** Bytes of address behind the code; for C5h, of the register's value. */
export function addressBytes(code: number, mode: AddressMode): number {
    switch (code) {
        case opcode.program:
        case opcode.read:
        case opcode.fastRead:
        case opcode.erase4k:
        case opcode.erase32k:
        case opcode.erase64k:
            return mode
        case opcode.read4:
        case opcode.fastRead4:
        case opcode.program4:
        case opcode.erase4k4:
        case opcode.erase64k4:
            return 4
        case opcode.writeExtended:
            return 1
        default:
            return 0
    }
}

/** Bytes before data: code, address, dummies. */
export function headerBytes(code: number, mode: AddressMode): number {
    const dummies = code === opcode.wake ? 3 : code === opcode.fastRead || code === opcode.fastRead4 ? 1 : 0
    return 1 + addressBytes(code, mode) + dummies
}

/** Any length does: these only send. */
export function isReading(code: number): boolean {
    switch (code) {
        case opcode.read:
        case opcode.fastRead:
        case opcode.read4:
        case opcode.fastRead4:
        case opcode.status1:
        case opcode.status2:
        case opcode.status3:
        case opcode.readExtended:
        case opcode.jedec:
        case opcode.wake:
            return true
        default:
            return false
    }
}

export function eraseBytes(code: number, chipBytes: number): { kind: EraseKind; bytes: number } | undefined {
    switch (code) {
        case opcode.erase4k:
        case opcode.erase4k4:
            return { kind: "erase4k", bytes: 4096 }
        case opcode.erase32k:
            return { kind: "erase32k", bytes: Math.min(32768, chipBytes) }
        case opcode.erase64k:
        case opcode.erase64k4:
            return { kind: "erase64k", bytes: Math.min(65536, chipBytes) }
        case opcode.eraseChip:
        case eraseChipToo:
            return { kind: "eraseChip", bytes: chipBytes }
        default:
            return undefined
    }
}
