// `twinfiler flash` on a simulated cabinet: the program goes over the bus, as to boards; the runtime, which goes by USB, is there already.

import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { connectBus, realClock } from "../../tools/bridge/bus"
import { deploy } from "../../tools/bridge/bus/manager"
import { Runtimes } from "../../tools/bridge/bus/runtimes"
import { boardConfig } from "../../tools/sim/board-config"
import { buildProgram, firmwareSources } from "../../tools/sim/bytecode"
import { projectRoot } from "../../tools/sim/devs-cli"
import { CabinetProcess } from "./cabinet-process"

describe("flash", function () {
    this.timeout(240_000)
    let cabinet: CabinetProcess
    before(async () => (cabinet = await CabinetProcess.start()))
    after(() => cabinet?.close())

    it("gives a board its program and reads the version over the bus; a node that is not there is refused [R14 R16]", async () => {
        const args = ["flash", "--board", "pico", "--no-runtime", "--json"]
        const answer = JSON.parse(await cabinet.verb([...args, "--node", "a"])) as Record<string, unknown>
        assert.equal(answer.ok, true)
        assert.equal(answer.device, "7f11e500a0000000")
        assert.equal(answer.firmware, "0.1.0")
        const refused = await cabinet.twinfiler(...args, "--node", "c")
        assert.equal(refused.exitCode, 2)
        assert.match(refused.err, /2 boards are on the bus, and none is node c yet/)
    })

    it("a file that is no program, an unknown board: refused before anything is touched", async () => {
        for (const [args, message] of [
            [["--board", "uno"], /give pico or esp32s3/],
            [["--board", "pico", "--no-runtime", "--firmware", "README.md"], /README.md/],
            [["--board", "pico", "--elements", "tape"], /give nor or sd/],
        ] as const) {
            const { exitCode, err } = await cabinet.twinfiler("flash", "--node", "a", ...args)
            assert.ok(exitCode === 1 || exitCode === 2, `${exitCode}`)
            assert.match(err, message)
            assert.doesNotMatch(err, /gets its program/)
        }
    })

    /** Writes a changed copy of the firmware into the cabinet's folder. */
    function changedImage(name: string, change: (image: Buffer) => void): string {
        const image = Buffer.from(buildProgram(firmwareSources("nor")))
        change(image)
        const path = join(cabinet.folder, name)
        writeFileSync(path, image)
        return path
    }
    const sectionTable = 33
    const inTheMiddle = 40_000

    it("an image no board would run, a node no strap names, a runtime that is not there: refused before anything is touched [R14 R33]", async () => {
        const broken = changedImage("broken.devs", image => (image[sectionTable] ^= 0x10))
        for (const [args, message, wanted] of [
            [
                ["--node", "a", "--no-runtime", "--firmware", broken],
                /broken.devs: (no board would run it|this image)/,
                1,
            ],
            [["--node", "z", "--no-runtime"], /straps name the nodes a to h/, 2],
            [["--node", "a", "--runtime", "/nowhere/fw.uf2"], /cannot read the runtime: ENOENT/, 2],
        ] as const) {
            const { exitCode, err } = await cabinet.twinfiler("flash", "--board", "pico", ...args)
            assert.match(err, message)
            assert.equal(exitCode, wanted)
            assert.doesNotMatch(err, /gets its program/)
        }
    })

    it("a file that differs from what its release lists is refused, by flash and by upgrade; the listed one is not [R14 R24]", async () => {
        const sum = createHash("sha256")
            .update(buildProgram(firmwareSources("nor")))
            .digest("hex")
        mkdirSync(join(cabinet.folder, "firmware"))
        writeFileSync(join(cabinet.folder, "SHA256SUMS"), `${sum}  firmware/good.devs\n${sum}  firmware/bad.devs\n`)
        const good = changedImage("firmware/good.devs", () => undefined)
        const bad = changedImage("firmware/bad.devs", image => (image[inTheMiddle] ^= 1))
        for (const args of [["flash", "--board", "pico", "--no-runtime", "--node", "a"], ["upgrade"]]) {
            const { exitCode, err } = await cabinet.twinfiler(...args, "--firmware", bad)
            assert.match(err, /bad.devs: this is not the file that .*SHA256SUMS names/)
            assert.equal(exitCode, 6)
        }
        await cabinet.verb(["upgrade", "--dry-run", "--firmware", good])
    })

    it("a board whose program does not run is found beside the other node, and flashed again [R14 R16]", async () => {
        const image = Buffer.from(buildProgram(firmwareSources("nor")))
        image[sectionTable] ^= 0x10
        const bus = await connectBus(cabinet.webSocketUrl)
        const runtimes = new Runtimes(bus, realClock, () => 1)
        const board = await runtimes.find("7f11e500a1000000")
        await deploy(runtimes, board, image, () => undefined)
        runtimes.close()
        await bus.close()
        await cabinet.until("b is silent", ({ nodes }) => !nodes.some(({ node, heard }) => node === "b" && heard))
        const answer = JSON.parse(
            await cabinet.verb(["flash", "--board", "pico", "--no-runtime", "--json", "--node", "b"]),
        ) as Record<string, unknown>
        assert.equal(answer.device, "7f11e500a1000000")
    })

    it("a runtime from a file gets the board's pins before it goes to the board's drive; one of another kind is refused [R14 R16]", async () => {
        const drive = join(cabinet.folder, "RPI-RP2")
        mkdirSync(drive)
        const runtime = join(cabinet.folder, "runtime.uf2")
        const code = Buffer.alloc(256, 0x5a)
        writeFileSync(runtime, uf2Block(0x10000000, code))
        const args = ["flash", "--node", "a", "--runtime", runtime]
        await cabinet.verb([...args, "--board", "pico", "--drive", drive])
        const written = memoryOf(readFileSync(join(drive, "fw.uf2")))
        const { dcfg } = boardConfig(join(projectRoot, "boards", "pico_node.board.json"))
        assert.ok(written(0x10000000, code.length).equals(code))
        assert.ok(written(0x100dc000, dcfg.length).equals(Buffer.from(dcfg)))
        const refused = await cabinet.twinfiler(...args, "--board", "esp32s3")
        assert.equal(refused.exitCode, 1)
        assert.match(refused.err, /no runtime for a board of the kind esp32s3.*devicescript-esp32s3.*https:/)
    })
})

// UF2 file format: 512 bytes each, three magic numbers, address, size, number, count, family, data
const uf2Bytes = 512

function uf2Block(address: number, data: Buffer): Buffer {
    const block = Buffer.alloc(uf2Bytes)
    ;[0x0a324655, 0x9e5d5157, 0x2000, address, data.length, 0, 1, 0xe48bff56].forEach((word, i) =>
        block.writeUInt32LE(word >>> 0, 4 * i),
    )
    data.copy(block, 32)
    block.writeUInt32LE(0x0ab16f30, uf2Bytes - 4)
    return block
}

/** What a board has in its flash after that. */
function memoryOf(file: Buffer): (from: number, bytes: number) => Buffer {
    const pieces = Array.from({ length: file.length / uf2Bytes }, (_, i) => file.subarray(uf2Bytes * i))
    return (from, bytes) => {
        const memory = Buffer.alloc(bytes, 0xff)
        for (const piece of pieces) {
            const [address, count] = [piece.readUInt32LE(12), piece.readUInt32LE(16)]
            for (let i = 0; i < count; i++)
                if (address + i >= from && address + i < from + bytes) memory[address + i - from] = piece[32 + i]
        }
        return memory
    }
}
