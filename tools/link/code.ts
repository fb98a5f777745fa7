// The bytecode of one function, taken apart into instructions and put together again, each jump as short as it can be. (The compiler
// writes a jump forward before it knows how far, in three bytes.)

import { isJump, takesNumber } from "./opcodes"

/** A number below this takes one byte in the code; a longer one has a byte that says how many follow, and its sign. */
export const shortNumbers = 0xf8

export interface Instruction {
    op: number
    /** What follows an opcode that takes a number; not for jumps. */
    number?: number
    /** Of a jump: the instruction it goes to, or `end`, behind the last one. */
    target?: Instruction | typeof end
}

/** Behind the last instruction. */
export const end = Symbol("end")

/** @param code whole, with the zeros that fill it up to four bytes; throws when it is not what the compiler writes */
export function takeApart(code: Uint8Array): Instruction[] {
    const instructions: Instruction[] = []
    const at = new Map<number, Instruction>()
    const targets = new Map<Instruction, number>()
    let next = 0
    while (next < code.length && !isFill(code, next)) {
        const start = next
        const instruction: Instruction = { op: code[next++]! }
        if (takesNumber(instruction.op)) {
            const [number, after] = readNumber(code, next)
            next = after
            if (isJump(instruction.op)) targets.set(instruction, start + number)
            else instruction.number = number
        }
        at.set(start, instruction)
        instructions.push(instruction)
    }
    for (const [jump, place] of targets) {
        const target = place === next ? end : at.get(place)
        if (target === undefined) throw new Error(`a jump goes to byte ${place}, where no instruction begins`)
        jump.target = target
    }
    return instructions
}

/** The code again, filled up to four bytes. */
export function putTogether(instructions: readonly Instruction[]): Uint8Array {
    const places = placesOf(instructions)
    const code: number[] = []
    for (const instruction of instructions) {
        const start = places.get(instruction)!
        if (start !== code.length) throw new Error(`an instruction stands at ${code.length}, not at ${start}`)
        code.push(instruction.op)
        if (instruction.target !== undefined) writeNumber(code, places.get(instruction.target)! - start)
        else if (instruction.number !== undefined) writeNumber(code, instruction.number)
    }
    while (code.length & 3) code.push(0)
    return Uint8Array.from(code)
}

/** Where each instruction stands. A jump that grows moves others apart, which may have to grow then: until none does. */
function placesOf(instructions: readonly Instruction[]): Map<Instruction | typeof end, number> {
    const bytes = new Map(
        instructions.map(i => [
            i,
            i.target !== undefined ? 2 : 1 + (i.number === undefined ? 0 : numberBytes(i.number)),
        ]),
    )
    for (;;) {
        const places = new Map<Instruction | typeof end, number>()
        let at = 0
        for (const instruction of instructions) {
            places.set(instruction, at)
            at += bytes.get(instruction)!
        }
        places.set(end, at)
        let grew = false
        for (const jump of instructions) {
            if (jump.target === undefined) continue
            const target = places.get(jump.target)
            if (target === undefined) throw new Error("a jump goes to an instruction that is not there")
            const needed = 1 + numberBytes(target - places.get(jump)!)
            if (needed <= bytes.get(jump)!) continue
            bytes.set(jump, needed)
            grew = true
        }
        if (!grew) return places
    }
}

/** Zeros at the end, three at most, fill a function up. No operation has the code 0. */
function isFill(code: Uint8Array, at: number): boolean {
    if (code[at] !== 0) return false
    if (code.length - at > 3 || code.subarray(at).some(byte => byte !== 0)) throw new Error(`no operation at ${at}`)
    return true
}

function readNumber(code: Uint8Array, at: number): [number: number, next: number] {
    const first = code[at++]!
    if (first < shortNumbers) return [first, at]
    let number = 0
    for (let i = 0; i <= (first & 3); i++) number = number * 256 + code[at++]!
    return [first & 4 ? -number : number, at]
}

/** Bytes that a number takes in the code. */
export function numberBytes(number: number): number {
    if (number >= 0 && number < shortNumbers) return 1
    const size = Math.abs(number)
    return size < 0x100 ? 2 : size < 0x10000 ? 3 : size < 0x1000000 ? 4 : 5
}

function writeNumber(code: number[], number: number): void {
    const bytes = numberBytes(number)
    if (bytes === 1) {
        code.push(number)
        return
    }
    const size = Math.abs(number)
    code.push(shortNumbers | (number < 0 ? 4 : 0) | (bytes - 2))
    for (let i = bytes - 2; i >= 0; i--) code.push(Math.floor(size / 2 ** (8 * i)) % 256)
}
