// Whole pairs whose power is cut within a program or erase of an array with parity, or of one that has lost an element.

import { cutSample } from "./flash-cut"

const count = process.env.FULL === "1" ? 200 : 40

describe("pair: cuts within flash operations, parity and lost elements", function () {
    this.timeout(1_800_000)

    it("parity of 3: torn on all elements, mounts to the last acknowledged state, check finds nothing [R23] [R35]", async () => {
        await cutSample(6, { name: "parity of 3", elements: 3 }, count)
    })

    it("parity of 4 [R23] [R35]", async () => {
        await cutSample(7, { name: "parity of 4", elements: 4 }, count)
    })

    it("parity of 3, one element lost: the others hold all [R23] [R25] [R35]", async () => {
        await cutSample(8, { name: "parity of 3 degraded", elements: 3, dead: "a:1" }, count)
    })

    it("mirror, one element lost: the other holds all [R23] [R25] [R35]", async () => {
        await cutSample(9, { name: "mirror degraded", elements: 2, dead: "a:0" }, count)
    })
})
