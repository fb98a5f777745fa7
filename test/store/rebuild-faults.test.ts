// Elements that read wrong once while another is rebuilt, blocks that cannot be read, a bad page nobody knows of when a living element is
// replaced; and chips that lie about what they were given.
//
// Promises: what a rebuild says is held is held, as the checker of the host sees it, before any scrub; a chip that does not hold what is
// written to it is refused, or has failed, with a reason, and the array is none the worse.

import assert from "node:assert/strict"
import { deadIn } from "../../src/array/array"
import { rebuildElement } from "../../src/store/rebuild"
import { repairStep } from "../../src/store/repair"
import { checkArray, MemoryImage } from "../../tools/check"
import { decodeArray, type SlotFigures } from "../../tools/bridge/protocol/array-figures"
import { describeArray } from "../../src/store/array-figures"
import { sdParts } from "../../tools/sim/chips/sd-parts"
import { Random } from "../../tools/sim/random"
import { assertNoFaults, readAll, remount, repairAll, survivesAnyLoss } from "../support/array-work"
import { hasWork, smallPart, StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

const ok = 0
const notFound = 1
const ioError = 14
const any = 0xff
const flagReplace = 2
const segmentRows = 48
const part = smallPart(17)
const isFull = process.env.FULL === "1"
const pageBytes = 256
const cmdProgram = 0x02
const cmdRead = 0x03
const figuresBytes = 200

async function fresh(elements: number, seed: string, kind: ConstructorParameters<typeof StoreBench>[0] = part) {
    const bench = new StoreBench(kind, segmentRows, seed, elements)
    assert.equal(await bench.mount(), true)
    const host = new StoreHost(bench)
    assert.equal(await host.hello(), ok)
    const random = new Random(seed)
    for (let i = 0; i < 8; i++) assert.equal(await host.put(`f${i}`, Buffer.from(random.bytes(300 + i * 400))), ok)
    return host
}

async function step(bench: StoreBench): Promise<void> {
    bench.nowNs += 100e6
    await repairStep(bench.volume.repair, Math.floor(bench.nowNs / 1e6))
}

/** Until it is done or given up; nothing is scrubbed yet then. */
async function copyAll(bench: StoreBench): Promise<void> {
    const { volume } = bench
    for (let i = 0; i < 5000 && volume.array.joining >= 0; i++) await step(bench)
    assert.equal(volume.array.joining, -1, "the rebuild comes to an end")
}

function slotOf(bench: StoreBench, slot: number): SlotFigures {
    const out = Buffer.alloc(figuresBytes)
    const length = describeArray(bench.volume.repair, out, 0)
    return decodeArray(out.subarray(0, length)).slots[slot]
}

function heldPages(bench: StoreBench, slot: number): number[] {
    const held: number[] = []
    const { part } = bench.elements[slot]
    const erasedByte = "erasedByte" in part ? part.erasedByte : 0xff
    for (let page = segmentRows; page < bench.part.bytes / bench.strideBytes; page++)
        if (bench.elements[slot].peek(page * bench.strideBytes, pageBytes).some(byte => byte !== erasedByte))
            held.push(page)
    return held
}

/** Has slots of `mask` read wrong in the n-th read of a page from now on. @returns how many there were, so far */
function lieOnce(bench: StoreBench, mask: number, n: number, lie: (page: Buffer) => void): () => number {
    const transfer = bench.transfer.bind(bench)
    let reads = 0
    bench.transfer = async (selects, tx, rx) => {
        await transfer(selects, tx, rx)
        if (tx[0] === cmdRead && selects & mask && rx.length > pageBytes) if (reads++ === n) lie(rx)
    }
    return () => reads
}

const lies: Record<string, (page: Buffer) => void> = {
    "one bit": page => (page[133] ^= 0x10),
    "as if it were blank": page => page.fill(0xff, 4),
    "as if it were not there for its header": page => page.fill(0xff, 4, 24),
}

for (const elements of [2, 3, 4])
    describe(`store: faults in a rebuild, ${elements === 2 ? "mirror" : `parity of ${elements}`}`, function () {
        this.timeout(300_000)

        for (const [name, lie] of Object.entries(lies))
            it(`another element reads wrong once, ${name}, at any read: what is rebuilt is right before any scrub [R24] [R25]`, async () => {
                const base = await fresh(elements, `lie ${name}`)
                base.bench.silent = 1
                assert.equal(await base.put("degraded", Buffer.alloc(700, 9)), ok)
                const images = base.bench.snapshot()
                const begin = async (seed: number) => {
                    const bench = new StoreBench(part, segmentRows, seed, elements)
                    bench.load(images)
                    bench.insert(0)
                    assert.equal(await bench.mount(), true)
                    assert.equal(await rebuildElement(bench.volume.repair, any, any, 0), ok)
                    return base.copy(bench)
                }
                const others = ((1 << elements) - 1) & ~1
                const plain = await begin(0)
                const count = lieOnce(plain.bench, others, -1, lie)
                await copyAll(plain.bench)
                const reads = count()
                let done = 0
                for (let n = 0; n < reads; n += isFull ? 1 : 1 + Math.floor(reads / 50)) {
                    const host = await begin(n)
                    const { bench } = host
                    lieOnce(bench, others, n, lie)
                    await copyAll(bench)
                    try {
                        assert.equal(deadIn(bench.volume.array), 0, "rebuilt")
                        assertNoFaults(host, true)
                    } catch (error) {
                        ;(error as Error).message += ` (read ${n} of ${reads})`
                        throw error
                    }
                    done++
                }
                assert.ok(done > 20)
            })

        it("a living element is replaced while another one has a bad page nobody knows of: nothing is lost [R24] [R25]", async () => {
            for (let n = 0; n < (isFull ? 60 : 12); n++) {
                const host = await fresh(elements, `hidden ${n}`)
                const { bench } = host
                const random = new Random(`hidden ${n}`)
                const replaced = n % elements
                const hidden = (replaced + 1 + random.int(elements - 1)) % elements
                const held = heldPages(bench, hidden)
                const mask = new Uint8Array(pageBytes)
                mask[4 + random.int(250)] = 2
                bench.chips[hidden].corrupt(held[random.int(held.length)] * pageBytes, mask)
                bench.insert(elements)
                assert.equal(await rebuildElement(bench.volume.repair, replaced, elements, flagReplace), ok)
                await copyAll(bench)
                await readAll(host)
                await repairAll(bench)
                assertNoFaults(host, true)
                await survivesAnyLoss(host)
            }
        })

        it("an element that was replaced, and then loses its label, is not taken for the one in its place [R24] [R31]", async () => {
            const host = await fresh(elements, "replaced")
            const { bench } = host
            bench.insert(elements)
            assert.equal(await rebuildElement(bench.volume.repair, 1, elements, flagReplace), ok)
            await repairAll(bench)
            for (let i = 0; i < 6; i++) assert.equal(await host.put(`f${i}`, Buffer.alloc(2500, i), 1), ok)
            // as a power cut leaves it that comes while the label is written that says it was left out
            bench.chips[1].cells.image.clear(0)
            bench.silent = 1 << elements
            assert.equal(await remount(host), true)
            assert.equal(deadIn(bench.volume.array), 2)
            await readAll(host)
            const others = bench.elements.slice(0, elements).map((element, slot) => {
                return new MemoryImage(element.peek(0, element.part.bytes), `E${slot}`, slot)
            })
            const report = checkArray(others)
            assert.deepEqual(report.faults, [])
            assert.ok(report.notes.some(({ code }) => code === "element-stale"))
        })

        it("a chip that takes nothing is refused at once, and the one it was to replace stays [R25] [R24]", async () => {
            const host = await fresh(elements, "takes nothing")
            const { bench } = host
            bench.hasBroken = true
            bench.insert(elements)
            for (let sector = 0; sector < part.bytes / 4096; sector++)
                bench.chips[elements].cells.badSectors.add(sector)
            assert.equal(await rebuildElement(bench.volume.repair, 1, elements, flagReplace), ioError)
            assert.equal(deadIn(bench.volume.array), 0, "the living one is still in use")
            const { state, badPages } = slotOf(bench, elements)
            assert.deepEqual({ state, badPages }, { state: "failed", badPages: 255 })
            await host.put("after", Buffer.alloc(2000, 1))
            await survivesAnyLoss(host)
        })

        it("a chip of this array that ignores erases and programs keeps its old label, and is refused [R25] [R24]", async () => {
            const host = await fresh(elements, "write-protected")
            const { bench } = host
            bench.hasBroken = true
            bench.silent = 1
            assert.equal(await host.put("degraded", Buffer.alloc(700, 9)), ok)
            bench.silent = 0
            for (let sector = 0; sector < part.bytes / 4096; sector++) bench.chips[0].cells.badSectors.add(sector)
            assert.equal(await rebuildElement(bench.volume.repair, 0, 0, 1), ioError)
            assert.equal(deadIn(bench.volume.array), 1)
            await readAll(host)
            assert.equal(await remount(host), true)
            await readAll(host)
        })

        for (const [name, spoil] of [
            ["drops them", (bench: StoreBench, slot: number) => dropPrograms(bench, slot)],
            ["stores something else", (bench: StoreBench, slot: number) => alterPrograms(bench, slot)],
        ] as const)
            it(`a chip that acknowledges programs and ${name}, from some time on: it has failed, is not tried again by itself, and a good one takes its place [R25] [R24]`, async () => {
                for (let n = 0; n < 4; n++) {
                    const host = await fresh(elements, `${name} ${n}`)
                    const { bench } = host
                    bench.hasBroken = true
                    bench.silent = 1
                    for (let i = 0; i < 4; i++) assert.equal(await host.put(`more ${i}`, Buffer.alloc(5000, i)), ok)
                    bench.insert(0)
                    const { repair } = bench.volume
                    assert.equal(await rebuildElement(repair, any, any, 0), ok)
                    for (let i = 0; i < n; i++) await step(bench)
                    spoil(bench, 0)
                    for (let i = 0; i < 5000 && hasWork(bench.volume); i++) await step(bench)
                    assert.equal(hasWork(bench.volume), false, "it comes to an end")
                    assert.equal(deadIn(bench.volume.array), 1, "it is not said to hold what it does not")
                    const { state, badPages } = slotOf(bench, 0)
                    assert.deepEqual({ state, badPages }, { state: "failed", badPages: 255 })
                    await readAll(host)
                    assert.equal(await rebuildElement(repair, any, any, 0), notFound, "not that one again")
                    bench.insert(elements)
                    assert.equal(await rebuildElement(repair, any, any, 0), ok)
                    await repairAll(bench)
                    await readAll(host)
                    await survivesAnyLoss(host)
                }
            })

        it("the new chip reads wrong once when it is read back: read again, and rebuilt all the same [R25] [R24]", async () => {
            const host = await fresh(elements, "read back")
            const { bench } = host
            bench.silent = 1
            assert.equal(await host.put("degraded", Buffer.alloc(700, 9)), ok)
            bench.insert(0)
            assert.equal(await rebuildElement(bench.volume.repair, any, any, 0), ok)
            for (const n of [3, 30]) lieOnce(bench, 1, n, lies["one bit"])
            await copyAll(bench)
            assert.equal(deadIn(bench.volume.array), 0)
            assertNoFaults(host, true)
        })

        if (elements < 4)
            it("cards: blocks that cannot be read, for once and for good: what is rebuilt is right [R24] [R25]", async () => {
                const tiny = sdParts.get("sd-tiny")!
                for (let n = 0; n < (isFull ? 24 : 6); n++) {
                    const host = await fresh(elements, `unreadable ${n}`, tiny)
                    const { bench } = host
                    const random = new Random(`unreadable ${n}`)
                    const held = heldPages(bench, 1)
                    const block = held[random.int(held.length)]
                    bench.insert(elements)
                    assert.equal(await rebuildElement(bench.volume.repair, 0, elements, flagReplace), ok)
                    bench.cards[1].faults.readErrors.add(block)
                    await copyAll(bench)
                    await readAll(host)
                    if (n % 2) bench.cards[1].faults.readErrors.clear()
                    await repairAll(bench)
                    await readAll(host)
                    if (n % 2) assertNoFaults(host, true)
                    bench.silent = 1 << 1
                    assert.equal(await remount(host), true)
                    await readAll(host)
                }
            })
    })

function dropPrograms(bench: StoreBench, slot: number): void {
    for (let sector = 0; sector < part.bytes / 4096; sector++) bench.chips[slot].cells.badPrograms.add(sector)
}

function alterPrograms(bench: StoreBench, slot: number): void {
    const transfer = bench.transfer.bind(bench)
    bench.transfer = async (mask, tx, rx) => {
        if (!(mask & (1 << slot)) || tx[0] !== cmdProgram) return await transfer(mask, tx, rx)
        const others = mask & ~(1 << slot)
        const altered = Buffer.from(tx)
        altered[200] &= 0x0f
        altered[201] &= 0xf0
        if (others) await transfer(others, tx, rx)
        await transfer(1 << slot, altered, rx)
    }
}
