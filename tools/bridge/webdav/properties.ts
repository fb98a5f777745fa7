/**
 * The properties of a file or directory. Live ones come from what is known already; only the quota asks the volume, and only when a client
 * names it. Dead ones are the volume's packed properties, asked for once and only of what has any. A PROPPATCH is one request: all of it
 * is stored, or nothing; in its turn, since the volume takes all properties anew.
 */
import type { Properties, User } from "nephele"
import { FailedDependencyError, ForbiddenError, PropertyIsProtectedError, PropertyNotFoundError } from "nephele"
import type { ObjectProperties, PackedProperties } from "../client"
import { asHttp } from "./errors"
import type { FileResource } from "./resource"

type Value = string | object | object[]
type Instruction = ["set" | "remove", string, unknown]

const fileProperties = ["getcontentlength", "getcontenttype", "getetag", "getlastmodified", "resourcetype"]
const directoryProperties = ["getetag", "getlastmodified", "resourcetype"]
const quotaProperties = ["quota-available-bytes", "quota-used-bytes"]
const protectedProperties = new Set([
    ...fileProperties,
    ...quotaProperties,
    "creationdate",
    "supportedlock",
    "lockdiscovery",
])
/** Plain properties, as a WebDAV client sees them; it cannot set them. */
const plainNamespace = "urn:x-twinfiler:property"

export class FileProperties implements Properties {
    private asked?: Promise<ObjectProperties>

    constructor(readonly resource: FileResource) {}

    async get(name: string): Promise<Value> {
        const { attributes } = this.resource
        const isDirectory = attributes.type === "directory"
        switch (name) {
            case "getlastmodified":
                return new Date(attributes.mtime * 1_000).toUTCString()
            case "getetag":
                return JSON.stringify(await this.resource.getEtag())
            case "resourcetype":
                return isDirectory ? { collection: {} } : {}
            case "getcontentlength":
                if (!isDirectory) return String(attributes.size)
                break
            case "getcontenttype":
                if (!isDirectory) return (await this.resource.getMediaType()) ?? ""
                break
            case "quota-available-bytes":
            case "quota-used-bytes":
                if (isDirectory) return this.quota(name)
                break
            default: {
                const dead = await this.dead()
                if (Object.hasOwn(dead, name)) return dead[name]
            }
        }
        throw new PropertyNotFoundError(`${name} property doesn't exist on resource.`)
    }

    async getAll(): Promise<Record<string, Value>> {
        const all: Record<string, Value> = { ...(await this.dead()) }
        for (const name of await this.listLive()) all[name] = await this.get(name)
        return all
    }

    async runInstructions(instructions: Instruction[]): Promise<[string, Error][]> {
        const refused: [string, Error][] = []
        for (const [, name] of instructions)
            if (protectedProperties.has(name) || name.startsWith(`${plainNamespace}%%`))
                refused.push([name, new PropertyIsProtectedError(`${name} is a protected property.`)])
        const place = this.resource.place()
        if (!place)
            return instructions.map(([, name]) => [name, new ForbiddenError("The list of volumes has no properties.")])
        if (refused.length) return refused
        return this.resource.terms.inTurn([place], () => this.store(instructions))
    }

    private async store(instructions: Instruction[]): Promise<[string, Error][]> {
        this.asked = undefined
        await asHttp(() => this.resource.lookAgain())
        const had = (await this.ask()).packed
        const packed: PackedProperties = { ...had }
        for (const [kind, name, value] of instructions)
            if (kind === "set") packed[name] = value ?? ""
            else delete packed[name]
        if (JSON.stringify(packed) === JSON.stringify(had)) return []
        try {
            await asHttp(() => this.resource.setPacked(packed))
        } catch (error) {
            // RFC 4918 §9.2: what failed, and what would not have failed alone
            const names = [...new Set(instructions.map(([, name]) => name))]
            return names.map((name, index) => [
                name,
                index ? new FailedDependencyError("Nothing was stored.") : (error as Error),
            ])
        }
        this.asked = undefined
        return []
    }

    async set(name: string, value: unknown): Promise<void> {
        await this.runOne(["set", name, value])
    }

    async remove(name: string): Promise<void> {
        await this.runOne(["remove", name, undefined])
    }

    async listLive(): Promise<string[]> {
        return this.resource.attributes.type === "directory" ? directoryProperties : fileProperties
    }

    async listDead(): Promise<string[]> {
        return Object.keys(await this.dead())
    }

    async list(): Promise<string[]> {
        return [...(await this.listLive()), ...(await this.listDead())]
    }

    // One user for all, until there are accounts.
    getByUser(name: string, _user: User): Promise<Value> {
        return this.get(name)
    }
    getAllByUser(): Promise<Record<string, Value>> {
        return this.getAll()
    }
    setByUser(name: string, value: unknown): Promise<void> {
        return this.set(name, value)
    }
    removeByUser(name: string): Promise<void> {
        return this.remove(name)
    }
    runInstructionsByUser(instructions: Instruction[]): Promise<[string, Error][]> {
        return this.runInstructions(instructions)
    }
    listByUser(): Promise<string[]> {
        return this.list()
    }
    listLiveByUser(): Promise<string[]> {
        return this.listLive()
    }
    listDeadByUser(): Promise<string[]> {
        return this.listDead()
    }

    private async runOne(instruction: Instruction): Promise<void> {
        const [refused] = await this.runInstructions([instruction])
        if (refused) throw refused[1]
    }

    private ask(): Promise<ObjectProperties> {
        this.asked ??= asHttp(() => this.resource.storedProperties())
        return this.asked
    }

    private async dead(): Promise<Record<string, Value>> {
        const { plain, packed } = await this.ask()
        const dead = packed as Record<string, Value>
        const names = [...plain.keys()].filter(name => /^[\p{L}_][\p{L}\p{N}_.-]*$/u.test(name))
        return { ...dead, ...Object.fromEntries(names.map(name => [`${plainNamespace}%%${name}`, plain.get(name)!])) }
    }

    private async quota(name: string): Promise<string> {
        const place = this.resource.place()
        if (!place) throw new PropertyNotFoundError(`${name} property doesn't exist on resource.`)
        const { bytesTotal, bytesFree } = await asHttp(() => this.resource.client.statfs(place.volume))
        return String(name === "quota-available-bytes" ? bytesFree : bytesTotal - bytesFree)
    }
}
