// How the instructions of one function follow each other, and what follows from that.

import { end, type Instruction } from "./code"
import { nestsIn } from "./tries"
import { isCall, isFinal, op } from "./opcodes"

/** Statements that set what `returned` gives. */
const returning = new Set<number>([
    op.callArray,
    op.allocMap,
    op.allocArray,
    op.allocBuffer,
    op.catch,
    op.storeReturned,
])

/** Indexes of the instructions that may come after the one at `index`; not those that an exception leads to. */
export function following(body: readonly Instruction[], index: number, places: Map<Instruction, number>): number[] {
    const { op: code, target } = body[index]!
    const next: number[] = []
    if (!isFinal(code) && index + 1 < body.length) next.push(index + 1)
    if (target !== undefined && target !== end) next.push(places.get(target)!)
    return next
}

/** For each instruction the indexes of those that may come after it, the handler of an exception among them. */
export function successorsIn(body: readonly Instruction[]): number[][] {
    const places = placesIn(body)
    const nests = nestsIn(body, places)
    return body.map((_, at) => {
        const next = following(body, at, places)
        const handler = nests[at]?.handler
        if (handler) next.push(places.get(handler)!)
        return next
    })
}

/** For each instruction the locals that may be read after it before they are written. */
export function liveAfter(body: readonly Instruction[]): Set<number>[] {
    const nexts = successorsIn(body)
    const before: Set<number>[] = body.map(() => new Set())
    const after: Set<number>[] = body.map(() => new Set())
    for (let changed = true; changed;) {
        changed = false
        for (let at = body.length - 1; at >= 0; at--) {
            const { op: code, number } = body[at]!
            const out = after[at]!
            for (const next of nexts[at]!) for (const local of before[next]!) out.add(local)
            const into = before[at]!
            const size = into.size
            for (const local of out) if (code !== op.storeLocal || local !== number) into.add(local)
            if (code === op.loadLocal) into.add(number!)
            if (into.size !== size) changed = true
        }
    }
    return after
}

export function placesIn(body: readonly Instruction[]): Map<Instruction, number> {
    return new Map(body.map((instruction, i) => [instruction, i]))
}

/** Whether what the statement at `index` returns may be looked at after it. */
export function isReturnUsed(body: readonly Instruction[], index: number): boolean {
    const places = placesIn(body)
    const seen = new Set<number>()
    const open = following(body, index, places)
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
        if (seen.has(at)) continue
        seen.add(at)
        const code = body[at]!.op
        if (code === op.returned || code === op.jumpIfReturnedNullish || code === op.finally) return true
        if (!isCall(code) && !returning.has(code)) open.push(...following(body, at, places))
    }
    return false
}

/** Locals that may be read before they are written, when those below `set` are written at the start. */
export function readUnset(body: readonly Instruction[], set: number): Set<number> {
    const places = placesIn(body)
    // what is surely written before each instruction; undefined = not reached yet
    const before: (Set<number> | undefined)[] = []
    const open: [number, Set<number>][] = body.length ? [[0, new Set()]] : []
    for (let item = open.pop(); item !== undefined; item = open.pop()) {
        const [at, written] = item
        const known = before[at]
        const both = known ? new Set([...known].filter(local => written.has(local))) : written
        if (known && both.size === known.size) continue
        before[at] = both
        const { op: code, number } = body[at]!
        const after = code === op.storeLocal ? new Set([...both, number!]) : both
        for (const next of following(body, at, places)) open.push([next, after])
    }
    const found = new Set<number>()
    for (const [at, { op: code, number }] of body.entries())
        if (code === op.loadLocal && number! >= set && before[at] && !before[at].has(number!)) found.add(number!)
    return found
}

/** Without what is never reached, jumps to jumps and jumps to what comes next anyway. */
export function tidy(body: readonly Instruction[]): Instruction[] {
    let now = [...body]
    for (;;) {
        for (const jump of now) if (jump.op === op.jump || jump.op === op.jumpIfNot) jump.target = lastTarget(jump)
        const places = placesIn(now)
        const reached = new Set<number>()
        const open = now.length ? [0] : []
        for (let at = open.pop(); at !== undefined; at = open.pop()) {
            if (reached.has(at)) continue
            reached.add(at)
            open.push(...following(now, at, places))
        }
        // a jump to the next instruction gives its place to that
        const idle = now.filter(
            (i, at) => i.op === op.jump && (at + 1 === now.length ? i.target === end : i.target === now[at + 1]),
        )
        for (const jump of idle) for (const other of now) if (other.target === jump) other.target = jump.target
        const gone = new Set(idle)
        const left = now.filter((i, at) => reached.has(at) && !gone.has(i))
        if (left.length === now.length) return left
        now = left
    }
}

function lastTarget(jump: Instruction): Instruction | typeof end {
    let target = jump.target!
    for (let hops = 0; hops < 100 && target !== end && target.op === op.jump && target.target !== undefined; hops++)
        target = target.target
    return target
}

/**
 * What is returned and then put into a local goes there at once. Only where every way to that place is one of an inlined `return`, and nobody
 * looks at what was returned again.
 */
export function returnIntoLocals(body: readonly Instruction[]): Instruction[] {
    const now = [...body]
    for (let at = 0; at < now.length; at++) {
        if (now[at]!.op !== op.returned || now[at + 1]?.op !== op.storeLocal) continue
        const taking = now[at]!
        const isSource = (i: number) => now[i]?.op === op.jump && now[i - 1]?.op === op.storeReturned
        const jumps = now.flatMap((jump, i) => (jump.target === taking ? [i] : []))
        const fallsIn = at > 0 && !isFinal(now[at - 1]!.op)
        if (!jumps.every(isSource) || (fallsIn && now[at - 1]!.op !== op.storeReturned)) continue
        // jumped over, a jump to the place behind a `storeReturned` would come without a value of its own
        if (jumps.some(i => now.some(({ target }) => target === now[i]))) continue
        if (isReturnUsed(now, at + 1)) continue
        const sources = jumps.map(i => now[i - 1]!)
        if (fallsIn) sources.push(now[at - 1]!)
        if (sources.length === 0) continue
        const behind = now[at + 2] ?? end
        for (const i of jumps) now[i]!.target = behind
        for (const source of sources) {
            source.op = op.storeLocal
            source.number = now[at + 1]!.number!
        }
        now.splice(at, 2)
    }
    return now
}
