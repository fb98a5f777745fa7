// Chip contents on the host's disk.

import assert from "node:assert/strict"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FileImage, MemoryImage } from "../../tools/sim/chips/image-file"
import { openChipImage } from "../../tools/sim/chips/open-image"
import { ChipBench } from "./chip-bench"

const bytes = 65536

describe("chip images", () => {
    let folder: string
    beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "twinfiler-images-"))))
    afterEach(() => rmSync(folder, { recursive: true }))

    it("a new image is an erased chip, on disk too [R37]", () => {
        const image = openChipImage(folder, "a", 0, bytes)
        image.close()
        const file = readFileSync(join(folder, "a", "E0.bin"))
        assert.equal(file.length, bytes)
        assert.ok(file.every(byte => byte === 0xff))
    })

    it("contents survive a restart of the simulator [R37]", () => {
        const place = join(folder, "chip.bin")
        const first = new ChipBench("tiny", {}, new FileImage(place, bytes))
        first.program(0x3210, [1, 2, 3])
        first.program(0x5000, [4])
        first.erase(0x5000)
        first.chip.cells.image.close()
        assert.deepEqual([...readFileSync(place).subarray(0x3210, 0x3214)], [1, 2, 3, 0xff])
        const second = new ChipBench("tiny", {}, new FileImage(place, bytes))
        assert.deepEqual([...second.read(0x3210, 4)], [1, 2, 3, 0xff])
        assert.equal(second.read(0x5000, 1)[0], 0xff)
        second.erase(0x3000)
        second.chip.cells.image.close()
        assert.ok(readFileSync(place).every(byte => byte === 0xff))
    })

    it("only changed sectors are written, and only by flush [R37]", () => {
        const place = join(folder, "chip.bin")
        const image = new FileImage(place, bytes)
        image.writable(2)[5] = 0
        assert.equal(readFileSync(place)[2 * 4096 + 5], 0xff)
        // What another wrote into a sector that did not change stays
        const file = readFileSync(place)
        file[3 * 4096] = 0x77
        writeFileSync(place, file)
        image.flush()
        const after = readFileSync(place)
        assert.equal(after[2 * 4096 + 5], 0)
        assert.equal(after[3 * 4096], 0x77)
        image.close()
    })

    it("wrong size: refused with both sizes and what to do, file untouched [R33]", () => {
        const place = join(folder, "chip.bin")
        writeFileSync(place, Buffer.alloc(1000))
        assert.throws(() => new FileImage(place, bytes), /holds 1000 bytes, but the chip has 65536\. Choose the --chip/)
        assert.equal(statSync(place).size, 1000)
    })

    it("a folder in place of the file, or no right to write, is a clear error [R33]", () => {
        const place = join(folder, "chip.bin")
        mkdirSync(place)
        assert.throws(() => new FileImage(place, bytes), /cannot open the chip image .*--dir/)
        writeFileSync(join(folder, "b"), "")
        assert.throws(() => openChipImage(folder, "b", 0, bytes), /cannot make the image folder .*--dir/)
    })

    it("in memory: nothing on disk, and an erased sector takes no memory [R37]", () => {
        const image = openChipImage(undefined, "a", 0, bytes)
        assert.ok(image instanceof MemoryImage)
        assert.equal(image.sector(3), undefined)
        image.writable(3)[0] = 1
        assert.equal(image.sector(3)?.[0], 1)
        image.clear(3)
        assert.equal(image.sector(3), undefined)
        assert.equal(existsSync("memory"), false)
    })
})
