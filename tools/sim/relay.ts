// A Jacdac relay that feeds one board, as a device of its own on the wire (Jacdac service catalog, `relay`): with `active` off the
// board has no power. The relay itself is fed by the bus, so it lives on when both boards are off.

import { announceFrame, eachPacket, frameHead, reportFrame } from "../bridge/bus/jacdac-frame"
import type { EventQueue } from "./event-queue"
import type { Wire, WirePort } from "./wire"

const relayClass = 0x183fe656
const serviceIndex = 1
const activeRegister = 0x01
const getRegister = 0x1000
const setRegister = 0x2000
const registerMask = 0xfff
/** Jacdac control service: announcements twice a second, counted up to 15 after a start. */
const announceNs = 500_000_000
const announcementsMax = 15

export class Relay {
    private readonly port: WirePort
    private readonly device: Buffer
    private announcements = 0

    constructor(
        deviceId: string,
        wire: Wire,
        private readonly queue: EventQueue,
        private readonly isActive: () => boolean,
        private readonly set: (isActive: boolean) => void,
    ) {
        this.device = Buffer.from(deviceId, "hex")
        this.port = wire.attach({ id: `relay ${deviceId}`, deliver: frame => this.heard(Buffer.from(frame)) })
        this.announceOften()
    }

    private announceOften(): void {
        this.announce()
        this.queue.after(announceNs, () => this.announceOften())
    }

    private announce(): void {
        this.announcements = Math.min(this.announcements + 1, announcementsMax)
        this.port.send(announceFrame(this.device, this.announcements, relayClass))
    }

    private heard(frame: Buffer): void {
        const head = frameHead(frame)
        if (!head?.isCommand || head.device !== this.device.toString("hex")) return
        eachPacket(frame, (index, code, data) => {
            if (index === 0 && code === 0) this.announce()
            if (index !== serviceIndex || (code & registerMask) !== activeRegister) return
            if ((code & ~registerMask) === setRegister && data.length > 0) this.set(data[0] !== 0)
            if ((code & ~registerMask) === getRegister)
                this.port.send(reportFrame(this.device, serviceIndex, code, Buffer.of(this.isActive() ? 1 : 0)))
        })
    }
}
