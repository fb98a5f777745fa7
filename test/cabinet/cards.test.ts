// Pairs whose elements are SD cards: the image with their driver, on boards, against cards that are cruel.

import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { roles, SimSession, source } from "../../tools/sim/session"

const mtime = 1_700_000_000
const fileBytes = 24_000
/** The card of a large array is erased by segments of 32,768 blocks when it is new. */
const firstMountMsMax = 60_000

function bytesOf(name: string, count = fileBytes): Buffer {
    return Buffer.from(new Random(name).bytes(count))
}

/** The owner's power goes in the middle of a file; its partner finishes it, gives back, and all is there. */
async function cutAndBack(session: SimSession): Promise<void> {
    const { client } = session
    const before = bytesOf("before")
    const during = bytesOf("during")
    await client.put(0, "before", source(before), { mtime })
    let taken = 0
    const halves = async function* () {
        for (let at = 0; at < during.length; at += 2_000) {
            if (taken < during.length / 2 && at >= during.length / 2) session.power("a", false)
            taken = at
            yield during.subarray(at, at + 2_000)
        }
    }
    await client.put(0, "during", halves, { mtime })
    assert.equal(client.controllerOf(0), 1, "the partner took the file")
    assert.ok((await session.readAll(0, "during")).equals(during))
    session.power("a", true)
    await session.until("a waits", () => session.roleOf(0) === roles.waiting)
    await client.giveback(1)
    await session.until("a serves its own", () => client.controllerOf(0) === 0)
    assert.ok((await session.readAll(0, "before")).equals(before))
    assert.ok((await session.readAll(0, "during")).equals(during))
}

async function sessionOf(
    options: ConstructorParameters<typeof SimSession>[0],
    work: (session: SimSession) => Promise<void>,
): Promise<void> {
    const session = new SimSession(options)
    try {
        await session.run(async () => {
            await work(session)
            await session.client.close()
        })
    } finally {
        await session.bus.close()
    }
    assert.deepEqual(session.simulation.panics, [])
    assert.equal(session.simulation.violation, undefined)
}

describe("pair: SD cards", function () {
    this.timeout(120_000)

    for (const seed of [126, 206])
        it(`a board dies while its card drives the line, and the partner reads from its own: seed ${seed} [R6] [R1] [R22]`, () =>
            sessionOf({ seed, chip: "sd-tiny", cpu: "ideal", timeoutMs: 60_000 }, async session => {
                const { client, random } = session
                await session.healthy()
                let isOver = false
                const content = random.bytes(9_000)
                const written = new Map<string, Uint8Array>()
                const work = [0, 1].map(async volume => {
                    for (let n = 0; !isOver; n++) {
                        const bytes = random.bytes(2_500)
                        await client.put(volume, `f${n % 5}`, source(bytes), { mtime })
                        written.set(`${volume} f${n % 5}`, bytes)
                    }
                })
                await client.put(0, "r", source(content), { mtime })
                const reading = (async () => {
                    while (!isOver) assert.ok((await session.readAll(0, "r")).equals(content))
                })()
                await session.sleep(300 + random.float() * 700)
                session.power("b", false)
                await session.sleep(1_500)
                isOver = true
                await Promise.all([...work, reading])
                assert.equal(client.controllerOf(1), 0)
                for (const [key, bytes] of written) {
                    const [volume, name] = key.split(" ")
                    assert.ok((await session.readAll(Number(volume), name)).equals(bytes), key)
                }
            }))

    for (const elements of [2, 3])
        for (const chip of ["sd-tiny", "SDHC-4GB"])
            it(`${elements} cards ${chip}: power cut in mid-write, takeover, giveback, all is there [R9] [R17] [R22]`, () =>
                sessionOf({ seed: elements, chip, elements }, async session => {
                    await session.healthy()
                    await cutAndBack(session)
                }))

    for (const elements of [2, 3])
        it(`${elements} cards, one goes silent: served from the others, through a takeover too [R17] [R14]`, () =>
            sessionOf({ seed: 7, chip: "sd-tiny", elements }, async session => {
                await session.healthy()
                const early = bytesOf("early")
                await session.client.put(0, "early", source(early), { mtime })
                session.simulation.cabinet.element("a:1").faults.silent = true
                await cutAndBack(session)
                assert.ok((await session.readAll(0, "early")).equals(early))
                const { deadElements } = await session.client.statfs(0)
                assert.equal(deadElements, 1)
            }))

    it("two cards of 4 GB that are new: served within a minute [R17]", () =>
        sessionOf({ seed: 3, chip: "SDHC-4GB", elements: 2 }, async session => {
            await session.until(
                "both serve",
                () => [0, 1].every(node => session.roleOf(node) === roles.active),
                firstMountMsMax,
            )
            const { bytesTotal } = await session.client.statfs(0)
            assert.ok(bytesTotal > 1.6e9, `${bytesTotal} bytes`)
        }))
})
