// The operations of DeviceScript's bytecode, format 2.16, as far as the link step tells them apart. Source: bytecode/bytecode.md of
// microsoft/devicescript. Operands come before their operation; a statement leaves nothing on the stack.

export const op = {
    builtinObject: 1,
    call0: 2,
    call8: 10,
    return: 12,
    jump: 13,
    jumpIfNot: 14,
    storeLocal: 17,
    loadLocal: 21,
    builtinField: 26,
    asciiField: 27,
    allocMap: 31,
    allocArray: 32,
    allocBuffer: 33,
    asciiString: 37,
    staticFunction: 39,
    literal: 40,
    returned: 44,
    undefined: 46,
    true: 48,
    false: 49,
    toBool: 50,
    not: 56,
    equal: 68,
    notEqual: 71,
    storeClosure: 73,
    loadClosure: 74,
    makeClosure: 75,
    jumpIfReturnedNullish: 78,
    callArray: 79,
    try: 80,
    endTry: 81,
    catch: 82,
    finally: 83,
    throw: 84,
    throwJump: 86,
    storeReturned: 93,
} as const

/** First opcode of a small literal, which is one byte whole. */
export const directConstant = 0x80

/** Opcodes followed by a number. */
const numbered = new Set([
    1, 13, 14, 16, 17, 18, 21, 22, 26, 27, 28, 29, 30, 34, 35, 36, 37, 38, 39, 40, 41, 73, 74, 75, 78, 80, 81, 86, 94,
])
/** Opcodes whose number is where to go on, counted from the opcode itself. */
const jumps = new Set<number>([op.jump, op.jumpIfNot, op.jumpIfReturnedNullish, op.try, op.endTry, op.throwJump])
/** After these the next instruction is not reached from here. (After `rethrow` it is, at the end of a `finally` that no exception led to.) */
const finals = new Set<number>([op.return, op.jump, op.endTry, op.throw, op.throwJump])

/** By the number of operands; statements are named again below. */
const byOperands: readonly (readonly number[])[] = [
    [
        1, 13, 16, 20, 21, 22, 29, 30, 31, 34, 35, 36, 37, 38, 39, 40, 41, 44, 46, 48, 49, 51, 75, 78, 80, 81, 82, 83,
        87, 90, 94,
    ],
    [2, 12, 14, 17, 18, 23, 26, 27, 28, 32, 33, 45, 47, 50, 52, 53, 54, 55, 56, 57, 72, 74, 76, 84, 85, 86, 88, 93],
    [3, 11, 15, 24, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 73, 79, 89, 91, 92],
    [4, 25, 43],
    [5, 19],
    [6],
    [7],
    [8],
    [9],
    [10],
]
const statements = new Set([
    2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 19, 25, 31, 32, 33, 73, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87,
    93,
])
const operands = new Map(byOperands.flatMap((list, count) => list.map(code => [code, count] as const)))

export const takesNumber = (code: number): boolean => code < directConstant && numbered.has(code)
export const isJump = (code: number): boolean => jumps.has(code)
export const isFinal = (code: number): boolean => finals.has(code)
export const isStatement = (code: number): boolean => statements.has(code)
export const isCall = (code: number): boolean => code >= op.call0 && code <= op.call8

/** How many values the operation takes from the stack; throws for one that is not in the format. */
export function operandCount(code: number): number {
    if (code >= directConstant) return 0
    const count = operands.get(code)
    if (count === undefined) throw new Error(`operation ${code} is not of bytecode format 2.16`)
    return count
}
