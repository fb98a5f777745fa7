// The link step: the image that the compiler wrote, smaller, and doing the same (docs/decisions/0010). Its result depends on its input alone.

import { putTogether, takeApart, type Instruction } from "./code"
import { returnIntoLocals, tidy } from "./flow"
import { argumentsOf, flagsOf, readImage, slotsOf, viewOf, writeImage, type LinkedFunction } from "./image"
import { inlineCalls } from "./inline"
import { shareLocals } from "./locals"
import { mergeTails } from "./tails"
import { dropTemporaries } from "./temporaries"
import { allocBuffers } from "./buffers"
import { numberFunctions, numberNames } from "./numbers"

/** Raised with every change of what the link step writes: built images are kept by it. */
export const linkVersion = 9

/** @param bytes what the compiler wrote; throws when it is not an image of bytecode format 2.16 */
export function link(bytes: Uint8Array): Uint8Array {
    const image = readImage(bytes)
    const bodies = new Map<LinkedFunction, Instruction[]>(
        image.functions.map(f => [f, allocBuffers(takeApart(f.code))]),
    )
    image.functions = inlineCalls(image.functions, bodies)
    for (const f of image.functions) {
        const merged = mergeTails(dropTemporaries(returnIntoLocals(tidy(bodies.get(f)!))))
        // a constructor's object and arguments that the VM gathers are left where it puts them
        const { body, slots } = shareLocals(merged, argumentsOf(f), slotsOf(f), (flagsOf(f) & 6) !== 0)
        bodies.set(f, mergeTails(dropTemporaries(body)))
        viewOf(f.descriptor).setUint16(8, slots, true)
    }
    image.functions = numberFunctions(image.functions, bodies)
    numberNames(image.functions, bodies, image.sections, viewOf(image.header).getUint16(14, true))
    for (const f of image.functions) f.code = putTogether(bodies.get(f)!)
    return writeImage(image)
}
