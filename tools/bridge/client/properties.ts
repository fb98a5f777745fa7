/**
 * Extended properties of files and directories, 200 bytes for each object. There are two kinds: plain ones, a name and a text, for
 * people and scripts; and those of WebDAV clients, whose names are as long as URLs, all packed into one under a name no person types.
 * Setting either is one request.
 */
import * as zlib from "node:zlib"
import { isError, TwinfilerError } from "../error"
import { decodeProperties } from "../protocol/answers"
import { propertyBytesMax } from "../protocol/numbers"
import { splitPath } from "../protocol/names"
import type { ChangeOptions, Changes } from "./changes"
import type { Link } from "./link"
import { query, type CallOptions } from "./queries"
import { checkChangeable } from "./snapshots"
import { statusError } from "./statuses"
import { showPath, type Tree } from "./tree"

/** The flag of an entry's attributes that says it has any. */
export const hasPropertiesFlag = 4
const packedName = "\x01"
/** Version of the packing: the dictionary below. */
const packedVersion = 1
const unpackedBytesMax = 65_536

/** Whatever JSON can hold, by name. */
export type PackedProperties = Record<string, unknown>

export interface ObjectProperties {
    plain: Map<string, string>
    packed: PackedProperties
}

/** What WebDAV clients say often: the packing refers to it. Never to be changed: volumes hold what was packed with it. */
const dictionary = Buffer.from(
    '"http://example.com/":"","http://owncloud.org/ns%%","http://nextcloud.org/ns%%","http://purl.org/dc/elements/1.1/%%' +
        'SRT_creationtime":"","http://ucb.openoffice.org/dav/props/%%","http://apache.org/dav/props/%%executable":"T",' +
        '"displayname":"","getcontentlanguage":"en","value","$":{"xmlns":"http://www.","xml:lang":"en"},"_":"","true","false",' +
        '"urn:schemas-microsoft-com:%%Win32FileAttributes":"00000020","urn:schemas-microsoft-com:%%Win32CreationTime":"' +
        'Mon, Tue, Wed, Thu, Fri, Sat, Sun, 01 Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec 2026 00:00:00 GMT",' +
        '"urn:schemas-microsoft-com:%%Win32LastAccessTime":"","urn:schemas-microsoft-com:%%Win32LastModifiedTime":"',
)

export function pack(properties: PackedProperties): Buffer {
    if (Object.keys(properties).length === 0) return Buffer.alloc(0)
    // without the braces, which are always there
    const text = Buffer.from(JSON.stringify(properties).slice(1, -1))
    return Buffer.concat([Buffer.of(packedVersion), zlib.deflateRawSync(text, { dictionary, level: 9, memLevel: 9 })])
}

/** What cannot be unpacked counts as nothing: it is no client's any more. */
export function unpack(bytes: Uint8Array | undefined): PackedProperties {
    if (!bytes || bytes[0] !== packedVersion) return {}
    try {
        const text = zlib.inflateRawSync(bytes.subarray(1), { dictionary, maxOutputLength: unpackedBytesMax })
        return JSON.parse(`{${text.toString()}}`) as PackedProperties
    } catch {
        return {}
    }
}

export class Properties {
    constructor(
        private readonly link: Link,
        private readonly tree: Tree,
        private readonly changes: Changes,
    ) {}

    async get(volume: number, path: string, options: CallOptions = {}): Promise<ObjectProperties> {
        const names = splitPath(path)
        const entry = await this.tree.lookup(volume, names, options)
        return this.ofEntry(volume, entry, showPath(volume, names), options)
    }

    /** Of an entry that was looked up or listed; asks only when it has any. */
    async ofEntry(
        volume: number,
        entry: { object: number; flags: number; snapshot?: number },
        subject: string,
        options: CallOptions = {},
    ): Promise<ObjectProperties> {
        const found: ObjectProperties = { plain: new Map(), packed: {} }
        for (const [name, value] of await this.stored(volume, entry, subject, options))
            if (name === packedName) found.packed = unpack(value)
            else found.plain.set(Buffer.from(name, "latin1").toString(), value.toString())
        return found
    }

    /** As they are stored, by name in latin1. */
    private async stored(
        volume: number,
        { object, flags, snapshot }: { object: number; flags: number; snapshot?: number },
        subject: string,
        options: CallOptions,
    ): Promise<Map<string, Buffer>> {
        if (!(flags & hasPropertiesFlag)) return new Map()
        const answer = await query(this.link, { volume }, { op: "properties", object, snapshot }, subject, options)
        if (answer.status !== "ok") throw statusError(answer.status, subject)
        return decodeProperties(answer.payload)
    }

    /** Sets a plain property, or removes it (`value` undefined or empty). Throws `tooLarge`, `notFound`. */
    async set(
        volume: number,
        path: string,
        name: string,
        value: string | undefined,
        options: ChangeOptions,
    ): Promise<void> {
        if (name === "" || /[\x00-\x1f\x7f]/.test(name))
            throw new TwinfilerError("badName", `the property name ${JSON.stringify(name)} is empty or not printable`)
        await this.store(volume, path, Buffer.from(name), Buffer.from(value ?? ""), options)
    }

    /** Stores all packed properties anew. */
    async setPacked(volume: number, path: string, properties: PackedProperties, options: ChangeOptions): Promise<void> {
        await this.store(volume, path, Buffer.from(packedName), pack(properties), options)
    }

    /** Makes the properties of `to` those of `from`; asks only when one of the two has any. */
    async copy(
        from: { volume: number; entry: { object: number; flags: number; snapshot?: number }; path: string },
        to: { volume: number; path: string },
        options: ChangeOptions,
    ): Promise<void> {
        const target = await this.tree.lookup(to.volume, to.path, options)
        if (!((from.entry.flags | target.flags) & hasPropertiesFlag)) return
        const wanted = await this.ofEntry(from.volume, from.entry, showPath(from.volume, splitPath(from.path)), options)
        const had = await this.ofEntry(to.volume, target, showPath(to.volume, splitPath(to.path)), options)
        for (const name of had.plain.keys())
            if (!wanted.plain.has(name)) await this.set(to.volume, to.path, name, undefined, options)
        if (JSON.stringify(had.packed) !== JSON.stringify(wanted.packed))
            await this.setPacked(to.volume, to.path, wanted.packed, options)
        for (const [name, value] of wanted.plain)
            if (had.plain.get(name) !== value) await this.set(to.volume, to.path, name, value, options)
    }

    private async store(
        volume: number,
        path: string,
        property: Buffer,
        value: Buffer,
        options: ChangeOptions,
    ): Promise<void> {
        const names = splitPath(path)
        const subject = showPath(volume, names)
        checkChangeable(subject, names)
        if (2 + property.length + value.length > propertyBytesMax) throw tooLargeError(subject)
        const entry = await this.tree.lookup(volume, names, options)
        const body = { op: "setProperty", object: entry.object, mtime: 0, property, value } as const
        try {
            await this.changes.run(volume, body, subject, options, () =>
                this.changes.isSo(volume, entry, options, async now => {
                    const found = await this.stored(volume, now, subject, options)
                    return value.equals(found.get(property.toString("latin1")) ?? Buffer.alloc(0))
                }),
            )
        } catch (error) {
            if (isError(error, "tooLarge")) throw tooLargeError(subject)
            // the first try may have removed it
            if (isError(error, "notFound") && value.length === 0 && property.equals(Buffer.from(packedName))) return
            throw error
        }
    }
}

const tooLargeError = (subject: string) =>
    new TwinfilerError(
        "tooLarge",
        `${subject}: the properties of one file or directory take ${propertyBytesMax} bytes at most, all together`,
    )
