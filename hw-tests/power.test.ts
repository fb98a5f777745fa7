import assert from "node:assert/strict"
import { isError } from "../tools/bridge/error"
import { vetoUnderWay } from "../tools/bridge/protocol/numbers"
import { Random } from "../tools/sim/random"
import { chosen, HardwareBench, letter, nodes, sleep } from "./bench"

/** The short ones are for `npm test`. */
const pulls = chosen("PULLS") ?? 3
const soakSeconds = chosen("SOAK") ?? 5
const seed = 1
const fileBytes = 24 * 1024
/** A pull comes within the time a file takes, and a little after. */
const pullMsMax = 1_500
/** Death is noticed in half a second, and a mount takes as long; a board that starts alone waits 4 s for its partner. */
const servedMsMax = 15_000
/** A person pulls a plug within this; a relay's node comes back within 10 s. */
const pullTestMs = 300_000
const waiting = 1
const vetoFault = 6
const vetoLines = 7
const triesMax = 25

describe("hardware: power", function () {
    this.timeout(pullTestMs)
    let bench: HardwareBench
    before(async () => (bench = await HardwareBench.open()))
    after(() => bench?.close())

    /** Nobody is asked to pull a plug who has not said how often. */
    function needsPower(context: Mocha.Context): void {
        if (bench.power.by === "person" && chosen("PULLS") === undefined) context.skip()
    }

    for (const dead of nodes) {
        const [x, y] = [letter(dead), letter(dead ^ 1)]
        it(`${x} without power: ${y} serves both arrays, fed by its own diodes [R1 R9 R19 R20]`, async function () {
            needsPower(this)
            await bench.healthy()
            const before = Buffer.from(`before ${x} lost its power`)
            for (const volume of nodes) await bench.writeAndRead(volume, "before.txt", before)
            await bench.power.set(dead, false)
            try {
                const beginMs = performance.now()
                const isServed = () => bench.has(dead ^ 1, "controlsOwn") && bench.has(dead ^ 1, "controlsPartner")
                await bench.until("", isServed, servedMsMax).catch(() => notServed(dead).then(assert.fail))
                bench.report.add(
                    `power of ${x} lost: served by ${y} after, ms`,
                    Math.round(performance.now() - beginMs),
                )
                for (const volume of nodes) await bench.verify(volume, "before.txt", before)
                const array = await bench.client.array(dead)
                assert.equal(array.members.length, array.elements, `array ${x} lost an element with its board's power`)
            } finally {
                await bothOn()
            }
            await bench.healthy()
        })

        it(`${y} starts alone, ${x} without power: no line of ${x} floats [R1 R9 R20 R31]`, async function () {
            needsPower(this)
            await bench.healthy()
            for (const node of [dead, dead ^ 1]) await bench.power.set(node, false)
            try {
                await bench.power.set(dead ^ 1, true)
                const isServed = () => bench.has(dead ^ 1, "controlsOwn") && bench.has(dead ^ 1, "controlsPartner")
                await bench.until("", isServed, servedMsMax).catch(() => notServed(dead).then(assert.fail))
            } finally {
                await bothOn()
            }
            await bench.healthy()
        })
    }

    /** What a test left without power would fail all that follow. */
    async function bothOn(): Promise<void> {
        for (const node of nodes) if (!bench.node(node)?.isHeard) await bench.power.set(node, true)
    }

    async function notServed(dead: number): Promise<string> {
        const [x, y] = [letter(dead), letter(dead ^ 1)]
        const state = bench.node(dead ^ 1)
        if (!state?.isHeard) return `${y} does not beat while ${x} has no power: RESET of ${x} holds it`
        if (state.role === waiting) return `${y} waits for ${x}, which has no power: HOLD of ${x} has no pull-down`
        if (!bench.has(dead ^ 1, "controlsOwn"))
            return `${y} cannot read its own array: no diode from ${y} to array ${y}`
        const reason = await refusal(dead ^ 1)
        if (reason === vetoLines) return `OWN of ${x} stays high without power: it has no pull-down`
        if (reason === vetoFault) return `${y} cannot read array ${x}: no diode from ${y} to array ${x}`
        return `${y} does not take array ${x}: ${reason === undefined ? bench.describe() : `reason ${reason}`}`
    }

    /** Why a node does not take over; it tries again by itself, and is busy then. */
    async function refusal(node: number): Promise<number | undefined> {
        for (let tried = 0; tried < triesMax; tried++) {
            const reason = await bench.client.takeover(node).then(
                () => undefined,
                (error: unknown) => {
                    if (!isError(error, "vetoed")) throw error
                    return Number(error.details?.reason)
                },
            )
            if (reason !== vetoUnderWay) return reason
            await sleep(200)
        }
        return vetoUnderWay
    }

    it(`power is pulled at ${pulls} moments while files are written: none that was acknowledged is lost [R9 R19 R20 R22 R23]`, async function () {
        needsPower(this)
        this.timeout(pullTestMs * Math.max(1, pulls))
        const random = new Random(`hw pulls ${seed}`)
        const slowest = { put: 0, healthy: 0 }
        for (let i = 0; i < pulls; i++) {
            await bench.healthy()
            const victim = random.int(2)
            const volume = random.int(2)
            const afterMs = random.int(pullMsMax)
            const data = randomBytes(random, fileBytes)
            const where = `pull ${i + 1} (seed ${seed}): ${letter(victim)} after ${afterMs} ms, volume ${letter(volume)}`
            try {
                const beginMs = performance.now()
                const written = bench.writeAndRead(volume, `pull ${i % 8}.bin`, data)
                await Promise.all([written, sleep(afterMs).then(() => bench.power.set(victim, false))])
                slowest.put = Math.max(slowest.put, performance.now() - beginMs)
                await bench.power.set(victim, true)
                const poweredMs = performance.now()
                await bench.healthy()
                slowest.healthy = Math.max(slowest.healthy, performance.now() - poweredMs)
                await bench.verify(volume, `pull ${i % 8}.bin`, data)
            } catch (error) {
                await bothOn()
                throw new Error(`${where}: ${(error as Error).message}`, { cause: error })
            }
        }
        bench.report.add(`${fileBytes} bytes with a pull, slowest, ms`, Math.round(slowest.put))
        bench.report.add("power back until both are well, slowest, ms", Math.round(slowest.healthy))
    })

    it(`soak of ${soakSeconds} s: files on both volumes, written, replaced and read back [R11 R20 R22 R24]`, async function () {
        this.timeout(soakSeconds * 1_000 + pullTestMs)
        await bench.healthy()
        const random = new Random(`hw soak ${seed}`)
        const before = await Promise.all(nodes.map(volume => bench.client.array(volume)))
        const endMs = performance.now() + soakSeconds * 1_000
        const writesMs: number[] = []
        let bytes = 0
        const work = async (volume: number) => {
            const own = random.fork(letter(volume))
            do {
                const data = randomBytes(own, 1 + own.int(fileBytes))
                writesMs.push((await bench.writeAndRead(volume, `soak ${own.int(16)}.bin`, data)).writeMs)
                bytes += data.length
            } while (performance.now() < endMs)
        }
        await Promise.all(nodes.map(work))
        const after = await Promise.all(nodes.map(volume => bench.client.array(volume)))
        for (const volume of nodes) {
            assert.equal(
                after[volume].members.length,
                after[volume].elements,
                `array ${letter(volume)} lost an element`,
            )
            assert.equal(
                after[volume].scrub.badPages,
                before[volume].scrub.badPages,
                `array ${letter(volume)}: bad pages`,
            )
        }
        writesMs.sort((one, other) => one - other)
        const at = (part: number) => Math.round(writesMs[Math.floor(part * (writesMs.length - 1))])
        bench.report.add("soak", { seconds: soakSeconds, files: writesMs.length, bytes })
        bench.report.add("soak: a file is written within, ms", { median: at(0.5), p99: at(0.99), most: at(1) })
    })
})

function randomBytes(random: Random, bytes: number): Buffer {
    return Buffer.from(Array.from({ length: bytes }, () => random.int(256)))
}
