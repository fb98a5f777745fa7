/**
 * A Jacdac bus by jacdac-ts over any FrameTransport. jacdac-ts keeps the list of devices, announces the host, and talks
 * to whatever else is on the bus; the packets of Twinfiler, which are the many, go straight between the transport and
 * `onNotice` / `send`. No packet asks for Jacdac acknowledgement: servers in user code never give one.
 */
import { JDBridge, JDBus, SELF_ANNOUNCE } from "jacdac-ts"
import { isError } from "../error"
import { hostServiceClass, noticeKinds, noticeOf, partnerOf, silentAfterMs } from "../protocol/numbers"
import { decodeNotice } from "../protocol/notices"
import type { Clock, RandomU32 } from "./clock"
import { announceFrame, commandFrame, commandsFrame, eachPacket, frameHead, type Packet } from "./jacdac-frame"
import { ClockScheduler } from "./scheduler"
import type { FrameTransport } from "./transport"

/** A notice as it came: said by `node`, of one of `noticeKinds`, `frame` unchecked. */
export type NoticeListener = (node: number, kind: number, frame: Uint8Array) => void

/** What a device reported of itself, 16 hex digits of its id, in one frame. */
export type ReportListener = (device: string, packets: Packet[]) => void

interface Port {
    device: Buffer
    serviceIndex: number
}

/** What a client needs of a bus. */
export interface ServiceBus {
    /** Sends a command to a node; drops it while the node has not been heard. */
    send(node: number, code: number, frame: Uint8Array): void
    /** Returns the function that ends the subscription. Never called from within `send`. */
    onNotice(listener: NoticeListener): () => void
    /** Sends commands to any device, in one frame. */
    sendTo(device: string, packets: readonly Packet[]): void
    /** Hears what devices report, announcements too. Returns the function that ends the subscription. */
    onReport(listener: ReportListener): () => void
    /** In words, why frames do not flow at present. */
    problem(): string | undefined
    close(): Promise<void>
}

/** Jacdac, control service: a device counts its announcements up to here after a restart. */
const announcementsMax = 15

/** After this long a partner's silence is old news. */
const vouchMsMax = 1_000

class TransportBridge extends JDBridge {
    constructor(private readonly transport: FrameTransport) {
        super("twinfiler")
    }
    protected sendPacket(frame: Uint8Array): void {
        this.transport.send(frame)
    }
}

export class JacdacBus implements ServiceBus {
    readonly jdbus: JDBus
    private readonly bridge: TransportBridge
    /** By node, from its beats. */
    private readonly ports = new Map<number, Port>()
    private readonly listeners = new Set<NoticeListener>()
    private readonly reportListeners = new Set<ReportListener>()
    /** By node, when it said anything last. */
    private readonly heardMs = new Map<number, number>()
    private readonly host: Buffer
    private announcements = 0
    /** Frames dropped because their CRC or their packets' lengths were wrong. */
    droppedFrames = 0

    /** Takes the transport over: it sets `onFrame`, and `close` closes it. */
    constructor(
        private readonly transport: FrameTransport,
        private readonly options: { clock: Clock; random: RandomU32 },
    ) {
        const { clock, random } = options
        this.jdbus = new JDBus([], {
            scheduler: new ClockScheduler(clock),
            deviceId: randomDevice(random),
            client: true,
            disableRoleManager: true, // it would ask every node for its roles
        })
        this.jdbus.backgroundRefreshRegisters = false
        this.bridge = new TransportBridge(transport)
        this.bridge.bus = this.jdbus
        this.host = Buffer.from(randomDevice(random), "hex")
        this.jdbus.on(SELF_ANNOUNCE, () => this.announce())
        transport.onFrame = frame => this.receive(frame)
        this.jdbus.emit(SELF_ANNOUNCE) // at once: a node without a partner is mute until it knows a host
    }

    send(node: number, code: number, frame: Uint8Array): void {
        const port = this.ports.get(node)
        if (port) this.transport.send(commandFrame(port.device, port.serviceIndex, code, frame))
    }

    onNotice(listener: NoticeListener): () => void {
        this.listeners.add(listener)
        return () => void this.listeners.delete(listener)
    }

    sendTo(device: string, packets: readonly Packet[]): void {
        this.transport.send(commandsFrame(Buffer.from(device, "hex"), packets))
    }

    onReport(listener: ReportListener): () => void {
        this.reportListeners.add(listener)
        return () => void this.reportListeners.delete(listener)
    }

    problem(): string | undefined {
        return this.transport.problem?.()
    }

    async close(): Promise<void> {
        this.transport.onFrame = undefined
        this.listeners.clear()
        this.reportListeners.clear()
        await this.jdbus.stop()
        await this.transport.close?.()
    }

    private announce(): void {
        this.announcements = Math.min(this.announcements + 1, announcementsMax)
        this.transport.send(announceFrame(this.host, this.announcements, hostServiceClass))
    }

    /**
     * A node takes its partner for dead only when it hears somebody else meanwhile: else it may be the one that is cut off. When a partner
     * falls silent, this host lets it hear so at its next beats and does not wait for its own time to announce itself.
     */
    private vouch(node: number): void {
        const silentMs = this.options.clock.now() - (this.heardMs.get(partnerOf(node)) ?? -Infinity)
        if (silentMs >= silentAfterMs && silentMs < vouchMsMax) this.announce()
    }

    private receive(bytes: Uint8Array): void {
        const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        const head = frameHead(frame)
        if (head?.isCommand && head.serviceIndex > 0) {
            if (!noticeOf(head.code)) return // a command of another host to a node
            const isWhole = eachPacket(frame, (_, code, data) => {
                const notice = noticeOf(code)
                if (!notice) return
                this.heardMs.set(notice.node, this.options.clock.now())
                if (notice.kind === noticeKinds.beat) {
                    this.learn(notice.node, data)
                    this.vouch(notice.node)
                }
                for (const listener of this.listeners) listener(notice.node, notice.kind, data)
            })
            if (!isWhole) this.droppedFrames++
            return
        }
        // Checked first: jacdac-ts prints every frame it does not like.
        const packets: Packet[] = []
        if (eachPacket(frame, (serviceIndex, code, data) => void packets.push({ serviceIndex, code, data }))) {
            if (head && !head.isCommand)
                for (const listener of [...this.reportListeners]) listener(head.device, packets)
            this.bridge.receiveFrameOrPacket(new Uint8Array(frame))
        } else this.droppedFrames++
    }

    /** A command names whom it is for, not who sends it: a beat tells where its node is to be spoken to. */
    private learn(node: number, frame: Buffer): void {
        try {
            const beat = decodeNotice(noticeKinds.beat, frame)
            if (beat.kind !== "beat" || beat.node !== node) return
            const { device, serviceIndex } = beat
            const known = this.ports.get(node)
            if (known?.serviceIndex !== serviceIndex || known.device.toString("hex") !== device)
                this.ports.set(node, { device: Buffer.from(device, "hex"), serviceIndex })
        } catch (error) {
            if (!isError(error, "badFrame")) throw error // a damaged frame says nothing
        }
    }
}

function randomDevice(random: RandomU32): string {
    const id = Buffer.alloc(8)
    id.writeUInt32LE(random(), 0)
    id.writeUInt32LE(random(), 4)
    return id.toString("hex")
}
