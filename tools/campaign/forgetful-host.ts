// A host that asks a board which does not hear it, once, and never again: only the board's partner has a copy. When the board dies long after, the
// copy is stale, and to finish it would bring back what nobody waits for.

import { JacdacBus } from "../bridge/bus/jacdac-bus"
import { isError } from "../bridge/error"
import { encodeRequest } from "../bridge/protocol/commands"
import { decodeNotice, type Reply } from "../bridge/protocol/notices"
import { commandCodes, noticeKinds, rootObject } from "../bridge/protocol/numbers"
import type { Random } from "../sim/random"
import type { SimSession } from "../sim/session"
import { VirtualHost } from "../sim/virtual-host"

const name = "forgotten"
const mtime = 1_700_000_000
const everyMs = 300
const askMsMax = 1_500

export class ForgetfulHost {
    readonly id = "forgetful"
    private readonly bus: JacdacBus
    private number: number
    private challenge = 0
    private reply: Reply | undefined

    constructor(
        private readonly session: SimSession,
        private readonly random: Random,
        private readonly volume: number,
    ) {
        const host = new VirtualHost(session.simulation, this.id)
        this.bus = new JacdacBus(host, { clock: host.clock, random: () => random.uint32() })
        this.number = this.newNumber()
        this.bus.onNotice((_, kind, frame) => {
            if (kind !== noticeKinds.reply) return
            const reply = decodeNotice(noticeKinds.reply, Buffer.from(frame)) as Reply
            if (reply.session !== this.number) return
            if (reply.status === "ok") this.reply = reply
            else if (reply.status === "noSession") {
                this.challenge = reply.value
                this.number = this.newNumber()
            }
        })
    }

    private newNumber(): number {
        return 1 + this.random.int(0x7fff_ffff)
    }

    /** Opens its session, as long as it is heard. */
    async begin(): Promise<void> {
        while (!this.reply) {
            const head = { volume: this.volume, epoch: 0, session: this.number, sequence: 1 }
            const hello = encodeRequest(head, { op: "hello", challenge: this.challenge })
            this.bus.send(this.volume, commandCodes.request, hello)
            await this.session.sleep(everyMs)
        }
    }

    /** Its board does not hear it any more. */
    async ask(): Promise<void> {
        if (!this.reply) return
        await this.session.sleep(this.random.float() * askMsMax)
        const head = { volume: this.volume, epoch: this.reply.epoch & 0xffff, session: this.number, sequence: 2 }
        this.bus.send(
            this.volume,
            commandCodes.request,
            encodeRequest(head, { op: "mkdir", directory: rootObject, mtime, name }),
        )
    }

    /** @returns what is wrong, when all is over */
    async judge(): Promise<string[]> {
        await this.bus.close()
        try {
            await this.session.client.stat(this.volume, name)
        } catch (error) {
            if (isError(error, "notFound")) return []
            throw error
        }
        return [`:/${"ab"[this.volume]}/${name} is there: a request that its host gave up long before was done`]
    }
}
