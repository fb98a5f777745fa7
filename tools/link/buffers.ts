// New buffers: the VM has an operation that does what a call of `Buffer.alloc` does.

import { end, type Instruction } from "./code"
import { isStatement, op, operandCount } from "./opcodes"

// numbers of the VM's own objects and names (devs_bytecode.h)
const bufferObject = 5
const allocName = 14

/** `body` with each `Buffer.alloc(size)` as that operation. */
export function allocBuffers(body: readonly Instruction[]): Instruction[] {
    const gone = new Map<Instruction, Instruction>()
    const calls = new Set<Instruction>()
    let stack: number[] = []
    for (const [at, instruction] of body.entries()) {
        const places = stack.splice(stack.length - operandCount(instruction.op))
        const first = places[0] ?? at
        if (!isStatement(instruction.op)) stack.push(first)
        else stack = []
        if (instruction.op !== op.call0 + 1 || places[1] !== first + 2) continue
        const [object, name] = [body[first]!, body[first + 1]!]
        if (object.op !== op.builtinObject || object.number !== bufferObject) continue
        if (name.op !== op.builtinField || name.number !== allocName) continue
        gone.set(object, body[first + 2]!).set(name, body[first + 2]!)
        calls.add(instruction)
    }
    for (const call of calls) call.op = op.allocBuffer
    for (const jump of body) if (jump.target && jump.target !== end) jump.target = gone.get(jump.target) ?? jump.target
    return body.filter(instruction => !gone.has(instruction))
}
