/**
 * Relays on the bus that feed boards: devices with Jacdac's standard `relay` service. They are known by the order of their device
 * ids: the first feeds node a, the second b, unless the caller names another.
 */
import { TwinfilerError } from "../error"
import { sleep, type Clock } from "./clock"
import type { ServiceBus } from "./jacdac-bus"
import type { Packet } from "./jacdac-frame"

/** Jacdac service catalog, `relay`. */
export const relayClass = 0x183fe656
export const relayActive = 0x01
export const getRegister = 0x1000
export const setRegister = 0x2000

/** Devices announce themselves twice a second: after so long all have, even if a frame was lost. */
const announcedMs = 1_200
const answerMs = 250
const triesMax = 8
const stepMs = 20

interface Relay {
    device: string
    serviceIndex: number
    announcements: number
    active?: boolean
}

export class Relays {
    private readonly byDevice = new Map<string, Relay>()
    private readonly unsubscribe: () => void

    constructor(
        private readonly bus: ServiceBus,
        private readonly clock: Clock,
    ) {
        this.unsubscribe = bus.onReport((device, packets) => packets.forEach(packet => this.heard(device, packet)))
    }

    close(): void {
        this.unsubscribe()
    }

    /** Device ids, in their order. When each has announced itself twice all have at least once. */
    async find(): Promise<string[]> {
        const end = this.clock.now() + announcedMs
        const areAllThere = () =>
            this.byDevice.size > 0 && [...this.byDevice.values()].every(({ announcements }) => announcements > 1)
        while (!areAllThere() && this.clock.now() < end) await sleep(this.clock, stepMs)
        return [...this.byDevice.keys()].sort()
    }

    /** Resolves when the relay says that it has switched. */
    async set(device: string, isActive: boolean): Promise<void> {
        const relay = this.byDevice.get(device)
        if (!relay) throw new TwinfilerError("notFound", `no relay ${device} on this bus`)
        const { serviceIndex } = relay
        relay.active = undefined
        for (let tried = 0; tried < triesMax; tried++) {
            this.bus.sendTo(device, [
                { serviceIndex, code: setRegister | relayActive, data: Buffer.of(isActive ? 1 : 0) },
                { serviceIndex, code: getRegister | relayActive, data: Buffer.alloc(0) },
            ])
            const end = this.clock.now() + answerMs
            while (relay.active !== isActive && this.clock.now() < end) await sleep(this.clock, stepMs)
            if (relay.active === isActive) return
        }
        throw new TwinfilerError("timeout", `the relay ${device} does not answer`)
    }

    private heard(device: string, { serviceIndex, code, data }: Packet): void {
        const known = this.byDevice.get(device)
        if (serviceIndex === 0 && code === 0) {
            const bytes = Buffer.from(data)
            for (let at = 4; at + 4 <= bytes.length; at += 4)
                if (bytes.readUInt32LE(at) === relayClass) {
                    const relay = known ?? { device, serviceIndex: 0, announcements: 0 }
                    relay.serviceIndex = at / 4
                    relay.announcements++
                    this.byDevice.set(device, relay)
                    return
                }
        } else if (known?.serviceIndex === serviceIndex && code === (getRegister | relayActive))
            known.active = data[0] !== 0
    }
}
