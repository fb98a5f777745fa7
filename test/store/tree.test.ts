// The tree against a reference, with values long enough that nodes of every level split and merge all the time, and a cache so small that
// nodes are appended in the middle of a change.

import assert from "node:assert/strict"
import { smallPart, StoreBench } from "../support/store-bench"
import { Random } from "../../tools/sim/random"
import { available, treeHeight } from "../../src/store/log"
import { findKey, nextKey } from "../../src/store/tree"

/** Object and sub in one, in the tree's order. */
type Key = string
const keyOf = (object: number, sub: number): Key =>
    `${object.toString().padStart(10, "0")}/${sub.toString().padStart(10, "0")}`

async function history(seed: number, steps: number, longest: number): Promise<number> {
    const random = new Random(`tree ${seed}`)
    const bench = new StoreBench(smallPart(20), 128, seed)
    bench.cacheSlots = seed % 2 ? 18 : 30
    await bench.mount()
    const { volume } = bench
    const { tree } = volume
    const known = new Map<Key, Buffer>([])
    let height = 0
    // objects far above the volume's own; the volume is only a place for the tree here
    const pick = () => [100 + random.int(60), 1 + random.int(40)]
    for (let step = 0; step < steps; step++) {
        // waves of growth and decline
        const grows = Math.floor(step / (steps / 4)) % 2 === 0
        for (let n = 0; n < 8; n++) {
            const [object, sub] = pick()
            const key = keyOf(object, sub)
            if (random.chance(grows ? 0.8 : 0.2)) {
                const value = Buffer.from(random.bytes(1 + random.int(longest)))
                await tree.put(object, sub, value, 0, value.length)
                known.set(key, value)
            } else assert.equal(await tree.remove(object, sub), known.delete(key), key)
        }
        const [object, sub] = pick()
        const key = keyOf(object, sub)
        assert.equal(await findKey(tree, object, sub), known.has(key))
        const sorted = step % 20 === 0 ? [...known.keys()].sort() : []
        if (step % 20 === 0) {
            const after = sorted.find(k => k >= key)
            assert.equal(await tree.seek(object, sub), after !== undefined || tree.object >= 200)
            if (after) assert.equal(keyOf(tree.object, tree.sub), after)
            const before = sorted.filter(k => k <= key).pop()
            await tree.findAtMost(object, sub)
            if (before) assert.equal(keyOf(tree.object, tree.sub), before)
        }
        await volume.commit()
        for (let k = 0; k < 20 && available(volume.log) < 6; k++) await volume.reclaim()
        height = Math.max(height, treeHeight(volume.log))
        if (step % 60 === 59) {
            bench.cutPowerNow()
            bench.powerUp()
            // the same tree, from flash
            assert.equal(await volume.mount(), true)
            let count = 0
            for (let more = await tree.seek(100, 0); more && tree.object < 200; more = await nextKey(tree), count++) {
                const value = known.get(keyOf(tree.object, tree.sub))
                assert.ok(value?.equals(tree.leaf.subarray(tree.valueAt, tree.valueAt + tree.valueBytes)))
            }
            assert.equal(count, known.size)
        }
    }
    return height
}

describe("store: tree", function () {
    this.timeout(60_000)

    for (const longest of [20, 205])
        it(`values to ${longest} bytes, growing and shrinking, agree with a reference [R26]`, async () => {
            const heights: number[] = []
            for (let seed = 0; seed < 6; seed++) {
                try {
                    heights.push(await history(seed, 240, longest))
                } catch (error) {
                    ;(error as Error).message = `seed ${seed}: ${(error as Error).message}`
                    throw error
                }
            }
            console.log(`      heights ${heights.join(" ")}`)
        })
})
