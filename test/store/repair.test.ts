// Elements that die, lie, come back, are swapped or replaced: degraded service, rebuild, scrub, retired segments.

import assert from "node:assert/strict"
import { MemoryImage } from "../../tools/sim/chips/image-file"
import { Random } from "../../tools/sim/random"
import { assertNoFaults, readAll, remount, repairAll, survivesAnyLoss, tidyStep } from "../support/array-work"
import { hasWork, PowerCut, smallPart, StoreBench } from "../support/store-bench"
import { checkVolume } from "../support/store-checker"
import { StoreHost } from "../support/store-host"
import { deadIn, pageAt } from "../../src/array/array"
import { Queries, statfs } from "../../src/store/queries"
import { rebuildElement } from "../../src/store/rebuild"
import { holdsNeeded } from "../../src/store/log"
import { holds } from "../../src/store/usage"
import { repairStep, scrubArray } from "../../src/store/repair"

const segmentRows = 48
const part = smallPart(17)
const ok = 0
const exists = 2
const vetoed = 18
const foreign = 19
const tooSmall = 20
const any = 0xff
const replaceFlag = 2
const opSnapshotCreate = 10
const opSnapshotDelete = 11

async function fresh(elements: number, seed: string): Promise<StoreHost> {
    const bench = new StoreBench(part, segmentRows, seed, elements)
    assert.equal(await bench.mount(), true)
    const host = new StoreHost(bench)
    assert.equal(await host.hello(), ok)
    assert.equal(await host.mkdir("d"), ok)
    const random = new Random(seed)
    for (let i = 0; i < 6; i++) assert.equal(await host.put(`d/${i}`, Buffer.from(random.bytes(500 + i * 700))), ok)
    return host
}

function heldIn(bench: StoreBench, slot: number, segment: number): number[] {
    const pages = Array.from({ length: segmentRows }, (_, row) => segment * segmentRows + row)
    return pages.filter(page => bench.chips[slot].peek(page * 256, 256).some(byte => byte !== 0xff))
}

/** As a host is told. */
function statfsDamage(bench: StoreBench): number {
    const out = Buffer.alloc(64)
    statfs(new Queries(bench.volume), out, 0)
    return out.readUInt16LE(22)
}

/** Damages pages of one slot that are not blank. */
function damage(bench: StoreBench, slot: number, random: Random, pages: number): number {
    const held: number[] = []
    for (let page = segmentRows; page < part.bytes / 256; page++)
        if (bench.chips[slot].peek(page * 256, 256).some(byte => byte !== 0xff)) held.push(page)
    const chosen = new Set<number>()
    while (chosen.size < Math.min(pages, held.length)) chosen.add(held[random.int(held.length)])
    for (const page of chosen) {
        const mask = new Uint8Array(256)
        mask[4 + random.int(250)] = 1 << random.int(8)
        bench.chips[slot].corrupt(page * 256, mask)
    }
    return chosen.size
}

for (const elements of [2, 3, 4, 6])
    describe(`store: repair, ${elements === 2 ? "mirror" : `parity of ${elements}`}`, function () {
        this.timeout(300_000)

        it("any one element silent: served degraded, remounted, and left out when it comes back [R25] [R22] [R7]", async () => {
            for (let dead = 0; dead < elements; dead++) {
                const host = await fresh(elements, `silent ${dead}`)
                const { bench } = host
                bench.silent = 1 << dead
                assert.equal(await host.put("d/after", Buffer.alloc(3000, 7)), ok)
                assert.equal(await host.remove("d/0"), ok)
                assert.equal(deadIn(bench.volume.array), 1 << dead)
                await readAll(host)
                assert.equal(await remount(host), true)
                await readAll(host)
                bench.silent = 0
                assert.equal(await remount(host), true)
                assert.equal(deadIn(bench.volume.array), 1 << dead, "what it holds is old")
                await readAll(host)
            }
        })

        it("a blank element in the place of a dead one: rebuilt while serving; then any other may die [R25]", async () => {
            for (let dead = 0; dead < elements; dead++) {
                const host = await fresh(elements, `rebuild ${dead}`)
                const { bench } = host
                bench.silent = 1 << dead
                assert.equal(await host.put("d/degraded", Buffer.alloc(2000, 9)), ok)
                bench.insert(dead)
                const { repair } = bench.volume
                assert.equal(await rebuildElement(repair, any, any, 0), ok)
                assert.equal(await rebuildElement(repair, any, any, 0), 13, "one at a time")
                let n = 0
                await repairAll(bench, async () => {
                    if (n++ % 3 === 0 && n < 40)
                        assert.equal(await host.put(`d/n${n % 5}`, Buffer.alloc(n * 50, n), 1), ok)
                })
                assert.equal(await rebuildElement(repair, any, any, 0), exists, "nothing to rebuild")
                await readAll(host)
                checkVolume(bench)
                await survivesAnyLoss(host)
            }
        })

        if (elements < 4)
            it("after a scrub that was stopped half way: the look that follows a rebuild begins with the first segment [R25] [R24]", async () => {
                const host = await fresh(elements, "look after a rebuild")
                const { bench } = host
                for (let i = 0; i < elements * 4; i++)
                    assert.equal(await host.put(`d/more${i}`, Buffer.alloc(3_000, i + 1)), ok)
                const { repair, array, log } = bench.volume
                const rest = async () => {
                    for (let i = 0; i < 100 && hasWork(bench.volume); i++) await tidyStep(bench)
                }
                await rest()
                const firstNeeded = Array.from({ length: log.segments }, (_, s) => s).find(
                    s => s > 0 && holdsNeeded(log, s),
                )!
                assert.equal(await scrubArray(repair, 1000), ok)
                for (let i = 0; i < 100 && repair.next <= firstNeeded; i++) await tidyStep(bench)
                assert.ok(repair.rate > 0 && repair.next > firstNeeded, "it is in the middle")
                assert.equal(await scrubArray(repair, 0), ok)
                await rest()
                assert.equal(await rebuildElement(repair, 1, array.slots[1], replaceFlag), ok)
                for (let i = 0; i < 1_000 && array.joining >= 0; i++) await tidyStep(bench)
                assert.equal(array.joining, -1)
                // what was copied well goes bad at once
                const pages = heldIn(bench, array.slots[1], firstNeeded)
                assert.ok(pages.length > 0)
                for (const page of pages) bench.chips[array.slots[1]].corrupt(page * 256 + 100, Uint8Array.of(1))
                const found = repair.found
                await repairAll(bench)
                assert.ok(repair.found > found)
                await survivesAnyLoss(host)
            })

        if (elements < 6)
            it("a spare in another slot takes the place of a dead or a living element; elements may be swapped between slots [R25] [R31]", async () => {
                const host = await fresh(elements, "spare")
                const { bench } = host
                bench.silent = 1
                assert.equal(await host.mkdir("x"), ok)
                bench.insert(elements)
                assert.equal(await rebuildElement(bench.volume.repair, 0, elements, 0), ok)
                await repairAll(bench)
                await survivesAnyLoss(host)
                // the one in slot 1 is replaced though it lives: by the element that was dead, which is this array's own and old
                bench.silent = 0
                assert.equal(await rebuildElement(bench.volume.repair, 1, any, 0), exists)
                assert.equal(await rebuildElement(bench.volume.repair, 1, 0, replaceFlag), ok)
                await repairAll(bench)
                bench.silent = 2
                assert.equal(await remount(host), true)
                await readAll(host)
                bench.silent = 0
                // all move by one slot
                bench.chips.unshift(bench.chips.pop()!)
                assert.equal(await remount(host), true)
                assert.equal(deadIn(bench.volume.array), 0)
                await readAll(host)
                await survivesAnyLoss(host)
            })

        it("an element exchanged a moment ago: a rebuild finds it missing, and no other is given up for it [R25] [R22]", async () => {
            const host = await fresh(elements, `exchanged ${elements}`)
            const { bench } = host
            const { repair } = bench.volume
            bench.insert(0)
            // on a blank element: nobody has noticed anything
            assert.equal(await host.put("d/0", Buffer.from(new Random("exchanged").bytes(900)), 1), ok)
            assert.equal(deadIn(bench.volume.array), 0)
            assert.equal(await rebuildElement(repair, 1, 1, replaceFlag), vetoed)
            assert.equal(deadIn(bench.volume.array), 1)
            await readAll(host)
            assert.equal(await rebuildElement(repair, any, any, 0), ok)
            await repairAll(bench)
            await readAll(host)
            assertNoFaults(host, true)
            await survivesAnyLoss(host)
        })

        it("a foreign element is refused unless forced, and one too small always [R31] [R25]", async () => {
            const host = await fresh(elements, "foreign")
            const other = await fresh(elements, "another")
            const { bench } = host
            bench.silent = 1
            assert.equal(await host.mkdir("x"), ok)
            bench.insert(0, other.bench.chips[0].cells.image as MemoryImage)
            const { repair } = bench.volume
            const before = bench.operations
            assert.equal(await rebuildElement(repair, 0, 0, 0), foreign)
            assert.equal(bench.operations, before, "written to")
            bench.insert(0, new MemoryImage(1 << 16), smallPart(16))
            assert.equal(await rebuildElement(repair, 0, 0, 1), tooSmall)
            bench.insert(0, other.bench.chips[0].cells.image as MemoryImage)
            assert.equal(await rebuildElement(repair, 0, 0, 1), ok)
            await repairAll(bench)
            await survivesAnyLoss(host)
        })

        it("a rebuild with a power cut at every program and erase goes on, and comes to its end [R25] [R23]", async () => {
            const base = await fresh(elements, "cuts")
            base.bench.silent = 2
            assert.equal(await base.put("d/degraded", Buffer.alloc(700, 9)), ok)
            const images = base.bench.snapshot()
            const begin = async (seed: string | number) => {
                const bench = new StoreBench(part, segmentRows, seed, elements)
                bench.load(images)
                bench.insert(1)
                assert.equal(await bench.mount(), true)
                return base.copy(bench)
            }
            const run = async (host: StoreHost) => {
                const { bench } = host
                const status = await rebuildElement(bench.volume.repair, any, any, 0)
                assert.ok(status === ok || status === 13 || status === exists, `status ${status}`)
                let n = 0
                await repairAll(bench, async () => {
                    if (n++ === 4) assert.ok((await host.put("d/meanwhile", Buffer.alloc(300, 1), 1)) === ok)
                })
            }
            const plain = await begin("plain")
            const from = plain.bench.operations
            await run(plain)
            const to = plain.bench.operations
            const step = process.env.FULL ? 1 : 1 + Math.floor((to - from) / 120)
            let cuts = 0
            for (let n = from; n < to; n += step)
                for (const fraction of [0.5, 1]) {
                    const host = await begin(n)
                    const { bench } = host
                    bench.cutPowerAt(n, fraction)
                    try {
                        for (;;)
                            try {
                                await run(host)
                                break
                            } catch (error) {
                                if (!(error instanceof PowerCut)) throw error
                                cuts++
                                await host.powerUp()
                            }
                        await readAll(host)
                        const lost = n % elements
                        bench.silent = 1 << bench.volume.array.slots[lost]
                        assert.equal(await remount(host), true)
                        await readAll(host)
                    } catch (error) {
                        ;(error as Error).message += ` (cut in operation ${n} of ${from}..${to}, at ${fraction})`
                        throw error
                    }
                }
            console.log(`      ${cuts} power cuts`)
        })

        it("scrub finds pages that rotted on one element, repairs and counts them [R24] [R25]", async () => {
            for (let slot = 0; slot < elements; slot++) {
                const host = await fresh(elements, `scrub ${slot}`)
                const { bench } = host
                await repairAll(bench)
                assert.equal(await scrubArray(bench.volume.repair, 1000), ok)
                await repairAll(bench)
                assert.equal(bench.volume.repair.found, 0, "nothing is wrong yet")
                assert.ok(damage(bench, slot, new Random(slot), 12) > 0)
                assert.equal(await scrubArray(bench.volume.repair, 1000), ok)
                await repairAll(bench)
                assert.ok(bench.volume.repair.found > 0)
                assert.ok(bench.volume.repair.repaired > 0)
                await readAll(host)
                const found = bench.volume.repair.found
                assert.equal(await scrubArray(bench.volume.repair, 1000), ok)
                await repairAll(bench)
                assert.equal(bench.volume.repair.found, found, "nothing is left to repair")
                bench.silent = 1 << ((slot + 1) % elements)
                assert.equal(await remount(host), true)
                await readAll(host)
            }
        })

        it("a scrub that is asked for while one goes on that nobody asked for: all is looked through, the present segment as well [R24] [R25]", async () => {
            const host = await fresh(elements, "twice")
            const { bench } = host
            await repairAll(bench)
            bench.insert(1)
            assert.equal(await remount(host), true)
            const { repair, log } = bench.volume
            assert.equal(await rebuildElement(repair, any, any, 0), ok)
            while (repair.next < 2) {
                bench.nowNs += 100e6
                await repairStep(repair, Math.floor(bench.nowNs / 1e6))
            }
            assert.ok(repair.rate > 0, "after a rebuild all is looked through")
            assert.equal(await host.put("d/in it", Buffer.alloc(1500, 3)), ok)
            const [page] = heldIn(bench, 0, log.segment)
            bench.chips[0].corrupt(page * 256, new Uint8Array(101).fill(8, 100))
            assert.equal(await scrubArray(repair, 1000), ok)
            await repairAll(bench)
            assertNoFaults(host, true)
            await survivesAnyLoss(host)
        })

        it("damage that cannot be repaired yet is counted until it can, over several scrubs [R24] [R25]", async () => {
            const host = await fresh(elements, "pinned")
            const { bench } = host
            const { log } = bench.volume
            await repairAll(bench)
            const segment = log.segment
            assert.equal(await host.put("d/in it", Buffer.alloc(1500, 3)), ok)
            assert.equal(log.segment, segment)
            let number = 0
            const name = Buffer.from("s")
            await host.request(opSnapshotCreate, [1, name], answer => (number = answer.value))
            // in rows of two elements, each of which could be made good: but the segment is pinned, and cannot be emptied
            // a scrub begins with a commit, which has another root
            const pages = [...checkVolume(bench).used.keys()].filter(page => page !== log.rootPage)
            const used = new Set(pages.map(page => Math.floor(page / log.array.rowPages)))
            const rotten = [0, 1].map(slot => {
                const held = heldIn(bench, slot, segment).filter(row => used.has(row))
                return held[slot === 0 ? 0 : held.length - 1]
            })
            assert.notEqual(rotten[0], rotten[1])
            rotten.forEach((page, slot) => bench.chips[slot].corrupt(page * 256, new Uint8Array(101).fill(8, 100)))
            for (let i = 0; i < 2; i++) {
                assert.equal(await scrubArray(bench.volume.repair, 1000), ok)
                await repairAll(bench)
                // what was just left is looked through on its own as well
                assert.ok(statfsDamage(bench) >= 1, `scrub ${i}`)
            }
            assert.equal(statfsDamage(bench), 1)
            await readAll(host)
            assert.equal((await host.request(opSnapshotDelete, [number], () => {})).status, ok)
            for (let i = 0; i < 2; i++) {
                assert.equal(await scrubArray(bench.volume.repair, 1000), ok)
                await repairAll(bench)
            }
            assert.equal(statfsDamage(bench), 0)
            await readAll(host)
        })

        if (elements < 6)
            it("a busy host while a living element is replaced: what became free is erased for what comes next, and not copied into [R25] [R22]", async () => {
                for (let seed = 0; seed < 8; seed++) {
                    const host = await fresh(elements, `busy ${seed}`)
                    const { bench } = host
                    const random = new Random(`busy ${elements} ${seed}`)
                    const files = elements === 2 ? 6 : 12
                    const put = async (pages: number) => {
                        const content = Buffer.from(random.bytes(236 * pages))
                        assert.equal(await host.put(`f${random.int(files)}`, content, 1, 5000), ok)
                    }
                    for (let i = 0; i < 60; i++) {
                        await put(12)
                        while (bench.volume.orphans) await bench.volume.reclaim()
                    }
                    bench.insert(elements)
                    const { array, repair, log } = bench.volume
                    assert.equal(await rebuildElement(repair, 0, elements, replaceFlag), ok)
                    while (array.joining >= 0) {
                        await tidyStep(bench)
                        if (random.chance(0.65)) continue
                        const name = `f${random.int(files)}`
                        if (host.tree.has(name) && random.chance(0.5)) assert.equal(await host.remove(name), ok)
                        else await put(1 + random.int(30))
                    }
                    // over the segment that was erased while its copying went on
                    const last = log.erased
                    for (let i = 0; i < 200 && log.segment !== last; i++) await put(8)
                    await put(8)
                    assertNoFaults(host, true)
                    await survivesAnyLoss(host)
                }
            })

        it("a damaged segment that becomes free while it is written again counts as damaged no more [R24] [R25]", async () => {
            const host = await fresh(elements, "freed")
            const { bench } = host
            const { array, repair, log } = bench.volume
            await repairAll(bench)
            for (let i = 0; i < 8; i++) assert.equal(await host.put(`f${i}`, Buffer.alloc(3000, i), 1), ok)
            const page = await bench.volume.pageOf(host.tree.get("f0")!.object, 1)
            const segment = Math.floor(page / array.segmentPages)
            const row = Math.floor(page / array.rowPages)
            const slot = array.slots.findIndex((_, position) => pageAt(array, position, row) === page)
            bench.chips[slot].corrupt(row * 256, new Uint8Array(101).fill(8, 100))
            assert.equal(await scrubArray(repair, 1000), ok)
            while (array.joining < 0) {
                bench.nowNs += 100e6
                await repairStep(repair, Math.floor(bench.nowNs / 1e6))
            }
            assert.equal(statfsDamage(bench), 1)
            for (const path of [...host.tree.keys()].filter(name => !name.endsWith("d")))
                assert.equal(await host.remove(path), ok)
            while (bench.volume.orphans) await bench.volume.reclaim()
            await bench.volume.commit()
            assert.equal(holds(log.usage, segment), false)
            await repairAll(bench)
            assert.equal(statfsDamage(bench), 0)
            assertNoFaults(host, true)
        })

        it("a lying element: what it says is caught by the check, and read from the others [R24] [R22]", async () => {
            for (let slot = 0; slot < elements; slot++) {
                const host = await fresh(elements, `liar ${slot}`)
                const { bench } = host
                const transfer = bench.transfer.bind(bench)
                const random = new Random(`liar ${slot}`)
                bench.transfer = async (mask, tx, rx) => {
                    await transfer(mask, tx, rx)
                    if (tx[0] === 0x03 && mask === 1 << slot && rx.length > 200)
                        rx[5 + random.int(250)] ^= 1 << random.int(8)
                }
                assert.equal(await host.put("d/after", Buffer.alloc(3000, 7)), ok)
                for (const [path, node] of host.tree)
                    if (node.type === 1) assert.ok((await bench.readFile(node.object)).equals(node.content), path)
                assert.equal(await remount(host), true)
                for (const [path, node] of host.tree)
                    if (node.type === 1) assert.ok((await bench.readFile(node.object)).equals(node.content), path)
                assert.equal(await host.remove("d/0"), ok)
            }
        })
    })
