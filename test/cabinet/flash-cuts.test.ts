// Whole pairs whose power is cut within a program or erase of a mirror. Together with flash-cuts-parity.test.ts: 300 cuts.

import { cutSample } from "./flash-cut"

const full = process.env.FULL === "1"

describe("pair: cuts within flash operations", function () {
    this.timeout(1_800_000)

    it("mirror: torn on both elements, mounts to the last acknowledged state, check finds nothing [R23] [R35]", async () => {
        await cutSample(5, { name: "mirror", elements: 2 }, full ? 300 : 140)
    })
})
