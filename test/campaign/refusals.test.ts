// What the campaign holds against clients' answers: refusals that nothing explains, acknowledged bytes that are gone, and lateness.

import assert from "node:assert/strict"
import { encodeQuery } from "../../tools/bridge/protocol/commands"
import { encodeNotice, type Progress } from "../../tools/bridge/protocol/notices"
import { sealNotice } from "../../tools/bridge/protocol/check"
import { tooLate, type Disturbed } from "../../tools/campaign/lateness"
import type { Action, Operation } from "../../tools/campaign/linear"
import { unexplained, type Refused } from "../../tools/campaign/refusals"
import { UploadWatch } from "../../tools/campaign/upload-watch"

const volume = 0

function refused(code: Refused["code"], action: Action, isPatient = true): Refused {
    return { client: "c0", isPatient, volume, action, code, calledAt: 1_000, returnedAt: 2_000 }
}

function done(action: Action, calledAt: number, returnedAt: number): Operation {
    return { client: "c1", action, calledAt, returnedAt, outcome: "done" }
}

const explains = (one: Refused, ...operations: Operation[]) => unexplained([one], [operations]).length === 0

describe("campaign: answers that turn a client away", () => {
    const read: Action = { kind: "read", name: "f" }
    const put: Action = { kind: "put", name: "f", value: "c1.1" }

    it("replaced: only when its name was changed meanwhile [R21]", () => {
        assert.ok(explains(refused("replaced", read), done(put, 500, 1_500)))
        assert.ok(explains(refused("replaced", read), done({ kind: "rename", name: "g", to: "f" }, 1_500, 3_000)))
        assert.ok(!explains(refused("replaced", read), done(put, 100, 900)))
        assert.ok(!explains(refused("replaced", read), done({ kind: "remove", name: "g" }, 500, 1_500)))
        const shown: Action = { kind: "read", name: "f", snapshot: "s" }
        assert.ok(!explains(refused("replaced", shown), done(put, 500, 1_500)))
        assert.ok(explains(refused("replaced", shown), done({ kind: "unsnapshot", name: "s" }, 500, 1_500)))
    })

    it("stale: only when others changed the volume as often as it looked [R21]", () => {
        const changes = Array.from({ length: 5 }, (_, i) => done(put, 1_000 + i, 1_001 + i))
        assert.ok(explains(refused("stale", { kind: "remove", name: "f" }), ...changes))
        assert.ok(!explains(refused("stale", { kind: "remove", name: "f" }), ...changes.slice(1)))
    })

    it("a volume that is not full refuses nothing, and loses no upload; a patient client is not told to wait [R22]", () => {
        const snapshot: Action = { kind: "snapshot", name: "s" }
        assert.ok(!explains(refused("noSpace", put)))
        assert.ok(!explains(refused("noSpace", snapshot)))
        assert.ok(explains(refused("noSpace", snapshot), done({ kind: "snapshot", name: "t" }, 100, 200)))
        assert.ok(!explains(refused("noUpload", put), done(put, 500, 1_500)))
        assert.ok(!explains(refused("vetoed", put)))
        assert.ok(!explains(refused("busy", put)))
        assert.ok(explains(refused("busy", put, false)))
        assert.match(
            unexplained([refused("noUpload", put)], [[]])[0],
            /^volume a: c0 put: noUpload \[1000\.0, 2000\.0\]/,
        )
    })
})

describe("campaign: acknowledged bytes of an upload", () => {
    const upload = 0x1_0005
    const progress = (acknowledged: number, of = volume): Progress => ({
        ...{ kind: "progress", volume: of, flags: 0, credit: 16 },
        uploads: [{ handle: upload & 0xffff, status: "ok", acknowledged }],
    })
    const asked = (tag: number) => encodeQuery({ volume, epoch: 1, tag }, { op: "upload", upload })
    const answer = (query: Buffer, tag: number, held: number) => {
        const payload = Buffer.alloc(4)
        payload.writeUInt32LE(held)
        const head = { kind: "answer", volume, op: "upload", tag, status: "ok", flags: 0, epoch: 1, payload } as const
        return sealNotice(Buffer.from(encodeNotice(head)), query.readUInt32LE(0))
    }

    it("a node that is asked holds what was acknowledged before, whatever is acknowledged meanwhile [R22]", () => {
        const watch = new UploadWatch()
        watch.progress(progress(896))
        watch.progress(progress(5_000, 1))
        const query = asked(7)
        watch.query(query)
        watch.progress(progress(1_344))
        watch.query(query) // sent again
        assert.equal(watch.answer(answer(query, 7, 896)), undefined)
        assert.match(
            watch.answer(answer(query, 7, 672)) ?? "",
            /upload 5 of volume a: 896 bytes were acknowledged, and 672/,
        )
        // an answer to another question
        assert.equal(watch.answer(answer(asked(8), 8, 0)), undefined)
    })
})

describe("campaign: lateness of patient clients", () => {
    const wait = (calledAt: number, returnedAt: number) => ({
        ...{ client: "c0", volume, calledAt, returnedAt },
        action: { kind: "remove", name: "f" } as const,
    })
    const quiet: Disturbed = { faults: [], endMs: 10_000, isHungForGood: false, isOperated: false }

    it("is at most what the faults explain, and soon over when they are [R15 R22]", () => {
        assert.equal(tooLate([wait(1_000, 5_900)], quiet).length, 0)
        assert.match(tooLate([wait(1_000, 6_100)], quiet)[0], /took 5100 ms from 1000 ms on; the faults explain 5000/)
        const one = { ...quiet, faults: [{ fromMs: 500, toMs: 2_500 }] }
        assert.equal(tooLate([wait(1_000, 13_900)], one).length, 0)
        assert.equal(tooLate([wait(1_000, 14_100)], one).length, 1)
        // over long before
        assert.equal(tooLate([wait(9_000, 14_500)], one).length, 1)
        const many = { ...quiet, faults: Array.from({ length: 6 }, (_, i) => ({ fromMs: 900 * i, toMs: 900 * i })) }
        assert.equal(tooLate([wait(1_000, 29_000)], many).length, 0)
        assert.match(tooLate([wait(1_000, 31_000)], many)[0], /21000 of them after the last fault had ended; 20000/)
    })

    it("is longer when a board hung for good, or an operator had volumes change hands [R32]", () => {
        assert.equal(tooLate([wait(1_000, 101_000)], { ...quiet, isHungForGood: true }).length, 0)
        assert.equal(tooLate([wait(1_000, 111_000)], { ...quiet, isHungForGood: true }).length, 1)
        assert.equal(tooLate([wait(1_000, 15_000)], { ...quiet, isOperated: true }).length, 0)
    })
})
