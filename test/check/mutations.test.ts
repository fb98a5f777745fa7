// Every single-field corruption of a good array is reported, at the right place. SEED=… replays a run; CHECK_IMAGES=DIR runs it on the
// images of one array in a folder.

import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { mutate } from "./mutate"
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

describe("check: mutations", function () {
    this.timeout(120_000)
    const seed = process.env.SEED ?? "mutations"

    for (const { name, images } of sources(seed))
        it(`${name}: ${perSource} fields changed, each is reported where it is (SEED=${seed}) [R24] [R35]`, () =>
            mutate(name, images, perSource, seed))
})
