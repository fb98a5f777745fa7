import assert from "node:assert/strict"
import { decodeEvents, EventWords, type NodeEvent } from "../../tools/bridge/protocol/events"
import { isError } from "../../tools/bridge/error"
import { bench } from "./bench"
import { CliBench } from "./cli-bench"

const role = 1
const state = 2
const epoch = 3
const array = 4
const roleValue = (now: number, before: number, veto = 0) => now + 16 * before + 256 * veto
const event = (kind: number, cause: number, value: number, number = 0): NodeEvent => {
    return { number, uptimeMs: 0, kind, cause, value }
}

describe("events", () => {
    it("an answer that contradicts itself is a bad frame [R36]", () => {
        const page = Buffer.alloc(20)
        page.writeUInt32LE(1, 8)
        assert.equal(decodeEvents(page).events.length, 1)
        const tooMany = Buffer.from(page)
        tooMany.writeUInt32LE(1, 4)
        for (const bytes of [page.subarray(0, 11), page.subarray(0, 17), tooMany])
            assert.throws(
                () => decodeEvents(bytes),
                error => isError(error, "badFrame"),
            )
    })

    it("says words: why a role changed, what of the state changed, which element [R36 R32]", () => {
        const words = new EventWords(1)
        assert.equal(words.say(event(0, 0, 0)), "booted")
        assert.match(words.say(event(role, 1, roleValue(2, 0)))!, /serves its own volume .*because it booted/)
        assert.equal(words.say(event(state, 0, 1 | 4)), "hears its partner; controls volume b")
        assert.equal(words.say(event(state, 0, 1 | 4 | 16)), undefined, "the array's events tell of faults")
        assert.equal(words.say(event(state, 0, 4 | 16)), "hears its partner no more")
        assert.equal(words.say(event(epoch, 1, 7)), "volume a has epoch 7")
        assert.equal(words.say(event(array, 0, 0b111 + 0xf00 + 0x3000)), "array b: all 3 elements hold everything")
        assert.equal(words.say(event(array, 0, 0b101 + 0xf00 + 0x3000)), "array b: element 1 failed")
        assert.equal(words.say(event(array, 0, 0b101 + 0x100 + 0x3000)), "array b: element 1 is being rebuilt")
        assert.match(words.say(event(role, 2, roleValue(3, 2)))!, /takes .* over .*because the partner's OWN line fell/)
        assert.match(words.say(event(role, 6, roleValue(2, 3, 7)))!, /because the partner's lines do not answer/)
        words.lost()
        assert.equal(words.say(event(state, 0, 1)), "hears its partner", "not known before: only what is")
    })

    it("each event comes once, with the host's time; more than the ring holds are counted as lost [R36]", async () => {
        const { clock, cabinet, client } = await bench()
        const [node] = cabinet.nodes
        node.uptimeMs = 5_000
        node.events = Array.from({ length: 40 }, (_, index) => {
            return { uptimeMs: 100 * index, kind: epoch, cause: 0, value: index }
        })
        const first = await clock.drive(client.events(0))
        assert.deepEqual(
            first.map(({ number }) => number),
            Array.from({ length: 32 }, (_, index) => 8 + index),
        )
        assert.equal(first[0].lostBefore, 8)
        assert.equal(
            first.slice(1).reduce((sum, { lostBefore }) => sum + lostBefore, 0),
            0,
        )
        assert.equal(first[31].atMs - first[0].atMs, 3_100)
        assert.deepEqual(await clock.drive(client.events(0)), [])
        for (let index = 40; index < 90; index++)
            node.events.push({ uptimeMs: 100 * index, kind: epoch, cause: 0, value: index })
        const second = await clock.drive(client.events(0))
        assert.deepEqual([second[0].number, second[0].lostBefore, second.length], [58, 18, 32])
        cabinet.stop()
    })

    it("a node that booted since begins anew, also with more events than it had [R36]", async () => {
        const { clock, cabinet, client } = await bench()
        const [node] = cabinet.nodes
        const boot = { uptimeMs: 0, kind: 0, cause: 0, value: 0 }
        node.events = [boot, { uptimeMs: 50, kind: role, cause: 1, value: roleValue(2, 0) }]
        node.uptimeMs = 60_000
        assert.equal((await clock.drive(client.events(0))).length, 2)
        node.uptimeMs = 1_000
        node.events = [boot, ...[1, 2, 3].map(value => ({ uptimeMs: 60, kind: epoch, cause: 0, value }))]
        const again = await clock.drive(client.events(0))
        assert.deepEqual(
            again.map(({ number, lostBefore }) => [number, lostBefore]),
            [0, 1, 2, 3].map(number => [number, 0]),
        )
        cabinet.stop()
    })

    it("the command merges both nodes by time, in words or as JSON [R36]", async () => {
        const bench = new CliBench()
        for (const node of bench.cabinet.nodes) {
            node.uptimeMs = 1_000
            node.events = [
                { uptimeMs: 0, kind: 0, cause: 0, value: 0 },
                { uptimeMs: 300 + 100 * node.number, kind: role, cause: 1, value: roleValue(2, 0) },
                { uptimeMs: 700 - 100 * node.number, kind: epoch, cause: 0, value: 3 },
            ]
        }
        const { exitCode, out } = await bench.run("events")
        assert.equal(exitCode, 0)
        const lines = out.trim().split("\n")
        assert.deepEqual(
            lines.map(line => /  ([ab])  (\w+)/.exec(line)?.slice(1, 3).join(" ")),
            ["a booted", "b booted", "a serves", "b serves", "b volume", "a volume"],
        )
        const json = JSON.parse((await bench.run("events", "b", "--json")).out) as {
            events: { node: string; kind: string }[]
        }
        assert.deepEqual(
            json.events.map(({ node, kind }) => `${node} ${kind}`),
            ["b boot", "b role", "b epoch"],
        )
        assert.equal((await bench.run("events", "c", "--timeout", "1")).exitCode, 3)
    })

    it("-f tells what happens, and ends at Ctrl-C with 130 and no word [R36]", async () => {
        const bench = new CliBench()
        const [node] = bench.cabinet.nodes
        node.events = [{ uptimeMs: 0, kind: 0, cause: 0, value: 0 }]
        bench.clock.setTimeout(() => {
            node.events.push({ uptimeMs: node.uptimeMs, kind: epoch, cause: 0, value: 9 })
        }, 3_000)
        bench.clock.setTimeout(() => bench.stop.abort(), 6_000)
        const { exitCode, out, err } = await bench.run("events", "a", "-f")
        assert.equal(exitCode, 130)
        assert.equal(err, "")
        assert.match(out, /a {2}booted\n.*a {2}volume a has epoch 9\n$/)
    })
})
