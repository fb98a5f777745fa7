// The check tool on what the store itself wrote: a good array is good, and every single-field corruption of it is reported where it is.
// SEED=… replays a run.

import { mutate } from "../check/mutate"
import { busyArray, imageBuffers } from "../support/format-arrays"

const seed = process.env.SEED ?? "mutations"
const count = Number(process.env.MUTATIONS ?? 200)

describe("store: mutations of what it wrote", function () {
    this.timeout(120_000)

    for (const elements of [2, 4])
        it(`an array of ${elements}: nothing to report; of ${count} changed fields each is reported (SEED=${seed}) [R24] [R35]`, async () => {
            const { bench } = await busyArray(elements, seed)
            mutate(`store ${elements}`, imageBuffers(bench), count, seed)
        })
})
