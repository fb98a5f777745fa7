// `npm start` as a person or a script runs it, but in this process.

import assert from "node:assert/strict"
import { demoCommand, type DemoResult } from "../../tools/demo/demo"

async function demo(...args: string[]): Promise<{ exitCode: number; out: string; err: string }> {
    let out = ""
    let err = ""
    const exitCode = await demoCommand(
        args,
        text => (out += text),
        text => (err += text),
    )
    return { exitCode, out, err }
}

describe("demonstration", function () {
    this.timeout(120_000)

    it("an element dies, then the board's power is pulled: nothing is lost, the element is replaced [R22] [R25] [R36]", async () => {
        const { exitCode, out, err } = await demo("--dead-element", "--json")
        const result = JSON.parse(out) as DemoResult & { outputVersion: number }
        assert.equal(exitCode, 0, out)
        assert.equal(result.outputVersion, 1)
        const { ok, deadElement, rebuilt, servedBy, acknowledgedBytesLost } = result
        const wanted = { ok: true, deadElement: "a:1", rebuilt: true, servedBy: "b", acknowledgedBytesLost: 0 }
        assert.deepEqual({ ok, deadElement, rebuilt, servedBy, acknowledgedBytesLost }, wanted)
        assert.ok(result.cutAtByte > 0 && result.cutAtByte < result.bytes, `cut at ${result.cutAtByte}`)
        const steps = [
            /element a:1 dies; \d+ bytes/,
            /board a loses its power/,
            /through board b: sha256 is the same/,
            /array a is degraded: 1 of 2 elements is missing/,
            /array a is complete again/,
        ]
        const places = steps.map(step => err.search(step))
        assert.deepEqual(
            places,
            [...places].sort((one, other) => one - other),
            err,
        )
        assert.ok(places[0] >= 0, err)
    })

    it("wrong usage: exit 2 and a word that helps [R36]", async () => {
        for (const [args, said] of [
            [["--elements", "9"], /from 2 to 6/],
            [["--dead-element", "a:2"], /name one of a:0 to a:1/],
            [["--seed"], /argument missing/],
            [["--bogus"], /unknown option/],
        ] as const) {
            const { exitCode, out, err } = await demo(...args)
            assert.deepEqual([exitCode, out], [2, ""], args.join(" "))
            assert.match(err, said)
        }
        assert.equal((await demo("--help")).exitCode, 0)
    })
})
