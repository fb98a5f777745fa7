// Functions that are called in one place only, and small ones wherever they are called, written there: no descriptor, no call, no frame. A
// call is the dearest thing a board's VM does (every call allocates).
//
// A function is taken when it is called as a statement of its own with no more values than it has arguments, belongs to no object,
// makes and uses no closure and has no `try`. Its arguments and locals become locals of the caller, behind those in use there. What a
// fresh frame would hold undefined is set to that. `return` becomes a jump to what comes after the call.

import { end, putTogether, type Instruction } from "./code"
import { isReturnUsed, readUnset } from "./flow"
import { argumentsOf, flagsOf, slotsOf, tryDepthOf, viewOf, type LinkedFunction } from "./image"
import { directConstant, isCall, isStatement, op, operandCount } from "./opcodes"

/** A caller may come to this many locals, before those that are needed at different times share one: each takes 8 bytes of heap while it runs. */
const slotsMax = 64

const descriptorBytes = 16
/** Of the function's number, the call and what is returned. */
const callBytes = 6

const closures = new Set<number>([op.storeClosure, op.loadClosure, op.makeClosure])
const tries = new Set<number>([op.try, op.endTry, op.catch, op.finally, op.throwJump])
/** Values that can be left away when nobody looks at them. */
const plain = new Set<number>([op.undefined, op.loadLocal, 40, 48, 49, 90])

export type Bodies = Map<LinkedFunction, Instruction[]>

/** Which locals are in use where: the function's own at its own instructions, and up to an end of their own at those that were inserted. */
interface Frames {
    own: Map<LinkedFunction, number>
    ends: Map<Instruction, number>
    /** Numbers of the functions that may write, as closures, to a local of who makes them. */
    writers: Set<number>
}

interface Call {
    caller: LinkedFunction
    /** Where each operand begins: first the function, then the values; last, where the call itself stands. */
    places: number[]
}

/** @returns the functions that are left, with the numbers they have there; bodies and descriptors are changed in place */
export function inlineCalls(functions: readonly LinkedFunction[], bodies: Bodies): LinkedFunction[] {
    const writes = ({ op: code }: Instruction) => code === op.storeClosure || code === op.makeClosure
    const frames: Frames = {
        own: new Map(functions.map(f => [f, slotsOf(f)])),
        ends: new Map(),
        writers: new Set(functions.flatMap((f, i) => (bodies.get(f)!.some(writes) ? [i] : []))),
    }
    const gone = new Set<LinkedFunction>()
    for (;;) {
        const found = [...callsOf(functions, bodies, gone)].find(
            ([callee, calls]) => calls.length === 1 && insert(callee, calls[0]!, bodies, frames),
        )
        if (!found) break
        gone.add(found[0])
    }
    for (const callee of functions) {
        const calls = callsOf(functions, bodies, gone).get(callee)
        if (!calls || !isSmall(bodies.get(callee)!, calls.length)) continue
        // from the last on, so that the places of those before it stay
        if (calls.reverse().filter(call => !insert(callee, call, bodies, frames)).length === 0) gone.add(callee)
    }
    const left = functions.filter(f => !gone.has(f))
    const numbers = new Map(left.map((f, i) => [functions.indexOf(f), i]))
    for (const f of left)
        for (const instruction of bodies.get(f)!)
            if (instruction.op === op.staticFunction || instruction.op === op.makeClosure)
                instruction.number = numbers.get(instruction.number!)!
    return left
}

/** Functions that are named nowhere but where they are called, and those calls. */
function callsOf(
    functions: readonly LinkedFunction[],
    bodies: Bodies,
    gone: Set<LinkedFunction>,
): Map<LinkedFunction, Call[]> {
    const uses = new Map<number, number>()
    const calls = new Map<number, Call[]>()
    for (const caller of functions) {
        if (gone.has(caller)) continue
        const body = bodies.get(caller)!
        for (const { op: code, number } of body)
            if (code === op.staticFunction || code === op.makeClosure) uses.set(number!, (uses.get(number!) ?? 0) + 1)
        for (const places of callsIn(body)) {
            const number = body[places[0]!]!.number!
            calls.set(number, [...(calls.get(number) ?? []), { caller, places }])
        }
    }
    const found = new Map<LinkedFunction, Call[]>()
    for (const [number, each] of calls)
        if (uses.get(number) === each.length && number !== 0) found.set(functions[number]!, each)
    return found
}

/** Whether a function takes more room, with its descriptor and its calls, than if it stood wherever it is called. */
function isSmall(body: readonly Instruction[], calls: number): boolean {
    const bytes = putTogether(body).length
    return (calls - 1) * bytes <= descriptorBytes + calls * callBytes
}

/** Calls of functions by their number, as a list of places each (see Call). */
function callsIn(body: readonly Instruction[]): number[][] {
    const found: number[][] = []
    let stack: number[] = []
    for (const [at, { op: code }] of body.entries()) {
        const count = operandCount(code)
        if (count > stack.length) throw new Error(`operation ${code} lacks operands`)
        const places = stack.splice(stack.length - count)
        if (!isStatement(code)) stack.push(count > 0 ? places[0]! : at)
        else {
            if (stack.length) throw new Error(`a statement leaves ${stack.length} values`)
            stack = []
            const isNamed = isCall(code) && body[places[0]!]!.op === op.staticFunction
            if (isNamed && (places[1] ?? at) === places[0]! + 1) found.push([...places, at])
        }
    }
    return found
}

/** @returns false, with nothing changed, when the function cannot be taken */
function insert(callee: LinkedFunction, call: Call, bodies: Bodies, frames: Frames): boolean {
    const { caller, places } = call
    const inner = bodies.get(callee)!
    const body = bodies.get(caller)!
    const at = places.at(-1)!
    const given = places.length - 2
    if (caller === callee || flagsOf(callee) || tryDepthOf(callee) || given > argumentsOf(callee)) return false
    if (inner.some(({ op: code, target }) => closures.has(code) || tries.has(code) || target === end)) return false
    const first = frames.ends.get(body[at]!) ?? frames.own.get(caller)!
    const slots = first + slotsOf(callee)
    if (slots > Math.max(slotsMax, slotsOf(caller))) return false

    const isUsed = isReturnUsed(body, at)
    const after = body[at + 1] ?? end
    const values: Instruction[] = []
    const written = new Set(inner.filter(({ op: code }) => code === op.storeLocal).map(({ number }) => number!))
    // while the callee runs, a closure may write to the caller's locals
    const isShared = body.some(({ op: code, number }) => code === op.makeClosure && frames.writers.has(number!))
    /** Arguments that need no place of their own: locals of the caller and constants, not written to by the callee. */
    const same = new Map<number, Instruction>()
    for (let i = 0; i < given; i++) {
        const value = body.slice(places[i + 1], places[i + 2])
        const isSame = isSteady(value[0]!.op) && !(isShared && value[0]!.op === op.loadLocal)
        if (value.length === 1 && !written.has(i) && isSame) same.set(i, value[0]!)
        else values.push(...value, { op: op.storeLocal, number: first + i })
    }
    for (const local of [...unset(callee, inner, given)].sort((a, b) => a - b))
        values.push({ op: op.undefined }, { op: op.storeLocal, number: first + local })
    const taken = [
        ...values,
        ...moved(inner, { first, slots: frames.own.get(callee)!, same, after, isUsed }, frames.ends),
    ]
    const whole = [...body.slice(0, places[0]), ...taken, ...body.slice(at + 1)]
    const called = body[places[0]!]!
    for (const jump of whole) if (jump.target === called) jump.target = taken[0] ?? after
    bodies.set(caller, whole)
    viewOf(caller.descriptor).setUint16(8, Math.max(slotsOf(caller), slots), true)
    return true
}

/** Slots to be set to undefined: arguments without a value, and locals that may be read first. */
function unset(callee: LinkedFunction, inner: readonly Instruction[], given: number): Set<number> {
    const found = readUnset(inner, argumentsOf(callee))
    for (let i = given; i < argumentsOf(callee); i++) found.add(i)
    return found
}

/** Where a callee goes. */
interface Place {
    /** The first of its locals in the caller, and how many it had before others were inserted into it. */
    first: number
    slots: number
    /** Arguments that are read in another place. */
    same: Map<number, Instruction>
    /** Where a return goes on. */
    after: Instruction | typeof end
    /** Somebody looks at what it returns. */
    isUsed: boolean
}

/** The callee's body as it stands in the caller. */
function moved(inner: readonly Instruction[], place: Place, ends: Map<Instruction, number>): Instruction[] {
    const { first, slots, same, after, isUsed } = place
    const result: Instruction[] = []
    /** The first of those that stand for it. */
    const standIn = new Map<Instruction, Instruction>()
    const leftOut: Instruction[] = []
    const put = (old: Instruction, now: Instruction) => {
        for (const each of [...leftOut.splice(0), old]) if (!standIn.has(each)) standIn.set(each, now)
        ends.set(now, first + (ends.get(old) ?? slots))
        result.push(now)
    }
    for (const [i, old] of inner.entries()) {
        if (old.op === op.return) {
            if (isUsed || !isPlain(inner[i - 1]!.op)) put(old, { op: op.storeReturned })
            put(old, { op: op.jump, target: after })
        } else if (!isUsed && inner[i + 1]?.op === op.return && isPlain(old.op)) leftOut.push(old)
        else if (old.op === op.loadLocal && same.has(old.number!)) put(old, { ...same.get(old.number!)! })
        else if (old.op === op.loadLocal || old.op === op.storeLocal) put(old, { ...old, number: first + old.number! })
        else put(old, { ...old })
    }
    for (const now of result) if (now.target && now.target !== end) now.target = standIn.get(now.target) ?? now.target
    return result
}

const isPlain = (code: number) => code >= directConstant || plain.has(code)
const isSteady = (code: number) => code >= directConstant || code === op.loadLocal || code === op.undefined
