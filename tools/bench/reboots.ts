// How long writes stay unprotected after a partner's reboot: from the moment it has power again to the last word of the owner that nobody holds
// a copy. The load goes on throughout.

import { noticeKinds } from "../bridge/protocol/numbers"
import { SimSession, source } from "../sim/session"
import type { Figure } from "./result"

const mtime = 1_700_000_000
const unprotected = 1
/** A pair that has run for a while. */
const settledMs = 5_000
/** What comes later than this is not the reboot's doing. */
const watchMs = 8_000
const offMsMin = 20
const offMsSpan = 3_000
const fileBytes = 24 * 1024
/** From power to a board's first words, as its processor model has it. */
const bootMs = 1_385

/** The longest of `count` seeded reboots. */
export async function unprotectedAfterReboot(seed: number, cpu: "rp2040" | "ideal", count: number): Promise<Figure> {
    let value = 0
    for (let i = 1; i <= count; i++) value = Math.max(value, (await oneReboot(seed + i, cpu)).unprotectedMs)
    return {
        name: "unprotected-after-reboot-max",
        value,
        unit: "ms",
        limit: bootMs,
        binds: "the boot of a board, from power to its first words",
    }
}

export interface Reboot {
    /** From power to the last unprotected word. */
    unprotectedMs: number
    /** Words about durable writes after that, which all had a copy. */
    protectedWords: number
    /** How long the partner had no power. */
    offMs: number
}

export async function oneReboot(seed: number, cpu: "rp2040" | "ideal"): Promise<Reboot> {
    const session = new SimSession({ seed, cpu })
    const { client, random } = session
    const offMs = offMsMin + random.float() * offMsSpan
    let onMs = Infinity
    let lastMs = 0
    let protectedWords = 0
    session.bus.onNotice((node, kind, frame) => {
        if (node !== 0) return
        const flags = wordFlags(kind, frame)
        if (flags === undefined || session.nowMs() < onMs) return
        if (flags & unprotected) {
            lastMs = session.nowMs()
            protectedWords = 0
        } else protectedWords++
    })
    await session.run(async () => {
        await session.healthy()
        await session.sleep(settledMs)
        const atMs = session.nowMs() + 200 + random.float() * 1_000
        session.host.clock.setTimeout(() => session.power("b", false), atMs - session.nowMs())
        session.host.clock.setTimeout(
            () => {
                session.power("b", true)
                onMs = session.nowMs()
            },
            atMs + offMs - session.nowMs(),
        )
        const endMs = atMs + offMs + watchMs
        for (let i = 0; session.nowMs() < endMs; i++) {
            await client.put(0, "load", source(random.bytes(fileBytes)), { mtime })
            await client.mkdir(0, `d${i}`, { mtime })
        }
        await client.close()
    })
    await session.bus.close()
    return { unprotectedMs: Math.max(0, lastMs - onMs), protectedWords, offMs }
}

/** Flags of a word that a write is durable. */
function wordFlags(kind: number, frame: Uint8Array): number | undefined {
    if (kind === noticeKinds.reply) return frame[7]
    if (kind !== noticeKinds.progress) return undefined
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
    for (let i = 0, at = 8; i < frame[5]; i++, at += 8) if (view.getUint32(at + 4, true) > 0) return frame[6]
    return undefined
}
