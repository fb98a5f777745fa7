/** What `status` shows of a node besides its own figures: its program, as its board tells it, and the last thing that happened to it. */
import type { SeenEvent } from "../client"
import { programState } from "../bus/manager"
import { boardOf } from "../bus/runtimes"
import { isError } from "../error"
import { EventWords } from "../protocol/events"
import type { Context } from "./context"

const announceMs = 600
const answerMs = 1_500
const askTries = 4

export interface NodeFacts {
    imageSha256: string | null
    lastEvent: { text: string; agoMs: number } | null
}

/** Keeps what a sentence about the next event needs. */
export class FactsReader {
    private readonly words = new Map<number, EventWords>()
    private readonly last = new Map<number, { text: string; atMs: number }>()

    constructor(private readonly context: Context) {}

    async of(node: number, device: string): Promise<NodeFacts> {
        const [imageSha256, events] = await Promise.all([this.sha256(device), this.events(node)])
        for (const event of events) {
            let words = this.words.get(node)
            if (!words) this.words.set(node, (words = new EventWords(node)))
            if (event.lostBefore) words.lost()
            const text = words.say(event)
            if (text !== undefined) this.last.set(node, { text, atMs: event.atMs })
        }
        const last = this.last.get(node)
        const agoMs = last && Math.max(0, Math.round(this.context.world.clock.now() - last.atMs))
        return { imageSha256, lastEvent: last && agoMs !== undefined ? { text: last.text, agoMs } : null }
    }

    private async sha256(device: string): Promise<string | null> {
        const { runtimes } = this.context
        try {
            const board = await runtimes.find(boardOf(device), announceMs)
            return (await programState(runtimes, board, { tries: askTries })).sha256 ?? null
        } catch (error) {
            if (!isError(error)) throw error
            return null
        }
    }

    private events(node: number): Promise<SeenEvent[]> {
        return this.context.client.events(node, { timeoutMs: answerMs }).catch((error: unknown) => {
            if (!isError(error)) throw error
            return []
        })
    }
}
