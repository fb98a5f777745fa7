// A host that keeps in memory what the volume must hold, works through power cuts, and compares after each: an acknowledged
// change is there, the one under way is there wholly or not at all, and its retry gives the same answer without doing it twice.

import { uploadOf } from "../../src/store/volume"
import assert from "node:assert/strict"
import { checkArray } from "../../tools/check"
import { imagesOf } from "./flash-timeline"
import { PowerCut, type StoreBench } from "./store-bench"
import { checkVolume, type Figures } from "./store-checker"
import { StoreClient, type Answer } from "./store-client"
import { eraseAhead, commitNumber } from "../../src/store/log"
import { takenBytes } from "../../src/store/upload"

export interface Node {
    object: number
    type: number
    content: Buffer
    /** Of a file; cut-compare.ts compares it. */
    mtime?: number
}

export interface SentUpload {
    sent: Buffer
    acknowledged: number
}

const ok = 0
const noSession = 11
const mountTriesMax = 10
const mountAgainNs = 5e6

export class StoreHost {
    readonly client: StoreClient
    tree = new Map<string, Node>()
    uploads = new Map<number, SentUpload>()
    cuts = 0
    /** Programs and erases after each power-up at which the power is cut again, with the fraction. */
    again: { after: number; fraction: number }[] = []
    /** Errors after which a node mounts its array again. */
    mountsAgainAfter: RegExp | undefined
    /** How often it did. */
    mountsAgain = 0

    constructor(
        readonly bench: StoreBench,
        session = 77,
    ) {
        this.client = new StoreClient(bench, session)
        this.client.acknowledged = (object, bytes) => {
            const upload = this.uploads.get(object)
            if (upload) upload.acknowledged = Math.max(upload.acknowledged, bytes)
        }
    }

    /** The same host at another bench whose chips have the same contents. */
    copy(bench: StoreBench): StoreHost {
        const host = new StoreHost(bench, this.client.session)
        host.client.sequence = this.client.sequence
        host.tree = new Map(this.tree)
        for (const [object, upload] of this.uploads) host.uploads.set(object, { ...upload })
        return host
    }

    // --- comparing

    /** Says how the volume differs from what this host knows; undefined when it does not. */
    difference(figures: Figures): string | undefined {
        for (const [path, node] of this.tree) {
            const found = figures.tree.get(path)
            if (!found) return `${path} is missing`
            if (found.object !== node.object) return `${path} is object ${found.object}, not ${node.object}`
            if (found.type !== node.type) return `type of ${path}`
            if (!found.content.equals(node.content)) return `content of ${path}`
        }
        for (const path of figures.tree.keys()) if (!this.tree.has(path)) return `${path} should not be there`
        for (const object of this.uploads.keys()) if (!figures.held.has(object)) return `upload ${object} is missing`
        for (const object of figures.held.keys())
            if (!this.uploads.has(object)) return `upload ${object} should not be there`
        return undefined
    }

    check(): Figures {
        const figures = checkVolume(this.bench)
        assert.equal(this.difference(figures), undefined)
        return figures
    }

    private checkUploads(figures: Figures): void {
        // before the commit a mount leaves, the tree does not know what lies in the log's tail; the check tool does
        const report = this.bench.volume.isRestored ? checkArray(imagesOf(this.bench)) : undefined
        for (const [object, upload] of this.uploads) {
            const held = report ? report.readUpload(object) : figures.held.get(object)
            if (!held) continue
            assert.ok(
                held.length >= upload.acknowledged,
                `upload ${object}: ${held.length} of ${upload.acknowledged} held`,
            )
            assert.ok(held.equals(upload.sent.subarray(0, held.length)), `bytes of upload ${object}`)
            assert.equal(takenBytes(uploadOf(this.bench.volume, object)), held.length)
        }
    }

    // --- cuts

    /** Mounts, cut as often as `again` says. */
    async powerUp(): Promise<Figures> {
        const { bench } = this
        for (;;) {
            bench.powerUp()
            const cut = this.again.shift()
            if (cut) bench.cutPowerAt(bench.operations + cut.after, cut.fraction)
            try {
                assert.equal(await bench.mount(), true, "mount")
                break
            } catch (error) {
                if (!(error instanceof PowerCut)) throw error
                this.cuts++
            }
        }
        const figures = checkVolume(bench)
        this.checkUploads(figures)
        return figures
    }

    /** What a node does whose array failed it: it mounts it, until it can be read. */
    private async mountAgain(): Promise<Figures> {
        const { bench } = this
        this.mountsAgain++
        for (let i = 0; i < mountTriesMax; i++) {
            bench.nowNs += mountAgainNs
            if (!(await bench.mount().catch(() => false))) continue
            const figures = checkVolume(bench)
            this.checkUploads(figures)
            return figures
        }
        return assert.fail("its array is not served any more")
    }

    /** Runs `work`, and again after each cut. */
    private async through<T>(work: () => Promise<T>, seen: (figures: Figures) => void): Promise<T> {
        for (;;) {
            try {
                return await work()
            } catch (error) {
                if (error instanceof PowerCut) {
                    this.cuts++
                    seen(await this.powerUp())
                } else if (this.mountsAgainAfter?.test((error as Error).message)) seen(await this.mountAgain())
                else throw error
            }
        }
    }

    // --- requests

    /** @param apply changes what this host knows, as the answer says */
    async request(op: number, args: (number | Buffer)[], apply: (answer: Answer) => void): Promise<Answer> {
        this.client.sequence++
        let figures: Figures | undefined
        const answer = await this.through(
            () => this.client.again(op, ...args),
            f => (figures = f),
        )
        const before = figures && this.difference(figures)
        if (answer.status === ok) apply(answer)
        // not as before, so it must be as after: done wholly
        if (figures && before !== undefined) assert.equal(this.difference(figures), undefined, `half done (${before})`)
        const commit = commitNumber(this.bench.volume.log)
        assert.deepEqual(await this.client.again(op, ...args), answer, "the retry's answer")
        if (op !== 2) assert.equal(commitNumber(this.bench.volume.log), commit, "a retry must change nothing")
        return answer
    }

    parent(path: string): [number, Buffer] {
        const at = path.lastIndexOf("/")
        const directory = at < 0 ? 1 : (this.tree.get(path.slice(0, at))?.object ?? 0)
        return [directory, Buffer.from(path.slice(at + 1))]
    }

    /** The entry's key, as a lookup gives it. */
    async key(path: string): Promise<number> {
        const [directory, name] = this.parent(path)
        const found = await this.bench.volume.directory.lookup(directory, name, 0, name.length)
        assert.equal(found, ok)
        return this.bench.volume.directory.key
    }

    async hello(): Promise<number> {
        for (;;) {
            const { status } = await this.request(1, [this.bench.volume.challenge], () => {})
            if (status !== noSession) return status
            // a power cut took it, and the mount that followed wants another
            assert.equal(this.client.sequence--, 1)
        }
    }

    async mkdir(path: string): Promise<number> {
        const [directory, name] = this.parent(path)
        return (
            await this.request(3, [directory, 1000, name], answer =>
                this.tree.set(path, { object: answer.value, type: 2, content: Buffer.alloc(0) }),
            )
        ).status
    }

    async create(): Promise<number> {
        const answer = await this.request(4, [], a =>
            this.uploads.set(a.value, { sent: Buffer.alloc(0), acknowledged: 0 }),
        )
        return answer.status === ok ? answer.value : 0
    }

    /** Sends bytes and waits until they are durable. @returns false when the volume is full */
    async write(object: number, data: Buffer): Promise<boolean> {
        const upload = this.uploads.get(object)!
        upload.sent = Buffer.concat([upload.sent, data])
        while (upload.acknowledged < upload.sent.length) {
            const before = upload.acknowledged
            await this.through(
                async () => {
                    const held = uploadOf(this.bench.volume, object)
                    assert.ok(held, `upload ${object} is gone`)
                    assert.ok(takenBytes(held) >= upload.acknowledged)
                    await this.client.write(object, upload.sent.subarray(takenBytes(held)))
                    upload.acknowledged = Math.max(upload.acknowledged, await this.client.flush(object))
                },
                () => {},
            )
            if (upload.acknowledged === before) return false
        }
        return true
    }

    async commit(object: number, path: string, flags = 0): Promise<number> {
        const [directory, name] = this.parent(path)
        const upload = this.uploads.get(object)!
        return (
            await this.request(flags ? 0x85 : 5, [object, upload.sent.length, 2000, directory, name], () => {
                this.uploads.delete(object)
                this.tree.set(path, { object, type: 1, content: upload.sent, mtime: 2000 })
            })
        ).status
    }

    async abort(object: number): Promise<number> {
        return (await this.request(6, [object], () => this.uploads.delete(object))).status
    }

    /** A file, whole. @returns status; noSpace when it was given up */
    async put(path: string, content: Buffer, flags = 0, pieceBytes = 1500): Promise<number> {
        const object = await this.create()
        if (!object) return 6
        for (let at = 0; at < content.length; at += pieceBytes)
            if (!(await this.write(object, content.subarray(at, at + pieceBytes)))) {
                assert.equal(await this.abort(object), ok, "abort in a full volume")
                return 6
            }
        const status = await this.commit(object, path, flags)
        if (status !== ok) assert.equal(await this.abort(object), ok)
        return status
    }

    async rename(from: string, to: string, flags = 0): Promise<number> {
        const [directory] = this.parent(from)
        const [into, name] = this.parent(to)
        const { object } = this.tree.get(from)!
        const key = await this.keyThrough(from)
        return (
            await this.request(flags ? 0x87 : 7, [directory, key, object, into, 3000, name], () => {
                if (from === to) return
                const moved = [...this.tree].filter(([path]) => path === from || path.startsWith(from + "/"))
                for (const [path] of moved) this.tree.delete(path)
                for (const [path, node] of moved) this.tree.set(to + path.slice(from.length), node)
            })
        ).status
    }

    async remove(path: string): Promise<number> {
        const [directory] = this.parent(path)
        const key = await this.keyThrough(path)
        return (
            await this.request(8, [directory, key, this.tree.get(path)!.object, 4000], () => this.tree.delete(path))
        ).status
    }

    async setattr(path: string, mtime: number): Promise<number> {
        const node = this.tree.get(path)!
        return (
            await this.request(9, [node.object, mtime], () => {
                this.tree.set(path, node.type === 1 ? { ...node, mtime } : node)
            })
        ).status
    }

    private keyThrough(path: string): Promise<number> {
        return this.through(
            () => this.key(path),
            () => {},
        )
    }

    /** What a node does when it has nothing else to do. */
    async idle(steps: number): Promise<void> {
        for (let i = 0; i < steps; i++)
            await this.through(
                async () => {
                    if (this.bench.volume.orphans) await this.bench.volume.reclaim()
                    else await eraseAhead(this.bench.volume.log)
                },
                figures => assert.equal(this.difference(figures), undefined),
            )
    }
}
