// Functions and names numbered anew, the one used most often first: a number below 248 takes one byte in the code, any other two or three.
// The first function stays the first: the VM starts with it.

import type { Instruction } from "./code"
import { asciiStrings, nameOf, serviceSpecs, viewOf, type LinkedFunction } from "./image"
import { op } from "./opcodes"

const functionOps = new Set<number>([op.staticFunction, op.makeClosure])
const nameOps = new Set<number>([op.asciiField, op.asciiString])

// a name's number has its kind in the highest two bits (devs_format.h)
const kindShift = 14
const kindAscii = 2
const asciiBytes = 2

const specBytes = 16
const packetBytes = 8
const fieldBytes = 4
const flagManyFields = 1

/** @returns the numbers as they were, in their new order; ties stay in their old order, so that the result is the same every time */
function order(count: number, uses: Map<number, number>, first?: number): number[] {
    const of = (number: number) => (number === first ? Infinity : (uses.get(number) ?? 0))
    return Array.from({ length: count }, (_, i) => i).sort((a, b) => of(b) - of(a) || a - b)
}

function usesOf(bodies: readonly (readonly Instruction[])[], ops: Set<number>): Map<number, number> {
    const uses = new Map<number, number>()
    for (const body of bodies)
        for (const { op, number } of body) if (ops.has(op)) uses.set(number!, (uses.get(number!) ?? 0) + 1)
    return uses
}

function renumber(bodies: readonly (readonly Instruction[])[], ops: Set<number>, ordered: readonly number[]): number[] {
    const numbers: number[] = []
    for (const [now, before] of ordered.entries()) numbers[before] = now
    for (const body of bodies)
        for (const instruction of body) if (ops.has(instruction.op)) instruction.number = numbers[instruction.number!]!
    return numbers
}

/** @returns the functions in their new order; the bodies (by function) are changed in place */
export function numberFunctions(
    functions: readonly LinkedFunction[],
    bodies: ReadonlyMap<LinkedFunction, Instruction[]>,
): LinkedFunction[] {
    const all = functions.map(f => bodies.get(f)!)
    const ordered = order(functions.length, usesOf(all, functionOps), 0)
    renumber(all, functionOps, ordered)
    return ordered.map(number => functions[number]!)
}

/** Changes bodies, descriptors and sections in place. */
export function numberNames(
    functions: readonly LinkedFunction[],
    bodies: ReadonlyMap<LinkedFunction, Instruction[]>,
    sections: Uint8Array[],
    specCount: number,
): void {
    const table = sections[asciiStrings]!
    const all = functions.map(f => bodies.get(f)!)
    const ordered = order(table.length / asciiBytes, usesOf(all, nameOps))
    const numbers = renumber(all, nameOps, ordered)
    const sorted = table.slice()
    const count = ordered.length
    for (let i = 0; i < count; i++)
        sorted.set(table.subarray(asciiBytes * ordered[i]!, asciiBytes * (ordered[i]! + 1)), asciiBytes * i)
    sections[asciiStrings] = sorted
    const now = (name: number) =>
        name >> kindShift === kindAscii ? (kindAscii << kindShift) | numbers[name & ((1 << kindShift) - 1)]! : name
    for (const f of functions) viewOf(f.descriptor).setUint16(12, now(nameOf(f)), true)
    sections[serviceSpecs] = sections[serviceSpecs]!.slice()
    const view = viewOf(sections[serviceSpecs]!)
    for (const at of namesInSpecs(view, specCount)) view.setUint16(at, now(view.getUint16(at, true)), true)
}

/** Where names stand in the specifications: of each service, its packets, and their fields. */
function namesInSpecs(view: DataView, specCount: number): Set<number> {
    const places = new Set<number>()
    for (let spec = 0; spec < specCount * specBytes; spec += specBytes) {
        places.add(spec)
        const first = 4 * view.getUint16(spec + 10, true)
        for (let i = view.getUint16(spec + 8, true) - 1; i >= 0; i--) {
            const packet = first + packetBytes * i
            places.add(packet)
            if (!(view.getUint16(packet + 4, true) & flagManyFields)) continue
            // a name of 0 ends them
            for (let field = 4 * view.getUint16(packet + 6, true); view.getUint16(field, true); field += fieldBytes)
                places.add(field)
        }
    }
    return places
}
