// Power cut at the n-th program or erase: before it, in it, after it, from inside the hook and from the event queue; and image
// folders through a cut.

import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { followState, type CabinetOperation } from "../../tools/sim/cabinet/cabinet"
import { EventQueue } from "../../tools/sim/event-queue"
import { Random } from "../../tools/sim/random"
import { CabinetBench } from "./cabinet-bench"

const mirror = ["E0", "E1"] as const

/** Three mirrored pages; both boards lose power at the given place of operation 3, the second chip's second page. */
function cutAt(place: "before" | "after" | number): CabinetBench {
    const queue = new EventQueue()
    const cutIndex = 3
    const cut = (atNs: number) => {
        for (const node of ["a", "b"]) bench.cabinet.power(node, false, atNs)
    }
    const onOperation = ({ cabinetIndex, startNs, endNs }: CabinetOperation) => {
        if (cabinetIndex !== cutIndex) return
        if (place === "before") cut(startNs)
        else if (place === "after") queue.at(endNs, () => cut(queue.nowNs))
        else queue.at(startNs + Math.floor(place * (endNs - startNs)), () => cut(queue.nowNs))
    }
    const bench: CabinetBench = new CabinetBench({ onOperation }).power("a", "b").drive("a", "OWN", 1)
    for (let page = 0; page < 3; page++) {
        bench.command("a", [...mirror], [0x06])
        bench.command("a", [...mirror], [0x02, 0, page, 0, ...new Array<number>(256).fill(page)])
        queue.runUntil((bench.nowNs += 1e6))
    }
    return bench
}

describe("cabinet: power cut at the n-th operation", () => {
    const page = (bench: CabinetBench, element: string, index: number) =>
        bench.cabinet.chip(element).peek(index * 256, 256)
    const isWhole = (data: Uint8Array, value: number) => data.every(byte => byte === value)

    it("before it, from inside the hook: the other chip of the mirror is torn at its start [R23]", () => {
        const bench = cutAt("before")
        assert.ok(isWhole(page(bench, "a.E1", 0), 0))
        assert.ok(isWhole(page(bench, "a.E1", 1), 0xff))
        assert.equal(bench.cabinet.chip("a.E1").statistics.programs, 1)
        assert.equal(bench.cabinet.chip("a.E1").statistics.tornPrograms, 0)
        assert.equal(bench.cabinet.chip("a.E0").statistics.tornPrograms, 1)
        assert.ok(isWhole(page(bench, "a.E0", 2), 0xff))
    })

    it("in its middle: both chips torn, each in its own way, nothing after [R23]", () => {
        const bench = cutAt(0.5)
        for (const element of ["a.E0", "a.E1"]) {
            assert.ok(!isWhole(page(bench, element, 1), 1) && !isWhole(page(bench, element, 1), 0xff), element)
            assert.ok(isWhole(page(bench, element, 2), 0xff))
        }
        assert.notDeepEqual(page(bench, "a.E0", 1), page(bench, "a.E1", 1))
        assert.deepEqual(page(cutAt(0.5), "a.E0", 1), page(bench, "a.E0", 1), "the same seed, the same bits")
    })

    it("at its end: done, nothing torn [R23]", () => {
        const bench = cutAt("after")
        for (const element of ["a.E0", "a.E1"]) assert.ok(isWhole(page(bench, element, 1), 1))
        assert.equal(bench.cabinet.chip("a.E1").statistics.tornPrograms, 0)
        assert.deepEqual(bench.violations, [])
    })
})

describe("cabinet: image folder", () => {
    it("contents are on disk after both boards lose power, and in the next cabinet; others are untouched [R23] [R37]", () => {
        const images = mkdtempSync(join(tmpdir(), "twinfiler-cabinet-"))
        try {
            const first = new CabinetBench({ images }).power("a", "b").drive("b", "OWN", 1)
            first.program("b", "E1", 0x100, [1, 2])
            const onDisk = () => [...readFileSync(join(images, "b", "E1.bin")).subarray(0x100, 0x103)]
            first.cabinet.power("a", false, ++first.nowNs)
            assert.deepEqual(onDisk(), [255, 255, 255])
            first.cabinet.power("b", false, ++first.nowNs)
            assert.deepEqual(onDisk(), [1, 2, 255])
            first.cabinet.shutDown(++first.nowNs)
            const second = new CabinetBench({ images, random: new Random(2) }).power("a")
            assert.deepEqual(second.command("a", "F1", [0x03, 0, 1, 0, 0, 0]).slice(4), [1, 2])
            second.cabinet.close()
            assert.throws(
                () => new CabinetBench({ images, chip: "W25Q80" }),
                /a\/E0\.bin holds 65536 bytes, but the chip has 1048576/,
            )
        } finally {
            rmSync(images, { recursive: true })
        }
    })
})

describe("cabinet: followState", () => {
    it("a board is held before it gets power, and let go after [R32]", () => {
        const calls: string[] = []
        const call = (name: string) => () => void calls.push(name)
        const board = {
            powerOn: call("on"),
            powerOff: call("off"),
            holdReset: call("hold"),
            releaseReset: call("release"),
        }
        for (const state of ["reset", "run", "off"] as const) followState(board, state)
        assert.deepEqual(calls, ["hold", "on", "on", "release", "off"])
    })
})
