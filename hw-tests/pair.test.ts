import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { beatFlags, volumeLetter } from "../tools/bridge/protocol/numbers"
import { stream } from "../test/bridge/bench"
import { HardwareBench } from "./bench"

/** Every line at rest, at both levels, toggling, and one bit at a time. */
function patterns(): Buffer {
    const walking = Array.from({ length: 256 }, (_, i) => 1 << (i % 8))
    const blocks = [0x00, 0xff, 0x55, 0xaa].map(byte => Buffer.alloc(256, byte))
    blocks.push(Buffer.from(walking), Buffer.from(walking.map(byte => byte ^ 0xff)))
    blocks.push(Buffer.from(Array.from({ length: 512 }, (_, i) => i ^ (i >> 8))))
    return Buffer.concat(blocks)
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
const mtime = 1_700_000_000

describe("hardware: a pair on its bus", function () {
    this.timeout(240_000)
    let bench: HardwareBench
    const nodes = [0, 1]
    before(async () => (bench = await HardwareBench.open()))
    after(() => bench?.close())

    async function writeAndRead(volume: number, name: string): Promise<void> {
        const data = patterns()
        await bench.client.put(volume, name, stream(data), { mtime })
        const pieces: Uint8Array[] = []
        for await (const piece of bench.client.get(volume, name)) pieces.push(piece)
        assert.equal(sha256(Buffer.concat(pieces)), sha256(data), `volume ${volumeLetter(volume)}, file ${name}`)
    }

    it("both nodes beat, each active, with one firmware [R14 R20]", async () => {
        const isActive = (node: number) => Boolean((bench.node(node)?.flags ?? 0) & beatFlags.controlsOwn)
        await bench.until("both nodes control their own arrays", () => nodes.every(isActive))
        const figures = await Promise.all(nodes.map(node => bench.client.nodeFigures(node)))
        assert.equal(figures[0].firmware, figures[1].firmware)
        bench.figures.firmware = figures[0].firmware
    })

    for (const volume of nodes)
        it(`array ${volumeLetter(volume)}: every element answers with its label and is a member [R1 R17 R20]`, async () => {
            const array = await bench.client.array(volume)
            const wrong = array.slots.filter(
                ({ state }) => state === "failed" || state === "stale" || state === "foreign",
            )
            assert.deepEqual(wrong, [])
            assert.equal(array.members.length, array.elements)
            bench.figures[`array ${volumeLetter(volume)}`] = array.slots
        })

    for (const volume of nodes)
        it(`array ${volumeLetter(volume)}: bit patterns by its home board; a scrub reads every element [R20 R24]`, async () => {
            await writeAndRead(volume, "home.bin")
            const before = (await bench.client.array(volume)).scrub
            await bench.client.scrub(volume, 0xffff)
            let now = before
            for (let i = 0; i < 600 && now.passes === before.passes; i++) {
                await new Promise(resolve => setTimeout(resolve, 100))
                now = (await bench.client.array(volume)).scrub
            }
            assert.ok(now.passes > before.passes, "the scrub did not come to its end")
            assert.equal(now.badPages, before.badPages, "pages differ between elements, or cannot be read")
            const array = await bench.client.array(volume)
            assert.equal(array.members.length, array.elements, "an element was given up while it was used")
        })

    it("copies are heard both ways [R8 R20]", async () => {
        await bench.until("both protect their writes", () =>
            nodes.every(node => Boolean((bench.node(node)?.flags ?? 0) & beatFlags.protected)),
        )
        for (const volume of nodes) await writeAndRead(volume, "copied.bin")
        assert.equal(bench.client.serviceSeen.unprotected, false)
    })

    for (const node of nodes)
        it(`heartbeat of ${volumeLetter(node)}: no gap near the 400 ms that mean death [R20 R32]`, async () => {
            const times = await bench.beats(node, 30)
            const gaps = times.slice(1).map((time, i) => time - times[i])
            bench.figures[`beat gaps of ${volumeLetter(node)}, ms`] = {
                least: Math.min(...gaps),
                most: Math.max(...gaps),
            }
            assert.ok(Math.max(...gaps) < 350, `gaps of ${gaps.join(", ")} ms`)
        })

    for (const taker of [1, 0]) {
        const [from, by] = [volumeLetter(taker ^ 1), volumeLetter(taker)]
        it(`${by} takes array ${from}: lines, switch and the other board's selects work; back again [R1 R6 R15 R20]`, async () => {
            await bench.client.takeover(taker)
            assert.ok((bench.node(taker)?.flags ?? 0) & beatFlags.controlsPartner, "lines or fence")
            await writeAndRead(taker ^ 1, "partner.bin")
            await bench.until(`${from} is heard and waits`, () => {
                const state = bench.node(taker ^ 1)
                return state !== undefined && state.isHeard && state.role === 1
            })
            await bench.client.giveback(taker)
            await bench.until(`${from} controls its array again`, () =>
                Boolean((bench.node(taker ^ 1)?.flags ?? 0) & beatFlags.controlsOwn),
            )
            await writeAndRead(taker ^ 1, "again.bin")
        })
    }
})
