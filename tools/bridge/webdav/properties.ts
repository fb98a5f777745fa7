/**
 * The live properties of a file or directory, all from what is known already; only the quota asks the volume, and only
 * when a client names it. Dead properties are refused until they can be stored; `runInstructions` is their seam.
 */
import type { Properties, User } from "nephele"
import { ForbiddenError, PropertyIsProtectedError, PropertyNotFoundError } from "nephele"
import { asHttp } from "./errors"
import type { FileResource } from "./resource"

type Value = string | object | object[]
type Instruction = ["set" | "remove", string, unknown]

const fileProperties = ["getcontentlength", "getcontenttype", "getetag", "getlastmodified", "resourcetype"]
const directoryProperties = ["getetag", "getlastmodified", "resourcetype"]
const quotaProperties = ["quota-available-bytes", "quota-used-bytes"]
const protectedProperties = new Set([...fileProperties, ...quotaProperties, "creationdate", "supportedlock"])

export class FileProperties implements Properties {
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
        }
        throw new PropertyNotFoundError(`${name} property doesn't exist on resource.`)
    }

    async getAll(): Promise<Record<string, Value>> {
        const all: Record<string, Value> = {}
        for (const name of await this.listLive()) all[name] = await this.get(name)
        return all
    }

    async runInstructions(instructions: Instruction[]): Promise<[string, Error][]> {
        return instructions.map(([, name]) => [
            name,
            protectedProperties.has(name)
                ? new PropertyIsProtectedError(`${name} is a protected property.`)
                : new ForbiddenError("Properties cannot be stored yet."),
        ])
    }

    async set(name: string): Promise<void> {
        const [[, error]] = await this.runInstructions([["set", name, undefined]])
        throw error
    }

    async remove(name: string): Promise<void> {
        const [[, error]] = await this.runInstructions([["remove", name, undefined]])
        throw error
    }

    async listLive(): Promise<string[]> {
        return this.resource.attributes.type === "directory" ? directoryProperties : fileProperties
    }

    async listDead(): Promise<string[]> {
        return []
    }

    list(): Promise<string[]> {
        return this.listLive()
    }

    // One user for all, until there are accounts.
    getByUser(name: string, _user: User): Promise<Value> {
        return this.get(name)
    }
    getAllByUser(): Promise<Record<string, Value>> {
        return this.getAll()
    }
    setByUser(name: string): Promise<void> {
        return this.set(name)
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

    private async quota(name: string): Promise<string> {
        const place = this.resource.place()
        if (!place) throw new PropertyNotFoundError(`${name} property doesn't exist on resource.`)
        const { bytesTotal, bytesFree } = await asHttp(() => this.resource.client.statfs(place.volume))
        return String(name === "quota-available-bytes" ? bytesFree : bytesTotal - bytesFree)
    }
}
