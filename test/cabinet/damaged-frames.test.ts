// Real nodes, real frames, damaged: every byte of a frame may be anything, its CRC right again, and some have a right check too.
// No node may panic, and what was acknowledged before and after must be there.
//
// Announcements are a case of their own: the runtime believes every one with a right CRC, and binds the firmware's roles to services
// that do not exist. Service may stop until power is cycled; data may not suffer.

import assert from "node:assert/strict"
import { commandFrame } from "../../tools/bridge/bus/jacdac-frame"
import { sealCommand } from "../../tools/bridge/protocol/check"
import { Random } from "../../tools/sim/random"
import { SimSession } from "../../tools/sim/session"
import { frameCrc } from "../../tools/sim/wire"
import { History } from "./history"

const mutations = 10_000
/** Frames in a row before the pair has a moment to work them off, and an operation is done. */
const burst = 100
const jacdacHeadBytes = 16
const commandFlag = 1
const samplesMax = 400
const recordedOperations = 12

/** A frame with some of its bytes changed, or cut short; its Jacdac CRC is right again, so that receivers look into it. */
function damage(frame: Buffer, random: Random): Buffer {
    const copy = Buffer.from(frame)
    const changes = 1 + random.int(6)
    // the header names the receiver: mostly left alone, so that the damage arrives
    const from = random.chance(0.9) ? jacdacHeadBytes - 4 : 2
    for (let i = 0; i < changes; i++) copy[from + random.int(copy.length - from)] = random.int(256)
    if (random.chance(0.2)) copy[12] = random.int(copy[12] + 1)
    // a hostile sender computes the check as well; a device id of its own would only be another device
    if (
        random.chance(0.3) &&
        copy.length > jacdacHeadBytes + 4 &&
        copy[12] <= copy.length - jacdacHeadBytes &&
        copy[12] >= 4
    )
        sealCommand(copy.subarray(jacdacHeadBytes, jacdacHeadBytes + copy[12]))
    copy.writeUInt16LE(frameCrc(copy), 0)
    return copy
}

/** Frames of a healthy pair at work, of which `wanted` are taken. */
async function recordFrames(
    session: SimSession,
    history: History,
    wanted: (frame: Buffer) => boolean,
): Promise<Buffer[]> {
    const samples: Buffer[] = []
    session.simulation.trace.onEntry = ({ kind, data }) => {
        if (kind !== "frame" || typeof data === "string" || samples.length >= samplesMax) return
        const frame = Buffer.from(data)
        if (wanted(frame)) samples.push(frame)
    }
    for (let i = 0; i < recordedOperations; i++) await history.step()
    session.simulation.trace.onEntry = undefined
    return samples
}

function isAnnouncement(frame: Buffer): boolean {
    return (frame[3] & commandFlag) === 0 && frame[13] === 0 && frame.readUInt16LE(14) === 0
}

describe("pair: damaged frames", function () {
    this.timeout(300_000)

    it("10,000 seeded mutations of real frames panic no node, stop no service and corrupt nothing [R33]", async () => {
        const session = new SimSession({ seed: 33, chip: "W25Q16JV", timeoutMs: 60_000 })
        const random = new Random("damage 33")
        await session.run(async () => {
            await session.healthy()
            const history = new History(session, random.fork("history"))
            const samples = await recordFrames(session, history, frame => !isAnnouncement(frame))
            for (let sent = 0; sent < mutations;) {
                for (let i = 0; i < burst; i++, sent++)
                    session.host.send(damage(samples[random.int(samples.length)], random))
                await history.step()
            }
            await history.check("after the damage")
            await session.client.close()
        })
        await session.bus.close()
        assert.deepEqual(session.simulation.panics, [])
    })

    it("1,000 damaged announcements: no panic, and after a power cycle everything is there [R33]", async () => {
        const session = new SimSession({ seed: 35, chip: "W25Q16JV", timeoutMs: 60_000 })
        const random = new Random("announcements 35")
        await session.run(async () => {
            await session.healthy()
            const history = new History(session, random.fork("history"))
            const samples = await recordFrames(session, history, isAnnouncement)
            assert.ok(samples.length > 0)
            for (let sent = 0; sent < 1_000; sent++) {
                session.host.send(damage(samples[random.int(samples.length)], random))
                if (sent % 20 === 19) await session.sleep(100)
            }
            for (const node of ["a", "b"]) session.power(node, false)
            await session.sleep(1_000)
            for (const node of ["a", "b"]) session.power(node, true)
            await session.healthy()
            await history.check("after the announcements")
            await session.client.close()
        })
        await session.bus.close()
        assert.deepEqual(session.simulation.panics, [])
    })

    it("requests that are well formed but lie about lengths, objects and names get an answer and change nothing [R33]", async () => {
        const session = new SimSession({ seed: 34, chip: "W25Q16JV" })
        const random = new Random("lies 34")
        await session.run(async () => {
            await session.healthy()
            const history = new History(session, random.fork("history"))
            for (let i = 0; i < 6; i++) await history.step()
            const node = session.client.nodes()[0]
            const device = Buffer.from(node.device, "hex")
            for (let i = 0; i < 600; i++) {
                const bytes = 4 + random.int(233)
                const frame = Buffer.from(random.bytes(bytes))
                frame[4] = random.int(3)
                if (bytes > 5) frame[5] = random.int(12) | (random.chance(0.3) ? 0x80 : 0)
                if (bytes > 7) frame.writeUInt16LE(0, 6)
                session.host.send(commandFrame(device, 1, 0x80 + random.int(6), sealCommand(frame)))
                if (i % 8 === 7) await session.sleep(60)
            }
            await session.sleep(3_000)
            await history.check("after the lies")
            await session.client.close()
        })
        await session.bus.close()
        assert.deepEqual(session.simulation.panics, [])
    })
})
