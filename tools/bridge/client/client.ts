/**
 * TwinfilerClient: files on the volumes of a cabinet, by path. It finds the nodes by their beats, sends each request to
 * the node that controls the volume, and sees it through power cuts and changes of control: requests become late, not
 * errors, and none runs twice. Volumes and nodes are numbers (0 is `a`), paths are names joined by `/` from the root of
 * the volume. Every method throws `TwinfilerError` and nothing else, except what a caller's own stream or guard throws.
 */
import type { ServiceBus } from "../bus/jacdac-bus"
import { sleep } from "../bus/clock"
import { isError } from "../error"
import type { FoundEntry, ListedEntry, NodeFigures, SnapshotFigures, VolumeFigures } from "../protocol/answers"
import type { ArrayFigures, FoundElements } from "../protocol/array-figures"
import { serviceFlags, type ModeName } from "../protocol/numbers"
import type { ByteSource } from "./block-source"
import { Arrays, type ElementsOptions, type RebuildOptions } from "./arrays"
import { Changes, type ChangeOptions, type OnlyOptions } from "./changes"
import { download } from "./download"
import { EventReader, type SeenEvent } from "./events"
import { noNodeError } from "./exchange"
import { downloadRestartMax, roleWaitMs, settleMs } from "./limits"
import { Link, type LinkOptions } from "./link"
import { loadMemory, readJournal, type JournalMemory } from "./memory"
import type { NodeView } from "./nodes"
import { Properties, type ObjectProperties, type PackedProperties } from "./properties"
import { control, type CallOptions, type ControlOptions, type ControlResult } from "./queries"
import { Session } from "./session"
import { listSnapshots, SnapshotChanges } from "./snapshots"
import { statusError } from "./statuses"
import { showPath, Tree } from "./tree"
import { Uploads, type PutOptions, type PutResult } from "./upload"
import { splitPath } from "../protocol/names"

export type ClientOptions = LinkOptions

export interface RangeOptions extends CallOptions {
    /** First byte, 0 unless said otherwise. */
    offset?: number
    /** Bytes; to the end of the file unless said otherwise. Less are read when the file is shorter. */
    length?: number
}

export interface NodeState {
    node: number
    /** Jacdac device id of its file service, 16 hex digits. */
    device: string
    role: number
    /** `beatFlags`. */
    flags: number
    ownEpoch: number
    partnerEpoch: number
    uptimeMs: number
    /** Of its pair: an index of `modeNames`. */
    mode: number
    /** Whether it was heard in the last 400 ms. */
    isHeard: boolean
    /** Boards that bear its number, when there are several: then nothing is sent to it. */
    rivals?: string[]
}

export class TwinfilerClient {
    private readonly link: Link
    private readonly tree: Tree
    private readonly changes: Changes
    private readonly uploads: Uploads
    private readonly snapshotChanges: SnapshotChanges
    private readonly properties: Properties
    private readonly arrays: Arrays
    private readonly eventReader: EventReader
    private readonly sessions = new Map<number, Session>()
    /** When the first node was found. */
    private readyMs?: number

    /** The client uses the bus and does not close it. */
    constructor(bus: ServiceBus, options: ClientOptions) {
        const session = (volume: number) => this.session(volume)
        this.link = new Link(bus, options)
        this.tree = new Tree(this.link)
        this.changes = new Changes(this.tree, session)
        this.snapshotChanges = new SnapshotChanges(this.link, this.changes)
        this.properties = new Properties(this.link, this.tree, this.changes)
        this.arrays = new Arrays(this.link, this.changes)
        this.eventReader = new EventReader(this.link)
        this.uploads = new Uploads(this.link, this.tree, this.changes, session)
    }

    /** Resolves when a node has been heard; throws `noNode` when none is for `waitMs`. */
    async ready(waitMs = this.link.timeoutMs): Promise<void> {
        const { clock, nodes } = this.link
        const end = clock.now() + waitMs
        while (nodes.all().length === 0) {
            if (clock.now() >= end) throw noNodeError(this.link, "no node reachable")
            await sleep(clock, roleWaitMs / 4)
        }
        this.readyMs ??= clock.now()
    }

    /** Resolves when every living node has been heard: 350 ms after the first was; before, volumes may be missing. */
    async settle(): Promise<void> {
        await this.ready()
        const { clock } = this.link
        await sleep(clock, Math.max(0, (this.readyMs ?? 0) + settleMs - clock.now()))
    }

    /** Every node heard so far, by number. */
    nodes(): NodeState[] {
        return this.link.nodes.all().map(view => this.state(view))
    }

    /** Volumes whose home node or controller has been heard. */
    volumes(): number[] {
        return this.link.nodes.volumes()
    }

    /** Whether a node of the volume's pair has been heard; if none was, nothing can be known of it. */
    hasVolume(volume: number): boolean {
        return this.link.nodes.hasVolume(volume)
    }

    /** The node that controls a volume at present, as far as the beats tell. */
    controllerOf(volume: number): number | undefined {
        return this.link.nodes.controllerOf(volume)?.node
    }

    /** Called with a volume whenever its controller or epoch has changed. Returns the unsubscriber. */
    onControllerChange(listener: (volume: number) => void): () => void {
        return this.link.nodes.onChange(listener)
    }

    /** What the replies so far said of the service: without a recording partner, on an array with a dead element. */
    get serviceSeen(): { unprotected: boolean; degraded: boolean } {
        const { flagsSeen } = this.link
        return {
            unprotected: (flagsSeen & serviceFlags.unprotected) !== 0,
            degraded: (flagsSeen & serviceFlags.degraded) !== 0,
        }
    }

    /** Most requests outstanding at once so far, and frames that were dropped as damaged. */
    get counters(): { outstandingHighWater: number; badFrames: number } {
        return { outstandingHighWater: this.link.outstandingHighWater, badFrames: this.link.badFrames }
    }

    /** The entry at a path; throws `notFound`, with `details.found` names that exist. */
    stat(volume: number, path: string, options: CallOptions = {}): Promise<FoundEntry> {
        return this.tree.lookup(volume, path, options)
    }

    /** The entry at a path, or undefined. */
    find(volume: number, path: string, options: CallOptions = {}): Promise<FoundEntry | undefined> {
        return this.tree.find(volume, path, options)
    }

    /** Entries of a directory in the order of their keys, asked for page by page. */
    list(volume: number, path: string, options: CallOptions = {}): AsyncGenerator<ListedEntry> {
        return this.tree.list(volume, path, options)
    }

    statfs(volume: number, options: CallOptions = {}): Promise<VolumeFigures> {
        return this.tree.statfs(volume, options)
    }

    /** Asks one node, whatever it controls. */
    nodeFigures(node: number, options: CallOptions = {}): Promise<NodeFigures> {
        return this.tree.node(node, options)
    }

    /** What happened at a node since this client asked last; at first, all that the node holds. */
    events(node: number, options: CallOptions = {}): Promise<SeenEvent[]> {
        return this.eventReader.next(node, options)
    }

    /** Bytes of a node's journal memory; throws `badRequest` beyond its map. */
    loadMemory(node: number, offset: number, bytes: number, options: CallOptions = {}): Promise<Buffer> {
        return loadMemory(this.link, node, offset, bytes, options)
    }

    /** What a node's journal memory holds. */
    readJournal(node: number, options: CallOptions = {}): Promise<JournalMemory> {
        return readJournal(this.link, node, options)
    }

    /** Returns the new directory's object; throws `exists`, `notFound` for its parent. */
    mkdir(volume: number, path: string, options: ChangeOptions): Promise<number> {
        return this.changes.mkdir(volume, path, options)
    }

    /** Like `mkdir -p`; returns the directory's object. */
    mkdirs(volume: number, path: string, options: ChangeOptions): Promise<number> {
        return this.changes.mkdirs(volume, path, options)
    }

    /** Removes a file or an empty directory; throws `notFound`, `notEmpty`, and `replaced` when it is not the one that may go. */
    remove(volume: number, path: string, options: OnlyOptions): Promise<void> {
        return this.changes.remove(volume, path, options)
    }

    /** Within one volume; throws `exists` unless `replace` (a file, or an empty directory by a directory). */
    rename(volume: number, from: string, to: string, options: OnlyOptions & { replace?: boolean }): Promise<void> {
        return this.changes.rename(volume, from, to, options)
    }

    setMtime(volume: number, path: string, options: ChangeOptions): Promise<void> {
        return this.changes.setMtime(volume, path, options)
    }

    /**
     * Stores a stream as a file: it appears at once and whole when the promise resolves. Holds 16 blocks and one chunk
     * of the source. Survives a failover; a source given as a function is read again when the volume has lost the
     * upload. Throws `noSpace`, `isDirectory`, `exists`, `notFound` (the parent), `checksum`, `aborted`.
     */
    put(volume: number, path: string, source: ByteSource, options: PutOptions): Promise<PutResult> {
        return this.uploads.put(volume, path, source, options)
    }

    /**
     * A file's bytes. Throws `replaced` when the file is replaced or removed after the first bytes were delivered;
     * before that it starts over with the new file.
     */
    async *get(volume: number, path: string, options: RangeOptions = {}): AsyncGenerator<Uint8Array> {
        for (let restarted = 0; ; restarted++) {
            const entry = await this.tree.lookup(volume, path, options)
            let isBegun = false
            try {
                for await (const piece of this.read(volume, entry, { ...options, path })) {
                    isBegun = true
                    yield piece
                }
                return
            } catch (error) {
                if (!isError(error, "replaced") || isBegun || restarted >= downloadRestartMax) throw error
            }
        }
    }

    /** The bytes of the very file that `entry` (from stat or list) describes; throws `replaced` when it is gone. */
    read(
        volume: number,
        entry: { type: "file" | "directory"; object: number; size: number; snapshot?: number },
        options: RangeOptions & { path?: string } = {},
    ): AsyncGenerator<Uint8Array> {
        const subject = showPath(
            volume,
            options.path === undefined ? [`object ${entry.object}`] : splitPath(options.path),
        )
        if (entry.type !== "file") throw statusError("isDirectory", subject)
        const start = Math.min(options.offset ?? 0, entry.size)
        const end = Math.min(entry.size, start + (options.length ?? entry.size))
        const { object, snapshot } = entry
        return download(this.link, { volume, object, snapshot, start, end, subject }, options)
    }

    /** The oldest first. Their files are read below `.snapshots/NAME` at the volume's root. */
    snapshots(volume: number, options: CallOptions = {}): Promise<SnapshotFigures[]> {
        return listSnapshots(this.link, volume, options)
    }

    /** Keeps the volume as it is now, under a name; returns its number. Throws `exists`, `noSpace`, `tooLarge`. */
    createSnapshot(volume: number, name: string, options: ChangeOptions): Promise<number> {
        return this.snapshotChanges.create(volume, name, options)
    }

    /** Throws `notFound`. */
    deleteSnapshot(volume: number, name: string, options: CallOptions = {}): Promise<void> {
        return this.snapshotChanges.delete(volume, name, options)
    }

    /** Extended properties of a file or directory. */
    propertiesOf(volume: number, path: string, options: CallOptions = {}): Promise<ObjectProperties> {
        return this.properties.get(volume, path, options)
    }

    /** The same of an entry that was looked up or listed: asks only when it has any. */
    propertiesOfEntry(
        volume: number,
        entry: { object: number; flags: number; snapshot?: number },
        path: string,
        options: CallOptions = {},
    ): Promise<ObjectProperties> {
        return this.properties.ofEntry(volume, entry, showPath(volume, splitPath(path)), options)
    }

    /** Sets a plain property; undefined removes it. Throws `tooLarge` beyond 200 bytes an object. */
    setProperty(
        volume: number,
        path: string,
        name: string,
        value: string | undefined,
        options: ChangeOptions,
    ): Promise<void> {
        return this.properties.set(volume, path, name, value, options)
    }

    /** Replaces the properties of WebDAV clients, all at once. */
    setPackedProperties(
        volume: number,
        path: string,
        properties: PackedProperties,
        options: ChangeOptions,
    ): Promise<void> {
        return this.properties.setPacked(volume, path, properties, options)
    }

    /** Makes the properties of `to` those of `from`, an entry that was looked up or listed. */
    copyProperties(
        from: { volume: number; entry: { object: number; flags: number; snapshot?: number }; path: string },
        to: { volume: number; path: string },
        options: ChangeOptions,
    ): Promise<void> {
        return this.properties.copy(from, to, options)
    }

    array(volume: number, options: CallOptions = {}): Promise<ArrayFigures> {
        return this.arrays.figures(volume, options)
    }

    /** The same after a look at all slots; `position` is one whose element is there. */
    arrayOfNow(volume: number, position: number, options: CallOptions = {}): Promise<ArrayFigures> {
        return this.arrays.figuresOfNow(volume, position, options)
    }

    /** What one node finds at its selects of an array, served or not, and reads there at another clock. */
    elements(node: number, volume: number, options: ElementsOptions = {}): Promise<FoundElements> {
        return this.arrays.elements(node, volume, options)
    }

    /** Begins to rebuild an element; `array` tells how far it is. */
    rebuild(volume: number, options: RebuildOptions = {}): Promise<void> {
        return this.arrays.rebuild(volume, options)
    }

    /** Begins to read all rows once, so many a second, and to repair what is damaged; 0 stops. */
    scrub(volume: number, rowsPerSecond: number, options: CallOptions = {}): Promise<void> {
        return this.arrays.scrub(volume, rowsPerSecond, options)
    }

    /** `node` is to take its partner's volume. Throws `vetoed` with the reasons; a dry run changes nothing. */
    takeover(node: number, options: ControlOptions = {}): Promise<ControlResult> {
        return control(this.link, "takeover", node, options)
    }

    /** `node` is to hand its partner's volume back. */
    giveback(node: number, options: ControlOptions = {}): Promise<ControlResult> {
        return control(this.link, "giveback", node, options)
    }

    /** Both nodes of the pair are to serve their own volumes, or `node` both. */
    mode(node: number, mode: ModeName, options: ControlOptions = {}): Promise<ControlResult> {
        return control(this.link, "mode", node, { ...options, mode })
    }

    /** Says bye to the volumes that have a session, waiting 2 s at most. The bus stays open. */
    async close(): Promise<void> {
        await Promise.all([...this.sessions.values()].map(session => session.close()))
        this.sessions.clear()
        this.link.close()
    }

    private session(volume: number): Session {
        let session = this.sessions.get(volume)
        if (!session) this.sessions.set(volume, (session = new Session(this.link, volume)))
        return session
    }

    private state(view: NodeView): NodeState {
        const { node, role, flags, ownEpoch, partnerEpoch, uptimeMs, mode } = view.beat
        const isHeard = this.link.nodes.isHeard(view)
        const state = { node, device: view.beat.device, role, flags, ownEpoch, partnerEpoch, uptimeMs, mode, isHeard }
        const rivals = this.link.nodes.rivals(node)
        return rivals.length ? { ...state, rivals } : state
    }
}
