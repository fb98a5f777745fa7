// Whole pairs whose power is cut within a program or erase while they do what takes long or moves what is there.

import { cutSample } from "./flash-cut"
import { cleaning, rebuilding, snapshots } from "./flash-cut-works"

const count = process.env.FULL === "1" ? 200 : 30

describe("pair: cuts within flash operations, of work that moves what is there", function () {
    this.timeout(1_800_000)

    it("snapshots made, read and deleted, parity of 3 [R23] [R30] [R35]", async () => {
        await cutSample(10, { name: "snapshots", elements: 3, work: snapshots }, count)
    })

    it("cleaning on a volume that is nearly full, mirror [R23] [R28] [R35]", async () => {
        await cutSample(11, { name: "cleaning", elements: 2, work: cleaning }, count)
    })

    it("an element exchanged and filled while files are written, parity of 3 [R23] [R25] [R35]", async () => {
        await cutSample(12, { name: "rebuilding", elements: 3, work: rebuilding }, count)
    })
})
