/**
 * What nephele leaves to be wished for in COPY and MOVE. Both refuse an existing target with `Overwrite: F`, and a
 * target without a parent, with the status of RFC 4918 (§9.8.5) as the answer's own. MOVE of a directory within a
 * volume is one rename: at once and whole, where nephele alone would make a new directory and move each member; a
 * directory that is to be replaced is removed first (§9.9.3).
 */
import type { AuthResponse, Plugin, Resource } from "nephele"
import { PreconditionFailedError, ResourceNotFoundError, ResourceTreeNotCompleteError } from "nephele"
import { asHttp } from "./errors"
import { FileResource } from "./resource"

type BeforeMove = NonNullable<Plugin["beforeMove"]>
type BeforeCopy = NonNullable<Plugin["beforeCopy"]>

export class CopyAndMove implements Plugin {
    readonly beforeCopy: BeforeCopy = async (_request, _response, { destination, exists, overwrite }) => {
        await checkDestination(destination, exists, overwrite)
    }

    readonly beforeMove: BeforeMove = async (_request, response, { resource, destination, exists, overwrite }) => {
        await checkDestination(destination, exists, overwrite)
        if (!(resource instanceof FileResource) || !(destination instanceof FileResource)) return
        if (resource.attributes.type !== "directory") return
        const from = resource.place()
        if (!from || destination.place()?.volume !== from.volume) return
        const url = await destination.getCanonicalUrl()
        resource.checkMovable(url)
        if (exists) await removeTree(destination)
        await resource.move(url, destination.baseUrl, response.locals.user)
        respond(response, exists, url)
        return false
    }
}

async function checkDestination(destination: Resource, exists: boolean, overwrite: string | undefined): Promise<void> {
    if (exists && overwrite === "F") throw new PreconditionFailedError("A resource exists at the destination.")
    if (exists || !(destination instanceof FileResource)) return
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
