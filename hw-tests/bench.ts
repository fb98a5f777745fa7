// What the suite runs against: the bus that TWINFILER_HW_BUS names, or a simulated cabinet of its own. It speaks to nodes as any host does.

import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { connectBus, realClock, realRandom, type JacdacBus } from "../tools/bridge/bus"
import { TwinfilerClient } from "../tools/bridge/client"
import { decodeNotice } from "../tools/bridge/protocol/notices"
import { noticeKinds } from "../tools/bridge/protocol/numbers"
import { projectRoot } from "../tools/sim/devs-cli"
import { CabinetProcess } from "../test/clients/cabinet-process"

export class HardwareBench {
    readonly figures: Record<string, unknown> = {}
    private constructor(
        readonly address: string,
        readonly bus: JacdacBus,
        readonly client: TwinfilerClient,
        private readonly cabinet?: CabinetProcess,
    ) {}

    get isSimulated(): boolean {
        return this.cabinet !== undefined
    }

    static async open(): Promise<HardwareBench> {
        const given = process.env.TWINFILER_HW_BUS
        const cabinet = given === undefined ? await CabinetProcess.start() : undefined
        const address = given ?? cabinet!.webSocketUrl
        const bus = await connectBus(address)
        const client = new TwinfilerClient(bus, { clock: realClock, random: realRandom })
        await client.ready()
        return new HardwareBench(address, bus, client, cabinet)
    }

    async close(): Promise<void> {
        const folder = join(projectRoot, "test-results")
        mkdirSync(folder, { recursive: true })
        const report = { outputVersion: 1, bus: this.isSimulated ? "simulated" : this.address, ...this.figures }
        writeFileSync(join(folder, "hw-report.json"), JSON.stringify(report, undefined, 1) + "\n")
        await this.client.close()
        await this.bus.close()
        await this.cabinet?.close()
    }

    /** Until `condition` holds for what the nodes' beats say. */
    async until(what: string, condition: () => boolean, waitMs = 30_000): Promise<void> {
        const endMs = realClock.now() + waitMs
        while (!condition()) {
            if (realClock.now() > endMs) throw new Error(`${what}: not within ${waitMs / 1_000} s`)
            await new Promise(resolve => setTimeout(resolve, 50))
        }
    }

    node(number: number) {
        return this.client.nodes().find(({ node }) => node === number)
    }

    /** Times of a node's beats by its own clock, in ms, as they come; until there are `count`. */
    beats(node: number, count: number): Promise<number[]> {
        return new Promise(resolve => {
            const times: number[] = []
            const end = this.bus.onNotice((from, kind, frame) => {
                if (from !== node || kind !== noticeKinds.beat) return
                const beat = decodeNotice(kind, Buffer.from(frame))
                if (beat.kind !== "beat" || times.push(beat.uptimeMs) < count) return
                end()
                resolve(times)
            })
        })
    }
}
