import assert from "node:assert/strict"
import { fileURLToPath } from "node:url"
import { putTogether, takeApart } from "../../tools/link/code"
import { functionBytesOf, functionLimitBytes, readImage, slotsOf, writeImage } from "../../tools/link/image"
import { link } from "../../tools/link/link"
import { shareLocals } from "../../tools/link/locals"
import { op } from "../../tools/link/opcodes"
import { compileUnlinked, firmwareSources, type ProgramSources } from "../../tools/sim/bytecode"
import { startedNs, testProgram, World } from "../sim/bench-rig"

const firmware = fileURLToPath(new URL("../sim/firmware", import.meta.url))
const sources = (entry: string): ProgramSources => ({
    root: firmware,
    entry,
    inputs: ["boards", "services", entry],
    name: "test",
    version: "1.0.0",
})

describe("link step", function () {
    this.timeout(120_000)

    function printed(image: Uint8Array): string[] {
        const world = new World(1)
        world.add("a", "calls.ts", { image })
        world.queue.runUntil(4 * startedNs)
        assert.deepEqual(world.panics, [])
        return world.printed()
    }

    it("a program with every kind of call prints the same before and after, in the VM", () => {
        const before = compileUnlinked(sources("calls.ts"))
        const after = link(before)
        const lines = printed(before)
        assert.equal(lines.at(-1), "calls 4")
        assert.ok(lines.includes("undefined/1"), "a local that is not set is undefined in each round")
        assert.deepEqual(printed(after), lines)
        const count = (image: Uint8Array) => readImage(image).functions.length
        // of those called in several places, too
        assert.ok(count(after) < count(before) - 12, `${count(before)} functions, ${count(after)} after`)
    })

    it("conditions of several parts, and ways that end alike, come to the same before and after, in the VM", () => {
        const before = compileUnlinked(sources("conditions.ts"))
        const after = link(before)
        const lines = printed(before)
        assert.match(lines.at(-1)!, /^asked \d+$/)
        assert.ok(lines.length > 250, `${lines.length} lines`)
        assert.deepEqual(printed(after), lines)
        assert.ok(functionBytesOf(after) < 0.85 * functionBytesOf(before))
    })

    it("ways with `try`, returns that stand more than once and new buffers come to the same before and after, in the VM", () => {
        const before = compileUnlinked(sources("ways.ts"))
        const after = link(before)
        const lines = printed(before)
        assert.match(lines.at(-1)!, /^asked \d+$/)
        assert.ok(lines.length > 300, `${lines.length} lines`)
        assert.deepEqual(printed(after), lines)
        assert.ok(functionBytesOf(after) < 0.95 * functionBytesOf(before))
    })

    it("locals that hold copies, constants and several values come to the same before and after, with fewer of them, in the VM", () => {
        const before = compileUnlinked(sources("locals.ts"))
        const after = link(before)
        const lines = printed(before)
        assert.match(lines.at(-1)!, /^asked \d+$/)
        assert.ok(lines.length > 80, `${lines.length} lines`)
        assert.deepEqual(printed(after), lines)
        assert.ok(functionBytesOf(after) < 0.9 * functionBytesOf(before))
        const slots = (image: Uint8Array) => readImage(image).functions.reduce((sum, f) => sum + slotsOf(f), 0)
        assert.ok(slots(after) < slots(before), `${slots(before)} locals, ${slots(after)} after`)
    })

    it("a local that nothing was written to never comes to stand where an argument does", () => {
        const code = (name: keyof typeof op, number?: number) => ({ op: op[name], number })
        const value = [code("returned"), code("storeLocal", 1), code("loadLocal", 1), code("storeReturned")]
        const constant = [code("true"), code("storeLocal", 1), code("loadLocal", 1), code("storeReturned")]
        const body = [...constant, ...[...value, ...value, ...value].map(each => ({ ...each }))]
        body.push(code("loadLocal", 0), code("storeReturned"), code("loadLocal", 2), code("return"))
        const { body: shared } = shareLocals(body, 1, 3, false)
        assert.equal(shared.length, body.length - 2)
        assert.notEqual(shared.at(-2)!.number, 0)
    })

    it("images are read and written without a difference, and code is taken apart without loss", () => {
        const before = compileUnlinked(sources("calls.ts"))
        const image = readImage(before)
        assert.deepEqual(writeImage(image), before)
        for (const { code } of image.functions) {
            const once = takeApart(code)
            const again = takeApart(putTogether(once))
            const plain = (list: typeof once) =>
                list.map(({ op, number, target }) => [op, number, target && list.indexOf(target as (typeof list)[0])])
            assert.deepEqual(plain(again), plain(once))
        }
    })

    it("a jump of every length is written so that it arrives", () => {
        const jumpIfNot = 14
        const returns = 12
        const undefinedValue = 46
        for (const length of [0, 1, 240, 243, 244, 245, 246, 247, 248, 255, 256, 257, 65_533, 65_536, 65_540]) {
            const target = { op: undefinedValue }
            const jump = { op: jumpIfNot, target }
            const body = [{ op: undefinedValue }, jump, ...Array.from({ length }, () => ({ op: 0x90 })), target]
            const back = takeApart(putTogether([...body, { op: returns }, { op: 13, target: body[0]! }]))
            assert.equal(back.indexOf(back[1]!.target as (typeof back)[0]), length + 2, `${length} bytes forward`)
            assert.equal(back.at(-1)!.target, back[0], `${length} bytes back`)
        }
    })

    it("the same image gives the same bytes [R14], smaller; linking it once more changes no function's meaning", () => {
        const before = compileUnlinked(firmwareSources())
        const after = link(before)
        assert.deepEqual(link(before), after)
        assert.ok(functionBytesOf(after) < 0.95 * functionBytesOf(before))
        assert.ok(functionBytesOf(after) <= functionLimitBytes)
        assert.ok(functionBytesOf(link(after)) <= functionBytesOf(after))
    })

    it("what is no code of this format is refused", () => {
        assert.throws(() => takeApart(Uint8Array.of(0, 0, 0, 1)), /no operation at 0/)
        assert.throws(() => takeApart(Uint8Array.of(13, 100, 46, 12)), /where no instruction begins/)
        const image = readImage(testProgram("calls.ts"))
        image.functions[0]!.code = Uint8Array.of(127, 127, 12, 0)
        assert.throws(() => link(writeImage(image)), /operation 127 is not of bytecode format/)
    })
})
