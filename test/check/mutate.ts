// Corrupts a good array many times, once each, and demands that the check tool reports every one where it is.

import assert from "node:assert/strict"
import { checkArray, MemoryImage, PageChecks, type Problem, type Report } from "../../tools/check"
import { Random } from "../../tools/sim/random"
import { Mutator, type Mutation } from "./mutations"

const check = (images: Buffer[], pageChecks: PageChecks): Report =>
    checkArray(
        images.map((image, i) => new MemoryImage(image, `E${i}`, i)),
        { pageChecks },
    )

function isThere(problem: Problem, { page, object, image, offset, codes }: Mutation): boolean {
    if (codes?.includes(problem.code))
        return image === undefined || `${problem.image} ${problem.message}`.includes(`E${image}`)
    if (problem.severity === "note" && !problem.code.startsWith("element-")) return false
    // what a missing element held is lost when any of its row is
    if (problem.code === "page-lost" && offset !== undefined) return problem.offset === offset
    if (image !== undefined) return problem.image === `E${image}` && problem.offset === offset
    return (page !== undefined && problem.page === page) || (object !== undefined && problem.object === object)
}

export function mutate(name: string, images: Buffer[], count: number, seed: string): void {
    const pageChecks = new PageChecks()
    const good = check(images, pageChecks)
    assert.deepEqual(good.faults, [])
    const known = new Set(good.degraded.map(problem => problem.message))
    const mutator = new Mutator(good, new Random(`${seed} ${name}`))
    const missed: string[] = []
    for (let i = 0; i < count; i++) {
        const mutation = mutator.next()
        const changed = images.map(image => Buffer.from(image))
        mutation.apply(changed)
        const report = check(changed, pageChecks)
        const problems = [...report.faults, ...report.degraded, ...report.notes]
        const news = problems.filter(problem => !known.has(problem.message))
        if (news.some(problem => isThere(problem, mutation))) continue
        const said = news.map(({ code, message }) => `${code}: ${message}`).slice(0, 4)
        missed.push(`${mutation.name}: ${said.join("; ") || "nothing"}`)
    }
    assert.deepEqual(missed, [], `SEED=${seed}`)
}
