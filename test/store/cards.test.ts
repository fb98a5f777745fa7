// The same store over SD cards: what they do that chips do not, and what is lost when they do it. docs/FORMAT.md, stride 512.
//
// Promise held against them: one card may do what it likes, also to blocks that nobody wrote to; nothing acknowledged is lost.

import { rebuildElement } from "../../src/store/rebuild"
import { deadIn } from "../../src/array/array"
import assert from "node:assert/strict"
import type { SdBank } from "../../src/flash/sd"
import { sdBlockBytes, sdParts, type SdPart } from "../../tools/sim/chips/sd-parts"
import { Random } from "../../tools/sim/random"
import { assertNoFaults, readAll, remount, repairAll, scrubAll, survivesAnyLoss } from "../support/array-work"
import { StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

const ok = 0
const any = 0xff
const segmentRows = 48
const isFull = process.env.FULL === "1"
const ones = sdParts.get("sd-tiny")!
const zeros: SdPart = { ...ones, erasedByte: 0x00 }
const tearing = sdParts.get("sd-tiny-tearing")!

async function fresh(
    elements: number,
    seed: string,
    part = zeros,
    change?: (bench: StoreBench) => void,
): Promise<StoreHost> {
    const bench = new StoreBench(part, segmentRows, seed, elements)
    change?.(bench)
    assert.equal(await bench.mount(), true)
    const host = new StoreHost(bench)
    assert.equal(await host.hello(), ok)
    assert.equal(await host.mkdir("d"), ok)
    return host
}

/** Changes of every kind; each one acknowledged, through whatever happens. */
async function history(host: StoreHost, seed: string, count: number): Promise<void> {
    const random = new Random(seed)
    for (let i = 0; i < count; i++) {
        const path = `d/${random.int(5)}`
        if (host.tree.has(path) && random.chance(0.2)) assert.equal(await host.remove(path), ok)
        else if (host.tree.has(path) && random.chance(0.2)) assert.equal(await host.rename(path, "d/moved", 1), ok)
        else assert.equal(await host.put(path, Buffer.from(random.bytes(random.int(6000))), 1), ok)
        if (random.chance(0.3)) await host.idle(2)
    }
}

for (const elements of [2, 3]) {
    const shape = elements === 2 ? "mirror" : "parity of 3"
    describe(`store: cards, ${shape}`, function () {
        this.timeout(300_000)

        for (const part of [ones, zeros])
            it(`erased blocks read 0x${part.erasedByte.toString(16)}: files come back after a remount, and without any one card [R17] [R25]`, async () => {
                const host = await fresh(elements, `plain ${part.erasedByte}`, part)
                await history(host, "plain", 30)
                await readAll(host)
                assert.equal(await remount(host), true)
                await readAll(host)
                assert.equal(host.bench.volume.array.bank.strideBytes, sdBlockBytes)
                await repairAll(host.bench)
                assertNoFaults(host, true)
                await survivesAnyLoss(host)
            })

        it("a power cut within a write or an erase of a card [R23]", async () => {
            const plain = await fresh(elements, "cuts")
            const from = plain.bench.operations
            await history(plain, "cuts", 12)
            const to = plain.bench.operations
            const tries = isFull ? 200 : 24
            for (let i = 0; i < tries; i++) {
                const random = new Random(`cut ${i}`)
                const at = from + random.int(to - from)
                const host = await fresh(elements, "cuts", i % 2 ? ones : zeros)
                try {
                    host.bench.cutPowerAt(at, random.float())
                    if (random.chance(0.3)) host.again.push({ after: random.int(6), fraction: random.float() })
                    await history(host, "cuts", 12)
                    await readAll(host)
                    assertNoFaults(host, false)
                } catch (error) {
                    ;(error as Error).message += ` (try ${i}, cut in operation ${at} of ${from}..${to})`
                    throw error
                }
            }
        })

        it("one card's power cuts damage blocks beside the one being written: read from the others, repaired by a scrub [R23] [R24]", async () => {
            let torn = 0
            for (let slot = 0; slot < elements; slot++) {
                const host = await fresh(elements, `tearing ${slot}`, zeros, bench =>
                    bench.insert(slot, undefined, tearing),
                )
                const { bench } = host
                const random = new Random(`tearing ${slot}`)
                for (let i = 0; i < (isFull ? 60 : 12); i++) {
                    bench.cutPowerAt(bench.operations + random.int(40), random.float())
                    await history(host, `tearing ${slot} ${i}`, 3)
                    bench.cutPowerAt(-1, 0)
                    await readAll(host)
                    // what one cut damaged must be repaired before another element is hurt, as any damage must
                    await scrubAll(bench)
                }
                torn += bench.cards[slot].statistics.tornNeighbours
                await scrubAll(bench)
                assertNoFaults(host, true)
                await survivesAnyLoss(host)
            }
            console.log(`      ${torn} blocks beside the written ones were damaged`)
            assert.ok(torn > 0)
        })

        it("a card that falls silent, and a new one in its place [R25]", async () => {
            const host = await fresh(elements, "silent")
            const { bench } = host
            await history(host, "before", 8)
            bench.cards[1].faults.silent = true
            await history(host, "after", 8)
            assert.equal(deadIn(bench.volume.array), 2)
            await readAll(host)
            assert.equal(await remount(host), true)
            await readAll(host)
            bench.insert(1)
            assert.equal(await rebuildElement(bench.volume.repair, any, any, 0), ok)
            await repairAll(bench)
            assertNoFaults(host, true)
            await survivesAnyLoss(host)
        })

        it("a card that stays busy [R25]", async () => {
            const host = await fresh(elements, "busy")
            const { bench } = host
            await history(host, "before", 5)
            bench.hasBroken = true
            bench.cards[0].faults.staysBusy = true
            await history(host, "after", 5)
            assert.equal(deadIn(bench.volume.array), 1)
            await readAll(host)
        })

        it("a card that answers writes with an error is left out; blocks that cannot be read come from the others [R25] [R24]", async () => {
            const host = await fresh(elements, "errors")
            const { bench } = host
            await history(host, "before", 8)
            for (let row = segmentRows; row < segmentRows * 4; row += 5) bench.cards[0].faults.readErrors.add(row)
            await readAll(host)
            assert.equal(await remount(host), true)
            await readAll(host)
            bench.cards[0].faults.readErrors.clear()
            for (let row = segmentRows; row < 2048; row += 7) bench.cards[0].faults.writeErrors.add(row)
            await history(host, "after", 8)
            assert.equal(deadIn(bench.volume.array), 1)
            await readAll(host)
            bench.insert(0)
            assert.equal(await rebuildElement(bench.volume.repair, any, any, 0), ok)
            await repairAll(bench)
            assertNoFaults(host, true)
            await survivesAnyLoss(host)
        })

        it("a card that says it wrote and did not: its pages come from the others, and a scrub makes them good [R24]", async () => {
            for (let slot = 0; slot < elements; slot++) {
                const host = await fresh(elements, `liar ${slot}`)
                const { bench } = host
                await history(host, "before", 5)
                // no segment is erased meanwhile: of erases see below
                bench.cards[slot].faults.dropsWrites = 0.2
                for (let i = 0; i < 4; i++) assert.equal(await host.put(`d/new${i}`, Buffer.alloc(3000, i), 1), ok)
                bench.cards[slot].faults.dropsWrites = 0
                for (const [path, node] of host.tree)
                    if (node.type === 1) assert.ok((await bench.readFile(node.object)).equals(node.content), path)
                await scrubAll(bench)
                assert.ok(bench.volume.repair.found > 0, "found")
                await readAll(host)
                assertNoFaults(host, true)
                await survivesAnyLoss(host)
            }
        })

        it("a card whose reads lie, with their CRCs right: caught by the check of the page [R24]", async () => {
            for (let slot = 0; slot < elements; slot++) {
                const host = await fresh(elements, `lies ${slot}`)
                const { bench } = host
                await history(host, "before", 6)
                bench.cards[slot].faults.lies = 0.3
                for (const [path, node] of host.tree)
                    if (node.type === 1) assert.ok((await bench.readFile(node.object)).equals(node.content), path)
                // a mount that does not read twice alike in several looks is refused; a node tries again after 5 s
                let tries = 1
                while (!(await remount(host))) assert.ok(++tries <= 5, "it is served after a few tries")
                await history(host, "after", 6)
                bench.cards[slot].faults.lies = 0
                await readAll(host)
            }
        })

        it("pages that follow each other as one write of many blocks: cut anywhere [R23]", async () => {
            for (let i = 0; i < (isFull ? 60 : 8); i++) {
                const host = await fresh(elements, "runs")
                const { bench } = host
                ;(bench.volume.array.bank as SdBank).inRuns = true
                const random = new Random(`runs ${i}`)
                await host.put("d/a", Buffer.alloc(5000, 1), 1)
                bench.cutPowerAt(bench.operations + random.int(60), random.float())
                await history(host, `runs ${i}`, 5)
                await readAll(host)
                assertNoFaults(host, false)
            }
        })
    })
}
