// A process of a campaign: runs the seeds its parent sends, one after the other. Ends with its parent.

import { readFileSync } from "node:fs"
import type { FaultKind } from "./faults"
import { runSeed, type SeedResult } from "./seed-run"

export interface Task {
    seed: number
    faults?: FaultKind[]
    pairs?: number
    beyond?: boolean
    /** Of a program that is not the project's firmware. */
    imageFile?: string
    /** The seed is run twice, and both runs must be the same. */
    isRepeated: boolean
}

const images = new Map<string, Uint8Array>()

async function run({ seed, faults, pairs, beyond, imageFile, isRepeated }: Task): Promise<SeedResult> {
    if (imageFile !== undefined && !images.has(imageFile)) images.set(imageFile, readFileSync(imageFile))
    const options = { faults, pairs, beyond, image: imageFile === undefined ? undefined : images.get(imageFile) }
    const result = await runSeed(seed, options)
    if (!isRepeated) return result
    const again = await runSeed(seed, options)
    if (again.hash !== result.hash)
        result.violations.push(`run twice it is not the same: ${result.hash}, ${again.hash}`)
    return result
}

// Ctrl-C reaches the whole group; the parent ends its workers itself
process.on("SIGINT", () => undefined)
process.on("disconnect", () => process.exit(1))
console.debug = () => undefined // jacdac-ts tells its life there
process.on("message", (task: Task) => {
    run(task).then(
        result => process.send?.({ result }),
        (error: Error) => process.send?.({ seed: task.seed, error: error.stack ?? String(error) }),
    )
})
