/**
 * Snapshots are seen at `.snapshots` in a volume's root and cannot be changed: whatever would is refused with 403 (RFC 4918 §9 has no
 * better) before nephele begins, which takes a tree apart from its leaves and would answer for each of them.
 */
import type { NextFunction, Request, Response } from "express"
import { isInSnapshots } from "../client"

const changing = new Set(["PUT", "DELETE", "MKCOL", "MOVE", "PROPPATCH", "LOCK", "UNLOCK", "POST", "PATCH"])

/** @param depth names of a URL before those of the volume: 1 below the list of volumes, 0 when the root is a volume */
export function refuseInSnapshots(depth: number) {
    return (request: Request, response: Response, next: NextFunction): void => {
        const paths: (string | undefined)[] = []
        if (changing.has(request.method)) paths.push(request.url)
        if (request.method === "COPY" || request.method === "MOVE") paths.push(request.get("Destination"))
        if (!paths.some(path => path !== undefined && isInSnapshots(namesOf(path).slice(depth)))) return next()
        const text = "Snapshots cannot be changed; they are made and deleted with `twinfiler snapshot`.\n"
        response.status(403).type("text/plain").send(text)
    }
}

/** No names for what is no path: that is for others to refuse. */
function namesOf(path: string): string[] {
    try {
        const names: string[] = []
        for (const part of new URL(path, "http://host").pathname.split("/")) {
            const name = decodeURIComponent(part)
            if (name !== "") names.push(name)
        }
        return names
    } catch {
        return []
    }
}
