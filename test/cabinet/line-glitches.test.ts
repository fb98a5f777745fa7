// OWN of a node has short glitches while its volume is written: its elements hear nothing for a moment, and say nothing of it. In the VM, on a
// board's processor.

import assert from "node:assert/strict"
import { SimSession, source } from "../../tools/sim/session"
import { checkArray, MemoryImage } from "../../tools/check"
import { Random } from "../../tools/sim/random"

const mtime = 1_700_000_000
const glitches = 150
const lengthsUs = [5, 40, 200, 800, 3_000]
const fileBytes = 2_000
const settleMs = 4_000

for (const [chip, elements] of [
    ["W25Q16JV", 2],
    ["W25Q16JV", 3],
    ["sd-tiny", 2],
] as const)
    it(`short glitches of OWN under load, ${elements} of ${chip}: nothing lost, no element given up [R22] [R31] [R24]`, async function () {
        this.timeout(300_000)
        const session = new SimSession({ seed: 7, chip, elements, cpu: "rp2040" })
        const { client, simulation } = session
        const random = new Random(`glitches ${chip} ${elements}`)
        const files = new Map<string, Buffer>()
        let isOver = false
        try {
            await session.run(async () => {
                await session.healthy()
                const glitching = (async () => {
                    for (let i = 0; i < glitches; i++) {
                        await session.sleep(30 + random.float() * 60)
                        const us = lengthsUs[random.int(lengthsUs.length)] * (0.3 + 0.7 * random.float())
                        simulation.glitchLine("a", "OWN", Math.ceil(us))
                    }
                    isOver = true
                })()
                for (let i = 0; !isOver; i++) {
                    const data = Buffer.from(random.bytes(fileBytes))
                    await client.put(0, `f${i % 12}`, source(data), { mtime })
                    files.set(`f${i % 12}`, data)
                }
                await glitching
                await session.sleep(settleMs)
                await client.giveback(1).catch(() => undefined) // where it was taken over
                await session.until("healthy", () => client.controllerOf(0) === 0, 60_000)
                for (const [name, data] of files)
                    assert.ok(Buffer.from(await session.readAll(0, name)).equals(data), name)
                const { members } = await client.array(0)
                assert.equal(members.length, elements, "an element was given up")
                await client.close()
                await session.sleep(settleMs)
            })
        } finally {
            await session.bus.close()
        }
        assert.deepEqual(simulation.panics, [])
        assert.equal(simulation.violation, undefined)
        assert.ok(files.size > 3, `${files.size} files`)
        const images = Array.from({ length: elements }, (_, slot) => {
            const element = simulation.cabinet.element(`a.E${slot}`)
            return new MemoryImage(element.peek(0, element.part.bytes), element.name, slot)
        })
        const { faults } = checkArray(images)
        assert.deepEqual(
            faults.map(({ message }) => message),
            [],
        )
    })
