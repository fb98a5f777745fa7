/**
 * nephele checks If-Match and its like once, before the body comes. The check is made again in the turn that makes the change, so that of
 * two requests on one state of a file one gets 412. Within this bridge that is exact. Another host may change the file, too: a new file
 * (`If-None-Match: *`), a removal and a move are still exact, since the volume itself refuses them; but its `commit` and `setProperty`
 * know no condition, so that for a PUT over a file and a PROPPATCH a moment remains, from the second check to that request.
 */
import type { Request } from "express"
import type { AuthResponse, Method, Plugin, Resource } from "nephele"
import { FileResource } from "./resource"

type Hook<Name extends keyof Plugin> = NonNullable<Plugin[Name]>

const conditional = ["If", "If-Match", "If-None-Match", "If-Unmodified-Since"]

export class Conditions implements Plugin {
    readonly beforePut: Hook<"beforePut"> = async (request, response, { method, resource }) => {
        if (!(resource instanceof FileResource)) return
        if (request.get("If-None-Match")?.trim() === "*") resource.terms.mayReplace = false
        checkAgain(request, response, method, resource)
    }

    readonly beforeDelete: Hook<"beforeDelete"> = async (request, response, { method, resource }) => {
        if (!(resource instanceof FileResource)) return
        resource.checkChangeable() // nephele would remove all that is in it first
        // a directory changes as its members are removed
        if (resource.attributes.type === "file") checkAgain(request, response, method, resource)
    }

    readonly beforeProppatch: Hook<"beforeProppatch"> = async (request, response, { method, resource }) => {
        checkAgain(request, response, method, resource)
    }
}

/** Has the request's conditions checked again in the turn of the change that `resource` makes next. */
export function checkAgain(request: Request, response: AuthResponse, method: Method, resource: Resource): void {
    if (!(resource instanceof FileResource)) return
    if (conditional.every(name => request.get(name) === undefined)) return
    resource.terms.recheck = async () => {
        resource.adapter.view.forget()
        await method.checkConditionalHeaders(request, response)
    }
}
