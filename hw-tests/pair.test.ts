import assert from "node:assert/strict"
import { isError } from "../tools/bridge/error"
import type { ArrayFigures } from "../tools/bridge/protocol/array-figures"
import { stream } from "../test/bridge/bench"
import { faultOfClocks, identities, readAtSteps, rightUpTo } from "./clocks"
import { chosen, HardwareBench, letter, mtime, nodes, sleep } from "./bench"
import { faultOf, swappedSelects, type SeenTakeover } from "./lines"

/** Every line at rest, at both levels, toggling, and one bit at a time. */
function patterns(): Buffer {
    const walking = Array.from({ length: 256 }, (_, i) => 1 << (i % 8))
    const blocks = [0x00, 0xff, 0x55, 0xaa].map(byte => Buffer.alloc(256, byte))
    blocks.push(Buffer.from(walking), Buffer.from(walking.map(byte => byte ^ 0xff)))
    blocks.push(Buffer.from(Array.from({ length: 512 }, (_, i) => i ^ (i >> 8))))
    return Buffer.concat(blocks)
}

/** So much that a segment, of 64 KB for each chip, is erased and written whole. */
const largeBytes = 96 * 1024
const startMsMax = 10_000
const testMsMax = 240_000
const scrubMsMax = 60_000
const scrubPartMs = 20_000
/** Rows of a segment, in arrays of chips. */
const chipRowsMax = 1_024
const scrubRowMsMax = 20
/** Longer than the 4 s in which a node that has just started takes over nobody. */
const restMs = 6_000
const restartMsMax = 8_000

describe("hardware: a pair on its bus", function () {
    this.timeout(testMsMax)
    let bench: HardwareBench
    before(async () => (bench = await HardwareBench.open()))
    after(() => bench?.close())

    const areProtected = () => nodes.every(node => bench.has(node, "protected"))
    const isActive = (node: number) => bench.has(node, "controlsOwn")

    it("both nodes beat, with one firmware [R14 R20]", async () => {
        await bench.until("both nodes beat", () => nodes.every(node => bench.node(node)?.isHeard))
        const figures = await Promise.all(nodes.map(node => bench.client.nodeFigures(node)))
        assert.equal(figures[0].firmware, figures[1].firmware)
        bench.report.add("firmware", figures[0].firmware)
    })

    for (const volume of nodes)
        it(`array ${letter(volume)}: every element answers with its label and is a member [R1 R17 R20]`, async () => {
            const served = () => bench.client.controllerOf(volume) !== undefined
            await bench.until("", served, startMsMax).catch(async () => assert.fail(await unreadable(volume)))
            const array = await bench.client.array(volume)
            assert.ok(areAllMembers(array), `array ${letter(volume)}: ${slotsOf(array)}`)
            bench.report.add(`array ${letter(volume)}`, array.slots)
        })

    async function unreadable(volume: number): Promise<string> {
        const own = letter(volume)
        const { slots } = await bench.client.elements(volume, volume)
        const found = `${own} finds ${identities(slots)}`
        return bench.client.controllerOf(volume ^ 1) === undefined
            ? "neither array can be read: an element goes on driving MISO, which the switches pass on to both boards. Take out the " +
                  `elements of one array, then of the other; the one without which a board reads its array is the one, or its select floats (${found})`
            : `array ${own} cannot be read by ${own}: one of its elements does not answer and it was never whole, or two share a select, or its supply, SCK, MOSI or MISO (${found})`
    }

    async function clocksAreRight(node: number, volume: number): Promise<void> {
        const clocks = await readAtSteps(bench.client, node, volume)
        const fault = faultOfClocks(node, volume, clocks)
        bench.report.add(`array ${letter(volume)} by ${letter(node)}: read right up to, MHz`, rightUpTo(clocks))
        assert.equal(fault, undefined, fault)
    }

    it("at rest nobody takes over: each sees the other's OWN [R20 R32]", async () => {
        const uptimes = () => nodes.map(node => bench.node(node)?.uptimeMs ?? 0)
        await bench.until("both have started long ago", () => uptimes().every(ms => ms > restMs))
        const before = uptimes()
        for (const endMs = performance.now() + restMs / 3; performance.now() < endMs; await sleep(50))
            for (const node of nodes)
                assert.ok(
                    isActive(node) && !bench.has(node, "controlsPartner"),
                    bench.has(node ^ 1, "controlsPartner") || !isActive(node)
                        ? `${letter(node ^ 1)} took array ${letter(node)} though nobody asked: OWN of ${letter(node)} does not reach ${letter(node ^ 1)}`
                        : `${letter(node)} took array ${letter(node ^ 1)} though nobody asked: OWN of ${letter(node ^ 1)} does not reach ${letter(node)}`,
                )
        assert.ok(
            uptimes().every((ms, i) => ms >= before[i]),
            "a board started anew",
        )
    })

    for (const volume of nodes)
        it(`array ${letter(volume)}: its home board reads every element right at each step of the SPI clock [R17 R20]`, async () => {
            await bench.until(`${letter(volume)} serves its own array`, () => isActive(volume))
            await clocksAreRight(volume, volume)
        })

    for (const volume of nodes)
        it(`array ${letter(volume)}: bit patterns, erase, program and read by its home board; a scrub reads every element [R17 R20 R24]`, async function () {
            await bench.until("both protect their writes", areProtected)
            const before = (await bench.client.array(volume)).scrub
            await bench.writeAndRead(volume, "patterns.bin", patterns())
            const large = Buffer.from(Array.from({ length: largeBytes }, (_, i) => i * 7 + (i >> 8) * 13))
            const { writeMs, readMs } = await bench.writeAndRead(volume, "large.bin", large)
            await bench.client.scrub(volume, 0xffff)
            const beginMs = performance.now()
            let now = before
            // a card's segment has 128 times the rows of a chip's: ten minutes, which only a soak is worth
            const { rowsPerSegment } = await bench.client.array(volume)
            const isWhole = rowsPerSegment <= chipRowsMax || chosen("SOAK") !== undefined
            const endMs = beginMs + (isWhole ? scrubMsMax + rowsPerSegment * scrubRowMsMax : scrubPartMs)
            this.timeout(endMs - beginMs + testMsMax)
            while (now.passes === before.passes && performance.now() < endMs) {
                await sleep(100)
                now = (await bench.client.array(volume)).scrub
                assert.equal(now.badPages, before.badPages, lies(volume))
            }
            if (!isWhole && now.passes === before.passes) await bench.client.scrub(volume, 0)
            else assert.ok(now.passes > before.passes, "the scrub did not come to its end")
            const array = await bench.client.array(volume)
            assert.ok(areAllMembers(array), `an element was given up while it was used: ${slotsOf(array)}`)
            bench.report.add(`array ${letter(volume)}: ${largeBytes} bytes`, {
                writeMs: Math.round(writeMs),
                readMs: Math.round(readMs),
                scrubMs: Math.round(performance.now() - beginMs),
            })
        })

    const lies = (volume: number) =>
        `array ${letter(volume)}: an element does not hold what it said it wrote, or its answers come with wrong bits: a worn or false ` +
        "chip, long wires, no 100 nF at its supply"

    it("copies are heard both ways [R8 R20]", async () => {
        await bench.until("both protect their writes", areProtected)
        const client = bench.anotherClient()
        try {
            await client.ready()
            for (const volume of nodes) await client.put(volume, "copied.bin", stream(patterns()), { mtime })
            assert.equal(client.serviceSeen.unprotected, false, "a partner did not record what it should have heard")
        } finally {
            await client.close()
        }
    })

    for (const node of nodes)
        it(`heartbeat of ${letter(node)}: no gap near the 400 ms that mean death [R20 R32]`, async () => {
            const times = await bench.beats(node, 30)
            const gaps = times.slice(1).map((time, i) => time - times[i])
            bench.report.add(`beat gaps of ${letter(node)}, ms`, {
                least: Math.min(...gaps),
                most: Math.max(...gaps),
            })
            assert.ok(Math.max(...gaps) < 350, `gaps of ${gaps.join(", ")} ms`)
        })

    for (const isForced of [false, true])
        for (const taker of [1, 0]) {
            const [x, y] = [letter(taker ^ 1), letter(taker)]
            const how = isForced
                ? "by force: HOLD, RESET, OWN, the fence"
                : "by asking: HOLD, OWN, the switch, the F selects"
            it(`${y} takes array ${x} ${how}; and back [R1 R6 R15 R20 R31]`, async () => {
                await bench.healthy()
                const home = await bench.client.array(taker ^ 1)
                const { seen, ms } = await takeover(taker, isForced)
                const fault = faultOf(seen)
                assert.equal(fault, undefined, fault)
                await bench.until(`${y} controls array ${x}`, () => bench.has(taker, "controlsPartner"), startMsMax)
                const partner = await bench.client.array(taker ^ 1)
                assert.ok(areAllMembers(partner), `array ${x} by ${y}: ${slotsOf(partner)}`)
                const swapped = swappedSelects(taker ^ 1, home, partner)
                assert.equal(swapped, undefined, swapped)
                await clocksAreRight(taker, taker ^ 1)
                await bench.writeAndRead(taker ^ 1, "partner.bin", patterns())
                await bench.healthy()
                await bench.writeAndRead(taker ^ 1, "again.bin", patterns())
                bench.report.add(`takeover by ${y}${isForced ? ", forced" : ""}, ms`, Math.round(ms))
            })
        }

    /** Asks for it and watches the other board until it waits, or has had the time to. */
    async function takeover(taker: number, isForced: boolean): Promise<{ seen: SeenTakeover; ms: number }> {
        const partner = taker ^ 1
        const seen = {
            taker,
            isForced,
            isRestarted: false,
            roles: new Set<number>(),
            veto: undefined as number | undefined,
        }
        let uptimeMs = bench.node(partner)?.uptimeMs ?? 0
        const end = bench.onBeat(partner, beat => {
            if (beat.uptimeMs < uptimeMs) seen.isRestarted = true
            uptimeMs = beat.uptimeMs
            seen.roles.add(beat.role)
        })
        const beginMs = performance.now()
        try {
            await bench.client.takeover(taker, { force: isForced }).catch((error: unknown) => {
                if (!isError(error, "vetoed")) throw error
                seen.veto = Number(error.details?.reason)
            })
            const ms = performance.now() - beginMs
            // a reset shows when the board beats again
            const isOver = () => (seen.veto !== undefined || seen.roles.has(1)) && (!isForced || seen.isRestarted)
            await bench.until("", isOver, restartMsMax).catch(unlessLate)
            return { seen, ms }
        } finally {
            end()
        }
    }
})

const unlessLate = (error: Error) => {
    if (!error.message.includes("not within")) throw error
}

function areAllMembers(array: ArrayFigures): boolean {
    const isWrong = ({ state }: ArrayFigures["slots"][0]) => ["failed", "stale", "foreign", "blank"].includes(state)
    return array.members.length === array.elements && !array.slots.slice(0, array.elements).some(isWrong)
}

function slotsOf(array: ArrayFigures): string {
    return array.slots
        .filter(({ slot, state }) => slot < array.elements || state !== "empty")
        .map(({ slot, state, badPages }) => {
            const word =
                state === "empty"
                    ? "does not answer"
                    : state === "blank"
                      ? "is blank: what was written to it is not there"
                      : `is ${state}`
            return `element ${slot} ${word}${badPages ? `, ${badPages} bad pages` : ""}`
        })
        .join(", ")
}
