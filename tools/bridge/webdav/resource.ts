/**
 * A file or directory of a volume as nephele sees it. Everything but contents comes from one lookup or from the listing
 * that showed it; contents stream both ways. A PUT appears at once and whole, and not at all when the client goes away.
 */
import type { Lock, Resource, User } from "nephele"
import { ForbiddenError, MethodNotSupportedError, ResourceExistsError, ResourceTreeNotCompleteError } from "nephele"
import { Readable } from "node:stream"
import { isInSnapshots, type ObjectProperties, type PackedProperties } from "../client"
import { isError, TwinfilerError } from "../error"
import type { Attributes } from "../protocol/answers"
import { volumeLetter } from "../protocol/numbers"
import type { TwinfilerAdapter } from "./adapter"
import { asHttp, httpError } from "./errors"
import { mediaType } from "./media-types"
import { FileProperties } from "./properties"
import { Terms } from "./terms"
import type { Place } from "./tree-view"

export class FileResource implements Resource {
    readonly terms: Terms

    constructor(
        readonly adapter: TwinfilerAdapter,
        readonly baseUrl: URL,
        readonly names: readonly string[],
        public attributes: Attributes,
    ) {
        this.terms = new Terms(adapter.turns)
    }

    async getLocks(): Promise<Lock[]> {
        return []
    }

    async getLocksByUser(): Promise<Lock[]> {
        return []
    }

    async createLockForUser(): Promise<Lock> {
        throw new MethodNotSupportedError("Locks are not supported.")
    }

    async getProperties(): Promise<FileProperties> {
        return new FileProperties(this)
    }

    async getStream(range?: { start: number; end: number }): Promise<Readable> {
        const place = this.place()
        if (!place || this.attributes.type === "directory")
            throw new MethodNotSupportedError("A collection has no content.")
        const { start, end } = range ?? { start: 0, end: this.attributes.size - 1 }
        const pieces = this.client.read(place.volume, this.attributes, {
            path: place.names.join("/"),
            offset: start,
            length: end - start + 1,
        })
        // objectMode would buffer 16 pieces of up to 128 KB.
        return Readable.from(pieces, { objectMode: false })
    }

    async setStream(input: Readable): Promise<void> {
        const place = this.changeable()
        if (this.attributes.type === "directory") throw new MethodNotSupportedError("A collection takes no content.")
        try {
            await this.client.put(place.volume, place.names.join("/"), whole(input), {
                mtime: this.now(),
                replace: this.terms.mayReplace,
                guard: commit => this.terms.inTurn([place], commit),
            })
        } catch (error) {
            throw this.terms.error(error)
        }
        this.adapter.view.forget()
    }

    async create(): Promise<void> {
        const place = this.changeable()
        const path = place.names.join("/")
        try {
            if (this.attributes.type === "directory") await this.client.mkdir(place.volume, path, { mtime: this.now() })
            else await this.client.put(place.volume, path, nothing(), { mtime: this.now(), replace: false })
        } catch (error) {
            if (isError(error, "exists", "isDirectory")) throw new ResourceExistsError(error.message)
            if (isError(error, "notFound", "notDirectory")) throw new ResourceTreeNotCompleteError(error.message)
            throw httpError(error)
        }
        this.adapter.view.forget()
    }

    async delete(): Promise<void> {
        await this.remove(this.terms.recheck !== undefined)
    }

    async copy(destination: URL, baseUrl: URL, _user: User): Promise<void> {
        const target = this.target(destination, baseUrl)
        const source = this.place()
        if (!source) throw new ForbiddenError("The list of volumes cannot be copied.")
        const path = target.names.join("/")
        try {
            if (this.attributes.type === "directory") {
                if (this.terms.mayReplace) await this.client.mkdirs(target.volume, path, { mtime: this.now() })
                else await this.client.mkdir(target.volume, path, { mtime: this.now() })
            } else
                await this.client.put(
                    target.volume,
                    path,
                    () => this.client.read(source.volume, this.attributes, { path: source.names.join("/") }),
                    {
                        mtime: this.now(),
                        replace: this.terms.mayReplace,
                        guard: commit => this.terms.inTurn([target], commit),
                    },
                )
            await this.client.copyProperties(
                { volume: source.volume, entry: this.attributes, path: source.names.join("/") },
                { volume: target.volume, path },
                { mtime: this.now() },
            )
        } catch (error) {
            throw this.treeError(error, target.names)
        }
        this.adapter.view.forget()
    }

    /** What the volume keeps for it besides its content; nothing for the list of volumes. */
    async storedProperties(): Promise<ObjectProperties> {
        const place = this.place()
        if (!place) return { plain: new Map(), packed: {} }
        return this.client.propertiesOfEntry(place.volume, this.attributes, place.names.join("/"))
    }

    async setPacked(properties: PackedProperties): Promise<void> {
        const place = this.place()
        if (!place) throw new ForbiddenError("The list of volumes cannot be changed.")
        const path = place.names.join("/")
        await this.client.setPackedProperties(place.volume, path, properties, { mtime: this.now() })
        // its ETag changed, and what it says of its properties
        await this.lookAgain()
    }

    async lookAgain(): Promise<void> {
        const place = this.place()
        if (!place) return
        this.adapter.view.forget()
        this.attributes = await this.client.stat(place.volume, place.names.join("/"))
    }

    /** Between volumes of a file only; nephele takes a directory apart. */
    async move(destination: URL, baseUrl: URL, user: User): Promise<void> {
        const target = this.target(destination, baseUrl)
        const source = this.changeable()
        if (source.volume !== target.volume) {
            // Copied whole, then removed; cut in between, both are there. What was put meanwhile was not copied and stays.
            await this.copy(destination, baseUrl, user)
            return this.remove(true)
        }
        const object = this.terms.recheck && this.attributes.object
        try {
            await this.terms.inTurn([source, target], () =>
                this.client.rename(source.volume, source.names.join("/"), target.names.join("/"), {
                    mtime: this.now(),
                    replace: this.terms.mayReplace,
                    object,
                }),
            )
        } catch (error) {
            throw this.treeError(error, target.names)
        }
        this.adapter.view.forget()
    }

    async getLength(): Promise<number> {
        return this.attributes.size
    }

    async getEtag(): Promise<string> {
        const place = this.place()
        const volume = place ? volumeLetter(place.volume) : ""
        return `${volume}${this.attributes.object}-${this.attributes.change}`
    }

    async getMediaType(): Promise<string | null> {
        return this.attributes.type === "directory" ? null : mediaType(await this.getCanonicalName())
    }

    async getCanonicalName(): Promise<string> {
        return this.names[this.names.length - 1] ?? ""
    }

    async getCanonicalPath(): Promise<string> {
        const path = `/${this.names.join("/")}`
        return this.attributes.type === "directory" && this.names.length ? `${path}/` : path
    }

    async getCanonicalUrl(): Promise<URL> {
        const path = this.names.map(encodeURIComponent).join("/")
        const end = this.attributes.type === "directory" && this.names.length ? "/" : ""
        return new URL(this.baseUrl.pathname.replace(/\/?$/, "/") + path + end, this.baseUrl)
    }

    async isCollection(): Promise<boolean> {
        return this.attributes.type === "directory"
    }

    async getInternalMembers(): Promise<FileResource[]> {
        if (this.attributes.type !== "directory") throw new MethodNotSupportedError("This is not a collection.")
        const place = this.place()
        return asHttp(async () => {
            const members: FileResource[] = []
            if (!place) {
                for (const volume of this.client.volumes()) {
                    // A volume that nobody controls at present is left out rather than waited for.
                    if (this.client.controllerOf(volume) === undefined) continue
                    members.push(this.member(volumeLetter(volume), await this.client.stat(volume, "")))
                }
                return members
            }
            for await (const entry of this.client.list(place.volume, place.names.join("/")))
                members.push(this.member(entry.name, entry))
            return members
        })
    }

    /** Undefined for the list of volumes. */
    place(): Place {
        return this.adapter.view.place(this.names)
    }

    get client() {
        return this.adapter.view.client
    }

    private now(): number {
        return this.adapter.view.options.now()
    }

    private member(name: string, attributes: Attributes): FileResource {
        const names = [...this.names, name]
        this.adapter.view.note(names, attributes)
        return new FileResource(this.adapter, this.baseUrl, names, attributes)
    }

    /** @param onlyThis not what has taken its place since it was looked up */
    private async remove(onlyThis: boolean): Promise<void> {
        const place = this.changeable()
        const object = onlyThis ? this.attributes.object : undefined
        const options = { mtime: this.now(), object }
        try {
            await this.terms.inTurn([place], () => this.client.remove(place.volume, place.names.join("/"), options))
        } catch (error) {
            throw this.terms.error(error)
        }
        this.adapter.view.forget()
    }

    /** The place of something that may be changed: not the list of volumes, nor a volume itself, nor in a snapshot. */
    private changeable(): NonNullable<Place> {
        return mustBeInside(() => this.place())
    }

    /** Throws when this cannot be made, replaced or removed, whatever it is. */
    checkChangeable(): void {
        this.changeable()
    }

    private target(destination: URL, baseUrl: URL): NonNullable<Place> {
        const urlNames = this.adapter.names(destination, baseUrl)
        const isInside =
            urlNames.length >= this.names.length && this.names.every((name, index) => name === urlNames[index])
        if (isInside) throw new ForbiddenError("The destination is the source itself, or lies in it.")
        return mustBeInside(() => this.adapter.view.place(urlNames))
    }

    /** A missing parent of the target is a conflict (409), a missing source is 404. */
    private treeError(error: unknown, target: readonly string[]): unknown {
        const { found } = isError(error) ? error.details : { found: undefined }
        if (isError(error, "notDirectory") || (isError(error, "notFound") && Number(found) < target.length - 1))
            return new ResourceTreeNotCompleteError(error.message)
        return this.terms.error(error)
    }
}

function mustBeInside(find: () => Place): NonNullable<Place> {
    let place: Place
    try {
        place = find()
    } catch (error) {
        if (isError(error, "notFound")) throw new ForbiddenError("Volumes cannot be made here.")
        throw httpError(error)
    }
    if (!place || place.names.length === 0) throw new ForbiddenError("The list of volumes cannot be changed.")
    if (isInSnapshots(place.names)) throw new ForbiddenError("Snapshots cannot be changed.")
    return place
}

/** The body of a request; when its client goes away in the middle, an error: half a file is none. */
async function* whole(input: Readable): AsyncGenerator<Uint8Array> {
    try {
        yield* input as AsyncIterable<Uint8Array>
    } catch (error) {
        throw new TwinfilerError("aborted", `the client went away: ${(error as Error).message}`)
    }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
    // an empty file
}
