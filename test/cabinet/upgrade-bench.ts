// A pair under the load of a client, and the command line beside it: what the tests of upgrades share.

import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough, Readable, Writable } from "node:stream"
import { JacdacBus, type FrameTransport } from "../../tools/bridge/bus"
import type { World } from "../../tools/bridge/cli/context"
import { run } from "../../tools/bridge/cli/program"
import { buildProgram, firmwareSources } from "../../tools/sim/bytecode"
import { SimSession, sha256, source, type SimSessionOptions } from "../../tools/sim/session"
import { VirtualHost } from "../../tools/sim/virtual-host"

const mtime = 1_700_000_000
const fileBytes = 3_000
const touchPauseMs = 20

export const nextVersion = "0.1.1"
export const nextImage = (elements: "nor" | "sd" = "nor") => buildProgram(firmwareSources(elements, nextVersion))

export interface CommandEnd {
    exitCode: number
    out: string
    err: string
}

export class UpgradeBench {
    readonly session: SimSession
    /** What the load stored, by `volume/path`. */
    readonly stored = new Map<string, string>()
    /** The longest that a small change of the load took. */
    longestStallMs = 0
    operations = 0
    readonly failures: unknown[] = []
    private isLoading = false
    private load: Promise<unknown> = Promise.resolve()
    private readonly folder = mkdtempSync(join(tmpdir(), "twinfiler-"))
    private commands = 0
    private readonly started: { node: string; version: string }[] = []
    /** What the command line's frames become on the way to the wire. */
    onWay: (frame: Buffer) => Buffer = frame => frame
    /** Whether a frame is lost between the command line and the wire, either way. */
    isLost: (frame: Uint8Array) => boolean = () => false

    constructor(options: SimSessionOptions) {
        const onLog = (node: string, line: string) => {
            const version = /\* start: twinfiler v(\d+\.\d+\.\d+)/.exec(line)?.[1]
            if (version) this.started.push({ node, version })
        }
        this.session = new SimSession({ chip: "W25Q16JV", onLog, ...options })
    }

    file(name: string, bytes: Uint8Array): string {
        const path = join(this.folder, name)
        writeFileSync(path, bytes)
        return path
    }

    /** Puts and reads on both volumes, until `rest`; no operation may fail. */
    work(): void {
        this.isLoading = true
        this.load = Promise.all([0, 1].flatMap(volume => [this.loadOf(volume), this.touch(volume)]))
    }

    async rest(): Promise<void> {
        this.isLoading = false
        await this.load
    }

    private async loadOf(volume: number): Promise<void> {
        const { session } = this
        for (let index = 0; this.isLoading; index++) {
            const path = `f${index % 10}`
            const bytes = session.random.bytes(fileBytes)
            try {
                await session.client.put(volume, path, source(bytes), { mtime, replace: true })
                this.stored.set(`${volume}/${path}`, sha256(bytes))
                const back = await session.readAll(volume, path)
                assert.equal(sha256(back), sha256(bytes))
            } catch (error) {
                this.failures.push(error)
            }
            this.operations++
        }
    }

    /** One small change after the other: what a client waits for at most. */
    private async touch(volume: number): Promise<void> {
        const { session } = this
        try {
            if (!(await session.client.find(volume, "d"))) await session.client.mkdir(volume, "d", { mtime })
            for (let index = 0; this.isLoading; index++) {
                const beginMs = session.nowMs()
                await session.client.setMtime(volume, "d", { mtime: mtime + index })
                this.longestStallMs = Math.max(this.longestStallMs, session.nowMs() - beginMs)
                await session.sleep(touchPauseMs)
            }
        } catch (error) {
            this.failures.push(error)
        }
    }

    /** The versions a node's board has started, in order. */
    starts(node: string): string[] {
        return this.started.filter(one => one.node === node).map(({ version }) => version)
    }

    /** Power off, and on again some time later. */
    async cut(node: string, offMs: number): Promise<void> {
        this.session.power(node, false)
        await this.session.sleep(offMs)
        this.session.power(node, true)
    }

    /** Nothing the load was told is stored is lost, and no operation failed. */
    async verify(): Promise<void> {
        assert.deepEqual(this.failures, [])
        for (const [place, digest] of this.stored) {
            const [volume, path] = place.split("/")
            assert.equal(sha256(await this.session.readAll(Number(volume), path)), digest, place)
        }
    }

    /** The command line at a host of its own. */
    async commandAt(host: string, args: string[]): Promise<CommandEnd> {
        return this.command(args, undefined, undefined, host)
    }

    /** The command line on the same wire, as another program on the host; `noted` hears each of its notes when it is made. */
    async command(
        args: string[],
        noted?: (note: string) => void,
        stop = new AbortController(),
        host?: string,
    ): Promise<CommandEnd> {
        const { session } = this
        const stdout = new PassThrough()
        let err = ""
        const stderr = new Writable({
            write: (chunk, _, done) => {
                err += String(chunk)
                noted?.(String(chunk))
                done()
            },
        })
        const draw = session.random.fork(`command ${this.commands++}`)
        const given = { clock: session.host.clock, random: () => draw.uint32() }
        const world: World = {
            stdin: Readable.from([]),
            stdout,
            stderr,
            env: {},
            isTerminal: false,
            ...given,
            now: () => mtime,
            openBus: async () =>
                new JacdacBus(
                    host === undefined
                        ? besides(
                              session,
                              frame => this.onWay(frame),
                              frame => this.isLost(frame),
                          )
                        : new VirtualHost(session.simulation, host),
                    given,
                ),
            signal: stop.signal,
            offClock: work => session.host.hold(work),
        }
        const exitCode = await run(args, world)
        return { exitCode, out: String(stdout.read() ?? ""), err }
    }

    async close(): Promise<void> {
        rmSync(this.folder, { recursive: true, force: true })
        await this.session.bus.close()
        this.session.simulation.cabinet.close()
    }
}

/** A second transport on the host's place on the wire. */
function besides(
    { host }: SimSession,
    onWay: (frame: Buffer) => Buffer,
    isLost: (frame: Uint8Array) => boolean,
): FrameTransport {
    const first = host.onFrame
    const transport: FrameTransport = {
        send: frame => {
            if (!isLost(frame)) host.send(onWay(Buffer.from(frame)))
        },
        close: () => {
            host.onFrame = first
        },
    }
    host.onFrame = frame => {
        first?.(frame)
        if (!isLost(frame)) transport.onFrame?.(frame)
    }
    return transport
}
