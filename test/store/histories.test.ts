// Random histories against a reference in memory, with remounts, cuts and idle work between. A failing seed is in the title of the
// error and replays exactly: SEED=<n> runs it alone.

import { smallPart, StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"
import { collidingNames } from "../support/store-names"
import { Random } from "../../tools/sim/random"

const seeds = process.env.SEED ? [Number(process.env.SEED)] : Array.from({ length: 60 }, (_, i) => i)
const twins = collidingNames(2, 3)

async function history(seed: number, steps: number, withCuts: boolean): Promise<number> {
    const random = new Random(`history ${seed}`)
    const bench = new StoreBench(smallPart(seed % 3 === 0 ? 19 : 18), 64, seed)
    // so few slots that operations append nodes early
    if (seed % 5 === 0) bench.cacheSlots = 14
    const host = new StoreHost(bench)
    await bench.mount()
    await host.hello()
    const uploads: number[] = []
    const paths = (type: number) => [...host.tree].filter(([, node]) => node.type === type).map(([path]) => path)
    const pick = <T>(list: T[]) => list[random.int(list.length)]
    const newPath = () => {
        const directory = random.chance(0.6) ? pick(paths(2)) : undefined
        const name = random.chance(0.2)
            ? pick(pick(twins))
            : random.chance(0.3)
              ? "w".repeat(1 + random.int(199)) + random.int(10)
              : `f${random.int(40)}`
        return directory && directory.split("/").length < 5 ? `${directory}/${name}` : name
    }
    for (let step = 0; step < steps; step++) {
        if (withCuts && random.chance(0.2)) bench.cutPowerAt(bench.operations + random.int(12), random.float())
        const what = random.int(100)
        const files = paths(1)
        if (what < 25)
            await host.put(
                newPath(),
                Buffer.from(random.bytes(random.int(random.chance(0.2) ? 9000 : 700))),
                random.int(2),
            )
        else if (what < 37) await host.mkdir(newPath())
        else if (what < 52 && host.tree.size) await host.rename(pick([...host.tree.keys()]), newPath(), random.int(2))
        else if (what < 72 && files.length) await host.remove(pick(files))
        else if (what < 78 && paths(2).length) await host.remove(pick(paths(2)))
        else if (what < 84 && uploads.length < 3) {
            const object = await host.create()
            if (object) uploads.push(object)
        } else if (what < 91 && uploads.length)
            await host.write(pick(uploads), Buffer.from(random.bytes(random.int(1200))))
        else if (what < 94 && uploads.length) {
            const object = uploads.splice(random.int(uploads.length), 1)[0]
            if ((await host.commit(object, newPath(), 1)) !== 0) await host.abort(object)
        } else if (what < 97) await host.idle(1 + random.int(4))
        else {
            bench.cutPowerNow()
            await host.powerUp()
        }
        if (step % 8 === 0) host.check()
    }
    host.check()
    return host.cuts
}

describe("store: random histories", function () {
    this.timeout(60_000)

    it(`${seeds.length} seeds, with remounts and cuts, agree with a reference [R23] [R21] [R29]`, async () => {
        let cuts = 0
        for (const seed of seeds) {
            try {
                cuts += await history(seed, 90, seed % 4 !== 3)
            } catch (error) {
                ;(error as Error).message = `SEED=${seed}: ${(error as Error).message}`
                throw error
            }
        }
        console.log(`      ${cuts} power cuts`)
    })
})
