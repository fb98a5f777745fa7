/**
 * A path that two readers could take for two places is refused before anything is done: nephele compares URLs as they are spelled, the
 * URL standard resolves `..`, takes `//a/x` for a host and drops what follows `?`, and a change of the wrong place is a file lost. A
 * Destination on another server is refused with 502 (RFC 4918 §9.8.5).
 */
import type { NextFunction, Request, Response } from "express"

const readOnly = new Set(["GET", "HEAD", "OPTIONS", "PROPFIND"])

export function refuseOddPaths(request: Request, response: Response, next: NextFunction): void {
    const refuse = (status: number, text: string) => void response.status(status).type("text/plain").send(`${text}\n`)
    const { method, url } = request
    if (method === "OPTIONS" && url === "*") return next()
    const oddPath = oddity(url, readOnly.has(method))
    if (oddPath) return refuse(400, `The path ${oddPath}.`)
    const destination = request.get("Destination")
    if (destination === undefined || (method !== "COPY" && method !== "MOVE")) return next()
    const oddDestination = oddity(destination, false)
    if (oddDestination) return refuse(400, `The Destination ${oddDestination}.`)
    if (!isHere(destination, request.headers.host)) return refuse(502, "The Destination is on another server.")
    next()
}

/** What makes a URL or a path one that cannot be relied on; undefined for any other. */
function oddity(text: string, mayHaveQuery: boolean): string | undefined {
    if (/^[/\\]{2}/.test(text)) return "begins with two slashes"
    const path = text.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/\\?#]*/i, "")
    if (path === "") return undefined
    if (!path.startsWith("/")) return "is neither a URL nor a path from the root"
    if (/[\\\t]/.test(path)) return "has a character that must be encoded"
    const [names] = path.split(/[?#]/)
    if (names !== path && !mayHaveQuery) return "has a query or a fragment; encode `?` and `#` in names"
    try {
        const isDots = (name: string) => name === "." || name === ".."
        return names.split("/").map(decodeURIComponent).some(isDots) ? "has dot segments" : undefined
    } catch {
        return "is not UTF-8 in percent encoding"
    }
}

/** The scheme may differ: a proxy in front may speak TLS. */
function isHere(destination: string, host: string | undefined): boolean {
    try {
        const url = new URL(destination, `http://${host}`)
        return /^https?:$/.test(url.protocol) && url.host === new URL(`${url.protocol}//${host}`).host
    } catch {
        return false
    }
}
