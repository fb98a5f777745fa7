// What counts as blank: a page, or its head, of which no bit was ever programmed.

import "../support/device-buffer"
import assert from "node:assert/strict"
import { pageBufferBytes, pageHeadBytes } from "../../src/flash/bank"
import { pageIsBlank } from "../../src/flash/blank"
import { Random } from "../../tools/sim/random"
import { useTestPlatform } from "../pair/pair-support"

describe("blank pages", () => {
    before(() => useTestPlatform())

    for (const bytes of [pageBufferBytes, pageHeadBytes])
        it(`of ${bytes - 4} bytes: all ones or all zeros, whatever the command before them; one bit else, and it is not [R17] [R24]`, () => {
            const random = new Random(bytes)
            for (const erased of [0xff, 0]) {
                const blank = () => {
                    const buffer = Buffer.alloc(bytes, erased)
                    buffer.writeUInt32LE(random.uint32(), 0)
                    return buffer
                }
                for (let i = 0; i < 20; i++) assert.equal(pageIsBlank(blank()), true)
                for (let bit = 0; bit < 8 * (bytes - 4); bit++) {
                    const buffer = blank()
                    buffer[4 + (bit >> 3)] ^= 1 << (bit & 7)
                    assert.equal(pageIsBlank(buffer), false, `bit ${bit}`)
                }
            }
            const mixed = Buffer.alloc(bytes, 0xff)
            mixed.fill(0, bytes >> 1)
            assert.equal(pageIsBlank(mixed), false)
        })
})
