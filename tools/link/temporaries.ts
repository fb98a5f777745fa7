// Locals that the compiler needs for one value on its way: what a condition of several parts comes to, what is put away and taken again at
// once. Where nobody looks at such a local later, its value stays on the stack, and a part of a condition that decides it jumps where the
// whole would.
//
// Only in functions without `try`, whose jumps are not all to be seen, and without closures, which share their locals.

import { end, type Instruction } from "./code"
import { liveAfter, placesIn, tidy } from "./flow"
import { canFollowLocals } from "./locals"
import { op } from "./opcodes"

export function dropTemporaries(body: readonly Instruction[]): Instruction[] {
    let now = [...body]
    if (!canFollowLocals(now)) return now
    for (;;) {
        const before = now.length
        now = threadConditions(now)
        now = withoutCopies(now)
        now = tidy(now)
        if (now.length === before) return now
    }
}

/** A look at a local and a jump on it, `load t, [not | to bool,] jump if not`, which is a statement of its own. */
interface Test {
    local: number
    isNot: boolean
    /** Index behind it. */
    after: number
    jump: Instruction
}

function testAt(body: readonly Instruction[], at: number): Test | undefined {
    const load = body[at]
    if (load?.op !== op.loadLocal) return undefined
    const change = body[at + 1]
    const isChanged = change?.op === op.not || change?.op === op.toBool
    const jump = body[at + (isChanged ? 2 : 1)]
    if (jump?.op !== op.jumpIfNot) return undefined
    return { local: load.number!, isNot: change!.op === op.not, after: at + (isChanged ? 3 : 2), jump }
}

/** A jump that leads to another test of the same local knows what that comes to. And a jump asks for the truth of a value itself. */
function threadConditions(body: readonly Instruction[]): Instruction[] {
    const places = placesIn(body)
    for (let at = 0; at < body.length; at++) {
        const test = testAt(body, at)
        if (!test || test.jump.target === undefined || test.jump.target === end) continue
        const next = testAt(body, places.get(test.jump.target)!)
        if (!next || next.local !== test.local || next.jump === test.jump) continue
        // taken when the condition was false: the local is true if that was `not`
        const isTrue = next.isNot ? !test.isNot : test.isNot
        test.jump.target = isTrue ? (body[next.after] ?? end) : next.jump.target!
    }
    return body.filter((i, at) => i.op !== op.toBool || body[at + 1]?.op !== op.jumpIfNot)
}

/** Without `store t, load t` where nobody reads `t` after that. */
function withoutCopies(body: readonly Instruction[]): Instruction[] {
    const targets = new Set(body.map(({ target }) => target))
    const live = liveAfter(body)
    const now: Instruction[] = []
    for (let at = 0; at < body.length; at++) {
        const store = body[at]!
        const load = body[at + 1]
        const isCopy = store.op === op.storeLocal && load?.op === op.loadLocal && load.number === store.number
        if (isCopy && !targets.has(load) && !targets.has(store) && !live[at + 1]!.has(store.number!)) at++
        else now.push(store)
    }
    return now
}
