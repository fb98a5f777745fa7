import assert from "node:assert/strict"
import { EventQueue } from "../../tools/sim/event-queue"
import { Random } from "../../tools/sim/random"

describe("event queue", () => {
    it("order: equal times run in the order they were added, whatever else is cancelled [R37]", () => {
        const queue = new EventQueue()
        const random = new Random("order")
        const expected: { timeNs: number; n: number }[] = []
        const ran: number[] = []
        for (let n = 0; n < 5000; n++) {
            const timeNs = random.int(200)
            const timer = queue.at(timeNs, () => ran.push(n))
            if (random.chance(0.7)) timer.cancel()
            else expected.push({ timeNs, n })
        }
        assert.equal(queue.length, expected.length)
        queue.runUntil(1000)
        expected.sort((a, b) => a.timeNs - b.timeNs || a.n - b.n)
        assert.deepEqual(
            ran,
            expected.map(e => e.n),
        )
        assert.equal(queue.nowNs, 1000)
        assert.equal(queue.runNext(), false)
    })

    it("time: an event in the past runs now, and the clock never goes back", () => {
        const queue = new EventQueue()
        queue.runUntil(500)
        let atNs = 0
        queue.at(100, () => (atNs = queue.nowNs))
        assert.equal(queue.peekNs(), 500)
        queue.runNext()
        assert.equal(atNs, 500)
    })

    it("time: a fraction of a nanosecond is refused", () => {
        assert.throws(() => new EventQueue().at(0.5, () => {}), /whole nanoseconds/)
    })
})

describe("random", () => {
    it("streams: a fork does not move when its parent or a sister draws more [R37]", () => {
        const one = new Random(7)
        const other = new Random(7)
        other.bytes(100)
        other.fork("wire").bytes(10)
        assert.deepEqual(one.fork("chip").bytes(32), other.fork("chip").bytes(32))
        assert.notDeepEqual(one.fork("chip").bytes(32), one.fork("wire").bytes(32))
    })

    it("streams: numbers are the same for ever [R37]", () => {
        const random = new Random("golden")
        assert.deepEqual([random.uint32(), random.int(1000), random.chance(0), random.int(1000)], golden)
    })
})

const golden = [2301341219, 577, false, 142]
