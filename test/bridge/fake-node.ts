/**
 * A pair of fake nodes on a fake wire, at the level of Jacdac frames and on a virtual clock: what the client meets in
 * the world. Frames are lost, doubled and damaged by a seeded generator; a node's power can be cut, its partner takes
 * over some time later, with nobody in control in between. The volumes survive, as arrays do.
 */
import type { FrameTransport } from "../../tools/bridge/bus/transport"
import { decodeCommand, type Command } from "../../tools/bridge/protocol/commands"
import {
    beatFlags,
    blockBytesMax,
    hostServiceClass,
    noticeCode,
    noticeKinds,
} from "../../tools/bridge/protocol/numbers"
import { encodeNotice, type Answer, type Notice, type Outcome } from "../../tools/bridge/protocol/notices"
import { commandFrame, eachPacket, frameHead } from "../../tools/bridge/bus/jacdac-frame"
import { FakeVolume } from "./fake-volume"
import { announcement } from "./jacdac-packet"
import type { Clock } from "../../tools/bridge/bus/clock"

export const wireMs = 2.75
const beatMs = 100
const announceMs = 500
const sendMs = 20
const sendBurst = 5
const eventsHeld = 32
const eventsPerPage = 26

export interface Faults {
    /** Chances per frame in each direction, 0 to 1. */
    loss: number
    duplicate: number
    damage: number
}

export class FakeNode {
    isOn = true
    controls: number[]
    uptimeMs = 0
    /** Since its boot; `events` answers with the last of them. */
    events: { uptimeMs: number; kind: number; cause: number; value: number }[] = []
    /** It refuses what changes control. */
    isStarting = false
    /** Outcomes by what was asked: verb and tag. */
    private readonly told = new Map<string, Outcome>()
    private freeSlots = sendBurst
    private readonly queue: { code: number; report: Notice; about: number }[] = []
    private readonly cancelled = new Set<number>()

    constructor(
        private readonly cabinet: FakeCabinet,
        readonly number: number,
        readonly id: Buffer,
    ) {
        this.controls = [number]
        cabinet.clock.setTimeout(() => this.beat(), 0)
        cabinet.clock.setTimeout(() => this.announce(), 0)
        this.refill()
    }

    /** @param check of the command's frame, which the answer to a query is about */
    receive(command: Command, check: number): void {
        if (!this.isOn) return
        if (command.kind === "control") return this.control(command)
        const volume = this.cabinet.volumes[command.volume]
        const isOurs = this.controls.includes(command.volume)
        const head = { volume: command.volume, flags: this.cabinet.reportFlags }
        switch (command.kind) {
            case "request": {
                const { op, session, sequence } = command
                const reply = { kind: "reply", ...head, op, session, sequence, epoch: volume?.epoch ?? 0 } as const
                if (!isOurs) return this.send({ ...reply, status: "notController", value: 0 })
                if (command.epoch !== 0 && command.epoch !== (volume.epoch & 0xffff))
                    return this.send({ ...reply, status: "wrongEpoch", value: 0 })
                const result = volume.request(command, this.cabinet.refuse(this, command))
                this.cabinet.executed(command)
                if (result && this.isOn) this.send({ ...reply, ...result })
                return
            }
            case "query": {
                const answer = { kind: "answer", ...head, op: command.op, tag: command.tag } as const
                const epoch = volume?.epoch ?? 0
                const send = (rest: Pick<Answer, "status" | "payload">) =>
                    this.send({ ...answer, epoch, ...rest }, check)
                if (command.op === "node") return send({ status: "ok", payload: nodeFigures(this.number) })
                if (command.op === "events") return send({ status: "ok", payload: this.eventsPage(command.seen) })
                if (!isOurs) return send({ status: "notController", payload: Buffer.alloc(0) })
                return send(volume.query(command))
            }
            case "write": {
                this.cabinet.sawBlock(command.offset)
                if (!isOurs) return
                const object = volume.write(command.handle, command.offset, command.data)
                const status = object === undefined ? "noUpload" : "ok"
                const acknowledged = object === undefined ? 0 : volume.held(object)!
                this.progress(command.volume, command.handle, status, acknowledged)
                return
            }
            case "read":
                return this.read(command, isOurs)
        }
    }

    private eventsPage(seen: number): Buffer {
        const { events } = this
        const first = Math.max(seen > events.length ? 0 : seen, events.length - eventsHeld)
        const told = events.slice(first, first + eventsPerPage)
        const page = Buffer.alloc(12 + 8 * told.length)
        page.writeUInt32LE(this.uptimeMs, 0)
        page.writeUInt32LE(first, 4)
        page.writeUInt32LE(events.length, 8)
        for (const [index, { uptimeMs, kind, cause, value }] of told.entries()) {
            page.writeUInt32LE(uptimeMs, 12 + 8 * index)
            page.set([kind, cause, value & 0xff, value >> 8], 16 + 8 * index)
        }
        return page
    }

    private control(command: Extract<Command, { kind: "control" }>): void {
        const id = `${command.verb} ${command.tag}`
        const outcome = this.told.get(id) ?? this.outcomeOf(command)
        if (!(command.flags & 1)) this.told.set(id, outcome)
        this.send(outcome)
    }

    private outcomeOf({ verb, tag, flags }: Extract<Command, { kind: "control" }>): Outcome {
        const partner = this.number ^ 1
        const holds = this.controls.includes(partner)
        const { isStarting } = this
        const reason = isStarting ? 3 : verb === "takeover" ? (holds ? 2 : 0) : holds ? 0 : 4
        const outcome = { kind: "outcome", verb, flags, tag, role: isStarting ? 0 : 2 } as const
        if (reason) return { ...outcome, status: "vetoed", reason, reasons: [reason] }
        if (!(flags & 1)) this.cabinet.giveControl(partner, verb === "takeover" ? this.number : partner)
        return { ...outcome, status: "ok", reason: 0, reasons: [] }
    }

    private read(command: Extract<Command, { kind: "read" }>, isOurs: boolean): void {
        const { volume, tag, epoch, object, offset, length, snapshot } = command
        this.cancelled.delete(tag)
        if (length === 0) return void this.cancelled.add(tag)
        const head = { kind: "data", volume, tag, flags: this.cabinet.reportFlags } as const
        const held = this.cabinet.volumes[volume]
        const objects = snapshot ? held.snapshots.get(snapshot)?.objects : held.objects
        const data = objects?.get(object)?.data
        const isEpoch = epoch === 0 || epoch === (held.epoch & 0xffff)
        const status = !isOurs ? "notController" : !isEpoch ? "wrongEpoch" : data === undefined ? "notFound" : "ok"
        if (status !== "ok" || data === undefined)
            return this.send({ ...head, status, offset, data: Buffer.alloc(0) }, object)
        const end = Math.min(offset + length, data.length)
        for (let at = offset; at < end; at += blockBytesMax)
            this.send(
                { ...head, status: "ok", offset: at, data: data.subarray(at, Math.min(end, at + blockBytesMax)) },
                object,
            )
        if (offset + length > data.length)
            this.send({ ...head, status: "ok", offset: end, data: Buffer.alloc(0) }, object)
    }

    /** One progress waits at most; a newer one takes its place. */
    private progress(volume: number, handle: number, status: "ok" | "noUpload", acknowledged: number): void {
        const report: Notice = {
            kind: "progress",
            volume,
            flags: this.cabinet.reportFlags,
            credit: 16,
            uploads: [{ handle, status, acknowledged }],
        }
        const waiting = this.queue.find(
            ({ report: other }) =>
                other.kind === "progress" && other.volume === volume && other.uploads[0].handle === handle,
        )
        if (waiting) waiting.report = report
        else this.send(report)
    }

    private send(report: Notice, about = 0): void {
        this.queue.push({ code: noticeKinds[report.kind], report, about })
        this.flush()
    }

    private flush(): void {
        while (this.freeSlots > 0 && this.queue.length) {
            const { code, report, about } = this.queue.shift()!
            if (report.kind === "data" && this.cancelled.has(report.tag)) continue
            this.freeSlots--
            const to = this.cabinet.nodes[this.number ^ 1]
            const device = to.isOn ? to.id : this.cabinet.host
            if (device)
                this.cabinet.toHost(commandFrame(device, 1, noticeCode(this.number, code), encodeNotice(report, about)))
        }
    }

    private refill(): void {
        if (this.cabinet.isStopped) return
        this.cabinet.clock.setTimeout(() => this.refill(), sendMs)
        this.freeSlots = Math.min(sendBurst, this.freeSlots + 1)
        if (this.isOn) this.flush()
        else this.queue.length = 0
    }

    private announce(): void {
        if (this.cabinet.isStopped) return
        this.cabinet.clock.setTimeout(() => this.announce(), announceMs)
        if (this.isOn) this.cabinet.toHost(announcement(this.id))
    }

    private beat(): void {
        if (this.cabinet.isStopped) return
        this.cabinet.clock.setTimeout(() => this.beat(), beatMs)
        if (!this.isOn || this.cabinet.isMute) return
        this.uptimeMs += beatMs
        const partner = this.number ^ 1
        const epochOf = (volume: number) => this.cabinet.volumes[volume]?.epoch ?? 0
        const isPair = this.cabinet.nodes[partner].isOn
        const flags =
            (isPair ? beatFlags.partnerHeard | beatFlags.protected : 0) |
            (this.controls.includes(this.number) ? beatFlags.controlsOwn : 0) |
            (this.controls.includes(partner) ? beatFlags.controlsPartner : 0)
        this.send({
            kind: "beat",
            protocol: 1,
            node: this.number,
            role: 2,
            flags,
            ownEpoch: epochOf(this.number),
            partnerEpoch: epochOf(partner),
            uptimeMs: this.uptimeMs,
            device: this.id.toString("hex"),
            serviceIndex: 1,
            mode: 0,
        })
    }
}

export class FakeCabinet implements FrameTransport {
    onFrame?: (frame: Uint8Array) => void
    readonly volumes = [new FakeVolume(0), new FakeVolume(1)]
    readonly nodes: FakeNode[]
    faults: Faults = { loss: 0, duplicate: 0, damage: 0 }
    isMute = false
    /** Nothing that the host sends arrives. */
    isDeaf = false
    reportFlags = 0
    /** Called after each executed or repeated request; a test may cut the power here, before the reply. */
    executed: (command: Command) => void = () => undefined
    /** Whether a node answers a request with `busy`. */
    refuse: (node: FakeNode, command: Command) => boolean = () => false
    /** Called with the offset of each block on the wire. */
    sawBlock: (offset: number) => void = () => undefined
    /** Commands the host sent, by kind. */
    readonly sent: Command[] = []
    isStopped = false
    /** The device of the host's own service, once it has announced it. */
    host?: Buffer
    private wireFreeMs = 0

    constructor(
        readonly clock: Clock,
        private readonly random: () => number,
    ) {
        this.nodes = [0, 1].map(number => new FakeNode(this, number, Buffer.alloc(8, 0xa0 + number)))
    }

    /** The nodes do nothing more by themselves. */
    stop(): void {
        this.isStopped = true
    }

    /** From the host. */
    send(frame: Uint8Array): void {
        const bytes = Buffer.from(frame)
        const head = frameHead(bytes)
        if (head && isHostAnnouncement(bytes)) this.host = Buffer.from(head.device, "hex")
        if (!head?.isCommand || this.isDeaf) return
        const node = this.nodes.find(({ id }) => id.toString("hex") === head.device)
        if (!node) return
        this.carry(bytes, arrived =>
            eachPacket(arrived, (_, code, data) => {
                try {
                    const command = decodeCommand(code, data)
                    this.sent.push(command)
                    node.receive(command, data.readUInt32LE(0))
                } catch {
                    // damaged: dropped
                }
            }),
        )
    }

    toHost(frame: Buffer): void {
        this.carry(frame, arrived => this.onFrame?.(arrived))
    }

    /** Power of `node` off; its partner has its volume `failoverMs` later. */
    cut(node: number, failoverMs = 300): void {
        this.nodes[node].isOn = false
        this.nodes[node].controls = []
        this.clock.setTimeout(() => this.giveControl(node, node ^ 1), failoverMs)
    }

    giveControl(volume: number, to: number): void {
        for (const node of this.nodes) node.controls = node.controls.filter(controlled => controlled !== volume)
        this.nodes[to].controls.push(volume)
        this.volumes[volume].epoch++
    }

    /** No `session:sequence` ran twice. */
    executedTwice(): string[] {
        return this.volumes.flatMap(({ executions }) =>
            [...executions].filter(([, count]) => count > 1).map(([id]) => id),
        )
    }

    private carry(frame: Buffer, deliver: (frame: Buffer) => void): void {
        const { loss, duplicate, damage } = this.faults
        this.wireFreeMs = Math.max(this.wireFreeMs, this.clock.now()) + wireMs
        if (this.chance(loss)) return
        const arrived = Buffer.from(frame)
        if (this.chance(damage)) arrived[this.random() % arrived.length] ^= 1 << (this.random() % 8)
        const count = this.chance(duplicate) ? 2 : 1
        for (let index = 0; index < count; index++)
            this.clock.setTimeout(() => deliver(Buffer.from(arrived)), this.wireFreeMs - this.clock.now())
    }

    private chance(of: number): boolean {
        return of > 0 && this.random() / 0x1_0000_0000 < of
    }
}

function nodeFigures(number: number): Buffer {
    const payload = Buffer.alloc(28)
    payload[0] = 1
    payload[1] = number
    return Buffer.concat([payload, Buffer.from("fake")])
}

/** A report of service 0, command 0, whose first service after control is the host's. */
function isHostAnnouncement(frame: Buffer): boolean {
    return frame.readUInt32LE(12) >>> 8 === 0 && frame.length >= 24 && frame.readUInt32LE(20) === hostServiceClass
}
