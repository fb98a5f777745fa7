// A host without the bridge's care: it opens a session by hand, asks for one thing in it, once, and waits for nothing.

import { JacdacBus } from "../bridge/bus/jacdac-bus"
import { encodeRequest, type RequestBody } from "../bridge/protocol/commands"
import { decodeNotice, type Reply } from "../bridge/protocol/notices"
import { commandCodes, noticeKinds } from "../bridge/protocol/numbers"
import type { Random } from "../sim/random"
import type { SimSession } from "../sim/session"
import { VirtualHost } from "../sim/virtual-host"

const everyMs = 300

export class RawHost {
    private readonly bus: JacdacBus
    private challenge = 0
    private number: number
    private opened: Reply | undefined

    constructor(
        private readonly session: SimSession,
        private readonly random: Random,
        /** On the bus, for faults of the wire. */
        readonly id: string,
        private readonly volume: number,
    ) {
        const host = new VirtualHost(session.simulation, id)
        this.bus = new JacdacBus(host, { clock: host.clock, random: () => random.uint32() })
        this.number = this.newNumber()
        this.bus.onNotice((_, kind, frame) => {
            if (kind !== noticeKinds.reply) return
            const reply = decodeNotice(noticeKinds.reply, Buffer.from(frame)) as Reply
            if (reply.session !== this.number) return
            if (reply.status === "ok") this.opened = reply
            else if (reply.status === "noSession") {
                this.challenge = reply.value
                this.number = this.newNumber()
            }
        })
    }

    /** Of its session; whether that is open is for `isOpen` to say. */
    get sessionId(): number {
        return this.number
    }

    get isOpen(): boolean {
        return this.opened !== undefined
    }

    private newNumber(): number {
        return 1 + this.random.int(0x7fff_ffff)
    }

    /** Opens its session, as long as it is heard. */
    async open(): Promise<void> {
        while (!this.opened) {
            const head = { volume: this.volume, epoch: 0, session: this.number, sequence: 1 }
            const hello = encodeRequest(head, { op: "hello", challenge: this.challenge })
            this.bus.send(this.volume, commandCodes.request, hello)
            await this.session.sleep(everyMs)
        }
    }

    /** Asks the volume's home node, in the session that is open. @returns the sequence number */
    askOnce(body: RequestBody): number {
        const sequence = 2
        const head = { volume: this.volume, epoch: this.opened!.epoch & 0xffff, session: this.number, sequence }
        this.bus.send(this.volume, commandCodes.request, encodeRequest(head, body))
        return sequence
    }

    close(): Promise<void> {
        return this.bus.close()
    }
}
