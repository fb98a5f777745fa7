// The copy at the partner: made before the reply, finished after the owner's death, and never executed against a newer epoch.

import assert from "node:assert/strict"
import { encodeRequest } from "../../tools/bridge/protocol/commands"
import { commandCodes, noticeKinds, roleNames } from "../../tools/bridge/protocol/numbers"
import { decodeNotice, type Beat, type Reply } from "../../tools/bridge/protocol/notices"
import { oneReboot } from "../../tools/bench/reboots"
import { SimSession, source, sourceOnce } from "../../tools/sim/session"
import { CopyWatch } from "./copy-watch"
import { UpgradeBench } from "./upgrade-bench"

const mtime = 1_700_000_000
const flagUnprotected = 1
/** src/config.ts, copyWaitMs */
const copyWaitMs = 250

const isFull = process.env.FULL === "1"

/** Sends a request as a host that never sends again, and waits for a reply, if one comes. */
async function ask(
    session: SimSession,
    node: number,
    head: { epoch: number; session: number; sequence: number },
    body: Parameters<typeof encodeRequest>[1],
    waitMs = 2_000,
): Promise<{ reply: Reply | undefined; afterMs: number }> {
    let reply: Reply | undefined
    const fromMs = session.nowMs()
    let afterMs = 0
    const end = session.bus.onNotice((_, kind, frame) => {
        if (kind !== noticeKinds.reply || reply) return
        const notice = decodeNotice(kind, frame) as Reply
        if (notice.session !== head.session || notice.sequence !== head.sequence) return
        reply = notice
        afterMs = session.nowMs() - fromMs
    })
    session.bus.send(node, commandCodes.request, encodeRequest({ volume: 0, ...head }, body))
    await session.sleep(waitMs)
    end()
    return { reply, afterMs }
}

/** Opens a session on volume a, having asked what the volume wants to hear. */
async function hello(session: SimSession, number: number, waitMs?: number): ReturnType<typeof ask> {
    const head = { epoch: 0, session: number, sequence: 1 }
    const { reply } = await ask(session, 0, { ...head, session: 1_000 + number }, { op: "hello", challenge: 0 }, waitMs)
    assert.equal(reply?.status, "noSession")
    return await ask(session, 0, head, { op: "hello", challenge: reply.value }, waitMs)
}

async function withPair(seed: number, work: (session: SimSession) => Promise<void>): Promise<void> {
    const session = new SimSession({ seed, chip: "W25Q16JV" })
    await session.run(async () => {
        await session.healthy()
        await work(session)
    })
    await session.bus.close()
    assert.deepEqual(session.simulation.panics, [])
}

describe("pair: copies", function () {
    this.timeout(60_000)

    it("no reply and no acknowledged byte before the partner told that it holds the copy [R8]", () =>
        withPair(41, async session => {
            const watch = new CopyWatch(session)
            for (let i = 0; i < 5; i++) {
                await session.client.put(0, `f${i}`, source(session.random.bytes(4_000)), { mtime })
                await session.client.mkdir(1, `d${i}`, { mtime })
            }
            assert.deepEqual(watch.faults, [])
            assert.ok(watch.protectedWords > 20, `${watch.protectedWords} claims seen`)
        }))

    it("the partner missed the request: it gets it from the owner's memory, and the reply waits for that [R8] [R12]", () =>
        withPair(45, async session => {
            const watch = new CopyWatch(session)
            assert.equal((await hello(session, 77)).reply?.flags, 0, "with a copy")
            assert.equal(watch.stores, 0)
            session.simulation.wire.fault.cut = (from, to) => from === "host" && to === "b"
            const request = { epoch: 0, session: 77, sequence: 2 }
            const { reply, afterMs } = await ask(session, 0, request, { op: "mkdir", directory: 1, mtime, name: "d" })
            assert.equal(reply?.flags, 0, "a copy, in time")
            assert.ok(afterMs < copyWaitMs, `after ${afterMs} ms`)
            assert.equal(watch.stores, 1)
            // a name too long for a store: the partner is told that the request is done
            const name = "n".repeat(200)
            const long = {
                op: "rename",
                directory: 1,
                key: 1,
                object: 99,
                newDirectory: 1,
                mtime,
                name,
                flags: 0,
            } as const
            const { reply: second } = await ask(session, 0, { ...request, sequence: 3 }, long)
            session.simulation.wire.fault.cut = undefined
            assert.equal(second?.flags, 0)
            assert.equal(watch.durableWords, 1)
            assert.deepEqual(watch.faults, [])
        }))

    it("the partner missed the request and all its owner says: the reply says that nothing protects it [R8]", () =>
        withPair(42, async session => {
            const watch = new CopyWatch(session)
            assert.equal((await hello(session, 77)).reply?.flags, 0, "with a copy")
            session.simulation.wire.fault.cut = (from, to) => from !== "b" && to === "b"
            const request = { epoch: 0, session: 77, sequence: 2 }
            const { reply, afterMs } = await ask(session, 0, request, { op: "mkdir", directory: 1, mtime, name: "d" })
            session.simulation.wire.fault.cut = undefined
            assert.ok(reply, "a reply comes")
            assert.equal(reply.flags & flagUnprotected, flagUnprotected)
            assert.ok(afterMs >= copyWaitMs, `after ${afterMs} ms`)
            assert.deepEqual(watch.faults, [])
        }))

    it("the owner dies with a request it never saw, its host with it: the partner finishes the copy [R9]", () =>
        withPair(43, async session => {
            await hello(session, 78)
            // only the partner hears it, and nobody sends it again
            session.simulation.wire.fault.cut = (from, to) => from === "host" && to === "a"
            const request = { epoch: 0, session: 78, sequence: 2 }
            await ask(session, 0, request, { op: "mkdir", directory: 1, mtime, name: "copied" }, 50)
            session.simulation.wire.fault.cut = undefined
            session.power("a", false)
            await session.until("b serves both", () => session.client.controllerOf(0) === 1)
            assert.equal((await session.client.stat(0, "copied")).type, "directory")
            // its host comes back and asks again: the stored result, nothing done twice
            const again = await ask(session, 1, request, { op: "mkdir", directory: 1, mtime, name: "copied" })
            assert.equal(again.reply?.status, "ok")
        }))

    it("asked of the lost node under its epoch while its partner finishes copies: done, and once; asked again under the new one, the stored result [R9] [R21]", () =>
        withPair(50, async session => {
            const { bus, client, simulation } = session
            const sessions = [81, 82, 83, 84]
            const late = 85
            for (const one of [...sessions, late]) await hello(session, one, 100)
            // only the partner hears them, so that it has something to finish
            simulation.wire.fault.cut = (from, to) => from === "host" && to === "a"
            const mkdir = (name: string) => ({ op: "mkdir", directory: 1, mtime, name }) as const
            for (const one of sessions)
                await ask(session, 0, { epoch: 1, session: one, sequence: 2 }, mkdir(`d${one}`), 10)
            simulation.wire.fault.cut = undefined
            const replies: Reply[] = []
            let asked = 0
            bus.onNotice((node, kind, frame) => {
                if (kind === noticeKinds.reply) {
                    const reply = decodeNotice(kind, frame) as Reply
                    if (reply.session === late) replies.push(reply)
                } else if (kind === noticeKinds.beat && node === 1 && asked === 0) {
                    const beat = decodeNotice(kind, frame) as Beat
                    if (roleNames[beat.role] !== "taking-over" || beat.partnerEpoch !== 2) return
                    asked++
                    const head = { volume: 0, epoch: 1, session: late, sequence: 2 }
                    bus.send(0, commandCodes.request, encodeRequest(head, mkdir("late")))
                }
            })
            session.power("a", false)
            await session.until("b serves both", () => client.controllerOf(0) === 1)
            await session.sleep(400)
            const again = await ask(session, 1, { epoch: 2, session: late, sequence: 2 }, mkdir("late"))
            assert.equal(asked, 1)
            const told = replies.map(({ status, value, epoch }) => ({ status, value, epoch }))
            const object = (await client.stat(0, "late")).object
            assert.deepEqual(told, Array(2).fill({ status: "ok", value: object, epoch: 2 }))
            assert.equal(again.reply?.value, object)
            for (const one of sessions) assert.equal((await client.stat(0, `d${one}`)).type, "directory")
        }))

    it("a request of an older epoch is refused, and does nothing [R31]", () =>
        withPair(44, async session => {
            await hello(session, 79)
            session.power("a", false)
            await session.until("b serves both", () => session.client.controllerOf(0) === 1)
            const { epoch } = await session.client.statfs(0)
            assert.ok(epoch >= 2, "a takeover raises the epoch")
            const stale = { epoch: epoch - 1, session: 79, sequence: 2 }
            const { reply } = await ask(session, 1, stale, { op: "mkdir", directory: 1, mtime, name: "late" })
            assert.equal(reply?.status, "wrongEpoch")
            assert.equal(await session.client.find(0, "late"), undefined)
        }))
})

/** Puts, directories and removals on both volumes at once, while frames get lost. */
async function lossy(seed: number, lossP: number): Promise<CopyWatch> {
    const session = new SimSession({ seed, chip: "W25Q16JV" })
    const { client, simulation, random } = session
    let watch!: CopyWatch
    await session.run(async () => {
        await session.healthy()
        watch = new CopyWatch(session)
        simulation.wire.fault.lossP = lossP
        const load = async (volume: number) => {
            for (let i = 0; i < 4; i++) {
                await client.put(volume, `f${i}`, sourceOnce(random.bytes(6_000)), { mtime })
                await client.mkdir(volume, `d${i}`, { mtime })
                await client.remove(volume, `d${i}`, { mtime })
            }
        }
        await Promise.all([load(0), load(1)])
        simulation.wire.fault.lossP = 0
    })
    await session.bus.close()
    assert.deepEqual(simulation.panics, [], `seed ${seed}`)
    return watch
}

describe("pair: lost frames and rebooted partners", function () {
    this.timeout(isFull ? 1_800_000 : 120_000)

    for (const { lossP, seeds, shareMax } of [
        { lossP: 0.05, seeds: isFull ? 40 : 4, shareMax: 0.02 },
        { lossP: 0.3, seeds: isFull ? 20 : 8, shareMax: 0.12 },
    ])
        it(`${100 * lossP} % of all frames lost: copies are made good, what is claimed is true [R8] [R12] [R22]`, async () => {
            let claimed = 0
            let unprotected = 0
            for (let seed = 1; seed <= seeds; seed++) {
                const watch = await lossy(seed, lossP)
                assert.deepEqual(watch.faults, [], `seed ${seed}`)
                claimed += watch.protectedWords
                unprotected += watch.unprotectedWords
            }
            const share = unprotected / (claimed + unprotected)
            console.log(`      ${unprotected} of ${claimed + unprotected} acknowledgements unprotected`)
            assert.ok(share <= shareMax, `${share}`)
        })

    it("without losses no acknowledgement of a long write is unprotected [R8]", () =>
        withPair(46, async session => {
            const watch = new CopyWatch(session)
            await session.client.put(0, "long", source(session.random.bytes(60_000)), { mtime })
            assert.deepEqual(watch.faults, [])
            assert.equal(watch.unprotectedWords, 0)
            assert.equal(watch.stores, 0)
        }))

    it("a partner that boots in the middle of a write: protected again with its first beats [R8] [R12]", async () => {
        let longestMs = 0
        for (let seed = 1; seed <= (isFull ? 40 : 3); seed++) {
            const { unprotectedMs, protectedWords } = await oneReboot(seed, "rp2040")
            longestMs = Math.max(longestMs, unprotectedMs)
            assert.ok(protectedWords > 50, `seed ${seed}: ${protectedWords} protected acknowledgements after it`)
        }
        console.log(`      ${Math.round(longestMs)} ms from power to the last unprotected acknowledgement`)
        // it beats 1.4 s after it has power
        assert.ok(longestMs < 1_600, `${longestMs} ms`)
    })

    it("an upload goes on over its partner's reboot, then its owner dies: nothing acknowledged is lost [R12] [R21] [R22]", async () => {
        const session = new SimSession({ seed: 47, chip: "W25Q16JV" })
        const { client, random } = session
        await session.run(async () => {
            await session.healthy()
            await session.sleep(5_000)
            const bytes = random.bytes(100_000)
            let isReady = false
            session.host.clock.setTimeout(() => session.power("b", false), 300)
            session.host.clock.setTimeout(() => session.power("b", true), 700)
            const put = client.put(0, "over", sourceOnce(bytes), { mtime }).then(() => (isReady = true))
            // b waits for giveback and records again; its copies are all it has of what a did not finish
            await session.sleep(2_500)
            assert.equal(isReady, false, "the write goes on")
            session.power("a", false)
            await put
            assert.deepEqual(await session.readAll(0, "over"), Buffer.from(bytes))
        })
        await session.bus.close()
        assert.deepEqual(session.simulation.panics, [])
    })
})

describe("twinfiler: what a person sees of copies", function () {
    this.timeout(60_000)

    it("the partner is away: writes go on, end with 4, and status and df say that nothing protects them; back, all is well [R8] [R36]", async () => {
        const bench = new UpgradeBench({ seed: 49 })
        const { session } = bench
        const file = bench.file("local", Buffer.from("text"))
        const seen = async () => {
            const df = JSON.parse((await bench.command(["df", ":/a", "--json"])).out) as {
                volumes: { protected: boolean }[]
            }
            const status = await bench.command(["status"])
            return { df: df.volumes[0].protected, status }
        }
        await session.run(async () => {
            await session.healthy()
            await session.sleep(5_000)
            assert.equal((await bench.command(["put", file, ":/a/protected"])).exitCode, 0)
            assert.equal((await seen()).df, true)
            session.power("b", false)
            await session.until("a serves both", () => session.client.controllerOf(1) === 0)
            const put = await bench.command(["put", file, ":/a/alone"])
            assert.equal(put.exitCode, 4, put.err)
            assert.match(put.err, /no partner keeps copies/)
            const alone = await seen()
            assert.equal(alone.df, false)
            assert.equal(alone.status.exitCode, 4)
            assert.match(alone.status.out, /node a: .*writes are not protected/)
            assert.match(alone.status.out, /node b is silent; .* without a copy of its commands/)
            session.power("b", true)
            await session.sleep(2_500)
            assert.equal((await seen()).df, true)
            assert.equal((await bench.command(["put", file, ":/a/again"])).exitCode, 0)
        })
        await bench.close()
        assert.deepEqual(session.simulation.panics, [])
    })

    it("shows the copy that a partner holds, byte by byte and in words; beyond the map is an error [R12] [R33] [R36]", async () => {
        const bench = new UpgradeBench({ seed: 48 })
        const { session } = bench
        await session.run(async () => {
            await session.healthy()
            await hello(session, 80)
            session.simulation.wire.fault.cut = (from, to) => from === "host" && to === "a"
            const head = { epoch: 0, session: 80, sequence: 2 }
            const body = { op: "mkdir", directory: 1, mtime, name: "copied" } as const
            await ask(session, 0, head, body, 50)
            session.simulation.wire.fault.cut = undefined
            const frame = encodeRequest({ volume: 0, ...head }, body)
            const loaded = await bench.command(["memory", "load", "b:0x200", "--bytes", "300", "--json"])
            assert.equal(loaded.exitCode, 0, loaded.err)
            const { hex, ...rest } = JSON.parse(loaded.out) as { hex: string; outputVersion: number }
            assert.deepEqual(rest, { outputVersion: 1, node: "b", offset: 512, bytes: 300 })
            assert.equal(hex.slice(0, 2 * frame.length), frame.toString("hex"))
            const shown = await bench.command(["memory", "show", "b", "--json"])
            const { copies } = JSON.parse(shown.out) as { copies: unknown[] }
            assert.deepEqual(copies, [
                { offset: 512, kind: "request", volume: "a", op: "mkdir", session: 80, sequence: 2 },
            ])
            const words = await bench.command(["memory", "show", "b"])
            assert.match(words.out, /^copies 1\n {2}b:0x200 {2}request, volume a, op mkdir, session 80, sequence 2$/m)
            const dumped = await bench.command(["memory", "load", "b:0x210", "--bytes", "20"])
            assert.match(dumped.out, /^0210 {2}01 00 00 00 .*\n0220 {2}/)
            const beyond = await bench.command(["memory", "load", "b:0x3fff", "--bytes", "1"])
            assert.equal(beyond.exitCode, 1)
            assert.match(beyond.err, /memory b:0x3fff: beyond the journal memory, which has copies from 0x0 to 0x13ff/)
            for (const address of ["b", "b:", "b:x", "b:0:0", "b:-1", "b:5000000000", "1:0"])
                assert.equal((await bench.command(["memory", "load", address])).exitCode, 2, address)
            assert.equal((await bench.command(["memory", "load", "b:0", "--bytes", "0"])).exitCode, 2)
        })
        await bench.close()
        assert.deepEqual(session.simulation.panics, [])
    })
})
