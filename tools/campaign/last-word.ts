// A board dies or hangs right after the last word on a request: that its partner recorded it, or that the request is done. It is left so until the
// partner serves its volume and was asked. What was told as recorded is done then, though nobody asks again; so a partner that tells and
// keeps nothing shows, and one that finishes no copies.

import { partnerOf, rootObject, volumeLetter } from "../bridge/protocol/numbers"
import type { Random } from "../sim/random"
import { roles, type SimSession } from "../sim/session"
import type { BusWatch } from "./bus-watch"
import type { FaultPlan } from "./faults"
import { RawHost } from "./raw-host"

const property = "last word"
const startMsMax = 1_200
/** A copy is abandoned 6 s after it was heard: a takeover that begins by then finishes it. */
const deafMsMax = 2_000
const wordMsMax = 2_000
const servesMsMax = 6_000
/** The other clients read meanwhile, too. */
const keptOffMs = 1_500
const pollMs = 10
/** Of the boards, those that hang until their partner resets them; the others have no power. */
const hangShare = 0.4

/** deaf: the board never hears the request, and dies later; recorded: it dies when its partner has told that it has a copy; answered: when it has replied. */
const ways = ["deaf", "deaf", "recorded", "recorded", "answered"] as const

export class LastWord {
    private readonly volume: number
    private readonly way: (typeof ways)[number]
    private readonly host: RawHost

    constructor(
        private readonly session: SimSession,
        private readonly watch: BusWatch,
        private readonly plan: FaultPlan,
        private readonly random: Random,
    ) {
        this.volume = 2 * plan.pairs[random.int(plan.pairs.length)] + random.int(2)
        this.way = ways[random.int(ways.length)]
        this.host = new RawHost(session, random, "last", this.volume)
    }

    /** @returns what is wrong */
    async work(): Promise<string[]> {
        const { session, random, plan, host, volume } = this
        await session.sleep(random.float() * startMsMax)
        await host.open()
        const owner = session.simulation.cabinet.nodeNames[volume]
        const isTold = await this.askUntilTold(owner)
        if (!isTold) return []
        const goOn = plan.stop(owner, random.chance(hangShare) ? "hang" : "power")
        session.simulation.wire.fault.cut = undefined
        const found = await this.afterDeath()
        await session.sleep(keptOffMs)
        goOn()
        await host.close()
        return found
    }

    /** Resolves when the owner is to die; false when nothing was told. */
    private async askUntilTold(owner: string): Promise<boolean> {
        const { session, watch, host, volume, way, random } = this
        const { fault } = session.simulation.wire
        if (way === "deaf") fault.cut = (from, to) => from === host.id && to === owner
        const sequence = host.askOnce({
            ...{ op: "setProperty", object: rootObject, mtime: 0 },
            ...{ property: Buffer.from(property), value: Buffer.from(way) },
        })
        const told = new Promise<boolean>(resolve => {
            watch.onWord = word => {
                const isIt = word.volume === volume && word.session === host.sessionId && word.sequence >= sequence
                if (isIt && word.kind === (way === "answered" ? "answered" : "recorded")) resolve(true)
            }
            void session.sleep(wordMsMax).then(() => resolve(false))
        })
        const isTold = await told
        watch.onWord = undefined
        if (isTold && way === "deaf") await session.sleep(random.float() * deafMsMax)
        if (!isTold) fault.cut = undefined
        return isTold
    }

    private async afterDeath(): Promise<string[]> {
        const { session, volume, way, plan } = this
        const { client } = session
        const partner = partnerOf(volume)
        const letter = volumeLetter(volume)
        const end = session.nowMs() + servesMsMax
        while (session.roleOf(partner) !== roles.takenOver || client.controllerOf(volume) !== partner) {
            if (session.nowMs() >= end)
                return [`node ${volumeLetter(partner)} did not serve volume ${letter} in ${servesMsMax} ms`]
            await session.sleep(pollMs)
        }
        const { plain } = await client.propertiesOf(volume, "")
        if (plan.isOver || plain.get(property) === way) return []
        const word = way === "answered" ? "answered as done" : "told as recorded"
        return [`volume ${letter}: a request was ${word}, its node died (${way}), and its partner did not do it`]
    }
}
