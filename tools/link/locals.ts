// Locals given out anew. What is written to a local in one place and read in others is one value; a value that is a copy of another, or a
// constant, is read where that is, and values that are not needed at the same time share a local.
//
// Not in functions with closures, which share their locals, nor with `finally`, after which a function goes on in places of its own.

import { end, numberBytes, type Instruction } from "./code"
import { directConstant, op } from "./opcodes"
import { liveAfter, placesIn, successorsIn } from "./flow"

const leftAlone = new Set<number>([op.finally, op.storeClosure, op.loadClosure, op.makeClosure])

export const canFollowLocals = (body: readonly Instruction[]): boolean =>
    !body.some(({ op: code }) => leftAlone.has(code))

export interface Body {
    body: Instruction[]
    /** Locals that a call needs. */
    slots: number
}

const isLocal = ({ op: code }: Instruction) => code === op.loadLocal || code === op.storeLocal

/** Constants of few bytes. */
const isConstant = (code: number) =>
    code >= directConstant || code === op.undefined || code === op.true || code === op.false || code === op.literal

const bytesOf = ({ number }: Instruction) => 1 + (number === undefined ? 0 : numberBytes(number))

/** @param given how many of the locals are arguments; with `isKept` nothing else comes into their places */
export function shareLocals(body: readonly Instruction[], given: number, slots: number, isKept: boolean): Body {
    if (!canFollowLocals(body)) return { body: [...body], slots }
    const now = body.map(instruction => ({ ...instruction }))
    const places = placesIn(body)
    for (const each of now)
        if (each.target !== undefined && each.target !== end) each.target = now[places.get(each.target)!]!
    const values = nameValues(now, given, slots)
    const known = now.length
    const left = withoutConstants(now, given, values.unset)
    if (left.length !== known) return shareLocals(withoutDead(left), given, Math.max(slots, values.count), isKept)
    return paint(left, given, values, isKept)
}

interface Values {
    count: number
    /** Those that may be read before anything is written to them. */
    unset: Set<number>
}

/** Numbers the locals anew in place, so that each holds one value; arguments keep their numbers for what they come with. */
function nameValues(body: Instruction[], given: number, slots: number): Values {
    const next = successorsIn(body)
    const parent = body.map((_, i) => i)
    // behind the instructions: what the locals hold at the start
    for (let local = 0; local < slots; local++) parent.push(body.length + local)
    const rootOf = (i: number): number => {
        while (parent[i] !== i) i = parent[i]!
        return i
    }
    const flood = (definition: number, local: number, from: readonly number[]) => {
        const seen = new Set<number>()
        const open = [...from]
        for (let at = open.pop(); at !== undefined; at = open.pop()) {
            if (seen.has(at)) continue
            seen.add(at)
            const { op: code, number } = body[at]!
            if (code === op.loadLocal && number === local) parent[rootOf(at)] = rootOf(definition)
            if (code !== op.storeLocal || number !== local) open.push(...next[at]!)
        }
    }
    for (let local = 0; local < slots; local++) flood(body.length + local, local, body.length ? [0] : [])
    for (const [at, { op: code, number }] of body.entries()) if (code === op.storeLocal) flood(at, number!, next[at]!)
    const numbers = new Map<number, number>()
    for (let local = 0; local < given; local++) numbers.set(rootOf(body.length + local), local)
    let count = given
    for (const [at, instruction] of body.entries()) {
        if (!isLocal(instruction)) continue
        const root = rootOf(at)
        if (!numbers.has(root)) numbers.set(root, count++)
        instruction.number = numbers.get(root)!
    }
    const unset = new Set<number>()
    for (let local = given; local < slots; local++) {
        const number = numbers.get(rootOf(body.length + local))
        if (number !== undefined) unset.add(number)
    }
    return { count, unset }
}

/** A value that is always the same constant is that constant wherever it is read, if that is not longer. */
function withoutConstants(body: Instruction[], given: number, unset: ReadonlySet<number>): Instruction[] {
    const stores = new Map<number, number[]>()
    const loads = new Map<number, Instruction[]>()
    for (const [at, each] of body.entries())
        if (each.op === op.storeLocal) stores.set(each.number!, [...(stores.get(each.number!) ?? []), at])
        else if (each.op === op.loadLocal) loads.set(each.number!, [...(loads.get(each.number!) ?? []), each])
    const gone = new Set<Instruction>()
    for (const [local, [at, other]] of stores) {
        const constant = body[at! - 1]
        if (local < given || unset.has(local) || other !== undefined || !constant || !isConstant(constant.op)) continue
        if (body.some(({ target }) => target === body[at!])) continue
        const reads = loads.get(local) ?? []
        if (reads.length * (bytesOf(constant) - 2) >= 2 + bytesOf(constant)) continue
        for (const read of reads) {
            read.op = constant.op
            read.number = constant.number
        }
        gone.add(constant).add(body[at!]!)
    }
    return without(body, gone)
}

/** A copy or a constant that is put where nobody reads it goes. */
function withoutDead(body: Instruction[]): Instruction[] {
    const live = liveAfter(body)
    const targets = new Set(body.map(({ target }) => target))
    const gone = new Set<Instruction>()
    for (const [at, each] of body.entries()) {
        const value = body[at - 1]
        if (each.op !== op.storeLocal || live[at]!.has(each.number!) || !value || targets.has(each)) continue
        if (value.op === op.loadLocal || isConstant(value.op)) gone.add(value).add(each)
    }
    return without(body, gone)
}

/** What jumps to something that goes jumps to what comes after it. */
function without(body: Instruction[], gone: ReadonlySet<Instruction>): Instruction[] {
    const after = new Map<Instruction, Instruction | typeof end>()
    let next: Instruction | typeof end = end
    for (const each of [...body].reverse())
        if (gone.has(each)) after.set(each, next)
        else next = each
    for (const each of body)
        if (each.target !== undefined && each.target !== end) each.target = after.get(each.target) ?? each.target
    return body.filter(each => !gone.has(each))
}

/** Gives each value a local; a value and its copy the same, if the copy is not needed beside another. */
function paint(body: Instruction[], given: number, { count, unset }: Values, isKept: boolean): Body {
    const live = liveAfter(body)
    const targets = new Set(body.map(({ target }) => target))
    const beside = Array.from({ length: count }, () => new Set<number>())
    const put = (a: number, b: number) => {
        if (a === b) return
        beside[a]!.add(b)
        beside[b]!.add(a)
    }
    for (const a of unset) {
        for (let b = 0; b < given; b++) put(a, b)
        for (const b of unset) put(a, b)
    }
    for (let a = 0; a < given; a++) for (let b = 0; b < (isKept ? count : a); b++) put(a, b)
    const copies: [number, number][] = []
    for (const [at, each] of body.entries()) {
        if (each.op !== op.storeLocal) continue
        const from = body[at - 1]
        const source = from?.op === op.loadLocal && !targets.has(each) ? from.number! : undefined
        for (const other of live[at]!) if (other !== source) put(each.number!, other)
        if (source !== undefined) copies.push([source, each.number!])
    }
    const same = Array.from({ length: count }, (_, i) => i)
    const rootOf = (i: number): number => {
        while (same[i] !== i) i = same[i]!
        return i
    }
    for (const [one, other] of copies) {
        const [a, b] = [rootOf(one), rootOf(other)].sort((x, y) => x - y) as [number, number]
        if (a === b || beside[a]!.has(b)) continue
        same[b] = a
        for (const each of beside[b]!) put(a, rootOf(each))
        for (const each of beside[b]!) beside[each]!.add(a)
    }
    const local = new Map<number, number>()
    for (let a = 0; a < given; a++) local.set(a, a)
    for (let value = given; value < count; value++) {
        const root = rootOf(value)
        if (local.has(root)) continue
        const taken = new Set<number | undefined>()
        for (const [other, number] of local) if (beside[root]!.has(other)) taken.add(number)
        let free = 0
        while (taken.has(free)) free++
        local.set(root, free)
    }
    const gone = new Set<Instruction>()
    for (const each of body) if (isLocal(each)) each.number = local.get(rootOf(each.number!))!
    for (const [at, each] of body.entries()) {
        const from = body[at - 1]
        if (each.op === op.storeLocal && from?.op === op.loadLocal && from.number === each.number && !targets.has(each))
            gone.add(from).add(each)
    }
    const slots = Math.max(given, ...[...local.values()].map(number => number + 1))
    return { body: without(body, gone), slots }
}
