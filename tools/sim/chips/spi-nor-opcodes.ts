// Command codes of the W25Q family (W25Q128JV datasheet, Instruction Set Table 1), those that the model knows; the rest it ignores and counts.

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

export function opcodeName(code: number): string | undefined {
    return names.get(code)
}

/** Bytes before data: code, address, dummies. */
export function headerBytes(code: number): number {
    switch (code) {
        case opcode.program:
        case opcode.read:
        case opcode.erase4k:
        case opcode.erase32k:
        case opcode.erase64k:
        case opcode.wake:
            return 4
        case opcode.fastRead:
            return 5
        default:
            return 1
    }
}

/** Any length does: these only send. */
export function isReading(code: number): boolean {
    switch (code) {
        case opcode.read:
        case opcode.fastRead:
        case opcode.status1:
        case opcode.status2:
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
            return { kind: "erase4k", bytes: 4096 }
        case opcode.erase32k:
            return { kind: "erase32k", bytes: Math.min(32768, chipBytes) }
        case opcode.erase64k:
            return { kind: "erase64k", bytes: Math.min(65536, chipBytes) }
        case opcode.eraseChip:
        case eraseChipToo:
            return { kind: "eraseChip", bytes: chipBytes }
        default:
            return undefined
    }
}
