// What the suite runs against: the bus that TWINFILER_HW_BUS names, or a simulated cabinet of its own. It speaks to nodes as any host does.

import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { CabinetProcess } from "../test/clients/cabinet-process"
import { connectBus, realClock, realRandom, type JacdacBus } from "../tools/bridge/bus"
import { TwinfilerClient } from "../tools/bridge/client"
import { isError } from "../tools/bridge/error"
import { findPower, isSimulator, type BoardPower } from "../tools/bridge/power"
import { decodeNotice, type Beat } from "../tools/bridge/protocol/notices"
import { beatFlags, noticeKinds, volumeLetter } from "../tools/bridge/protocol/numbers"
import { stream } from "../test/bridge/bench"
import { Report } from "./report"

export const mtime = 1_700_000_000
/** A board boots in 2 s; after a fault its partner tries again each 5 s. */
const healthyMsMax = 60_000
const lookMs = 50

export const nodes = [0, 1]
export const letter = volumeLetter
export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
export const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

/** A number from the command line, or the short one of `npm test`. */
export const chosen = (name: "PULLS" | "SOAK"): number | undefined => {
    const text = process.env[`TWINFILER_HW_${name}`]
    return text === undefined ? undefined : Number(text)
}

export class HardwareBench {
    private constructor(
        readonly bus: JacdacBus,
        readonly client: TwinfilerClient,
        readonly power: BoardPower,
        readonly report: Report,
        private readonly cabinet?: CabinetProcess,
    ) {}

    get isSimulated(): boolean {
        return this.cabinet !== undefined
    }

    static async open(): Promise<HardwareBench> {
        const given = process.env.TWINFILER_HW_BUS
        const fault = process.env.TWINFILER_HW_MISWIRED
        const pace = process.env.TWINFILER_HW_PACE
        const chip = process.env.TWINFILER_HW_CHIP
        const more = fault !== undefined ? ["--miswired", fault] : pace !== undefined ? ["--pace", pace] : []
        if (chip !== undefined) more.push("--chip", chip)
        // of a simulator that someone else started nobody knows the pace
        const isComparable = given !== undefined ? !(await isSimulator(given)) : fault === undefined && pace === "real"
        const cabinet = given === undefined ? await CabinetProcess.start(...more) : undefined
        try {
            const address = given ?? cabinet!.webSocketUrl
            const bus = await connectBus(address)
            const client = new TwinfilerClient(bus, { clock: realClock, random: realRandom })
            await client.ready()
            const ask = (text: string) => void process.stderr.write(`\n>>> ${text}\n`)
            const power = await findPower({ bus, client, clock: realClock, address, ask })
            return new HardwareBench(bus, client, power, new Report(given, isComparable), cabinet)
        } catch (error) {
            await cabinet?.close()
            throw error
        }
    }

    async close(): Promise<void> {
        this.report.write()
        this.power.close()
        await this.client.close()
        await this.bus.close()
        await this.cabinet?.close()
    }

    /** One that has seen no answer yet. */
    anotherClient(): TwinfilerClient {
        return new TwinfilerClient(this.bus, { clock: realClock, random: realRandom })
    }

    /** Until `condition` holds for what the nodes' beats say. */
    async until(what: string, condition: () => boolean, waitMs = 30_000): Promise<void> {
        const endMs = realClock.now() + waitMs
        while (!condition()) {
            if (realClock.now() > endMs) throw new Error(`${what}: not within ${waitMs / 1_000} s`)
            await sleep(lookMs)
        }
    }

    node(number: number) {
        return this.client.nodes().find(({ node }) => node === number)
    }

    has(node: number, flag: keyof typeof beatFlags): boolean {
        const state = this.node(node)
        return state !== undefined && state.isHeard && (state.flags & beatFlags[flag]) !== 0
    }

    /** Both serve their own volumes and record for each other; who holds its partner's hands it back first. */
    async healthy(): Promise<void> {
        const isWell = (node: number) => this.has(node, "controlsOwn") && this.has(node, "protected")
        const endMs = realClock.now() + healthyMsMax
        while (!nodes.every(isWell)) {
            assert.ok(realClock.now() < endMs, `not both well within ${healthyMsMax / 1_000} s: ${this.describe()}`)
            for (const node of nodes)
                if (this.has(node, "controlsPartner") && this.node(node ^ 1)?.isHeard)
                    await this.client.giveback(node, { timeoutMs: 5_000 }).catch(unlessRefused)
            await sleep(lookMs)
        }
    }

    describe(): string {
        return this.client
            .nodes()
            .map(({ node, role, flags, isHeard }) =>
                isHeard ? `${letter(node)} has role ${role}, flags ${flags}` : `${letter(node)} is silent`,
            )
            .join("; ")
    }

    /** Writes a file and reads it back; returns how long each took, in ms. */
    async writeAndRead(volume: number, name: string, data: Buffer): Promise<{ writeMs: number; readMs: number }> {
        const beginMs = performance.now()
        await this.client.put(volume, name, stream(data), { mtime })
        const writtenMs = performance.now()
        await this.verify(volume, name, data)
        return { writeMs: writtenMs - beginMs, readMs: performance.now() - writtenMs }
    }

    async verify(volume: number, name: string, data: Buffer): Promise<void> {
        const pieces: Uint8Array[] = []
        for await (const piece of this.client.get(volume, name)) pieces.push(piece)
        assert.equal(sha256(Buffer.concat(pieces)), sha256(data), `volume ${letter(volume)}, file ${name}`)
    }

    /** Calls `found` with each beat of a node. Returns the function that ends it. */
    onBeat(node: number, found: (beat: Beat) => void): () => void {
        return this.bus.onNotice((from, kind, frame) => {
            if (from !== node || kind !== noticeKinds.beat) return
            const beat = decodeNotice(kind, Buffer.from(frame))
            if (beat.kind === "beat") found(beat)
        })
    }

    /** Times of a node's beats by its own clock, in ms, as they come; until there are `count`. */
    beats(node: number, count: number): Promise<number[]> {
        return new Promise(resolve => {
            const times: number[] = []
            const end = this.onBeat(node, ({ uptimeMs }) => {
                if (times.push(uptimeMs) < count) return
                end()
                resolve(times)
            })
        })
    }
}

export function unlessRefused(error: unknown): void {
    if (!isError(error)) throw error
}
