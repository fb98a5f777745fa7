// What a mount tells before it has ended, when a row may still be written again: the end of each upload. It is told to clients, so neither a
// further power cut in what is left of the mount nor the loss of any element then may take it back.

import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { PowerCut, smallPart, StoreBench } from "../support/store-bench"
import { StoreClient } from "../support/store-client"

const isFull = process.env.FULL === "1"
const histories = isFull ? 400 : 60
const segmentRows = 48
const ok = 0
const opMkdir = 3
const opCreate = 4
const sizes = [1, 100, 236, 700, 2000]

type Ends = Map<number, number>

function endsOf(bench: StoreBench): Ends {
    const open = bench.volume.uploads.filter(upload => upload.object)
    return new Map(open.map(upload => [upload.object, upload.durable]))
}

/** Uploads grow and directories are made until the power goes in the `operations`-th program or erase from now on. */
async function workUntilCut(bench: StoreBench, random: Random, operations: number, sequence: number): Promise<number> {
    const client = new StoreClient(bench, 5)
    client.sequence = sequence
    const send = async (op: number, ...args: (number | Buffer)[]) => {
        const answer = await client.send(op, ...args)
        assert.equal(answer.status, ok)
        sequence = client.sequence
        return answer.value
    }
    try {
        if (sequence === 0) {
            assert.equal((await client.hello()).status, ok)
            sequence = client.sequence
            await send(opCreate)
            await send(opCreate)
        }
        bench.cutPowerAt(bench.operations + operations, random.float())
        for (let i = 0; i < 400; i++) {
            const objects = [...endsOf(bench).keys()]
            const object = objects[random.int(objects.length)]
            const bytes = sizes[random.int(sizes.length)]
            await client.write(object, Buffer.alloc(bytes, i))
            if (random.chance(0.7)) await client.flush(object)
            if (random.chance(0.1)) await send(opMkdir, 1, 1000, Buffer.from(`d${sequence}`))
        }
    } catch (error) {
        if (!(error instanceof PowerCut)) throw error
        return sequence
    }
    throw new Error("the power was to go")
}

/** Mounts with the power going again soon after the word. @returns what was told; undefined when nothing was before the mount's end */
async function earlyWord(bench: StoreBench, random: Random): Promise<Ends | undefined> {
    let told: Ends | undefined
    let ended = false
    bench.onControl = () => {
        told = endsOf(bench)
        // at once, or in one of the writes that are left
        if (random.chance(0.3)) {
            bench.cutPowerNow()
            throw new PowerCut("right after the word")
        }
        bench.cutPowerAt(bench.operations + random.int(4), random.float())
    }
    try {
        assert.equal(await bench.mount(), true)
        ended = true
    } catch (error) {
        if (!(error instanceof PowerCut)) throw error
    } finally {
        bench.onControl = undefined
    }
    if (ended) bench.cutPowerNow()
    return told
}

describe("store: what a mount tells before its end", function () {
    this.timeout(isFull ? 3_600_000 : 300_000)

    for (const elements of [2, 3, 4])
        it(`${elements} elements: the ends of uploads stand, whatever power cut comes next and whichever element is gone then [R22] [R23]`, async () => {
            let words = 0
            for (let seed = 0; seed < histories; seed++) {
                const random = new Random(`early word ${elements} ${seed}`)
                const bench = new StoreBench(smallPart(17), segmentRows, seed, elements)
                // what comes after the mount is not the mount's
                bench.isIdleAfterMount = () => bench.onControl === undefined
                assert.equal(await bench.mount(), true)
                let sequence = 0
                for (let round = 0; round < 5; round++) {
                    sequence = await workUntilCut(bench, random, 1 + random.int(60), sequence)
                    bench.powerUp()
                    const told = await earlyWord(bench, random)
                    const images = bench.snapshot()
                    for (let lost = -1; lost < elements; lost++) {
                        bench.load(images)
                        bench.silent = lost < 0 ? 0 : 1 << lost
                        bench.powerUp()
                        assert.equal(await bench.mount(), true, `seed ${seed}, round ${round}, without ${lost}`)
                        const ends = endsOf(bench)
                        for (const [object, end] of told ?? [])
                            assert.ok(
                                (ends.get(object) ?? -1) >= end,
                                `seed ${seed}, round ${round}, without ${lost}: upload ${object} was told to be held to ${end}, and is to ${ends.get(object)}`,
                            )
                        bench.cutPowerNow()
                    }
                    if (told) words++
                    bench.load(images)
                    bench.silent = 0
                    bench.powerUp()
                    assert.equal(await bench.mount(), true)
                }
            }
            assert.ok(words > histories, `${words} words`)
        })
})
