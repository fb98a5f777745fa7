// What the nodes tell of a failover, a giveback and a lost element, each with its cause, in the order in which it happened.

import assert from "node:assert/strict"
import type { SeenEvent } from "../../tools/bridge/client"
import { EventWords } from "../../tools/bridge/protocol/events"
import { roles, SimSession, source } from "../../tools/sim/session"

const mtime = 1_700_000_000
/** What is not told at once is noted within 100 ms. */
const stateNotedMs = 150
/** An element that stays busy is waited for so long, and a bit. */
const busyMsMax = 5_000
/** Two looks at the elements are so far apart: 2 s, eight times what the first took (some 130 ms), and the second, which asks six times. */
const lookMsMax = 3_500

async function withPair(seed: number, elements: number, work: (session: SimSession) => Promise<void>): Promise<void> {
    const session = new SimSession({ seed, chip: "W25Q16JV", elements })
    await session.run(async () => {
        await session.healthy()
        await session.sleep(stateNotedMs)
        await work(session)
    })
    await session.bus.close()
    assert.deepEqual(session.simulation.panics, [])
}

/** Sentences about a node's events, and that none is lost. */
function sentences(node: number, events: SeenEvent[], words = new EventWords(node)): string[] {
    assert.equal(events.find(({ lostBefore }) => lostBefore)?.number, undefined, "nothing is lost")
    return events.map(event => words.say(event)).filter(said => said !== undefined)
}

/** The patterns are found in this order, perhaps with others between. */
function inOrder(said: string[], patterns: RegExp[]): void {
    let from = 0
    for (const pattern of patterns) {
        const at = said.findIndex((text, index) => index >= from && pattern.test(text))
        assert.ok(at >= 0, `${pattern} is not in, after ${from}:\n${said.join("\n")}`)
        from = at + 1
    }
}

describe("pair: events", function () {
    this.timeout(60_000)

    it("failover and giveback: both nodes tell what happened, why and in which order [R36 R32]", () =>
        withPair(61, 2, async session => {
            const words = new EventWords(1)
            const before = sentences(1, await session.client.events(1), words)
            inOrder(before, [/^booted/, /hears its partner/, /serves its own volume .* booted/, /array b: all 2/])
            const cutMs = session.nowMs()
            session.power("a", false)
            await session.until("b serves both", () => session.roleOf(1) === roles.takenOver)
            await session.client.put(0, "f", source(Buffer.alloc(500)), { mtime })
            session.power("a", true)
            await session.until("a waits", () => session.roleOf(0) === roles.waiting)
            if (session.roleOf(1) === roles.takenOver) await session.client.giveback(1)
            await session.healthy()
            await session.sleep(stateNotedMs)
            const after = await session.client.events(1)
            const fall = after.find(({ kind }) => kind === 1)!
            assert.ok(fall.atMs >= cutMs - 5 && fall.atMs < cutMs + 100, `at ${fall.atMs}, the cut was at ${cutMs}`)
            inOrder(sentences(1, after, words), [
                /takes its partner's volume over .* OWN line fell/,
                /serves both volumes .* OWN line fell/,
                /controls volume a/,
                /volume a has epoch/,
                /hands its partner's volume back/,
                /serves its own volume/,
            ])
            const other = sentences(0, await session.client.events(0))
            inOrder(other, [
                /^booted/,
                /waits, because its partner holds/,
                /serves its own volume/,
                /volume a has epoch/,
            ])
        }))

    it("an element that fails under load, and what the array still has [R36]", () =>
        withPair(62, 3, async session => {
            const words = new EventWords(0)
            inOrder(sentences(0, await session.client.events(0), words), [/array a: all 3 elements hold everything/])
            session.simulation.cabinet.element("a:1").faults.silent = true
            await session.client.put(0, "f", source(session.random.bytes(3_000)), { mtime })
            await session.sleep(300)
            inOrder(sentences(0, await session.client.events(0), words), [/^array a: element \d failed$/])
        }))

    for (const fault of [{ silent: true }, { staysBusy: true }])
        it(`an element that fails (${Object.keys(fault)}) while only reads come is noted and told without a write [R36 R25]`, () =>
            withPair(4242, 2, async session => {
                const { client } = session
                const words = new EventWords(1)
                const names = ["f", "g", "h", "i"]
                for (const name of names) await client.put(1, name, source(session.random.bytes(3_000)), { mtime })
                // idle, the node has begun an erase; whether that has ended is asked before the next read
                await session.sleep(1_000)
                sentences(1, await client.events(1), words)
                Object.assign(session.simulation.cabinet.element("b:0").faults, fault)
                for (const name of names) await session.readAll(1, name)
                await session.sleep(busyMsMax)
                inOrder(sentences(1, await client.events(1), words), [/^array b: element 0 failed$/])
                assert.deepEqual((await client.array(1)).members, [1])
                assert.ok(client.serviceSeen.degraded)
            }))

    for (const what of ["goes silent", "gives its place to a blank one"])
        it(`an element that ${what} while nobody reads or writes is noted at the next look [R36 R25]`, () =>
            withPair(4243, 2, async session => {
                const { client, simulation, random } = session
                const { cabinet } = simulation
                await client.put(1, "f", source(random.bytes(3_000)), { mtime })
                const words = new EventWords(1)
                await session.sleep(1_000)
                sentences(1, await client.events(1), words)
                if (what === "goes silent") cabinet.element("b:0").faults.silent = true
                else cabinet.replace("b:0", simulation.nowNs)
                await session.sleep(2_000)
                await client.statfs(1)
                await session.sleep(lookMsMax - 2_000)
                inOrder(sentences(1, await client.events(1), words), [/^array b: element 0 failed$/])
                assert.deepEqual((await client.array(1)).members, [1])
                assert.ok(client.serviceSeen.degraded)
            }))

    it("a node is cut off from the bus: its partner takes over for silence, and it hears nobody [R36 R32]", () =>
        withPair(63, 2, async session => {
            const words = new EventWords(1)
            sentences(1, await session.client.events(1), words)
            const { fault } = session.simulation.wire
            fault.cut = (from, to) => from === "a" || to === "a"
            await session.sleep(4_000)
            fault.cut = undefined
            await session.sleep(2_000)
            inOrder(sentences(1, await session.client.events(1), words), [
                /hears its partner no more/,
                /takes its partner's volume over .* the partner was silent/,
                /serves both volumes/,
                /hears its partner/,
            ])
            // the fence reset it
            inOrder(sentences(0, await session.client.events(0)), [
                /^booted/,
                /waits, because its partner holds its array/,
                /hears others on the bus/,
            ])
        }))
})
