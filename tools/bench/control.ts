// What a change of control costs a client, on an array of three elements that is half full and under load. Failover: from the cut (or the hang)
// of the owner to the first reply of its partner. Takeover and giveback that are asked for: by how much the longest time between two answers
// to a client that makes one small change after another exceeds the usual.

import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { decodeNotice } from "../bridge/protocol/notices"
import { noticeKinds } from "../bridge/protocol/numbers"
import { SimSession, source } from "../sim/session"
import { percentile, resultOf, type Figure, type Result } from "./result"

export interface ControlOptions {
    seed: number
    /** Of each figure. */
    cuts: number
    cpu: "rp2040" | "ideal"
    /** Told after each change of control, with the times so far in ms. */
    onChange?(kind: ChangeKind, times: readonly number[]): void
}

/** Parity of three 8 MB chips: a volume of 16 MB. */
const shape = { elements: 3, chip: "W25Q64JV" }
const array = "parity of 3 W25Q64JV, half full"
const filledShare = 0.5
const fillBytes = 512 * 1024
const mtime = 1_700_000_000

/** A pair that has run for a while: just after a boot a silent partner is given time to come up. */
const settledMs = 5_000
const loadBytes = 128 * 1024
/** What is usual is measured for so long before. */
const usualMs = 1_500
/** From a change of control on, small changes are made for so long. */
const watchedMs = 1_500

// asked for, in ms
const lineAim = 300
const silenceAim = 1_000
const stallAim = 250

/** What counts as a reply: words about a volume. Progress does when it acknowledges something, and all that was before. */
const replies: readonly number[] = [noticeKinds.reply, noticeKinds.data, noticeKinds.answer]
const noticeVolumeAt = 4

export const changeKinds = ["failover-line", "failover-heartbeat", "takeover-stall", "giveback-stall"] as const
export type ChangeKind = (typeof changeKinds)[number]
const aims: Record<ChangeKind, number> = {
    "failover-line": lineAim,
    "failover-heartbeat": silenceAim,
    "takeover-stall": stallAim,
    "giveback-stall": stallAim,
}

export async function measureControl(
    options: ControlOptions,
    kinds: readonly ChangeKind[] = changeKinds,
): Promise<Result[]> {
    const folder = mkdtempSync(join(tmpdir(), "twinfiler-bench-"))
    try {
        const filled = join(folder, "filled")
        await fill(options.seed, filled)
        const figures: Figure[] = []
        for (const kind of kinds) {
            const times: number[] = []
            for (let i = 0; i < options.cuts; i++) {
                const images = join(folder, "images")
                cpSync(filled, images, { recursive: true })
                times.push(await oneChange(kind, { ...shape, seed: options.seed + 1 + i, cpu: options.cpu, images }))
                rmSync(images, { recursive: true })
                options.onChange?.(kind, times)
            }
            for (const percent of [50, 99])
                figures.push({
                    name: `${kind}-p${percent}`,
                    value: percentile(times, percent),
                    unit: "ms",
                    limit: aims[kind],
                    binds: `asked for as 99th percentile; ${times.length} times, the longest ${Math.max(...times).toFixed(0)} ms`,
                })
        }
        return figures.map(figure => resultOf(figure, array, options.cpu))
    } finally {
        rmSync(folder, { recursive: true, force: true })
    }
}

/** Volume a, half full, as image files. */
async function fill(seed: number, images: string): Promise<void> {
    const session = new SimSession({ ...shape, seed, cpu: "ideal", images })
    const { client, random } = session
    await session.run(async () => {
        await session.healthy()
        const { bytesTotal } = await client.statfs(0)
        for (let i = 0; i * fillBytes < filledShare * bytesTotal; i++)
            await client.put(0, `filled${i}`, source(random.bytes(fillBytes)), { mtime })
        await client.close()
        await session.sleep(settledMs)
    })
    await session.bus.close()
    session.simulation.cabinet.close()
}

type Options = ConstructorParameters<typeof SimSession>[0]

async function oneChange(kind: ChangeKind, options: Options): Promise<number> {
    const session = new SimSession(options)
    const ms = await session.run(async () => {
        await session.healthy()
        await session.sleep(settledMs)
        if (kind === "takeover-stall") return stall(session, () => session.client.takeover(1))
        if (kind === "failover-line" || kind === "failover-heartbeat") return failover(session, kind)
        await session.client.takeover(1)
        await session.sleep(settledMs)
        return stall(session, () => session.client.giveback(1))
    })
    await session.bus.close()
    session.simulation.cabinet.close()
    return ms
}

async function failover(session: SimSession, kind: ChangeKind): Promise<number> {
    const { client, random, simulation } = session
    let cutMs = 0
    let firstMs = 0
    session.host.clock.setTimeout(
        () => {
            cutMs = session.nowMs()
            if (kind === "failover-line") session.power("a", false)
            else simulation.board("a").pause(60_000)
        },
        300 + random.float() * 2_000,
    )
    let acknowledged = 1
    session.bus.onNotice((node, noticeKind, frame) => {
        if (frame[noticeVolumeAt] !== 0) return
        let isReply = replies.includes(noticeKind)
        if (noticeKind === noticeKinds.progress) {
            const notice = decodeNotice(noticeKind, frame)
            const end = notice.kind === "progress" ? Math.max(...notice.uploads.map(u => u.acknowledged)) : 0
            isReply = end >= acknowledged
            acknowledged = Math.max(acknowledged, end)
        }
        if (isReply && cutMs > 0 && firstMs === 0 && node === 1) firstMs = session.nowMs()
    })
    await client.put(0, "load", source(random.bytes(loadBytes)), { mtime })
    if (firstMs === 0) throw new Error(`seed ${simulation.options.seed}: the load ended before the cut`)
    return firstMs - cutMs
}

/** How late the latest answer is around a change that is asked for. */
async function stall(session: SimSession, change: () => Promise<unknown>): Promise<number> {
    const { client, random } = session
    let longestMs = 0
    const usual: number[] = []
    let changed: Promise<unknown> | undefined
    const beginMs = session.nowMs() + usualMs + random.float() * 500
    let lastMs = session.nowMs()
    for (let i = 0; session.nowMs() < beginMs + watchedMs; i++) {
        if (!changed && session.nowMs() >= beginMs) changed = change()
        await client.mkdir(0, `small${i}`, { mtime })
        const ms = session.nowMs() - lastMs
        if (changed) longestMs = Math.max(longestMs, ms)
        else usual.push(ms)
        lastMs = session.nowMs()
    }
    await changed
    return Math.max(0, longestMs - percentile(usual, 50))
}
