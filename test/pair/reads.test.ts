import assert from "node:assert/strict"
import "../support/device-buffer"
import { beginRead, dropReads, nextData, Reads } from "../../src/server/reads"
import type { Hosted } from "../../src/server/hosted"
import { useTestPlatform } from "./pair-support"

describe("reads of a volume that is let go", () => {
    before(() => useTestPlatform())

    it("a volume lost while its file is being read: the read ends once, and later ones are served [R9]", async () => {
        const reads = new Reads()
        const read = (tag: number) => {
            const frame = Buffer.alloc(236)
            frame[5] = tag
            frame.writeUInt32LE(7, 8)
            frame.writeUInt16LE(1000, 16)
            return frame
        }
        let isLost = true
        const hosted = {
            volume: {
                number: 0,
                directory: {
                    async load(): Promise<boolean> {
                        // the control fiber's turn: the partner takes the volume
                        if (isLost) dropReads(reads, hosted as unknown as Hosted)
                        return false
                    },
                },
            },
        }
        beginRead(reads, hosted as unknown as Hosted, read(1), 0)
        assert.equal(await nextData(reads, 0), undefined)
        assert.equal(reads.active, 0)
        isLost = false
        beginRead(reads, hosted as unknown as Hosted, read(2), 0)
        assert.equal(reads.active, 1)
        const told = (await nextData(reads, 0))!
        assert.equal(told[5], 2)
        assert.equal(reads.active, 0)
    })
})
