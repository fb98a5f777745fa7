// The flash a board keeps its program in: what writing takes, and what a power cut in the middle leaves.

import assert from "node:assert/strict"
import { BoardFlash } from "../../tools/sim/board-flash"
import { Random } from "../../tools/sim/random"

const sectorBytes = 4096
const eraseNs = 45_000_000
const programNs = 400_000

function flashOf(fill: number, cpu: "rp2040" | "ideal" = "rp2040"): BoardFlash {
    return new BoardFlash(new Uint8Array(4 * sectorBytes).fill(fill), cpu, new Random("flash"))
}

describe("board: writes to its own flash", () => {
    it("takes an erase for each sector in which a bit rises, and a program for each page that is not blank [R37]", () => {
        const flash = flashOf(0)
        const next = flash.content.slice()
        next.fill(0xff, sectorBytes, 3 * sectorBytes)
        next.fill(0x55, sectorBytes, sectorBytes + 300)
        assert.equal(flash.save(next, 0), 2 * eraseNs + 2 * programNs)
        assert.deepEqual(flash.content, next)
        assert.equal(flash.save(next, 0), 0, "nothing changes")
        const lower = next.slice()
        lower[5_000] = 0x11
        assert.equal(flash.save(lower, 0), programNs)
        assert.equal(flashOf(0, "ideal").save(next, 0), 0)
    })

    it("cut in the first erase, between two, in a program, after all: each sector is old, torn or new [R34]", () => {
        const before = flashOf(0x0f).content
        const next = before.slice()
        next.fill(0xff, 0, 2 * sectorBytes)
        next.fill(0xa5, 0, 256)
        const cutAt = (nowNs: number) => {
            const flash = flashOf(0x0f)
            flash.save(next, 1_000)
            flash.cut(1_000 + nowNs)
            return flash.content
        }
        assert.deepEqual(cutAt(0), before)
        const torn = cutAt(eraseNs / 2)
        assert.ok(torn.subarray(0, sectorBytes).some(byte => byte !== 0x0f && byte !== 0xff))
        assert.ok(
            torn.every(byte => (byte & 0x0f) === 0x0f),
            "an erase only raises bits",
        )
        assert.deepEqual(torn.subarray(sectorBytes), before.subarray(sectorBytes))
        const between = cutAt(eraseNs)
        assert.ok(between.subarray(0, sectorBytes).every(byte => byte === 0xff))
        assert.deepEqual(between.subarray(sectorBytes), before.subarray(sectorBytes))
        const programming = cutAt(2 * eraseNs + programNs / 2)
        assert.ok(
            programming.subarray(0, 256).every(byte => (byte & 0xa5) === 0xa5),
            "a program only lowers the bits it means to",
        )
        assert.deepEqual(cutAt(2 * eraseNs + programNs), next)
        assert.deepEqual(cutAt(eraseNs / 2), torn, "the same each time")
    })
})
