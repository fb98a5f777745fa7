/** The command line on a fake cabinet, in virtual time: what it prints and how it ends. */
import { PassThrough, Readable } from "node:stream"
import { JacdacBus } from "../../tools/bridge/bus"
import type { World } from "../../tools/bridge/cli/context"
import { run } from "../../tools/bridge/cli/program"
import { TwinfilerError } from "../../tools/bridge/error"
import { FakeCabinet } from "./fake-node"
import { seeded, VirtualClock } from "./virtual-clock"

export interface Outcome {
    exitCode: number
    out: string
    err: string
}

export class CliBench {
    readonly clock = new VirtualClock()
    readonly cabinet = new FakeCabinet(this.clock, seeded(1))
    hasBus = true
    input: Buffer = Buffer.alloc(0)
    stop = new AbortController()
    /** Each command is a program of its own, which draws its own tags and sessions. */
    private seed = 2

    async run(...args: string[]): Promise<Outcome> {
        const stdout = new PassThrough()
        const stderr = new PassThrough()
        const world: World = {
            stdin: Readable.from([this.input]),
            stdout,
            stderr,
            env: {},
            isTerminal: false,
            clock: this.clock,
            random: seeded(this.seed++),
            now: () => 1_700_000_000,
            openBus: async () => {
                if (!this.hasBus) throw new TwinfilerError("noBus", "no bus")
                return new JacdacBus(this.cabinet, { clock: this.clock, random: seeded(3) })
            },
            signal: this.stop.signal,
        }
        const exitCode = await this.clock.drive(run(args, world))
        return { exitCode, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") }
    }
}
