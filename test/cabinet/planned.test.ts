// Changes of control that people ask for, one upon the other, with clients at work: what one of them stops in the middle is finished or
// undone in order. The simulator reports a switch that flips under a transfer, and two controllers, by itself.

import assert from "node:assert/strict"
import { isError } from "../../tools/bridge/error"
import { commandCodes, noticeCode, noticeKinds } from "../../tools/bridge/protocol/numbers"
import { Random } from "../../tools/sim/random"
import { roles, SimSession, source } from "../../tools/sim/session"
import { underLoad } from "./under-load"
import { UpgradeBench } from "./upgrade-bench"

/** A mount of a small array takes some 150 ms from the giveback's end. */
const withinMountMs = 260
const lateMs = 2_500
/** From the first frame of a node that has let go on its partner hears nothing for so long. */
const unheardMs = 25
/** One operation may meet five rounds, which are ten changes of control. */
const roundsLateMs = 4_000

/** A takeover that nobody asked for is given back within this. */
const keptMs = 14_000
const controlVerbs = { takeover: 1, giveback: 2, mode: 3 }

const commandOf = (frame: Uint8Array) => frame[14] + 256 * frame[15]
/** The head of a frame is 16 bytes, the check 4. */
const verbOf = (frame: Uint8Array) => frame[20]
const isControl = (verb: number) => (frame: Uint8Array) =>
    commandOf(frame) === commandCodes.control && verbOf(frame) === verb
const isOutcomeOf = (node: number, verb: number) => (frame: Uint8Array) =>
    commandOf(frame) === noticeCode(node, noticeKinds.outcome) && verbOf(frame) === verb

const bothServe = (session: SimSession) => [0, 1].every(node => session.roleOf(node) === roles.active)

/** A change may be refused; then its reason is told. @returns whether it is done */
async function asked(change: Promise<unknown>): Promise<boolean> {
    try {
        await change
        return true
    } catch (error) {
        if (!isError(error, "vetoed")) throw error
        assert.match(error.message, /is not possible: ./)
        return false
    }
}

/** The other node may not have told yet that it waits. */
async function giveBack(session: SimSession, holder: number): Promise<void> {
    while (!(await asked(session.client.giveback(holder)))) await session.sleep(20)
}

describe("cabinet: changes that are asked for, one upon the other", function () {
    this.timeout(300_000)

    it("a takeover asked for while the partner still mounts what it was given back: no transfer is cut off [R5] [R6] [R15]", async () => {
        for (const seed of [5_600, 5_601]) {
            const random = new Random(`planned ${seed}`)
            const load = await underLoad(seed, async ({ session }) => {
                for (let round = 0; round < 25; round++) {
                    const taker = random.int(2)
                    await session.client.takeover(taker)
                    await session.sleep(random.float() * 300)
                    await giveBack(session, taker)
                    await session.sleep(random.float() * withinMountMs)
                    await asked(session.client.takeover(taker))
                    await session.until("it has both or neither", () => {
                        const role = session.roleOf(taker)
                        return role === roles.active || role === roles.takenOver
                    })
                    if (session.roleOf(taker) === roles.takenOver) await giveBack(session, taker)
                    await session.until("both serve", () => bothServe(session))
                }
            })
            // a partner that has not raised OWN yet is fenced: it could do so at any moment
            assert.ok((load.resets.get("a") ?? 0) + (load.resets.get("b") ?? 0) <= 5, JSON.stringify([...load.resets]))
            assert.ok(load.slowestMs < roundsLateMs, `seed ${seed}: an operation took ${load.slowestMs} ms`)
        }
    })

    it("what cannot be done says what to do, at once, also when the node was reset meanwhile; a dry run of a mode is as the mode [R10 R15]", async () => {
        const bench = new UpgradeBench({ seed: 5_610 })
        const { session } = bench
        const told = async (...args: string[]) => {
            const from = session.nowMs()
            const { exitCode, out, err } = await bench.command(args)
            assert.ok(session.nowMs() - from < lateMs, `${args.join(" ")} took ${session.nowMs() - from} ms`)
            return `${exitCode} ${out}${err}`
        }
        try {
            await session.run(async () => {
                await session.healthy()
                const standby = /^1 twinfiler: \w+ a is not possible: node a serves nothing, .*`twinfiler giveback b`/
                assert.match(await told("mode", "b", "active-standby", "--dry-run"), /^0 active-standby is possible/)
                assert.match(await told("mode", "b", "active-standby"), /^0 /)
                await session.until("a waits", () => session.roleOf(0) === roles.waiting)
                assert.match(await told("mode", "b", "active-standby", "--dry-run"), /^0 /)
                assert.match(await told("mode", "a", "active-standby", "--dry-run"), standby)
                assert.match(await told("takeover", "a"), standby)
                assert.match(await told("giveback", "a", "--dry-run"), standby)
                const status = await told("status")
                assert.match(status, /active-standby: it keeps what it serves/)
                assert.match(status, /all is well/)
                assert.match(await told("mode", "b", "active-active"), /^0 /)
                await session.healthy()
                const [one, other] = await Promise.all([
                    bench.commandAt("one", ["takeover", "b"]),
                    bench.commandAt("two", ["takeover", "a", "--force"]),
                ])
                assert.ok([one, other].some(({ exitCode }) => exitCode === 0))
                for (const { exitCode, err } of [one, other])
                    if (exitCode !== 0) assert.match(err, /is not possible: ./)
            })
        } finally {
            await bench.close()
        }
    })

    it("an array that neither node can read: a dry run, a mode and a giveback tell so, and no mode changes; healed, all is possible [R10 R11 R15]", async () => {
        const bench = new UpgradeBench({ seed: 5_620 })
        const { session } = bench
        const told = async (...args: string[]) => {
            const { exitCode, out, err } = await bench.command(args)
            return `${exitCode} ${out}${err}`
        }
        const silence = (silent: boolean) => {
            for (const slot of [0, 1]) session.simulation.cabinet.element(`a:${slot}`).faults.silent = silent
        }
        try {
            await session.run(async () => {
                await session.healthy()
                silence(true)
                session.simulation.boards.get("a")!.reset()
                await session.until("a is degraded", () => session.roleOf(0) === roles.degraded)
                // that takes a few milliseconds
                let hasTried = false
                session.simulation.trace.onEntry = ({ kind, data }) => {
                    if (kind === "line" && data === "b.HOLD=1") hasTried = true
                }
                await session.until("b has tried", () => hasTried)
                await session.until("b has given it up", () => session.roleOf(1) === roles.active)
                const unread = /^1 twinfiler: .* b is not possible: the array cannot be read/
                assert.match(await told("takeover", "b", "--dry-run"), unread)
                assert.match(await told("takeover", "b"), unread)
                assert.match(await told("mode", "b", "active-standby"), unread)
                assert.match(
                    await told("giveback", "b"),
                    /^4 giveback by node b is done\n.*volume a is served by nobody/,
                )
                assert.match(
                    await told("mode", "b", "active-active"),
                    /^4 the pair is active-active\n.*volume a is served by nobody/,
                )
                assert.match(await told("mode", "b", "active-active", "--dry-run"), /^0 active-active is possible\n$/)
                assert.doesNotMatch(await told("status"), /active-standby/)
                silence(false)
                await session.healthy()
                assert.match(await told("takeover", "b", "--dry-run"), /^0 /)
                assert.match(await told("giveback", "b"), /^0 /)
            })
        } finally {
            await bench.close()
        }
    })

    it("with an element that stays busy the mount takes seconds: a giveback waits for it, also as a mode; Ctrl-C says that it is done [R10 R15 R36]", async () => {
        const bench = new UpgradeBench({ seed: 5_640 })
        const { session } = bench
        const isServed = () => session.client.controllerOf(0) === 0
        try {
            await session.run(async () => {
                await session.healthy()
                for (const args of [
                    ["giveback", "b"],
                    ["mode", "b", "active-active"],
                ]) {
                    session.simulation.cabinet.element("a:1").faults.staysBusy = false
                    await session.until("both serve", () => bothServe(session))
                    await session.client.mode(1, "active-standby")
                    session.simulation.cabinet.element("a:1").faults.staysBusy = true
                    const from = session.nowMs()
                    const { exitCode, err } = await bench.command(args)
                    assert.equal(exitCode, 0, err)
                    assert.doesNotMatch(err, /nobody/)
                    assert.ok(isServed(), "it has waited")
                    assert.ok(session.nowMs() - from > 3_000, `a mount of ${session.nowMs() - from} ms is no test`)
                    session.simulation.cabinet.element("a:1").faults.staysBusy = false
                    await session.until("both serve", () => bothServe(session))
                    await session.client.mode(1, "active-standby")
                    session.simulation.cabinet.element("a:1").faults.staysBusy = true
                    const stop = new AbortController()
                    const stopped = bench.command(args, undefined, stop)
                    await session.until("b has let go", () => session.roleOf(1) === roles.active)
                    await session.sleep(500)
                    assert.ok(!isServed())
                    stop.abort()
                    const end = await stopped
                    assert.equal(end.exitCode, 130)
                    assert.match(end.out, /^giveback by node b is done\n$|^the pair is active-active\n$/)
                    assert.match(end.err, /^twinfiler: the [a-z ]+ is done; stopped waiting until volume a is served/)
                    assert.doesNotMatch(end.err, /nobody/)
                }
            })
        } finally {
            await bench.close()
        }
    })

    it("with OWN of the partner stuck low the holder soon has both again: a giveback says so, also as a mode; mended, it is done [R10 R15]", async () => {
        const bench = new UpgradeBench({ seed: 5_650 })
        const { session } = bench
        const { cabinet } = session.simulation
        try {
            await session.run(async () => {
                await session.healthy()
                await session.client.takeover(0)
                for (const args of [
                    ["giveback", "a"],
                    ["mode", "a", "active-active"],
                ]) {
                    await session.until("b waits", () => session.roleOf(1) === roles.waiting)
                    cabinet.faultLine("b", "OWN", "low", session.simulation.nowNs)
                    const { exitCode, err } = await bench.command(args)
                    assert.equal(session.client.controllerOf(1), 0)
                    assert.equal(err, "twinfiler: node a serves volume b again: see `twinfiler events`\n")
                    assert.equal(exitCode, 4)
                    cabinet.faultLine("b", "OWN", undefined, session.simulation.nowNs)
                }
                const { exitCode, err } = await bench.command(["giveback", "a"])
                assert.equal(`${exitCode} ${err}`, "0 ")
                await session.healthy()
            })
        } finally {
            await bench.close()
        }
    })

    it("with HOLD cut a partner that is reset has its volume back when it has started: a takeover with force says so; mended, it is done [R15]", async () => {
        const bench = new UpgradeBench({ seed: 5_660 })
        const { session } = bench
        const { cabinet } = session.simulation
        const told = async () => {
            const from = session.nowMs()
            const { exitCode, err } = await bench.command(["takeover", "a", "--force"])
            return { told: `${exitCode} ${err}`, ms: session.nowMs() - from }
        }
        try {
            await session.run(async () => {
                await session.healthy()
                cabinet.faultLine("a", "HOLD", "cut", session.simulation.nowNs)
                assert.equal((await told()).told, "4 twinfiler: node b serves volume b again: see `twinfiler events`\n")
                assert.ok(bothServe(session))
                cabinet.faultLine("a", "HOLD", undefined, session.simulation.nowNs)
                await session.healthy()
                const { told: end, ms } = await told()
                assert.equal(end, "0 ")
                assert.ok(ms < lateMs, `${ms} ms`)
                assert.equal(session.client.controllerOf(1), 0)
            })
        } finally {
            await bench.close()
        }
    })

    it("a takeover while a scrub is waited for: it is told as broken off, not as done; asked for again, it is done [R15] [R25]", async () => {
        const bench = new UpgradeBench({ seed: 5_630 })
        const { session } = bench
        try {
            await session.run(async () => {
                await session.healthy()
                const scrubbed = bench.commandAt("one", ["scrub", "a", "--wait", "--rate", "100"])
                await session.sleep(3_000)
                assert.equal((await bench.command(["takeover", "b"])).exitCode, 0)
                const { exitCode, err } = await scrubbed
                assert.match(
                    `${exitCode} ${err}`,
                    /^1 twinfiler: volume a: the scrub was broken off, .*ask for it again/,
                )
                const again = await bench.command(["scrub", "a", "--wait", "--rate", "5000"])
                assert.match(`${again.exitCode} ${again.out}`, /^0 all of a was read/)
            })
        } finally {
            await bench.close()
        }
    })

    it("what is asked, or its outcome, is lost once: a giveback that cannot be is told as refused, a takeover told as done is kept [R15] [R32]", async () => {
        const { giveback, mode, takeover } = controlVerbs
        const refused = /^1 twinfiler: \w+ b is not possible: node b serves nothing/
        const cases = [
            { args: ["giveback", "b"], lost: isOutcomeOf(1, giveback), told: refused },
            { args: ["mode", "b", "active-active"], lost: isOutcomeOf(1, mode), told: refused },
            { args: ["takeover", "a"], lost: isControl(takeover), told: /^0 takeover by node a is done/ },
        ]
        for (const { args, lost, told } of cases) {
            const bench = new UpgradeBench({ seed: 5_670 })
            const { session } = bench
            try {
                await session.run(async () => {
                    await session.healthy()
                    await bench.cut("b", 300)
                    const isOver = () => session.roleOf(0) === roles.takenOver && session.roleOf(1) === roles.waiting
                    await session.until("a holds, b waits", isOver)
                    let count = 0
                    bench.isLost = frame => lost(frame) && count++ === 0
                    const { exitCode, out, err } = await bench.command(args)
                    assert.match(`${exitCode} ${out}${err}`, told, args.join(" "))
                    assert.ok(count > 1, "one was lost, and another came")
                    if (exitCode !== 0) return
                    await session.sleep(keptMs)
                    assert.ok(isOver(), "it is kept")
                })
            } finally {
                await bench.close()
            }
        }
    })

    it("the partner does not hear the word that an array was let go of: it is said again, and nobody is reset [R15] [R32]", async () => {
        for (const seed of [5_700, 5_701, 5_702]) {
            const session = new SimSession({ seed, chip: "W25Q16JV", elements: 2 })
            const { client, simulation } = session
            const { fault } = simulation.wire
            const starts = () => simulation.board("b").counters().starts
            await session.run(async () => {
                await session.healthy()
                // it speaks of other things, so its beats are 300 ms apart
                const writing = client.put(1, "f", source(session.random.bytes(60_000)), { mtime: 1_700_000_000 })
                await session.sleep(400)
                const before = starts()
                let lowMs: number | undefined
                let lost = 0
                fault.cut = (from, to) => {
                    if (from !== "b" || to !== "a" || simulation.cabinet.line("b", "OWN") !== 0) return false
                    lowMs ??= session.nowMs()
                    const isLost = session.nowMs() - lowMs < unheardMs
                    if (isLost) lost++
                    return isLost
                }
                await client.takeover(0)
                fault.cut = undefined
                assert.ok(lost > 0, "a frame was lost")
                assert.equal(starts(), before, "node b was reset")
                await writing
                await client.close()
            })
            await session.bus.close()
            assert.deepEqual(simulation.panics, [])
        }
    })
})
