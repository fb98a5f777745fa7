import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { boardConfig } from "../../tools/sim/board-config"
import { compileProgram, type ProgramSources } from "../../tools/sim/bytecode"
import { projectRoot } from "../../tools/sim/devs-cli"

describe("program image", function () {
    this.timeout(60_000)
    let folder = ""
    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), "twinfiler-test-"))
        mkdirSync(join(folder, "src"))
    })
    afterEach(() => rmSync(folder, { recursive: true }))

    function sources(text: string, version = "1.2.3"): ProgramSources {
        writeFileSync(join(folder, "src", "main.ts"), text)
        return { root: folder, entry: "src/main.ts", inputs: ["src"], name: "test", version }
    }

    it("reproducible: the same sources give the same bytes, without commit or time, and carry their version [R14]", () => {
        const first = compileProgram(sources(`console.log("one")\n`))
        assert.deepEqual(compileProgram(sources(`console.log("one")\n`)), first)
        assert.ok(Buffer.from(first).includes("v1.2.3"))
        assert.notDeepEqual(compileProgram(sources(`console.log("two")\n`)), first)
    })

    it("a program that does not compile says where", () => {
        assert.throws(() => compileProgram(sources("let x: number = 'text'\n")), /main\.ts/)
    })

    it("board file: a pin name that is too long for a board's configuration is refused with its name", () => {
        const path = join(folder, "long_name.board.json")
        const board = { archId: "rp2040", devName: "x", productId: "0x3f6e1f0d", pins: { A_VERY_LONG_NAME: 3 } }
        writeFileSync(path, JSON.stringify(board))
        assert.throws(() => boardConfig(path), /A_VERY_LONG_NAME/)
    })

    it("board file: an unknown architecture is refused", () => {
        const path = join(folder, "other.board.json")
        writeFileSync(path, JSON.stringify({ archId: "z80" }))
        assert.throws(() => boardConfig(path), /no architecture "z80"/)
        assert.ok(projectRoot.length > 1)
    })
})
