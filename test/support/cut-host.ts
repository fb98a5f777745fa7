// A host whose knowledge is written down as it runs: at any instant of the run it can be told what had been acknowledged by then, and
// what was under way. What comes after a power cut is compared with that.

import assert from "node:assert/strict"
import type { StoreBench } from "./store-bench"
import { StoreHost, type Node, type SentUpload } from "./store-host"
import type { Answer } from "./store-client"

export type Kept = Map<string, Buffer | "directory">

export interface Known {
    tree: Map<string, Node>
    uploads: Map<number, SentUpload>
    snapshots: Map<string, { number: number; content: Kept }>
    sequence: number
}

/** A request that was sent: after a cut it is done wholly or not at all, and its retry gives the same answer. */
export interface PendingRequest {
    op: number
    args: (number | Buffer)[]
    answer?: Answer
    after?: Known
}

export interface Instant extends Known {
    atNs: number
    /** Elements that do not answer, as bits of their slots. */
    silent: number
    /** Of the volume's own work, or of an upload's bytes, nothing is to be seen. */
    pending?: PendingRequest
}

export const opSnapshot = 10
const opSnapshotDelete = 11
const opSetProperty = 12

export class CutHost extends StoreHost {
    snapshots = new Map<string, { number: number; content: Kept }>()
    instants: Instant[] = []

    constructor(bench: StoreBench, session = 77) {
        super(bench, session)
        const { acknowledged } = this.client
        this.client.acknowledged = (object, bytes) => {
            acknowledged(object, bytes)
            this.note()
        }
    }

    override copy(bench: StoreBench): CutHost {
        const host = new CutHost(bench, this.client.session)
        host.take(this.known())
        return host
    }

    known(): Known {
        const uploads = new Map<number, SentUpload>()
        for (const [object, upload] of this.uploads) uploads.set(object, { ...upload })
        return {
            tree: new Map(this.tree),
            uploads,
            snapshots: new Map(this.snapshots),
            sequence: this.client.sequence,
        }
    }

    take({ tree, uploads, snapshots, sequence }: Known): void {
        this.tree = new Map(tree)
        this.uploads = new Map([...uploads].map(([object, upload]) => [object, { ...upload }]))
        this.snapshots = new Map(snapshots)
        this.client.sequence = sequence
    }

    private note(pending?: PendingRequest): void {
        this.instants.push({ ...this.known(), atNs: this.bench.nowNs, silent: this.bench.silent, pending })
    }

    // --- what is written down

    override async request(op: number, args: (number | Buffer)[], apply: (answer: Answer) => void): Promise<Answer> {
        const pending: PendingRequest = { op, args }
        this.note(pending)
        pending.answer = await super.request(op, args, apply)
        pending.after = this.known()
        this.note()
        return pending.answer
    }

    override async write(object: number, data: Buffer): Promise<boolean> {
        const upload = this.uploads.get(object)!
        upload.sent = Buffer.concat([upload.sent, data])
        this.note()
        const taken = await super.write(object, Buffer.alloc(0))
        this.note()
        return taken
    }

    /** What the node does of its own accord. */
    async work(work: () => Promise<unknown>): Promise<void> {
        this.note()
        await work()
        this.note()
    }

    /** A node that boots, or takes over. */
    async mount(): Promise<void> {
        await this.work(async () => {
            // what still runs on the chips ends first
            this.bench.nowNs += 2e9
            this.bench.cutPowerNow()
            this.bench.powerUp()
            assert.equal(await this.bench.mount(), true, "mount")
        })
    }

    override async idle(steps: number): Promise<void> {
        await this.work(() => super.idle(steps))
    }

    // --- more requests

    async snapshot(name: string): Promise<number> {
        const content: Kept = new Map(
            [...this.tree].map(([path, node]) => [path, node.type === 2 ? "directory" : node.content]),
        )
        const { status } = await this.request(opSnapshot, [7000, Buffer.from(name)], ({ value }) => {
            this.snapshots.set(name, { number: value, content })
        })
        return status
    }

    async dropSnapshot(name: string): Promise<number> {
        const { number } = this.snapshots.get(name)!
        const { status } = await this.request(opSnapshotDelete, [number], () => this.snapshots.delete(name))
        return status
    }

    async setProperty(path: string, name: string, value: string): Promise<number> {
        const text = Buffer.from(name)
        const args = [this.tree.get(path)!.object, 0, Buffer.from([text.length]), text, Buffer.from(value)]
        return (await this.request(opSetProperty, args, () => {})).status
    }
}
