/**
 * The volumes as one tree of paths, for the length of one HTTP request: `/` lists the volumes (or is one volume's root),
 * and an entry is looked up once however often it is asked for, since the bus is slow. A change forgets what was seen.
 */
import { noVolume, type TwinfilerClient } from "../client"
import { TwinfilerError } from "../error"
import type { Attributes } from "../protocol/answers"
import { splitPath } from "../protocol/names"
import { rootObject, volumeLetter, volumesMax } from "../protocol/numbers"

const allVolumes = Array.from({ length: volumesMax }, (_, volume) => volume)

export interface ViewOptions {
    /** The volume whose root is `/`; undefined for the list of volumes. */
    volume?: number
    /** Seconds since 1970. */
    now(): number
}

/** Where a path leads: into a volume, or to the list of volumes. */
export type Place = { volume: number; names: string[] } | undefined

export class TreeView {
    private readonly seen = new Map<string, Promise<Attributes | undefined>>()

    constructor(
        readonly client: TwinfilerClient,
        readonly options: ViewOptions,
    ) {}

    /** Names of a URL path to a place. Throws `notFound` for a volume that is not there. */
    place(names: readonly string[]): Place {
        const { volume } = this.options
        if (volume !== undefined) return { volume, names: [...names] }
        if (names.length === 0) return undefined
        const [letter, ...rest] = names
        const { client } = this
        const found = allVolumes.find(number => volumeLetter(number) === letter)
        if (found === undefined || !client.hasVolume(found))
            throw new TwinfilerError("notFound", noVolume(letter, client.volumes()))
        return { volume: found, names: rest }
    }

    /** Throws `notFound`. */
    async attributes(names: readonly string[]): Promise<Attributes> {
        const key = names.join("/")
        let entry = this.seen.get(key)
        if (!entry) {
            entry = this.fetch(names)
            this.seen.set(key, entry)
        }
        const attributes = await entry
        if (!attributes) throw new TwinfilerError("notFound", `/${key}: not found`)
        return attributes
    }

    /** What a listing told; saves a look. */
    note(names: readonly string[], attributes: Attributes): void {
        this.seen.set(names.join("/"), Promise.resolve(attributes))
    }

    forget(): void {
        this.seen.clear()
    }

    private async fetch(names: readonly string[]): Promise<Attributes | undefined> {
        if (this.placeOrUndefined(names) === undefined) {
            if (names.length === 0) return listOfVolumes
            return undefined
        }
        const place = this.place(names)!
        return this.client.find(place.volume, place.names.join("/"))
    }

    private placeOrUndefined(names: readonly string[]): Place {
        try {
            return this.place(names)
        } catch {
            return undefined
        }
    }
}

const listOfVolumes: Attributes = { type: "directory", flags: 0, object: rootObject, size: 0, mtime: 0, change: 0 }

/** The names of a URL below `baseUrl`. Throws `badName` for what no volume can hold. */
export function namesOfUrl(url: URL, baseUrl: URL): string[] {
    const base = baseUrl.pathname.replace(/\/?$/, "/")
    const path = url.pathname.replace(/\/?$/, "/")
    if (!path.startsWith(base)) throw new TwinfilerError("notFound", `${url.pathname} is not served here`)
    let names: string[]
    try {
        names = path.slice(base.length).split("/").map(decodeURIComponent)
    } catch {
        throw new TwinfilerError("badName", `${url.pathname} is not a valid URL path`)
    }
    if (names.some(name => name.includes("/"))) throw new TwinfilerError("badName", "a name contains a slash")
    return splitPath(names.join("/"))
}
