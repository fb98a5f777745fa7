/**
 * What nephele leaves to be wished for in COPY and MOVE. It removes what is at the destination before it looks closer, so that whatever
 * would lose by that is refused first, by names and not by spelling: the source itself, what it lies in and what lies in it, volumes and
 * their list. Both refuse an existing target with `Overwrite: F`, and a target without a parent, with the status of RFC 4918 (§9.8.5) as
 * the answer's own. MOVE within a volume is one rename: at once and whole, where nephele alone would make a new directory and move each
 * member; a directory that is to be replaced is removed first (§9.9.3).
 */
import type { Request } from "express"
import type { AuthResponse, Method, Plugin, Resource } from "nephele"
import {
    BadRequestError,
    ForbiddenError,
    PreconditionFailedError,
    ResourceNotFoundError,
    ResourceTreeNotCompleteError,
} from "nephele"
import { checkAgain } from "./conditions"
import { asHttp } from "./errors"
import { FileResource } from "./resource"

type Hook<Name extends keyof Plugin> = NonNullable<Plugin[Name]>

interface Plan {
    method: Method
    resource: Resource
    destination: Resource
    exists: boolean
    overwrite: string | undefined
}

export class CopyAndMove implements Plugin {
    readonly preCopy: Hook<"preCopy"> = async (_request, _response, { resource, destination }) => {
        checkApart(resource, destination)
    }

    readonly preMove: Hook<"preMove"> = async (_request, _response, { resource, destination }) => {
        checkApart(resource, destination)
        if (resource instanceof FileResource) resource.checkChangeable()
    }

    readonly beforeCopy: Hook<"beforeCopy"> = async (request, response, plan) => {
        await check(request, response, plan)
    }

    readonly beforeMove: Hook<"beforeMove"> = async (request, response, plan) => {
        const { resource, destination } = await check(request, response, plan)
        if (destination.place()?.volume !== resource.place()?.volume) return
        const url = await destination.getCanonicalUrl()
        const { exists } = plan
        const isDirectory = [resource, destination].some(({ attributes }) => attributes.type === "directory")
        if (exists && isDirectory) await removeTree(destination) // a file replaces a file at once
        await resource.move(url, destination.baseUrl, response.locals.user)
        respond(response, exists, url)
        return false
    }
}

async function check(request: Request, response: AuthResponse, plan: Plan) {
    const { method, resource, destination, exists, overwrite } = plan
    if (!(resource instanceof FileResource) || !(destination instanceof FileResource))
        throw new ForbiddenError("Only files and directories can be copied and moved.")
    destination.checkChangeable()
    resource.terms.mayReplace = mayReplace(overwrite)
    await checkDestination(destination, exists, resource.terms.mayReplace)
    // what replaces a directory has it removed first, and what the conditions said of that is no longer so
    const replacesDirectory = exists && destination.attributes.type === "directory"
    if (resource.attributes.type === "file" && !replacesDirectory) checkAgain(request, response, method, resource)
    return { resource, destination }
}

/** Nothing can be put in the place of itself, of what it lies in, or into itself. Volumes keep names as they are, so equal is the same. */
function checkApart(resource: Resource, url: URL | undefined): void {
    if (!(resource instanceof FileResource) || !url) return
    const source = resource.names
    const destination = resource.adapter.names(url, resource.baseUrl)
    const common = Math.min(source.length, destination.length)
    if (source.slice(0, common).some((name, index) => name !== destination[index])) return
    throw new ForbiddenError(
        source.length === destination.length
            ? "The destination is the source itself."
            : source.length > common
              ? "The source lies in the destination."
              : "The destination lies in the source.",
    )
}

function mayReplace(overwrite = "T"): boolean {
    if (/^t$/i.test(overwrite)) return true
    if (/^f$/i.test(overwrite)) return false
    throw new BadRequestError("Overwrite is T or F.")
}

async function checkDestination(destination: FileResource, exists: boolean, mayReplace: boolean): Promise<void> {
    if (exists && !mayReplace) throw new PreconditionFailedError("A resource exists at the destination.")
    if (exists) return
    try {
        await asHttp(() => destination.adapter.view.attributes(destination.names.slice(0, -1)))
    } catch (error) {
        if (error instanceof ResourceNotFoundError) throw new ResourceTreeNotCompleteError(error.message)
        throw error
    }
}

function respond(response: AuthResponse, existed: boolean, url: URL): void {
    response.status(existed ? 204 : 201)
    if (!existed) response.set({ "Content-Length": "0", Location: url.toString() })
    response.end()
}

/** From the leaves up; as deep as paths go. */
async function removeTree(resource: FileResource): Promise<void> {
    if (resource.attributes.type === "directory")
        for (const member of await resource.getInternalMembers()) await removeTree(member)
    await resource.delete()
}
