// What a survivor says first of its partner's volume, to a client that writes: as much as was acknowledged before, and at once. The partner was
// reset, so nothing waits for its copies, and not for an erase that the mount has before it yet.

import assert from "node:assert/strict"
import { decodeNotice } from "../../tools/bridge/protocol/notices"
import { noticeKinds } from "../../tools/bridge/protocol/numbers"
import { SimSession, source } from "../../tools/sim/session"

const mtime = 1_700_000_000
const fileBytes = 200_000
/** Of a segment in each chip. */
const segmentBytes = 65_536
const pageBytes = 256
const noticeVolumeAt = 4

interface Word {
    /** Since the loss of the board. */
    afterMs: number
    acknowledged: number
    /** The most that had been acknowledged when the board was lost. */
    before: number
    /** When the survivor's first erase had ended. */
    erasedMs: number
}

/** A client uploads to volume a; node a loses its power when `isDue` says so of a page that one of its chips begins to program. */
async function firstWord(seed: number, isDue: (address: number, count: number) => boolean): Promise<Word> {
    let programs = 0
    let isUploading = false
    let cutNs = 0
    let erasedNs = Infinity
    let before = 0
    let word: Word | undefined
    const data = Buffer.alloc(fileBytes, seed)
    const session: SimSession = new SimSession({
        seed,
        elements: 3,
        chip: "W25Q16JV",
        timeoutMs: 60_000,
        onOperation: ({ element, kind, address, startNs, endNs }) => {
            if (!isUploading || !element.startsWith("a.")) return
            const { queue } = session.simulation
            if (cutNs > 0) {
                if (kind.startsWith("erase")) erasedNs = Math.min(erasedNs, endNs)
            } else if (kind === "program" && isDue(address, ++programs)) {
                cutNs = Math.max(queue.nowNs, Math.floor((startNs + endNs) / 2))
                queue.at(cutNs, () => session.power("a", false))
            }
        },
    })
    const { client, simulation } = session
    try {
        await session.run(async () => {
            await session.healthy()
            await session.sleep(5_000)
            session.bus.onNotice((node, kind, frame) => {
                if (kind !== noticeKinds.progress || frame[noticeVolumeAt] !== 0 || word) return
                const notice = decodeNotice(kind, frame)
                if (notice.kind !== "progress") return
                const acknowledged = Math.max(...notice.uploads.map(upload => upload.acknowledged))
                const { nowNs } = simulation.queue
                if (node === 0) before = Math.max(before, acknowledged)
                else word = { afterMs: (nowNs - cutNs) / 1e6, acknowledged, before, erasedMs: 0 }
            })
            isUploading = true
            await client.put(0, "file", source(data), { mtime })
            isUploading = false
            assert.ok((await session.readAll(0, "file")).equals(data))
        })
        assert.deepEqual(simulation.panics, [])
    } finally {
        await session.bus.close()
    }
    assert.ok(word, `seed ${seed}: the upload ended before the cut`)
    return { ...word, erasedMs: (erasedNs - cutNs) / 1e6 }
}

/** The survivor believes for so long that its partner lives, if nothing but its silence tells (src/config.ts, silentMs). */
const silentMs = 400

describe("failover: what a survivor says first", function () {
    this.timeout(300_000)

    for (let seed = 1; seed <= 4; seed++)
        it(`seed ${seed}: it acknowledges what was acknowledged before, while the partner is not yet silent [R9] [R22]`, async () => {
            const word = await firstWord(seed, (_, count) => count === 40 + 97 * seed)
            assert.ok(word.before > 0)
            assert.ok(word.acknowledged >= word.before, JSON.stringify(word))
            assert.ok(word.afterMs < silentMs, JSON.stringify(word))
        })

    it("a segment's last row is torn, and to write it again takes an erase: the word comes before that has ended [R9] [R22]", async () => {
        const word = await firstWord(5, address => address % segmentBytes === segmentBytes - pageBytes)
        assert.ok(word.acknowledged >= word.before && word.before > 0, JSON.stringify(word))
        assert.ok(word.afterMs < word.erasedMs && word.erasedMs < silentMs, JSON.stringify(word))
    })
})
