import assert from "node:assert/strict"
import { advise, type Found } from "../../tools/bridge/cli/board"

const pico: Found = {
    path: "/dev/ttyACM0",
    vendorId: 0x2e8a,
    productId: 0x000a,
    kind: "Raspberry Pi Pico",
    canUse: true,
}

describe("doctor: what it says of this machine", () => {
    it("all is well with a board that may be used [R16]", () => {
        const findings = advise("20.20.2", "linux", [pico])
        assert.ok(findings.every(({ ok, todo }) => ok && todo === undefined))
        assert.match(findings[1].what, /ttyACM0: Raspberry Pi Pico \(2e8a:000a\)/)
    })

    it("no board, no permission, an old Node: each with what to do", () => {
        assert.match(advise("20.20.2", "linux", []).at(-1)!.todo!, /cable that carries data/)
        assert.match(advise("20.20.2", "linux", [{ ...pico, canUse: false }])[1].todo!, /dialout/)
        assert.match(advise("20.20.2", "darwin", [{ ...pico, canUse: false }])[1].todo!, /another program/)
        assert.equal(advise("18.1.0", "linux", [pico])[0].ok, false)
    })
})
