// The copy at the partner: made before the reply, finished after the owner's death, and never executed against a newer epoch.

import assert from "node:assert/strict"
import { encodeRequest } from "../../tools/bridge/protocol/commands"
import { commandCodes, noticeKinds } from "../../tools/bridge/protocol/numbers"
import { decodeNotice, type Reply } from "../../tools/bridge/protocol/notices"
import { SimSession, source } from "../../tools/sim/session"
import { CopyWatch } from "./copy-watch"

const mtime = 1_700_000_000
const flagUnprotected = 1
/** src/config.ts, copyWaitMs */
const copyWaitMs = 250

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

    it("the partner missed the request: the reply waits for it, and says then that nothing protects it [R8]", () =>
        withPair(42, async session => {
            const watch = new CopyWatch(session)
            const hello = { epoch: 0, session: 77, sequence: 1 }
            assert.equal((await ask(session, 0, hello, { op: "hello" })).reply?.flags, 0, "with a copy")
            session.simulation.wire.fault.cut = (from, to) => from === "host" && to === "b"
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
            const hello = { epoch: 0, session: 78, sequence: 1 }
            await ask(session, 0, hello, { op: "hello" })
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

    it("a request of an older epoch is refused, and does nothing [R31]", () =>
        withPair(44, async session => {
            await ask(session, 0, { epoch: 0, session: 79, sequence: 1 }, { op: "hello" })
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
