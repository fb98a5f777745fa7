// Which handler an exception leads to, at each instruction. Jumps stay within one `try`; only its own operations leave it.

import { end, type Instruction } from "./code"
import { following } from "./flow"
import { directConstant, op } from "./opcodes"

export const tryOps = new Set<number>([op.try, op.endTry, op.catch, op.finally, op.throwJump])

/** The `try`s that are open at an instruction, from the innermost out. */
export interface Nest {
    handler: Instruction
    outer: Nest | undefined
}

/** First opcode that stands for a number of its own, and that of zero. */
const zero = directConstant + 16

/** For each instruction its innermost open `try`: undefined outside of all, null for what is never reached. */
export function nestsIn(body: readonly Instruction[], places: Map<Instruction, number>): (Nest | undefined | null)[] {
    const nests: (Nest | undefined | null)[] = body.map(() => null)
    const open: [number, Nest | undefined][] = body.length ? [[0, undefined]] : []
    for (let item = open.pop(); item !== undefined; item = open.pop()) {
        const [at, nest] = item
        if (nests[at] !== null) continue
        nests[at] = nest
        const { op: code, target } = body[at]!
        if (code === op.try) {
            const handler = target as Instruction
            open.push([at + 1, { handler, outer: nest }], [places.get(handler)!, nest])
        } else if (code === op.endTry || code === op.throwJump) {
            let left = nest
            for (let levels = code === op.endTry ? 1 : body[at - 1]!.op - zero; levels > 0; levels--) left = left?.outer
            if (target !== undefined && target !== end) open.push([places.get(target)!, left])
        } else for (const next of following(body, at, places)) open.push([next, nest])
    }
    return nests
}
