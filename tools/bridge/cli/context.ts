/**
 * What every verb of the command line shares: where it reads and writes, its common options, the client on the bus, the
 * stop signal, and the way to an exit code. Data goes to standard output, everything else to standard error.
 */
import type { Command } from "commander"
import type { Readable, Writable } from "node:stream"
import { sleep, type Clock, type RandomU32 } from "../bus/clock"
import { defaultBusUrl, parseBusAddress } from "../bus/address"
import type { ServiceBus } from "../bus/jacdac-bus"
import { Runtimes } from "../bus/runtimes"
import { noVolume, TwinfilerClient } from "../client"
import { exitCodes, TwinfilerError } from "../error"
import { volumeLetter, volumesMax } from "../protocol/numbers"

export const outputVersion = 1
/** How long a command waits for a first node of any pair, and of the pair it is about, unless --timeout is shorter: a board boots in about 2 s. */
const firstNodeMs = 6_000
const pollMs = 25

/** The world as the command line sees it; a test hands in its own. */
export interface World {
    stdin: Readable
    stdout: Writable
    stderr: Writable
    env: Record<string, string | undefined>
    /** Whether a person sees standard error. */
    isTerminal: boolean
    clock: Clock
    random: RandomU32
    /** Seconds since 1970, for modification times. */
    now(): number
    openBus(url: string): Promise<ServiceBus>
    /** Aborted by Ctrl-C. */
    signal: AbortSignal
    /** Work with files, which no clock but the real one measures: a simulated one stands still until it is done. */
    offClock?<T>(work: Promise<T>): Promise<T>
}

export interface CommonOptions {
    bus?: string
    json?: boolean
    quiet?: boolean
    timeout?: number
}

export class Context {
    exitCode: number = exitCodes.done

    constructor(
        readonly world: World,
        readonly client: TwinfilerClient,
        readonly options: CommonOptions,
        /** The boards' own runtimes, below the nodes. */
        readonly runtimes: Runtimes,
    ) {}

    get call(): { signal: AbortSignal } {
        return { signal: this.world.signal }
    }

    get change(): { signal: AbortSignal; mtime: number } {
        return { signal: this.world.signal, mtime: this.world.now() }
    }

    print(text: string): void {
        this.world.stdout.write(text + "\n")
    }

    /** Prints one object, with the version of this output. */
    printJson(value: object): void {
        this.print(JSON.stringify({ outputVersion, ...value }))
    }

    /** The object with --json, otherwise the lines. */
    show(value: object, lines: () => string[]): void {
        if (this.options.json) this.printJson(value)
        else for (const line of lines()) this.print(line)
    }

    note(text: string): void {
        if (!this.options.quiet) this.world.stderr.write(`twinfiler: ${text}\n`)
    }

    /** Waits until every living node has been heard. */
    async settle(): Promise<void> {
        await this.client.settle()
    }

    /** Throws `notFound` for a volume, or a node, of a pair that is not on the bus, when one that has just got power would be. */
    async checkOnBus(number: number, what: "volume" | "node" = "volume"): Promise<void> {
        const { clock, signal } = this.world
        const end = clock.now() + firstNodeMsOf(this.options)
        const isKnown = () => this.client.hasVolume(number)
        if (!isKnown()) await this.settle()
        while (!isKnown()) {
            if (signal.aborted) throw new TwinfilerError("aborted", "stopped")
            if (clock.now() >= end || number >= volumesMax)
                throw new TwinfilerError("notFound", noVolume(volumeLetter(number), this.client.volumes(), what))
            await sleep(clock, pollMs)
        }
    }
}

/** Adds the options every verb has. */
export function withCommonOptions(command: Command): Command {
    return command
        .option(
            "--bus <url>",
            "the bus: ws://HOST:PORT, tcp://HOST:PORT, serial:PATH or auto (default $TWINFILER_BUS or ws://127.0.0.1:8081)",
        )
        .option("--json", `print one JSON object (outputVersion ${outputVersion})`)
        .option("--quiet", "no progress bar, no notes")
        .option("--timeout <seconds>", "give up after so long without an answer (default 30)", parseSeconds)
}

/** Throws `usage` for an address it cannot read. */
export function busUrl(world: World, options: CommonOptions): string {
    const url = options.bus || world.env.TWINFILER_BUS || defaultBusUrl
    parseBusAddress(url)
    return url
}

function firstNodeMsOf({ timeout }: CommonOptions): number {
    return timeout === undefined ? firstNodeMs : Math.min(1_000 * timeout, firstNodeMs)
}

/** Runs `work` with a client on the bus; returns the exit code. */
export async function withClient(
    world: World,
    options: CommonOptions,
    work: (context: Context) => Promise<void>,
): Promise<number> {
    const bus = await world.openBus(busUrl(world, options))
    const timeoutMs = options.timeout === undefined ? undefined : options.timeout * 1_000
    const runtimes = new Runtimes(bus, world.clock, world.random)
    const client = new TwinfilerClient(bus, { clock: world.clock, random: world.random, timeoutMs })
    try {
        await client.ready(firstNodeMsOf(options))
        const context = new Context(world, client, options, runtimes)
        await work(context)
        return context.exitCode
    } finally {
        await client.close()
        await bus.close()
    }
}

/** After a change: tells when it is stored but not as safely as it should be. */
export function noteDegraded(context: Context): void {
    const { unprotected, degraded } = context.client.serviceSeen
    if (unprotected) context.note("done, but no partner keeps copies at present: see `twinfiler status`")
    if (degraded) context.note("done, but the array has a dead element: see `twinfiler status`")
    if ((unprotected || degraded) && context.exitCode === exitCodes.done) context.exitCode = exitCodes.degraded
}

function parseSeconds(text: string): number {
    const seconds = Number(text)
    if (!(seconds > 0) || seconds > 1e6)
        throw new TwinfilerError("usage", `--timeout ${text}: give a number of seconds`)
    return seconds
}
