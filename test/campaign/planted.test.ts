// Faults planted in the firmware, one at a time: the campaign finds each within so many seeds.

import assert from "node:assert/strict"
import { availableParallelism } from "node:os"
import { runCampaign } from "../../tools/campaign/campaign"
import { Random } from "../../tools/sim/random"
import { buildPlanted, checkPlanted, plantedBugs } from "./planted"

const full = process.env.FULL === "1"
const seedsMax = 200
const quickCount = 2

/** All of them in the full run; otherwise as many as there is time for, others each day. */
function chosen() {
    if (full) return plantedBugs
    const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000))
    const random = new Random(`planted ${seed}`)
    const left = [...plantedBugs]
    const some = Array.from({ length: quickCount }, () => left.splice(random.int(left.length), 1)[0])
    console.log(`      planted faults of seed ${seed} (SEED=${seed}): ${some.map(({ name }) => name).join(", ")}`)
    return some
}

describe("campaign: planted faults", function () {
    this.timeout(1_200_000)

    it(`${full ? "each" : `${quickCount} by seed`} caught within ${seedsMax} seeds [R21 R22 R31]`, async () => {
        for (const planted of chosen()) {
            const imageFile = buildPlanted(planted)
            const jobs = availableParallelism()
            const result = await runCampaign({ seeds: seedsMax, from: 1, jobs, imageFile, failuresMax: 1 })
            assert.ok(result.violations > 0, `${planted.name} was not caught in ${result.seeds} seeds`)
            const [{ seed, violations }] = result.failed
            console.log(`      ${planted.name}: seed ${seed}, ${violations[0].split("\n")[0].slice(0, 100)}`)
        }
    })

    it("all of them are to be had in the firmware as it is", () => {
        for (const one of plantedBugs) checkPlanted(one)
    })

    it("a text that the firmware has no more stops it by name", () => {
        const edits = [{ file: "src/pair/role.ts", text: "no such text", by: "" }]
        assert.throws(() => buildPlanted({ name: "none", edits }), /planted fault "none": its text is 0 times/)
    })
})
