/**
 * A volume in memory that keeps the promises of PROTOCOL.md: sessions with their last result, uploads by offset,
 * directories. It counts every execution, so that a test can see one that ran twice.
 */
import { FakeArray } from "./fake-array"
import type { Command, RequestBody } from "../../tools/bridge/protocol/commands"
import { encodeAttributes, type Attributes } from "../../tools/bridge/protocol/answers"
import type { StatusName } from "../../tools/bridge/protocol/numbers"

export interface FakeObject {
    attributes: Attributes
    data: Buffer
    entries: Map<number, { name: string; object: number }>
    properties: Map<string, Buffer>
}
type Request = Extract<Command, { kind: "request" }>
type Query = Extract<Command, { kind: "query" }>
export interface Result {
    status: StatusName
    value: number
}

export class FakeVolume {
    epoch = 1
    bytesFree = 4_000_000
    objects = new Map<number, FakeObject>()
    readonly snapshots = new Map<number, { name: string; mtime: number; objects: Map<number, FakeObject> }>()
    readonly array = new FakeArray()
    readonly uploads = new Map<number, Buffer[]>()
    readonly sessions = new Map<number, { sequence: number; result: Result }>()
    /** How often each `session:sequence` was executed. */
    readonly executions = new Map<string, number>()
    challenge = 7
    private nextObject = 2
    private nextKey = 1

    constructor(readonly number: number) {
        this.add(1, "directory", Buffer.alloc(0), 0)
    }

    /** Undefined: no answer. */
    request(request: Request, isBusy = false): Result | undefined {
        const { session, sequence } = request
        const known = this.sessions.get(session)
        if (!known) {
            if (request.op !== "hello" || sequence !== 1) return { status: "noSession", value: 0 }
            if (request.challenge !== this.challenge) return { status: "noSession", value: this.challenge }
            this.challenge++
        }
        const stored = known?.sequence ?? 0
        if (known && sequence === stored) return known.result
        if (sequence !== stored + 1) return undefined
        const id = `${session}:${sequence}`
        this.executions.set(id, (this.executions.get(id) ?? 0) + 1)
        const result: Result = isBusy && known ? { status: "busy", value: 0 } : this.execute(request)
        this.sessions.delete(session)
        if (request.op !== "bye") this.sessions.set(session, { sequence, result })
        while (this.sessions.size > 8) this.sessions.delete(this.sessions.keys().next().value!)
        return result
    }

    held(upload: number): number | undefined {
        return this.uploads.get(upload)?.reduce((bytes, block) => bytes + block.length, 0)
    }

    /** Takes a block; returns the upload's object. */
    write(handle: number, offset: number, data: Uint8Array): number | undefined {
        for (const [object, blocks] of this.uploads)
            if ((object & 0xffff) === handle) {
                if (this.held(object) === offset) blocks.push(Buffer.from(data))
                return object
            }
        return undefined
    }

    query(query: Query): { status: StatusName; payload: Buffer } {
        const { objects } = this
        try {
            if ("snapshot" in query && query.snapshot) {
                const snapshot = this.snapshots.get(query.snapshot)
                if (!snapshot) return { status: "notFound", payload: Buffer.of(0) }
                this.objects = snapshot.objects
            }
            return this.answer(query)
        } finally {
            this.objects = objects
        }
    }

    private answer(query: Query): { status: StatusName; payload: Buffer } {
        switch (query.op) {
            case "lookup":
                return this.lookup(query.directory, query.path)
            case "getattr": {
                const object = this.objects.get(query.object)
                if (!object) return { status: "notFound", payload: Buffer.alloc(0) }
                return { status: "ok", payload: encodeAttributes(object.attributes) }
            }
            case "readdir":
                return this.readdir(query.directory, query.cookie)
            case "statfs": {
                const payload = Buffer.alloc(24)
                payload.writeUInt16LE(this.array.damagedSegments, 22)
                payload.writeUInt16LE(236, 8)
                payload.writeUInt32LE(8_000_000, 0)
                payload.writeUInt32LE(this.bytesFree, 4)
                payload[10] = 2
                payload.writeUInt32LE(this.epoch, 12)
                return { status: "ok", payload }
            }
            case "upload": {
                const held = this.held(query.upload)
                if (held === undefined) return { status: "noUpload", payload: Buffer.alloc(0) }
                const payload = Buffer.alloc(4)
                payload.writeUInt32LE(held, 0)
                return { status: "ok", payload }
            }
            case "array":
                return { status: "ok", payload: this.array.figures() }
            case "elements":
                return { status: "ok", payload: Buffer.concat([this.array.figures(), Buffer.alloc(4)]) }
            case "snapshots":
                return { status: "ok", payload: this.listSnapshots(query.cookie) }
            case "properties": {
                const object = this.objects.get(query.object)
                if (!object) return { status: "notFound", payload: Buffer.alloc(0) }
                return { status: "ok", payload: recordOf(object.properties) }
            }
            default:
                return { status: "badRequest", payload: Buffer.alloc(0) }
        }
    }

    private listSnapshots(cookie: number): Buffer {
        const rest = [...this.snapshots].filter(([number]) => number > cookie).sort(([one], [other]) => one - other)
        // one at a time, so that every list has several pages
        const parts = rest.slice(0, 1).map(([number, { name, mtime }]) => {
            const head = Buffer.alloc(10)
            head[0] = number
            head.writeUInt32LE(mtime, 1)
            head.writeUInt32LE(10, 5)
            head[9] = Buffer.byteLength(name)
            return Buffer.concat([head, Buffer.from(name)])
        })
        return Buffer.concat([Buffer.of(parts.length | (rest.length <= 1 ? 0x80 : 0)), ...parts])
    }

    private snapshot(name: string, mtime: number): Result {
        if ([...this.snapshots.values()].some(one => one.name === name)) return { status: "exists", value: 0 }
        if (this.snapshots.size >= 8) return { status: "tooLarge", value: 0 }
        const number = 200 - this.snapshots.size
        const objects = new Map(
            [...this.objects].map(([number, { attributes, data, entries, properties }]) => [
                number,
                { attributes: { ...attributes }, data, entries: new Map(entries), properties: new Map(properties) },
            ]),
        )
        this.snapshots.set(number, { name, mtime, objects })
        return { status: "ok", value: number }
    }

    private setProperty(number: number, name: string, value: Buffer): Result {
        const object = this.objects.get(number)
        if (!object) return { status: "notFound", value: 0 }
        const properties = new Map(object.properties)
        if (value.length) properties.set(name, value)
        else if (!properties.delete(name)) return { status: "notFound", value: 0 }
        if (recordOf(properties).length > 200) return { status: "tooLarge", value: 0 }
        object.properties = properties
        object.attributes.flags = properties.size ? 4 : 0
        object.attributes.change++
        return { status: "ok", value: 0 }
    }

    /** The file's bytes by path, for a test to compare. */
    file(path: string): Buffer | undefined {
        let object = this.objects.get(1)
        for (const name of path.split("/")) object = object && this.child(object, name)?.object
        return object?.data
    }

    /** What a request does, whoever asks and in whatever session. */
    execute(request: RequestBody): Result {
        const fail = (status: StatusName): Result => ({ status, value: 0 })
        switch (request.op) {
            case "create":
                this.uploads.set(this.nextObject, [])
                return { status: "ok", value: this.nextObject++ }
            case "abort":
                return this.uploads.delete(request.upload) ? { status: "ok", value: 0 } : fail("noUpload")
            case "mkdir": {
                const directory = this.objects.get(request.directory)
                if (!directory) return fail("notFound")
                if (this.child(directory, request.name)) return fail("exists")
                const object = this.nextObject++
                this.add(object, "directory", Buffer.alloc(0), request.mtime)
                this.link(directory, request.name, object)
                return { status: "ok", value: object }
            }
            case "commit": {
                const directory = this.objects.get(request.directory)
                const blocks = this.uploads.get(request.upload)
                if (!directory) return fail("notFound")
                if (!blocks) return fail("noUpload")
                if (this.held(request.upload) !== request.size) return fail("checksum")
                const existing = this.child(directory, request.name)
                if (existing && !(request.flags & 1)) return fail("exists")
                if (existing) this.drop(directory, existing.key)
                this.uploads.delete(request.upload)
                this.add(request.upload, "file", Buffer.concat(blocks), request.mtime)
                const made = this.objects.get(request.upload)!
                if (existing?.object.properties.size) {
                    made.properties = existing.object.properties
                    made.attributes.flags = 4
                }
                this.link(directory, request.name, request.upload)
                return { status: "ok", value: request.upload }
            }
            case "rename": {
                const directory = this.objects.get(request.directory)
                const target = this.objects.get(request.newDirectory)
                const entry = directory?.entries.get(request.key)
                if (!directory || !target || entry?.object !== request.object) return fail("stale")
                const existing = this.child(target, request.name)
                if (existing && !(request.flags & 1)) return fail("exists")
                if (existing) this.drop(target, existing.key)
                directory.entries.delete(request.key)
                directory.attributes.change++
                this.link(target, request.name, request.object)
                this.objects.get(request.object)!.attributes.change++
                return { status: "ok", value: request.object }
            }
            case "setattr": {
                const attributes = this.objects.get(request.object)?.attributes
                if (!attributes) return fail("notFound")
                attributes.mtime = request.mtime
                attributes.change++
                return { status: "ok", value: 0 }
            }
            case "remove": {
                const directory = this.objects.get(request.directory)
                const entry = directory?.entries.get(request.key)
                if (!directory || entry?.object !== request.object) return fail("stale")
                if (this.objects.get(entry.object)!.entries.size) return fail("notEmpty")
                this.drop(directory, request.key)
                return { status: "ok", value: 0 }
            }
            case "snapshotCreate":
                return this.snapshot(request.name, request.mtime)
            case "snapshotDelete":
                return this.snapshots.delete(request.number) ? { status: "ok", value: 0 } : fail("notFound")
            case "setProperty":
                return this.setProperty(
                    request.object,
                    Buffer.from(request.property).toString("latin1"),
                    Buffer.from(request.value),
                )
            case "rebuild":
                return this.array.rebuild(request.position, request.slot, request.flags)
            case "scrub":
                this.array.scrubRate = request.rowsPerSecond
                return { status: "ok", value: 0 }
            default:
                return { status: "ok", value: 0 }
        }
    }

    private add(object: number, type: "file" | "directory", data: Buffer, mtime: number): void {
        const attributes = { type, flags: 0, object, size: data.length, mtime, change: 1 }
        this.objects.set(object, { attributes, data, entries: new Map(), properties: new Map() })
    }

    private drop(directory: FakeObject, key: number): void {
        this.objects.delete(directory.entries.get(key)!.object)
        directory.entries.delete(key)
        directory.attributes.change++
    }

    private link(directory: FakeObject, name: string, object: number): void {
        directory.entries.set(this.nextKey++, { name, object })
        directory.attributes.change++
    }

    private child(directory: FakeObject, name: string): { key: number; object: FakeObject } | undefined {
        for (const [key, entry] of directory.entries)
            if (entry.name === name) return { key, object: this.objects.get(entry.object)! }
        return undefined
    }

    private lookup(start: number, path: string): { status: StatusName; payload: Buffer } {
        let object = this.objects.get(start)
        let place = { directory: 0, key: 0 }
        let found = 0
        for (const name of path === "" ? [] : path.split("/")) {
            if (object && object.attributes.type !== "directory")
                return { status: "notDirectory", payload: Buffer.alloc(0) }
            const child: { key: number; object: FakeObject } | undefined = object && this.child(object, name)
            if (!child) return { status: "notFound", payload: Buffer.of(found) }
            place = { directory: object!.attributes.object, key: child.key }
            object = child.object
            found++
        }
        if (!object) return { status: "notFound", payload: Buffer.of(0) }
        const payload = Buffer.alloc(26)
        encodeAttributes(object.attributes).copy(payload)
        payload.writeUInt32LE(place.directory, 18)
        payload.writeUInt32LE(place.key, 22)
        return { status: "ok", payload }
    }

    private readdir(directory: number, cookie: number): { status: StatusName; payload: Buffer } {
        const object = this.objects.get(directory)
        if (!object) return { status: "notFound", payload: Buffer.alloc(0) }
        const rest = [...object.entries].filter(([key]) => key > cookie)
        const parts: Buffer[] = []
        let bytes = 1
        for (const [key, entry] of rest) {
            const name = Buffer.from(entry.name)
            if (bytes + 23 + name.length > 224) break
            const head = Buffer.alloc(4)
            head.writeUInt32LE(key)
            const attributes = encodeAttributes(this.objects.get(entry.object)!.attributes)
            parts.push(Buffer.concat([head, attributes, Buffer.of(name.length), name]))
            bytes += 23 + name.length
        }
        const isEnd = parts.length === rest.length
        return { status: "ok", payload: Buffer.concat([Buffer.of(parts.length | (isEnd ? 0x80 : 0)), ...parts]) }
    }
}

function recordOf(properties: Map<string, Buffer>): Buffer {
    const parts = [...properties].map(([name, value]) =>
        Buffer.concat([Buffer.of(name.length), Buffer.from(name, "latin1"), Buffer.of(value.length), value]),
    )
    return Buffer.concat(parts)
}
