/**
 * The boards below the nodes: each runs the DeviceScript runtime, whose own services (control, manager) are there whether or
 * not a program runs. A board keeps what these services report off the wire, judging a frame by its first packet, and lets
 * announcements pass (docs/decisions/0012). So every question begins with a request for an announcement, and ends with a
 * command no board knows, numbered: the refusal of that very number says that all before it was carried out.
 */
import { TwinfilerError } from "../error"
import { sleep, type Clock, type RandomU32 } from "./clock"
import type { ServiceBus } from "./jacdac-bus"
import type { Packet } from "./jacdac-frame"

/** Jacdac's class of the DeviceScript manager. */
const managerClass = 0x1134ea2b
const controlIndex = 0
const announceCode = 0
const unknownReport = 3
/** A control command that no device has; the low byte counts. */
const echoCode = 0xe00
const restartCounterMask = 15
/** Boards announce themselves twice a second. */
const announcedMs = 2_000
/** jdiface.c, devs_jd_server_device_id: the program's services have the board's own id xor this; bytes as on the wire. */
const serverIdXor = [0xf8, 0x53, 0x1b, 0x75, 0xa7, 0x49, 0x22, 0xdb]

/** Of the last so many questions an answer may come late, or twice. */
const ownEchoesMax = 4
/** Another host that has been silent for this long is done with a board; and up to as long again, so that two do not go on at once. */
const quietMs = 1_000
const quietWaitMs = 20_000

const resendMs = 250
const triesMax = 12
/** An answer takes some 6 ms. The wait grows from sending to sending, for a bus that is slow and does not lose. */
const eagerMs = 40
const eagerGrowth = 1.25
const eagerTriesMax = 18
/** While a board is waited for that is at something long. */
const probeMs = 500

export interface RuntimeBoard {
    /** Jacdac id of the board itself, 16 hex digits. */
    device: string
    /** Index of its DeviceScript manager. */
    manager: number
    /** Announcements since it started, up to 15. */
    announcements: number
    heardMs: number
}

/** The board whose program serves as `device`. */
export function boardOf(device: string): string {
    const id = Buffer.from(device, "hex")
    return Buffer.from(id.map((byte, index) => byte ^ serverIdXor[index])).toString("hex")
}

export interface AskOptions {
    /** How long each sending is waited for, and how many there are. */
    waitMs?: number
    tries?: number
    /** Of many questions, each of which may be on its way several times: sent again soon, and the answer to any sending is taken. */
    isEager?: boolean
    signal?: AbortSignal
}

export class Runtimes {
    private readonly byDevice = new Map<string, RuntimeBoard>()
    private readonly waiting = new Map<string, (packets: Packet[]) => void>()
    private readonly unsubscribe: () => void
    /** When a board was last heard to answer another host. */
    private readonly othersMs = new Map<string, number>()
    /** Two hosts that count alike would take each other's answers. */
    private echo: number
    private readonly quietMs: number

    constructor(
        private readonly bus: ServiceBus,
        private readonly clock: Clock,
        random: RandomU32,
    ) {
        this.echo = random() & 0xff
        this.quietMs = quietMs * (1 + (random() & 0xff) / 0x100)
        this.unsubscribe = bus.onReport((device, packets) => this.heard(device, packets))
    }

    close(): void {
        this.unsubscribe()
    }

    /** Boards with a DeviceScript runtime heard lately. */
    boards(): RuntimeBoard[] {
        const now = this.clock.now()
        return [...this.byDevice.values()].filter(({ heardMs }) => now - heardMs < announcedMs)
    }

    board(device: string): RuntimeBoard | undefined {
        return this.boards().find(board => board.device === device)
    }

    /** Waits until `device` announces itself. */
    async find(device: string, waitMs = announcedMs, signal?: AbortSignal): Promise<RuntimeBoard> {
        const end = this.clock.now() + waitMs
        for (;;) {
            const board = this.board(device)
            if (board) return board
            if (signal?.aborted) throw new TwinfilerError("aborted", "stopped")
            if (this.clock.now() >= end)
                throw new TwinfilerError("noNode", `the board ${device} does not announce itself; is its power on?`)
            await sleep(this.clock, 50)
        }
    }

    /** Waits until no other host talks with a board any more, though not for ever. Says whether one did. */
    async quiet(device: string, signal?: AbortSignal): Promise<boolean> {
        const end = this.clock.now() + quietWaitMs
        let isWaiting = false
        while (this.clock.now() - (this.othersMs.get(device) ?? -Infinity) < this.quietMs && this.clock.now() < end) {
            if (signal?.aborted) throw new TwinfilerError("aborted", "stopped")
            isWaiting = true
            await sleep(this.clock, 50)
        }
        return isWaiting
    }

    /**
     * What the board reports of the commands, all of which it has carried out. They are sent again when no answer comes, so
     * doing them twice must change nothing, or `tries` be 1.
     */
    async ask(device: string, commands: readonly Packet[], options: AskOptions = {}): Promise<Packet[]> {
        const { isEager = false, waitMs = resendMs, signal } = options
        const { tries = isEager ? eagerTriesMax : triesMax } = options
        let eagerWaitMs = eagerMs
        const echoes: number[] = []
        for (let sent = 0; sent < tries; sent++) {
            if (signal?.aborted) throw new TwinfilerError("aborted", "stopped")
            if (!isEager) echoes.length = 0
            echoes.push(this.nextEcho())
            const reports = await this.once(device, commands, echoes, isEager ? eagerWaitMs : waitMs)
            if (reports) return reports
            eagerWaitMs = Math.min(eagerWaitMs * eagerGrowth, resendMs)
        }
        throw new TwinfilerError("timeout", `the board ${device} does not answer`)
    }

    private nextEcho(): number {
        this.echo = (this.echo + 1) & 0xff
        return echoCode | this.echo
    }

    /** Sends with the last of the `echoes`, and waits for the answer to any of them, as long as the board may be at it. */
    private once(
        device: string,
        commands: readonly Packet[],
        echoes: readonly number[],
        waitMs: number,
    ): Promise<Packet[] | undefined> {
        return new Promise(resolve => {
            const keys: string[] = []
            const end = (reports?: Packet[]) => {
                this.clock.clearTimeout(timer)
                this.clock.clearTimeout(probing)
                for (const key of keys) this.waiting.delete(key)
                resolve(reports)
            }
            const listen = (echo: number, answered: (packets: Packet[]) => void) => {
                keys.push(`${device} ${echo}`)
                this.waiting.set(`${device} ${echo}`, answered)
            }
            // a board answers in order: when it answers this, it is at nothing, and what was sent before or its answer is lost
            const probe = () => {
                const echo = this.nextEcho()
                listen(echo, () => end())
                this.send(device, [], echo)
                probing = this.clock.setTimeout(probe, probeMs)
            }
            const timer = this.clock.setTimeout(() => end(), waitMs)
            let probing = waitMs > probeMs ? this.clock.setTimeout(probe, probeMs) : undefined
            for (const echo of echoes) listen(echo, end)
            this.send(device, commands, echoes[echoes.length - 1])
        })
    }

    private send(device: string, commands: readonly Packet[], echo: number): void {
        const empty = Buffer.alloc(0)
        this.bus.sendTo(device, [
            { serviceIndex: controlIndex, code: announceCode, data: empty },
            ...commands,
            { serviceIndex: controlIndex, code: echo, data: empty },
        ])
    }

    private heard(device: string, packets: Packet[]): void {
        for (const { serviceIndex, code, data } of packets) {
            const bytes = Buffer.from(data)
            if (serviceIndex !== controlIndex) continue
            if (code === announceCode) this.announced(device, bytes)
            else if (code === unknownReport && bytes.length >= 2) this.answered(device, bytes.readUInt16LE(0), packets)
        }
    }

    private answered(device: string, echo: number, packets: Packet[]): void {
        const waiting = this.waiting.get(`${device} ${echo}`)
        if (waiting) waiting(packets)
        else if (((this.echo - echo) & 0xff) >= ownEchoesMax) this.othersMs.set(device, this.clock.now())
    }

    private announced(device: string, data: Buffer): void {
        for (let at = 4; at + 4 <= data.length; at += 4) {
            if (data.readUInt32LE(at) !== managerClass) continue
            const announcements = data[0] & restartCounterMask
            this.byDevice.set(device, { device, manager: at / 4, announcements, heardMs: this.clock.now() })
            return
        }
    }
}
