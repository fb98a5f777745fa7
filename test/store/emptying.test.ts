// Emptying a segment: all that is in use of it is moved elsewhere, so that it can be retired, or what an element alone holds be written again.
//
// Promise: it is this segment that is emptied, whatever the cleaner was at, and what an element did not take is read from the others.

import assert from "node:assert/strict"
import { pageBufferBytes } from "../../src/flash/bank"
import { atBody, atOwner, sealPage } from "../../src/store/page"
import { isStuck } from "../../src/store/cleaner"
import { pagesIn } from "../../src/store/usage"
import { emptySegment, type Volume } from "../../src/store/volume"
import { assertNoFaults, fresh, readAll } from "../support/array-work"
import { Random } from "../../tools/sim/random"
import type { StoreHost } from "../support/store-host"

const pageBytes = 256
/** More than any segment here needs. */
const stepsMax = 20

async function emptied(volume: Volume, segment: number): Promise<boolean> {
    for (let step = 0; step < stepsMax && pagesIn(volume.log.usage, segment) > 0; step++)
        if (!(await emptySegment(volume, segment))) return false
    return pagesIn(volume.log.usage, segment) === 0
}

/** Segments that something in use is in, but for the present one. */
function segmentsInUse({ volume }: StoreHost["bench"]): number[] {
    const { log } = volume
    return Array.from({ length: log.segments }, (_, i) => i).filter(
        i => i > 0 && i !== log.segment && pagesIn(log.usage, i) > 0,
    )
}

for (const elements of [2, 3])
    describe(`store: emptying a segment, ${elements === 2 ? "mirror" : "parity of 3"}`, function () {
        this.timeout(30_000)

        it("the cleaner was at another one, and at its end [R25] [R28]", async () => {
            const host = await fresh(elements, "victim")
            for (let i = 0; segmentsInUse(host.bench).length < 2; i++)
                await host.put(`more ${i}`, Buffer.alloc(2000, i))
            const { volume } = host.bench
            const [other, segment] = segmentsInUse(host.bench)
            assert.ok(segment)
            Object.assign(volume.cleaner, { victim: other, cursor: volume.array.segmentPages })
            assert.ok(await emptied(volume, segment), `${pagesIn(volume.log.usage, segment)} pages are left`)
            assert.equal(isStuck(volume.cleaner, other), false, "the other one can be emptied as well")
            await readAll(host)
            assertNoFaults(host, true)
        })
    })

describe("store: emptying a segment of which an element holds a good page of before", () => {
    it("it is emptied, and what is moved is what the other element holds [R25] [R21]", async () => {
        const host = await fresh(2, "of before")
        const { bench } = host
        const content = Buffer.from(new Random("of before").bytes(2000))
        await host.put("file", content)
        // into another segment
        while (
            Math.floor((await pageOf(host, "file", 0)) / bench.volume.array.segmentPages) === bench.volume.log.segment
        )
            await host.put("other", Buffer.alloc(3000, 1))
        const page = await pageOf(host, "file", 3)
        const images = bench.snapshot()
        const stored = images[0][page >> 4]!.subarray((page & 15) * pageBytes, ((page & 15) + 1) * pageBytes)
        const before = Buffer.alloc(pageBufferBytes)
        before.set(stored, 4)
        before.writeUInt32LE(before.readUInt32LE(atOwner) + 1000, atOwner)
        before.fill(0x5a, atBody, atBody + 100)
        sealPage(before, page)
        stored.set(before.subarray(4, 4 + pageBytes))
        bench.load(images)
        const { volume } = bench
        const segment = Math.floor(page / volume.array.segmentPages)
        assert.ok(await emptied(volume, segment), `${pagesIn(volume.log.usage, segment)} pages are left`)
        assert.ok((await bench.readFile(host.tree.get("file")!.object)).equals(content))
        await readAll(host)
        assertNoFaults(host, true)
    })
})

function pageOf(host: StoreHost, path: string, block: number): Promise<number> {
    return host.bench.volume.pageOf(host.tree.get(path)!.object, block)
}
