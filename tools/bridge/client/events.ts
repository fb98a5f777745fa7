/**
 * The events of a cabinet's nodes, each once and with the host's time. A node's ring holds the last 32 since it booted:
 * whoever asks too seldom is told how many are gone.
 */
import { decodeEvents, type EventsPage, type NodeEvent } from "../protocol/events"
import { volumeLetter } from "../protocol/numbers"
import type { Link } from "./link"
import { query, type CallOptions } from "./queries"
import { statusError } from "./statuses"

export interface SeenEvent extends NodeEvent {
    node: number
    /** The host's clock when it happened, as near as the bus tells. */
    atMs: number
    /** So many events of this node before this one are gone. */
    lostBefore: number
}

/** Pages of one answer; the ring is two. */
const pagesMax = 8

interface Place {
    /** The last event seen, and the node's clock then. */
    last: NodeEvent
    uptimeMs: number
}

export class EventReader {
    private readonly places = new Map<number, Place>()

    constructor(private readonly link: Link) {}

    /** What happened at a node since it was asked last; at first, all that it holds. */
    async next(node: number, options: CallOptions = {}): Promise<SeenEvent[]> {
        const seen: SeenEvent[] = []
        // by the answer that was under way for the shortest time
        let bootMs = Infinity
        for (let pages = 0; pages < pagesMax; pages++) {
            const place = this.places.get(node)
            // the last one again: it tells whether the node booted since
            let page = await this.ask(node, place ? place.last.number : 0, options)
            let events = page.events
            let wanted = 0
            if (place && continues(place, page)) {
                wanted = place.last.number + 1
                events = events.filter(event => event.number >= wanted)
            } else if (place) {
                page = await this.ask(node, 0, options)
                events = page.events
            }
            bootMs = Math.min(bootMs, this.link.clock.now() - page.uptimeMs)
            for (const event of events) {
                seen.push({ ...event, node, atMs: 0, lostBefore: event.number - wanted })
                wanted = event.number + 1
            }
            const last = events[events.length - 1] ?? place?.last
            if (last) this.places.set(node, { last, uptimeMs: page.uptimeMs })
            if (events.length === 0 || wanted >= page.end) break
        }
        for (const event of seen) event.atMs = bootMs + event.uptimeMs
        return seen
    }

    private async ask(node: number, seen: number, options: CallOptions): Promise<EventsPage> {
        const subject = `events of node ${volumeLetter(node)}`
        const answer = await query(this.link, { node }, { op: "events", seen }, subject, options)
        if (answer.status !== "ok") throw statusError(answer.status, subject)
        return decodeEvents(answer.payload)
    }
}

/** Whether the node runs on since it was asked last: its clock did not fall, and what it told is still what happened. */
function continues({ last, uptimeMs }: Place, page: EventsPage): boolean {
    if (page.uptimeMs < uptimeMs || page.end <= last.number) return false
    const again = page.events.find(({ number }) => number === last.number)
    return !again || (again.uptimeMs === last.uptimeMs && again.kind === last.kind && again.value === last.value)
}
