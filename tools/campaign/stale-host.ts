// A host that was asleep: it keeps asking under the epoch it learnt at first, whoever controls the volume by now. What it asks for changes
// nothing; that it is done at all under an epoch that is over is for the watch on the wire to see.

import { JacdacBus } from "../bridge/bus/jacdac-bus"
import { encodeRequest, type RequestBody } from "../bridge/protocol/commands"
import { decodeNotice, type Reply } from "../bridge/protocol/notices"
import { commandCodes, noticeKinds, rootObject } from "../bridge/protocol/numbers"
import type { Random } from "../sim/random"
import type { SimSession } from "../sim/session"
import { VirtualHost } from "../sim/virtual-host"

const volume = 0
const everyMs = 350

export class StaleHost {
    private readonly bus: JacdacBus
    private id: number
    private sequence = 1
    private challenge = 0
    private epoch = 0

    constructor(
        private readonly session: SimSession,
        private readonly random: Random,
    ) {
        const host = new VirtualHost(session.simulation, "stale")
        this.bus = new JacdacBus(host, { clock: host.clock, random: () => random.uint32() })
        this.id = this.newId()
        this.bus.onNotice((_, kind, frame) => {
            if (kind === noticeKinds.reply) this.hear(frame)
        })
    }

    async work(untilMs: number): Promise<void> {
        while (this.session.nowMs() < untilMs) {
            const controller = this.session.client.controllerOf(volume)
            const body: RequestBody =
                this.sequence === 1
                    ? { op: "hello", challenge: this.challenge }
                    : { op: "setattr", object: rootObject, mtime: this.sequence }
            const head = { volume, epoch: this.epoch, session: this.id, sequence: this.sequence }
            if (controller !== undefined) this.bus.send(controller, commandCodes.request, encodeRequest(head, body))
            await this.session.sleep(everyMs)
        }
        await this.bus.close()
    }

    private newId(): number {
        return 1 + this.random.int(0x7fff_ffff)
    }

    private hear(frame: Uint8Array): void {
        const { session, sequence, status, value, epoch } = decodeNotice(noticeKinds.reply, Buffer.from(frame)) as Reply
        if (session !== this.id || sequence !== this.sequence) return
        if (status === "noSession" && sequence === 1) {
            this.challenge = value
            this.id = this.newId()
        }
        if (status !== "ok") return
        if (this.epoch === 0) this.epoch = epoch & 0xffff
        this.sequence++
    }
}
