// Every single-field corruption of a good array is reported, at the right place. SEED=… replays a run; CHECK_IMAGES=DIR runs it on the
// images of one array in a folder, such as a firmware wrote.

import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { checkArray, MemoryImage, PageChecks, type Problem, type Report } from "../../tools/check"
import { Random } from "../../tools/sim/random"
import { Mutator, type Mutation } from "./mutations"
import { busyArray, longTail, lostElement, shapes } from "./scenarios"

const perSource = Number(process.env.MUTATIONS ?? 24)

interface Source {
    name: string
    images: Buffer[]
}

function sources(seed: string): Source[] {
    const dir = process.env.CHECK_IMAGES
    if (dir) return [{ name: dir, images: readdirSync(dir).map(name => readFileSync(join(dir, name))) }]
    const made = shapes.map(shape => busyArray(shape, seed))
    made.push(longTail(shapes[0], seed), longTail(shapes[3], seed), lostElement(shapes[3], seed))
    return made.map(({ name, builder }) => ({ name, images: builder.images }))
}

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

describe("check: mutations", function () {
    this.timeout(120_000)
    const seed = process.env.SEED ?? "mutations"

    for (const { name, images } of sources(seed))
        it(`${name}: ${perSource} fields changed, each is reported where it is (SEED=${seed}) [R24] [R35]`, () => {
            const pageChecks = new PageChecks()
            const good = check(images, pageChecks)
            assert.deepEqual(good.faults, [])
            const known = new Set(good.degraded.map(problem => problem.message))
            const mutator = new Mutator(good, new Random(`${seed} ${name}`))
            const missed: string[] = []
            for (let i = 0; i < perSource; i++) {
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
        })
})
