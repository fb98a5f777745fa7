// A host that asks a board which does not hear it, once, and never again: only the board's partner has a copy. When the board dies long after, the
// copy is stale, and to finish it would bring back what nobody waits for.

import { isError } from "../bridge/error"
import { rootObject } from "../bridge/protocol/numbers"
import type { Random } from "../sim/random"
import type { SimSession } from "../sim/session"
import { RawHost } from "./raw-host"

const name = "forgotten"
const mtime = 1_700_000_000
const askMsMax = 1_500

export class ForgetfulHost {
    readonly id = "forgetful"
    private readonly host: RawHost

    constructor(
        private readonly session: SimSession,
        private readonly random: Random,
        private readonly volume: number,
    ) {
        this.host = new RawHost(session, random, this.id, volume)
    }

    /** Opens its session, as long as it is heard. */
    begin(): Promise<void> {
        return this.host.open()
    }

    /** Its board does not hear it any more. */
    async ask(): Promise<void> {
        if (!this.host.isOpen) return
        await this.session.sleep(this.random.float() * askMsMax)
        this.host.askOnce({ op: "mkdir", directory: rootObject, mtime, name })
    }

    /** @returns what is wrong, when all is over */
    async judge(): Promise<string[]> {
        await this.host.close()
        try {
            await this.session.client.stat(this.volume, name)
        } catch (error) {
            if (isError(error, "notFound")) return []
            throw error
        }
        return [`:/${"ab"[this.volume]}/${name} is there: a request that its host gave up long before was done`]
    }
}
