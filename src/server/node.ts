// What one node is made of. The worker is the only fiber that touches an array; packet handlers only copy, the outbox only sends, the
// pair's fiber only decides. All buffers are allocated here, at boot.

import { ElementArray } from "../array/array"
import { segmentRows, segmentsMax } from "../config"
import { bankOf, Wires } from "../flash/bank"
import { Journal } from "../pair/journal"
import { PairState } from "../pair/role"
import { Signal } from "../platform"
import { pageBufferBytes } from "../store/page"
import { NodeCache } from "../store/node-cache"
import { scratch as nodeScratch } from "../store/node-layout"
import { Volume } from "../store/volume"
import { Recorded } from "./copies"
import { Events } from "./events"
import { Hosted } from "./hosted"
import { Inbox } from "./inbox"
import { Outbox } from "./outbox"
import { Reads } from "./reads"

export class NodeServer {
    /** 0 = a, 1 = b; the number of its home volume too. */
    number: number
    home: Hosted
    /** The partner's volume, served after a takeover. */
    other: Hosted
    pair: PairState
    inbox: Inbox
    journal: Journal
    recorded: Recorded
    outbox: Outbox
    reads: Reads
    events: Events
    /** This node's listener is bound to the partner's service. */
    recording: boolean
    /** The partner's last beat said that it records. */
    partnerRecords: boolean
    badChecks: number
    /** Set by packet handlers, looked at and cleared each tick: somebody, or the partner, was heard. */
    heardBus: boolean
    heardPartner: boolean
    /** Time of the last tick; near enough for all that is measured in tens of milliseconds, and cheaper than a call. */
    nowMs: number
    /** As of the last tick: the partner was heard lately. */
    partnerAlive: boolean
    workerSignal: Signal
    /** Where hosts send commands to, told by each beat: the Jacdac device and index of this node's service. */
    deviceId: Buffer
    serviceIndex: number

    constructor(number: number, homeWires: Wires, otherWires: Wires, workerSignal: Signal) {
        this.number = number
        const out = Buffer.alloc(pageBufferBytes)
        const into = Buffer.alloc(pageBufferBytes)
        const scratch = Buffer.alloc(pageBufferBytes)
        const cache = new NodeCache()
        const home = new ElementArray(bankOf(homeWires, out, into), nodeScratch)
        const other = new ElementArray(bankOf(otherWires, out, into), nodeScratch)
        this.home = newHosted(number, home, cache, scratch)
        this.other = newHosted(number ^ 1, other, cache, scratch)
        this.pair = new PairState()
        this.inbox = new Inbox()
        this.home.volume.cleaner.waiting = this.inbox
        this.other.volume.cleaner.waiting = this.inbox
        this.journal = new Journal()
        this.recorded = new Recorded()
        this.reads = new Reads()
        this.events = new Events()
        this.outbox = new Outbox(this)
        this.recording = false
        this.partnerRecords = false
        this.badChecks = 0
        this.heardBus = false
        this.heardPartner = false
        this.nowMs = 0
        this.partnerAlive = false
        this.workerSignal = workerSignal
        this.deviceId = Buffer.alloc(8)
        this.serviceIndex = 1
    }
}

export function hostedBy(node: NodeServer, volume: number): Hosted {
    if (volume === node.number) return node.home
    if (volume === (node.number ^ 1)) return node.other
    return undefined
}

/** The node to ask about a volume that this one does not serve: its partner, or at home of the volume in another pair. */
export function elsewhere(node: NodeServer, volume: number): number {
    return volume === node.number ? volume ^ 1 : volume
}

/** Whether the partner records what is sent to this node. */
export function isProtected(node: NodeServer): boolean {
    return node.partnerRecords && node.partnerAlive
}

function newHosted(number: number, array: ElementArray, cache: NodeCache, scratch: Buffer): Hosted {
    const usage = Buffer.alloc(2 * segmentsMax)
    const root = Buffer.alloc(pageBufferBytes)
    return new Hosted(new Volume(number, array, segmentRows, cache, root, usage, scratch))
}
