/**
 * Power of the boards, by what there is: a Jacdac relay that feeds the board, the simulator's control socket, or a person. What was
 * done is looked at on the bus: a node without power does not beat, and one with power begins to.
 */
import { WebSocket } from "ws"
import { parseBusAddress } from "./bus/address"
import { sleep, type Clock } from "./bus/clock"
import type { ServiceBus } from "./bus/jacdac-bus"
import { Relays } from "./bus/relays"
import { TwinfilerError } from "./error"
import type { TwinfilerClient } from "./client"
import { volumeLetter } from "./protocol/numbers"

const answerMs = 5_000
const silentMsMax = 3_000
const beatMsMax = 15_000
const personMsMax = 120_000
const lookMs = 20

export interface BoardPower {
    readonly by: "relay" | "simulator" | "person"
    /** Resolves when the node is silent, or beats. */
    set(node: number, on: boolean): Promise<void>
    close(): void
}

export interface PowerOptions {
    bus: ServiceBus
    client: TwinfilerClient
    clock: Clock
    /** Of the bus. */
    address: string
    /** This relay, by its device id, whatever the order. */
    relay?: string
    /** Tells a person what to do. */
    ask(text: string): void
    signal?: AbortSignal
}

/** Throws `notFound` for a relay that is not there, `usage` when it cannot be known which relay feeds which node. */
export async function findPower(options: PowerOptions): Promise<BoardPower> {
    const relays = new Relays(options.bus, options.clock)
    const devices = await relays.find()
    if (devices.length > 0 || options.relay !== undefined) return new RelayPower(options, relays, devices)
    relays.close()
    const control = await openControl(options.address)
    return control ? new SimulatorPower(control) : new PersonPower(options)
}

class RelayPower implements BoardPower {
    readonly by = "relay"
    constructor(
        private readonly options: PowerOptions,
        private readonly relays: Relays,
        private readonly devices: string[],
    ) {
        const { relay } = options
        if (relay !== undefined && !devices.includes(relay))
            throw new TwinfilerError(
                "notFound",
                `no relay ${relay} on this bus; there ${devices.length ? `are ${devices.join(", ")}` : "is none"}`,
            )
    }

    async set(node: number, on: boolean): Promise<void> {
        const letter = volumeLetter(node)
        const device = this.relayOf(node)
        await this.relays.set(device, on)
        if (await isSeen(this.options, node, on, on ? beatMsMax : silentMsMax)) return
        if (on) throw new TwinfilerError("noNode", `the relay ${device} is on, and node ${letter} does not beat`)
        await this.relays.set(device, true)
        throw new TwinfilerError(
            "ioError",
            `node ${letter} goes on beating with the relay ${device} off: it feeds another board; ` +
                `give the right one with --relay, one of ${this.devices.join(", ")}`,
        )
    }

    close(): void {
        this.relays.close()
    }

    private relayOf(node: number): string {
        const { relay } = this.options
        if (relay !== undefined) return relay
        if (this.devices.length % 2 === 0 && node < this.devices.length) return this.devices[node]
        throw new TwinfilerError(
            "usage",
            `there is not one relay for each board: say with --relay which feeds node ${volumeLetter(node)}, ` +
                `one of ${this.devices.join(", ")}`,
        )
    }
}

class SimulatorPower implements BoardPower {
    readonly by = "simulator"
    constructor(private readonly socket: WebSocket) {}

    set(node: number, on: boolean): Promise<void> {
        const { socket } = this
        return new Promise((resolve, reject) => {
            const end = (error?: Error) => {
                clearTimeout(timer)
                socket.off("message", onMessage)
                socket.off("close", onClose)
                if (error) reject(error)
                else resolve()
            }
            const timer = setTimeout(() => end(noAnswer()), answerMs)
            const onClose = () => end(noAnswer())
            const onMessage = (data: unknown) => {
                const answer = parseJson(String(data))
                if (answer.ok === true) end()
                else if (answer.error !== undefined)
                    end(new TwinfilerError("ioError", `power ${volumeLetter(node)}: ${String(answer.error)}`))
            }
            socket.on("message", onMessage)
            socket.on("close", onClose)
            socket.send(JSON.stringify({ power: volumeLetter(node), on }))
        })
    }

    close(): void {
        this.socket.close()
    }
}

class PersonPower implements BoardPower {
    readonly by = "person"
    constructor(private readonly options: PowerOptions) {}

    async set(node: number, on: boolean): Promise<void> {
        const letter = volumeLetter(node)
        this.options.ask(on ? `plug board ${letter} in now` : `pull the plug of board ${letter} now`)
        if (await isSeen(this.options, node, on, personMsMax)) return
        throw new TwinfilerError(
            "timeout",
            `node ${letter} ${on ? "does not beat" : "goes on beating"} after ${personMsMax / 1_000} s`,
        )
    }

    close(): void {}
}

async function isSeen(
    { client, clock, signal }: PowerOptions,
    node: number,
    on: boolean,
    waitMs: number,
): Promise<boolean> {
    const end = clock.now() + waitMs
    for (;;) {
        if (signal?.aborted) throw new TwinfilerError("aborted", "stopped")
        const isHeard = client.nodes().some(state => state.node === node && state.isHeard)
        if (isHeard === on) return true
        if (clock.now() >= end) return false
        await sleep(clock, lookMs)
    }
}

/** Whether a simulator is at a bus's address. */
export async function isSimulator(address: string): Promise<boolean> {
    const control = await openControl(address)
    control?.close()
    return control !== undefined
}

/** The simulator's: the bus's web socket address with the path /control. Undefined when that is no simulator. */
function openControl(address: string): Promise<WebSocket | undefined> {
    const bus = parseBusAddress(address)
    if (bus.kind !== "socket" || bus.url.protocol === "tcp:") return Promise.resolve(undefined)
    const url = new URL("/control", bus.url)
    return new Promise(resolve => {
        const socket = new WebSocket(url, { handshakeTimeout: answerMs })
        const end = (isControl: boolean) => {
            clearTimeout(timer)
            socket.off("message", onMessage)
            if (isControl) return resolve(socket)
            socket.terminate()
            resolve(undefined)
        }
        const timer = setTimeout(() => end(false), answerMs)
        // devtools answers frames, whatever the path
        const onMessage = (data: unknown, isBinary: boolean) =>
            end(!isBinary && parseJson(String(data)).virtualMs !== undefined)
        socket.on("open", () => socket.send(JSON.stringify({ status: true })))
        socket.on("message", onMessage)
        socket.on("error", () => end(false))
    })
}

function parseJson(text: string): { ok?: unknown; error?: unknown; virtualMs?: unknown } {
    try {
        return Object(JSON.parse(text))
    } catch {
        return {}
    }
}

const noAnswer = () => new TwinfilerError("timeout", "power: the simulator does not answer")
