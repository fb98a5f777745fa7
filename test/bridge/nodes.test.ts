// The table of nodes: two boards that bear one number at a time are a mistake of their builder; one after the other, an exchange.

import assert from "node:assert/strict"
import { NodeTable } from "../../tools/bridge/client/nodes"
import type { Beat } from "../../tools/bridge/protocol/notices"
import { beatFlags } from "../../tools/bridge/protocol/numbers"

describe("node table", () => {
    let nowMs = 0
    const clock = { now: () => nowMs, setTimeout: () => undefined, clearTimeout: () => undefined }
    const beatOf = (device: string, fields: Partial<Beat> = {}): Beat => ({
        kind: "beat",
        protocol: 1,
        node: 0,
        role: 2,
        mode: 0,
        flags: beatFlags.controlsOwn,
        ownEpoch: 1,
        partnerEpoch: 1,
        uptimeMs: 0,
        device,
        serviceIndex: 1,
        ...fields,
    })
    /** One beat of each device every 100 ms. */
    const beats = (table: NodeTable, ms: number, ...devices: string[]) => {
        for (const end = nowMs + ms; nowMs < end; nowMs += 100) for (const device of devices) table.beat(beatOf(device))
    }
    const fresh = () => {
        nowMs = 0
        return new NodeTable(clock)
    }

    it("a board takes another's place: it is the node from its first beat on [R13]", () => {
        const table = fresh()
        beats(table, 1_000, "old")
        beats(table, 300, "new")
        assert.deepEqual(table.rivals(0), [])
        assert.equal(table.controllerOf(0)?.beat.device, "new")
        assert.equal(table.get(0)?.beat.device, "new")
    })

    it("two boards: told with their devices, neither is sent to, also while one resets the other; the last one is the node [R13] [R33]", () => {
        const table = fresh()
        beats(table, 1_000, "one", "two")
        assert.deepEqual(table.rivals(0), ["one", "two"])
        assert.equal(table.controllerOf(0), undefined)
        assert.equal(table.get(0), undefined)
        beats(table, 3_000, "one")
        assert.equal(table.controllerOf(0), undefined)
        beats(table, 10_000, "one")
        assert.deepEqual(table.rivals(0), [])
        assert.equal(table.controllerOf(0)?.beat.device, "one")
    })

    it("the old board is put back soon: for some seconds it cannot be told from a rival [R13]", () => {
        const table = fresh()
        beats(table, 1_000, "old")
        beats(table, 2_000, "new")
        beats(table, 1_000, "old")
        assert.equal(table.controllerOf(0), undefined)
        beats(table, 10_000, "old")
        assert.equal(table.controllerOf(0)?.beat.device, "old")
    })

    it("a late frame teaches a wrong epoch: the next beat of who controls the volume puts that right, and listeners hear nothing [R31] [R21]", () => {
        const table = fresh()
        const partner = { node: 1, ownEpoch: 1, partnerEpoch: 0 }
        const heard: number[] = []
        table.beat(beatOf("one", { ownEpoch: 6 }))
        table.beat(beatOf("two", partner))
        table.onChange(volume => void heard.push(volume))
        for (const wrong of [0, 5]) {
            table.learnEpoch(0, wrong)
            table.beat(beatOf("one", { ownEpoch: 6 }))
            assert.equal(table.epochOf(0), 6)
        }
        // what a reply told may be newer than the last beat
        table.learnEpoch(0, 7)
        table.beat(beatOf("two", partner))
        assert.equal(table.epochOf(0), 7)
        assert.deepEqual(heard, [])
    })
})
