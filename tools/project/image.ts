// What a program image holds, as far as its size matters (docs/decisions/0006).

const headerBytes = 32
const functionBytes = 16
/** A number below this takes one byte in the code, one below 256 two, any other three. */
const shortNumbers = 0xf8
/** First opcode of a small literal, which is one byte whole. */
const directConstant = 0x80

// opcodes of the compiler's bytecode.ts
const asciiField = 27
const asciiString = 37
/** Those followed by a number. */
const numbered = new Set([
    1, 13, 14, 16, 17, 18, 21, 22, 26, 27, 28, 29, 30, 34, 35, 36, 37, 38, 39, 40, 41, 73, 74, 75, 78, 80, 81, 86, 94,
])

/** The verifier's limit (check 1051): a function's code is found by 16 bits. */
export const functionLimitBytes = 0xffff

/** Where the code of the last function ends. */
export function functionBytesOf(image: Uint8Array): number {
    const [start, length] = sections(image)[1]!
    return start + length
}

/** Names of fields and texts, the one used most often first, with how often it is used and its number in the image. */
export function namesOf(image: Uint8Array): { name: string; uses: number; number: number }[] {
    const view = viewOf(image)
    const [[functions, functionsLength], , , , [ascii, asciiLength], , , [texts]] = sections(image) as [
        number,
        number,
    ][]
    const uses = new Map<number, number>()
    for (let at = functions!; at < functions! + functionsLength!; at += functionBytes) {
        const start = view.getUint32(at, true)
        eachName(image.subarray(start, start + view.getUint32(at + 4, true)), n => uses.set(n, (uses.get(n) ?? 0) + 1))
    }
    const names = []
    for (let number = 0; number < asciiLength! / 2; number++) {
        const from = texts! + view.getUint16(ascii! + 2 * number, true)
        const name = Buffer.from(image.subarray(from, image.indexOf(0, from))).toString("latin1")
        names.push({ name, uses: uses.get(number) ?? 0, number })
    }
    return names.sort((a, b) => b.uses - a.uses || a.number - b.number)
}

/** Bytes by which the code is longer than if all numbers were short, when names are numbered in this order. */
export function longNameBytes(names: { uses: number; number: number }[]): number {
    return names.reduce((sum, { uses, number }) => sum + uses * (number < shortNumbers ? 0 : number < 256 ? 1 : 2), 0)
}

function eachName(code: Uint8Array, found: (number: number) => void): void {
    for (let at = 0; at < code.length;) {
        const op = code[at++]!
        if (op === 0) return // what fills a function up to four bytes
        if (op >= directConstant || !numbered.has(op)) continue
        let number = code[at++]!
        if (number >= shortNumbers) {
            const bytes = (number & 3) + 1
            number = 0
            for (let i = 0; i < bytes; i++) number = number * 256 + code[at++]!
        }
        if (op === asciiField || op === asciiString) found(number)
    }
}

function sections(image: Uint8Array): [number, number][] {
    const view = viewOf(image)
    return Array.from({ length: 8 }, (_, i) => [
        view.getUint32(headerBytes + 8 * i, true),
        view.getUint32(headerBytes + 8 * i + 4, true),
    ])
}

function viewOf(image: Uint8Array): DataView {
    return new DataView(image.buffer, image.byteOffset, image.byteLength)
}
