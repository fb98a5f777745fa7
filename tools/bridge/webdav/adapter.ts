/**
 * nephele's adapter over the client library, made anew for each HTTP request. Who may do what is not its business yet:
 * accounts come with their own issue and belong in `isAuthorized`; locks in `Resource.getLocks`.
 */
import type { Adapter, Method } from "nephele"
import { BadGatewayError, MethodNotImplementedError, MethodNotSupportedError } from "nephele"
import type { Attributes } from "../protocol/answers"
import { isError } from "../error"
import { asHttp, httpError } from "./errors"
import { FileResource } from "./resource"
import { namesOfUrl, type TreeView } from "./tree-view"
import type { Turns } from "./turns"

export class TwinfilerAdapter implements Adapter {
    constructor(
        readonly view: TreeView,
        readonly turns: Turns,
    ) {}

    async getComplianceClasses(): Promise<string[]> {
        return [] // class 2 is locks
    }

    async getAllowedMethods(): Promise<string[]> {
        return []
    }

    async getOptionsResponseCacheControl(): Promise<string> {
        return "max-age=3600"
    }

    async isAuthorized(): Promise<boolean> {
        return true
    }

    async getResource(url: URL, baseUrl: URL): Promise<FileResource> {
        const names = this.names(url, baseUrl)
        return new FileResource(this, baseUrl, names, await asHttp(() => this.view.attributes(names)))
    }

    async newResource(url: URL, baseUrl: URL): Promise<FileResource> {
        return new FileResource(this, baseUrl, this.names(url, baseUrl), fresh("file"))
    }

    async newCollection(url: URL, baseUrl: URL): Promise<FileResource> {
        return new FileResource(this, baseUrl, this.names(url, baseUrl), fresh("directory"))
    }

    getMethod(method: string): typeof Method {
        if (["POST", "PATCH", "SEARCH"].includes(method))
            throw new MethodNotSupportedError(`${method} is not supported.`)
        throw new MethodNotImplementedError(`${method} is not implemented.`)
    }

    names(url: URL, baseUrl: URL): string[] {
        try {
            return namesOfUrl(url, baseUrl)
        } catch (error) {
            throw isError(error, "notFound") ? new BadGatewayError(error.message) : httpError(error)
        }
    }
}

/** Of an object that is not there yet. */
function fresh(type: "file" | "directory"): Attributes {
    return { type, flags: 0, object: 0, size: 0, mtime: 0, change: 0 }
}
