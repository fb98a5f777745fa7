// What several ways through a function end with is written once: all but one of them jump there. And a jump over a jump becomes one jump on
// the opposite condition.

import { end, numberBytes, type Instruction } from "./code"
import { placesIn, tidy } from "./flow"
import { directConstant, isFinal, isStatement, op, operandCount } from "./opcodes"
import { nestsIn, tryOps, type Nest } from "./tries"

/** Bytes of a jump, as nearly all are. */
const jumpBytes = 2

/** `body` with each common end of two ways written once, and jumps turned. */
export function mergeTails(body: readonly Instruction[]): Instruction[] {
    let now = turnJumps(body)
    for (;;) {
        const tail = longestTail(now)
        if (!tail) break
        now = withoutTail(now, tail)
    }
    return tidy(turnJumps(shareReturns(turnJumps(tidy(now)))))
}

/** `count` instructions before `kept` and before `dropped` (an index each, behind the last of them) are the same. */
interface Tail {
    kept: number
    dropped: number
    count: number
}

/** That which saves most. */
function longestTail(body: readonly Instruction[]): Tail | undefined {
    const begins = statementsOf(body)
    const nests = nestsIn(body, placesIn(body))
    // by where they go on: the ends of ways, as indexes behind the last instruction that counts
    const ends = new Map<unknown, number[]>()
    const add = (goesTo: unknown, at: number) => ends.set(goesTo, [...(ends.get(goesTo) ?? []), at])
    const targets = new Set(body.map(({ target }) => target))
    for (const [at, instruction] of body.entries()) {
        if (instruction.op === op.jump) add(instruction.target, at)
        else if (isFinal(instruction.op)) add("nowhere", at + 1)
        if (at > 0 && targets.has(instruction) && !isFinal(body[at - 1]!.op)) add(instruction, at)
    }
    let best: Tail | undefined
    let most = 0
    for (const [goesTo, list] of ends)
        for (const [i, one] of list.entries())
            for (const other of list.slice(i + 1)) {
                const count = commonCount(body, begins, nests, one, other)
                if (count === 0) continue
                // a way that falls into where the others jump stays: it has no jump that could go elsewhere
                const dropped = goesTo === "nowhere" || body[other]?.target === goesTo ? other : one
                if (goesTo !== "nowhere" && body[dropped]?.target !== goesTo) continue
                const bytes = body.slice(dropped - count, dropped).reduce((sum, each) => sum + bytesOf(each), 0)
                const saved = goesTo === "nowhere" ? bytes - jumpBytes : bytes
                if (saved <= most) continue
                most = saved
                best = { kept: dropped === other ? one : other, dropped, count }
            }
    return best
}

/** How many instructions before `one` and before `other` are the same, to where a statement begins. */
function commonCount(
    body: readonly Instruction[],
    begins: ReadonlySet<number>,
    nests: readonly (Nest | undefined | null)[],
    one: number,
    other: number,
): number {
    let count = 0
    for (let n = 1; n <= Math.min(one, other) && n <= Math.abs(one - other); n++) {
        if (!isSame(body[one - n]!, body[other - n]!) || tryOps.has(body[one - n]!.op)) break
        if (nests[one - n] !== nests[other - n]) break
        if (begins.has(one - n) && begins.has(other - n)) count = n
    }
    return count
}

const isSame = (one: Instruction, other: Instruction): boolean =>
    one.op === other.op && one.number === other.number && one.target === other.target

const bytesOf = ({ number, target }: Instruction): number =>
    target !== undefined ? jumpBytes : 1 + (number === undefined ? 0 : numberBytes(number))

function withoutTail(body: readonly Instruction[], { kept, dropped, count }: Tail): Instruction[] {
    const first = body[kept - count]!
    const gone = new Map(body.slice(dropped - count, dropped).map((each, i) => [each, body[kept - count + i]!]))
    const jump: Instruction = { op: op.jump, target: first }
    const left = [...body.slice(0, dropped - count), jump, ...body.slice(dropped)]
    for (const each of left)
        if (each !== jump && each.target !== undefined && each.target !== end)
            each.target = gone.get(each.target) ?? each.target
    return left
}

/** Indexes at which a statement begins: nothing is on the stack there. */
function statementsOf(body: readonly Instruction[]): Set<number> {
    const begins = new Set<number>()
    let depth = 0
    for (const [at, { op: code }] of body.entries()) {
        if (depth === 0) begins.add(at)
        depth -= operandCount(code)
        depth = isStatement(code) ? 0 : depth + 1
    }
    return begins
}

/** Values of one instruction that are the same wherever they are returned. */
const plain = new Set<number>([op.undefined, op.true, op.false, op.loadLocal, op.literal])

/** A forward jump over fewer bytes has two of its own. */
const nearBytes = 240

/** "If not, go to A; return X; A:" goes to a `return X` that stands a little later anyway. */
function shareReturns(body: readonly Instruction[]): Instruction[] {
    const now = [...body]
    const nests = nestsIn(body, placesIn(body))
    const targets = new Set(body.map(({ target }) => target))
    for (let at = now.length - 2; at > 0; at--) {
        const value = now[at]!
        const over = now[at - 1]!
        if (now[at + 1]!.op !== op.return || !(value.op >= directConstant || plain.has(value.op))) continue
        if (over.op !== op.jumpIfNot || over.target !== now[at + 2]) continue
        if (targets.has(value) || targets.has(now[at + 1])) continue
        let bytes = 0
        for (let to = at + 2; to + 1 < now.length && bytes < nearBytes; to++) {
            if (now[to + 1]!.op === op.return && isSame(now[to]!, value) && nests[to] === nests[at]) {
                now.splice(at, 2, { op: op.jump, target: now[to]! })
                nests.splice(at, 2, nests[at]!)
                break
            }
            bytes += bytesOf(now[to]!)
        }
    }
    return now
}

/** "If not, go to A; go to B; A:" becomes "if not the opposite, go to B". */
export function turnJumps(body: readonly Instruction[]): Instruction[] {
    const targets = new Set(body.map(({ target }) => target))
    const now: Instruction[] = []
    for (let at = 0; at < body.length; at++) {
        const over = body[at]!
        const jump = body[at + 1]
        const isOver = over.op === op.jumpIfNot && over.target === (body[at + 2] ?? end) && jump?.op === op.jump
        if (!isOver || targets.has(jump)) {
            now.push(over)
            continue
        }
        const condition = now.at(-1)!
        if (condition.op === op.not) now.pop()
        else if (condition.op === op.equal) condition.op = op.notEqual
        else if (condition.op === op.notEqual) condition.op = op.equal
        else now.push({ op: op.not })
        over.target = jump!.target!
        now.push(over)
        at++
    }
    return now
}
