// What a volume must answer, computed from a reference in memory: statuses of requests, times of change, listings, ranges of files.
//
// Promise: every method either finds the volume as the reference says, or throws; noSpace is the one answer the reference cannot foresee,
// and is allowed only when the volume says itself that it is nearly full.

import { commitNumber } from "../../src/store/log"
import assert from "node:assert/strict"
import { Queries, askVolume, lookupPath, readdir } from "../../src/store/queries"
import { Reader, openFile, readFile } from "../../src/store/reader"
import { freePages } from "../../src/store/volume"
import { propertiesOf } from "./snapshot-checker"
import { PowerCut, type StoreBench } from "./store-bench"
import type { Figures } from "./store-checker"
import { StoreHost } from "./store-host"

const ok = 0
const notFound = 1
const exists = 2
const notDirectory = 3
const isDirectory = 4
const notEmpty = 5
const noSpace = 6
const badName = 7
const badRequest = 8
const tooLarge = 16
const stale = 17
/** What `execute` says of a frame that deserves no answer. */
const silent = 255

const typeFile = 1
const typeDirectory = 2
const replaceFlag = 1
const opMkdir = 3
const opRemove = 8
const opSnapshotCreate = 10
const opSnapshotDelete = 11
const opSetProperty = 12
const snapshotsMax = 8
const propertyBytesMax = 200
// times that StoreHost gives its requests
const mkdirMtime = 1000
const commitMtime = 2000
const renameMtime = 3000
const removeMtime = 4000
const rootPath = ""

const badNames = [
    Buffer.from("."),
    Buffer.from(".."),
    Buffer.from("a/b"),
    Buffer.from("nul\0"),
    Buffer.alloc(201, 0x61),
    Buffer.from([0xc0, 0x80]),
    Buffer.from([0x61, 0xe2, 0x82]),
    Buffer.from([0xed, 0xa0, 0x80]),
]
export const badNameCount = badNames.length

export interface Snapshot {
    number: number
    /** What each path had, "directory" for a directory. */
    content: Map<string, Buffer | "directory">
    objects: Map<string, number>
}

export class ModelHost extends StoreHost {
    /** Times of change, by path; the root directory's is not asked for. */
    private readonly mtimes = new Map<string, number>()
    /** How full the volume said it was whenever it had no space: the least. */
    fullnessAtNoSpace = 1
    noSpaces = 0
    /** By path, values by name. */
    private readonly properties = new Map<string, Map<string, string>>()
    /** By name. */
    readonly snapshots = new Map<string, Snapshot>()

    constructor(
        bench: StoreBench,
        /** As a host sees it, 1 = full: with less the volume may not say that it has no space. */
        private readonly noSpaceFrom: number,
    ) {
        super(bench)
    }

    files(): string[] {
        return this.paths(typeFile)
    }

    directories(): string[] {
        return this.paths(typeDirectory)
    }

    private paths(type: number): string[] {
        return [...this.tree].filter(([, node]) => node.type === type).map(([path]) => path)
    }

    private children(path: string): string[] {
        const head = path === rootPath ? "" : path + "/"
        return [...this.tree.keys()].filter(p => p.startsWith(head) && !p.slice(head.length).includes("/"))
    }

    override difference(figures: Figures): string | undefined {
        const found = super.difference(figures)
        if (found !== undefined) return found
        for (const [path, { mtime }] of figures.tree)
            // one that is being changed is compared when it is done
            if (this.mtimes.has(path) && this.mtimes.get(path) !== mtime && !this.underWay)
                return `mtime of ${path} is ${mtime}, not ${this.mtimes.get(path)}`
        return this.differenceOfProperties(figures) ?? this.differenceOfSnapshots(figures)
    }
    private underWay = false

    private differenceOfProperties(figures: Figures): string | undefined {
        if (this.underWay) return undefined
        for (const [path, { object }] of this.tree) {
            const found = figures.properties.get(object) ?? new Map<string, string>()
            const expected = this.properties.get(path) ?? new Map<string, string>()
            if (!sameText(found, expected)) return `properties of ${path}`
        }
        return undefined
    }

    private differenceOfSnapshots({ snapshots }: Figures): string | undefined {
        for (const name of snapshots.keys())
            if (!this.snapshots.has(name)) return `snapshot ${name} should not be there`
        for (const [name, { content }] of this.snapshots) {
            const found = snapshots.get(name)
            if (!found) return `snapshot ${name} is missing`
            if (found.size !== content.size) return `snapshot ${name} has ${found.size} paths, not ${content.size}`
            for (const [path, data] of content) {
                const held = found.get(path)
                const isSame = data === "directory" || held === "directory" ? held === data : held?.equals(data)
                if (!isSame) return `${path} in snapshot ${name}`
            }
        }
        return undefined
    }

    fullness(): number {
        const { volume } = this.bench
        const { log } = volume
        const segmentPages = (log.array as unknown as { segmentPages: number }).segmentPages
        return 1 - freePages(volume) / ((log.segments - 1) * segmentPages)
    }

    /** Holds an answer against the expected one. @returns whether it was done */
    private judge(what: string, status: number, expected: number): boolean {
        if (status === noSpace && expected !== noSpace) {
            this.noSpaces++
            const fullness = this.fullness()
            this.fullnessAtNoSpace = Math.min(this.fullnessAtNoSpace, fullness)
            assert.ok(fullness >= this.noSpaceFrom, `${what}: no space, and ${Math.round(fullness * 100)} % full`)
            return false
        }
        assert.equal(status, expected, what)
        return status === ok
    }

    private async changing<T>(work: () => Promise<T>): Promise<T> {
        this.underWay = true
        try {
            return await work()
        } finally {
            this.underWay = false
        }
    }

    private parentPath(path: string): string {
        return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : rootPath
    }

    private touch(path: string, mtime: number): void {
        if (path !== rootPath) this.mtimes.set(path, mtime)
    }

    // --- changes

    async makeDirectory(path: string): Promise<void> {
        const expected = this.tree.has(path) ? exists : ok
        const status = await this.changing(() => this.mkdir(path))
        if (!this.judge(`mkdir ${path}`, status, expected)) return
        this.mtimes.set(path, mkdirMtime)
        this.touch(this.parentPath(path), mkdirMtime)
    }

    private commitStatus(path: string, flags: number): number {
        const old = this.tree.get(path)
        if (!old) return ok
        if (old.type === typeDirectory) return isDirectory
        return flags & replaceFlag ? ok : exists
    }

    private committed(path: string): void {
        this.mtimes.set(path, commitMtime)
        this.touch(this.parentPath(path), commitMtime)
    }

    async writeFile(path: string, content: Buffer, flags: number, pieceBytes: number): Promise<boolean> {
        const expected = this.commitStatus(path, flags)
        const status = await this.changing(() => this.put(path, content, flags, pieceBytes))
        if (!this.judge(`put ${path}`, status, expected)) return false
        this.committed(path)
        return true
    }

    async finishUpload(object: number, path: string, flags: number): Promise<boolean> {
        const expected = this.commitStatus(path, flags)
        const status = await this.changing(() => this.commit(object, path, flags))
        if (!this.judge(`commit ${path}`, status, expected)) return false
        this.committed(path)
        return true
    }

    private renameStatus(from: string, to: string, flags: number): number {
        const moved = this.tree.get(from)!
        const old = this.tree.get(to)
        if (to === from) return ok
        if (moved.type === typeDirectory && to.startsWith(from + "/")) return badRequest
        if (!old) return ok
        if (!(flags & replaceFlag)) return exists
        if (old.type !== moved.type) return old.type === typeDirectory ? isDirectory : notDirectory
        return old.type === typeDirectory && this.children(to).length ? notEmpty : ok
    }

    async move(from: string, to: string, flags: number): Promise<void> {
        const expected = this.renameStatus(from, to, flags)
        const status = await this.changing(() => this.rename(from, to, flags))
        if (!this.judge(`rename ${from} to ${to}`, status, expected) || from === to) return
        moveKeys(this.mtimes, from, to)
        moveKeys(this.properties, from, to)
        this.touch(this.parentPath(from), renameMtime)
        this.touch(this.parentPath(to), renameMtime)
    }

    async removePath(path: string): Promise<void> {
        const expected = this.children(path).length ? notEmpty : ok
        const status = await this.changing(() => this.remove(path))
        if (!this.judge(`remove ${path}`, status, expected)) return
        this.mtimes.delete(path)
        this.properties.delete(path)
        this.touch(this.parentPath(path), removeMtime)
    }

    async setTime(path: string, mtime: number): Promise<void> {
        const status = await this.changing(() => this.setattr(path, mtime))
        if (this.judge(`setattr ${path}`, status, ok)) this.mtimes.set(path, mtime)
    }

    /** An empty value takes it away. */
    async setProperty(path: string, name: string, value: string): Promise<void> {
        const old = this.properties.get(path) ?? new Map<string, string>()
        const wanted = new Map(old)
        if (value) wanted.set(name, value)
        else wanted.delete(name)
        let bytes = 0
        for (const [key, text] of wanted) bytes += 2 + key.length + text.length
        const expected = !value && !old.has(name) ? notFound : bytes > propertyBytesMax ? tooLarge : ok
        const args = [this.tree.get(path)!.object, 0, Buffer.from([name.length]), Buffer.from(name), Buffer.from(value)]
        const { status } = await this.changing(() => this.request(opSetProperty, args, () => {}))
        if (this.judge(`property ${name} of ${path}`, status, expected)) this.properties.set(path, wanted)
    }

    async readProperties(path: string): Promise<void> {
        const queries = new Queries(this.bench.volume)
        const frame = Buffer.alloc(236)
        frame.writeUInt32LE(this.tree.get(path)!.object, 12)
        const out = Buffer.alloc(236)
        assert.equal(await askVolume(queries, 9, frame, 16, out, 12), ok)
        const found = queries.bytes ? propertiesOf(out.subarray(12, 12 + queries.bytes)) : new Map<string, string>()
        assert.deepEqual(found, this.properties.get(path) ?? new Map(), `properties of ${path}`)
    }

    // --- snapshots

    async takeSnapshot(name: string): Promise<void> {
        const expected = this.snapshots.has(name) ? exists : this.snapshots.size === snapshotsMax ? tooLarge : ok
        const content = new Map(
            [...this.tree].map(([path, node]) => [path, node.type === typeDirectory ? "directory" : node.content]),
        ) as Snapshot["content"]
        const objects = new Map([...this.tree].map(([path, { object }]) => [path, object]))
        const { status } = await this.request(opSnapshotCreate, [7000, Buffer.from(name)], ({ value }) =>
            this.snapshots.set(name, { number: value, content, objects }),
        )
        // it takes free segments, which only cleaning makes of free pages
        if (status !== noSpace) this.judge(`snapshot ${name}`, status, expected)
    }

    async dropSnapshot(name: string): Promise<void> {
        const { number } = this.snapshots.get(name)!
        const { status } = await this.request(opSnapshotDelete, [number], () => this.snapshots.delete(name))
        this.judge(`removing snapshot ${name}`, status, ok)
    }

    /** One of its files, found by its path and read whole. */
    async readSnapshot(name: string, part: number): Promise<void> {
        const { number, content, objects } = this.snapshots.get(name)!
        const paths = [...content.keys()]
        if (paths.length === 0) return
        const path = paths[Math.floor(part * paths.length)]
        // name by name, as a host does: a path of long names does not fit into a frame
        let object = 1
        for (const step of path.split("/")) {
            const frame = Buffer.alloc(236)
            frame.writeUInt16LE(number, 10)
            frame.writeUInt32LE(object, 12)
            const bytes = 16 + frame.write(step, 16)
            const out = Buffer.alloc(236)
            const status = await askVolume(new Queries(this.bench.volume), 1, frame, bytes, out, 12)
            assert.equal(status, ok, `${step} of ${path} in ${name}`)
            object = out.readUInt32LE(14)
        }
        assert.equal(object, objects.get(path), `object of ${path} in ${name}`)
        const data = content.get(path)!
        if (data === "directory") return
        const found = await this.bench.readFile(objects.get(path)!, number)
        assert.ok(found.equals(data), `content of ${path} in ${name}`)
    }

    // --- the volume's own work

    /** Work that no host asked for. A cut in it changes nothing that a host sees. @returns undefined when it was cut */
    async own<T>(work: () => Promise<T>): Promise<T | undefined> {
        try {
            return await work()
        } catch (error) {
            if (!(error instanceof PowerCut)) throw error
            this.cuts++
            assert.equal(this.difference(await this.powerUp()), undefined)
            return undefined
        }
    }

    // --- what must be refused

    async refuseName(index: number): Promise<void> {
        const { status } = await this.request(opMkdir, [1, mkdirMtime, badNames[index % badNames.length]], () => {})
        this.judge(`mkdir with bad name ${index}`, status, badName)
    }

    /** The entry a stale listing tells of: its key is right, its object is another. */
    async refuseStale(path: string): Promise<void> {
        const key = await this.keyOf(path)
        const [parent] = this.place(path)
        const { object } = this.tree.get(path)!
        const { status } = await this.request(opRemove, [parent, key, object + 1_000_000, removeMtime], () => {})
        this.judge(`remove ${path} by a stale entry`, status, stale)
    }

    /** A frame from before the last one, and one from after the next: no answer, no change. */
    async ignoreOutOfOrder(): Promise<void> {
        const { client, bench } = this
        const commit = commitNumber(bench.volume.log)
        for (const by of [-1, 2]) {
            if (client.sequence + by < 1) continue
            client.sequence += by
            assert.equal((await client.again(opMkdir, 1, 1, Buffer.from("never"))).status, silent)
            client.sequence -= by
        }
        assert.equal(commitNumber(bench.volume.log), commit)
    }

    private place(path: string): [number, Buffer] {
        const parent = this.parentPath(path)
        return [
            parent === rootPath ? 1 : this.tree.get(parent)!.object,
            Buffer.from(path.slice(parent ? parent.length + 1 : 0)),
        ]
    }

    private async keyOf(path: string): Promise<number> {
        const [parent, name] = this.place(path)
        const { directory } = this.bench.volume
        assert.equal(await directory.lookup(parent, name, 0, name.length), ok)
        return directory.key
    }

    // --- questions

    async readBack(path: string): Promise<void> {
        const { object, content } = this.tree.get(path)!
        assert.ok((await this.bench.readFile(object)).equals(content), `content of ${path}, read whole`)
    }

    /** `bytes` bytes from `offset` on, both taken as parts of what the file has. */
    async readRange(path: string, from: number, part: number): Promise<void> {
        const { object, content } = this.tree.get(path)!
        const offset = Math.floor(content.length * from)
        const bytes = Math.floor((content.length - offset) * part)
        const reader = new Reader(Buffer.alloc(260))
        assert.equal(await openFile(reader, this.bench.volume, object, 0), ok)
        assert.equal(reader.size, content.length)
        const out = Buffer.alloc(bytes)
        assert.equal(await readFile(reader, offset, bytes, out, 0), ok)
        assert.ok(out.equals(content.subarray(offset, offset + bytes)), `${bytes} bytes of ${path} from ${offset}`)
    }

    async findPath(path: string): Promise<void> {
        const out = Buffer.alloc(236)
        const bytes = Buffer.from(path)
        const queries = new Queries(this.bench.volume)
        const status = await lookupPath(queries, 1, bytes, 0, bytes.length, out, 0)
        const node = this.tree.get(path)
        if (!node) {
            const parent = this.tree.get(this.parentPath(path))
            return assert.equal(
                status,
                parent && parent.type === typeFile ? notDirectory : notFound,
                `lookup of ${path}`,
            )
        }
        assert.equal(status, ok, `lookup of ${path}`)
        assert.deepEqual(
            [out[0], out.readUInt32LE(2), out.readUInt32LE(6)],
            [node.type, node.object, node.content.length],
            `attributes of ${path}`,
        )
        assert.equal(out.readUInt32LE(10), this.mtimes.get(path), `mtime of ${path}`)
    }

    /** A whole listing, page by page. */
    async listDirectory(path: string): Promise<void> {
        const directory = path === rootPath ? 1 : this.tree.get(path)!.object
        const queries = new Queries(this.bench.volume)
        const out = Buffer.alloc(236)
        const names: string[] = []
        let cookie = 0
        for (let pages = 0, isLast = false; !isLast; pages++) {
            assert.ok(pages <= this.tree.size, "a listing ends")
            assert.equal(await readdir(queries, directory, cookie, out, 0, 224), ok)
            isLast = (out[0] & 0x80) !== 0
            for (let i = 0, at = 1; i < (out[0] & 0x7f); i++) {
                const key = out.readUInt32LE(at)
                assert.ok(key > cookie, "keys rise")
                cookie = key
                const bytes = out[at + 22]
                names.push(out.toString("utf8", at + 23, at + 23 + bytes))
                at += 23 + bytes
            }
        }
        const expected = this.children(path).map(p => p.slice(p.lastIndexOf("/") + 1))
        assert.deepEqual(names.sort(), expected.sort(), `listing of ${path || "/"}`)
    }
}

/** What lay at and below a path is at and below another now; what was at that one is gone. */
function moveKeys<T>(map: Map<string, T>, from: string, to: string): void {
    map.delete(to)
    for (const [path, value] of [...map])
        if (path === from || path.startsWith(from + "/")) {
            map.delete(path)
            map.set(to + path.slice(from.length), value)
        }
}

function sameText(one: Map<string, string>, other: Map<string, string>): boolean {
    return one.size === other.size && [...one].every(([name, value]) => other.get(name) === value)
}
