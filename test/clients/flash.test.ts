// `twinfiler flash` on a simulated cabinet: the program goes over the bus, as to boards; the runtime, which goes by USB, is there already.

import assert from "node:assert/strict"
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
})
