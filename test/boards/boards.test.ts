// The board files: each has all the pins a node needs, on pins that its chip can give; and the firmware builds for each.

import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { boardConfig } from "../../tools/sim/board-config"
import { compileProgram, firmwareSources } from "../../tools/sim/bytecode"
import { readBoardPins } from "../../tools/sim/cabinet/pins"
import { projectRoot } from "../../tools/sim/devs-cli"

interface BoardFile {
    archId: string
    productId: string
    jacdac: { pin: number; sd?: unknown }
    log: { pinTX: number }
    led?: { pin: number }
    pins: Record<string, number>
    sPin: Record<string, number>
}

const ids = readdirSync(join(projectRoot, "boards"))
    .filter(name => name.endsWith(".board.json"))
    .map(name => name.replace(".board.json", ""))
const pathOf = (id: string) => join(projectRoot, "boards", `${id}.board.json`)
const boardOf = (id: string) => JSON.parse(readFileSync(pathOf(id), "utf8")) as BoardFile
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** What a chip, as it sits on its board, has to give. */
const usable: Record<string, number[]> = {
    // Pico datasheet 2.1: 23 to 25 and 29 are the board's own, and not on its edge
    rp2040: [...range(0, 22), 26, 27, 28],
    // ESP32-S3 datasheet 2.2, 2.6: not flash (26 to 32) nor octal memory (33 to 37), USB (19, 20), UART0's input (44), straps (0, 3, 45, 46)
    esp32s3: [1, 2, ...range(4, 18), 21, ...range(38, 43), 47, 48],
}

describe("board files", function () {
    this.timeout(300_000)

    it("there is one for a Raspberry Pi Pico and one for an ESP32-S3 [R16]", () => {
        assert.deepEqual(ids.map(id => boardOf(id).archId).sort(), ["esp32s3", "rp2040"])
        assert.equal(new Set(ids.map(id => boardOf(id).productId)).size, ids.length)
    })

    for (const id of ids) {
        it(`${id}: every pin is there, once, and can be used; the configuration block takes it [R16]`, () => {
            const board = boardOf(id)
            readBoardPins(pathOf(id)) // refuses a missing wire
            const gpios = [...Object.values(board.pins), board.jacdac.pin, board.log.pinTX]
            assert.equal(new Set(gpios).size, gpios.length, "two uses of one pin")
            for (const gpio of gpios) assert.ok(usable[board.archId].includes(gpio), `GPIO${gpio}`)
            const { pins, dcfg } = boardConfig(pathOf(id))
            assert.deepEqual([...pins.keys()].sort(), Object.keys(board.pins).sort())
            assert.ok(dcfg.length > 100)
        })

        it(`${id}: nothing is selected or driven at start [R6]`, () => {
            const { pins, sPin } = boardOf(id)
            const selects = Object.keys(pins).filter(name => /^[EF][0-5]$/.test(name))
            const expected = { ...Object.fromEntries(selects.map(name => [name, 1])), OWN: 0, HOLD: 0 }
            assert.equal(selects.length, 12)
            assert.deepEqual(sPin, expected)
        })
    }

    it("pico: SPI is on pins of spi0, the only one the runtime reads from", () => {
        const { MISO, SCK, MOSI } = boardOf("pico_node").pins
        // RP2040 datasheet 1.4.3: RX 0 4 16 20, SCK 2 6 18 22, TX 3 7 19 23
        assert.ok([0, 4, 16, 20].includes(MISO) && [2, 6, 18, 22].includes(SCK) && [3, 7, 19].includes(MOSI))
    })

    it("esp32s3: no SD card of the runtime's own, and lines that do not glitch at power-up", () => {
        const board = boardOf("esp32s3_node")
        assert.equal("sd" in board, false)
        // ESP32-S3 datasheet, power-up glitches: GPIO1 to 17 low, 18 to 20 high for 60 us
        for (const name of ["OWN", "HOLD", "RESET"]) assert.ok(board.pins[name] > 20, name)
    })

    it("the firmware builds for each board, and a second build gives the same bytes [R14]", () => {
        const hashes = [...ids, ids[0]].map(id =>
            createHash("sha256")
                .update(compileProgram(firmwareSources("nor", undefined, id)))
                .digest("hex"),
        )
        // pins are found by name when the program starts, in the board's configuration block: one image serves every board
        assert.equal(new Set(hashes).size, 1)
    })

    it("a board that is not there does not build", () => {
        assert.throws(() => compileProgram(firmwareSources("nor", undefined, "no_such_board")), /no_such_board/)
    })
})
