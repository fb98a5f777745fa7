// Arrays that the firmware's store made, holding something of all that the format knows: what the document's examples, the golden images and
// the mutations of the check tool are taken from.

import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { CutHost } from "./cut-host"
import { smallPart, StoreBench } from "./store-bench"

export const session = 0x5e5510

/** Files, directories, properties, snapshots and an open upload; the log has come round. */
export async function busyArray(elements: number, seed: string, log2Bytes = 17, segmentRows = 48): Promise<CutHost> {
    const bench = new StoreBench(smallPart(log2Bytes), segmentRows, seed, elements)
    assert.equal(await bench.mount(), true)
    const host = new CutHost(bench, session)
    const random = new Random(seed)
    const must = async (status: Promise<number>) => assert.equal(await status, 0)
    await must(host.hello())
    for (let i = 0; i < 20; i++) {
        await must(host.put("log", Buffer.alloc(2_000, i), 1))
        await host.idle(2)
    }
    await must(host.mkdir("docs"))
    await must(host.mkdir("docs/deep"))
    for (const name of ["überblick.txt", "notes", "plan"])
        await must(host.put(`docs/${name}`, Buffer.from(random.bytes(random.int(1_500)))))
    await must(host.put("docs/empty", Buffer.alloc(0)))
    await must(host.snapshot("before"))
    await must(host.remove("docs/plan"))
    await must(host.setProperty("docs/notes", "colour", "rot"))
    await must(host.put("hello.txt", Buffer.from("Hello, Twinfiler!\n")))
    const object = await host.create()
    await host.write(object, Buffer.from(random.bytes(700)))
    await must(host.mkdir("docs/later"))
    await host.write(object, Buffer.from(random.bytes(300)))
    return host
}

/** The elements as files would hold them. */
export function imageBuffers(bench: StoreBench): Buffer[] {
    return bench.chips.map(chip => Buffer.from(chip.peek(0, chip.image.bytes)))
}
