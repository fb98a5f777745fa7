// An upgrade erases a board whose volume the partner serves, and keeps: not one that is just being given it back.

import assert from "node:assert/strict"
import { roles } from "../../tools/sim/session"
import { nextImage, nextVersion, UpgradeBench } from "./upgrade-bench"

/** A takeover and a giveback under load; a board that is erased while it serves is missed for over 2.5 s. */
const stallMsMax = 1_500

async function upgrades(
    seed: number,
    begin: (bench: UpgradeBench) => Promise<void>,
    noted?: (bench: UpgradeBench, note: string) => void,
) {
    const bench = new UpgradeBench({ seed, cpu: "rp2040" })
    const { session } = bench
    try {
        await session.run(async () => {
            await session.healthy()
            const path = bench.file("next.devs", nextImage())
            bench.work()
            await session.sleep(500)
            await begin(bench)
            bench.longestStallMs = 0
            const { exitCode, err } = await bench.command(["upgrade", "--firmware", path], note => noted?.(bench, note))
            assert.equal(exitCode, 0, err)
            await bench.rest()
            await bench.verify()
            await session.healthy()
            for (const node of [0, 1]) assert.equal((await session.client.nodeFigures(node)).firmware, nextVersion)
        })
        return Math.round(bench.longestStallMs)
    } finally {
        await bench.close()
    }
}

describe("upgrade: who holds what when a board is erased", function () {
    this.timeout(120_000)

    it("begun when a failover's holder is about to give back by itself: it keeps both volumes, and both stay served [R34 R32]", async () => {
        for (const waitedMs of [8_500, 8_700, 8_900]) {
            const stallMs = await upgrades(7, async bench => {
                const { session } = bench
                await bench.cut("b", 300)
                const isOver = () => session.roleOf(0) === roles.takenOver && session.roleOf(1) === roles.waiting
                await session.until("a holds, b waits", isOver)
                await session.sleep(waitedMs)
            })
            assert.ok(stallMs < stallMsMax, `begun ${waitedMs} ms after b waits: an operation took ${stallMs} ms`)
        }
    })

    it("another host gives the volume back right before the erase: it is taken over again first [R34 R15]", async () => {
        let given: Promise<unknown> | undefined
        const stallMs = await upgrades(
            8,
            async () => undefined,
            ({ session }, note) => {
                if (/b gets its program/.test(note)) given ??= session.client.giveback(0)
            },
        )
        assert.ok(given)
        await given
        assert.ok(stallMs < stallMsMax, `an operation took ${stallMs} ms`)
    })
})
