/**
 * The WebDAV door: nephele over the client library, on this machine only unless a host is given. It knows no accounts
 * yet: whoever reaches the port may read and write. Slow as the bus is, requests run side by side and share its
 * bounds; a client that goes away ends its transfer at once.
 */
import express from "express"
import nephele, { type Authenticator, type AuthResponse, type User } from "nephele"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { TwinfilerClient } from "../client"
import { TwinfilerError } from "../error"
import { TwinfilerAdapter } from "./adapter"
import { refuseBodies } from "./bodies"
import { Conditions } from "./conditions"
import { CopyAndMove } from "./move"
import { refuseInSnapshots } from "./read-only"
import { refuseOddPaths } from "./spelling"
import { TreeView, type ViewOptions } from "./tree-view"
import { Turns } from "./turns"

export interface WebdavOptions extends ViewOptions {
    host: string
    /** 0 for any free one. */
    port: number
}

export interface WebdavServer {
    url: string
    close(): Promise<void>
}

/** How long a client may take for its headers; bodies may be as slow as the bus. */
const headersTimeoutMs = 30_000
const connectionsMax = 64

/** Accounts join here: an authenticator that knows its users. */
const everybody: Authenticator = {
    authenticate: async (): Promise<User> => ({ username: "nobody" }),
    cleanAuthentication: async () => undefined,
}

/** Throws `usage` when the port cannot be had. */
export async function startWebdav(client: TwinfilerClient, options: WebdavOptions): Promise<WebdavServer> {
    await client.settle()
    const turns = new Turns()
    const app = express()
    app.disable("x-powered-by")
    app.use(refuseOddPaths, refuseBodies)
    app.use(refuseInSnapshots(options.volume === undefined ? 1 : 0))
    app.use(
        nephele(
            {
                adapter: async (_request, response) => {
                    const locals = response.locals as { twinfilerAdapter?: TwinfilerAdapter }
                    return (locals.twinfilerAdapter ??= new TwinfilerAdapter(new TreeView(client, options), turns))
                },
                authenticator: everybody,
                plugins: [new Conditions(), new CopyAndMove()],
            },
            { errorHandler },
        ),
    )
    const server = createServer(app)
    server.requestTimeout = 0
    server.headersTimeout = headersTimeoutMs
    server.maxConnections = connectionsMax
    await listen(server, options)
    const { address, port } = server.address() as AddressInfo
    const host = address.includes(":") ? `[${address}]` : address
    return { url: `http://${host}:${port}/`, close: () => close(server) }
}

/** The message for a person; a response that has begun is cut, so that nobody takes it for whole. */
async function errorHandler(
    code: number,
    message: string,
    _request: unknown,
    response: AuthResponse,
    error?: Error,
): Promise<void> {
    if (response.headersSent || response.destroyed) {
        response.destroy()
        return
    }
    // nephele takes a body that is no XML for a fault of its own; its parser says where it is
    if (code === 500 && error && /\nLine: \d+\nColumn: \d+/.test(error.message)) {
        response.status(400).type("text/plain").send(`The body is not well-formed XML: ${error.message}\n`)
        return
    }
    const { etag, lastModified } = (error ?? {}) as { etag?: string; lastModified?: Date }
    response.status(code)
    if (etag) response.set({ ETag: JSON.stringify(etag) })
    if (lastModified) response.set({ "Last-Modified": lastModified.toUTCString() })
    if (code < 400) response.end()
    else response.type("text/plain").send(`${message}\n`)
}

function listen(server: Server, { host, port }: WebdavOptions): Promise<void> {
    return new Promise((resolve, reject) => {
        server.once("error", error =>
            reject(new TwinfilerError("usage", `cannot serve on ${host}:${port}: ${error.message}`)),
        )
        server.listen(port, host, resolve)
    })
}

function close(server: Server): Promise<void> {
    return new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
    })
}
