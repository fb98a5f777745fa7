/** Bodies that nephele would take for something else are refused before it sees them. */
import type { NextFunction, Request, Response } from "express"

export function refuseBodies(request: Request, response: Response, next: NextFunction): void {
    const refuse = (status: number, text: string) => void response.status(status).type("text/plain").send(`${text}\n`)
    // nephele ends the process when a compressed body is damaged.
    const encoding = request.get("Content-Encoding")
    if (encoding !== undefined && encoding !== "identity") return refuse(415, "Send the body uncompressed.")
    // It would store the part as the whole file (RFC 9110 §14.5).
    if (request.method === "PUT" && request.get("Content-Range") !== undefined)
        return refuse(400, "A part of a file cannot be put; send all of it without Content-Range.")
    next()
}
