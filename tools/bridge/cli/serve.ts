/** The verb that keeps running: serve, the network doors. */
import type { Command } from "commander"
import { TwinfilerError } from "../error"
import type { Context } from "./context"
import { parseLetter } from "./paths"
import type { AddVerb } from "./verb"

export interface Listen {
    host: string
    port: number
}

export function addServeVerb(verb: AddVerb): void {
    verb("serve", "serve the volumes to network clients, until Ctrl-C", command =>
        command
            .requiredOption("--webdav <[host:]port>", "WebDAV, on this machine only unless a host is given")
            .option("--volume <letter>", "the root of one volume instead of the list of volumes"),
    ).does(serve)
}

async function serve(context: Context, command: Command): Promise<void> {
    const options = command.optsWithGlobals() as { webdav: string; volume?: string }
    const listen = parseListen(options.webdav)
    const volume = options.volume === undefined ? undefined : parseLetter(options.volume, "volume")
    const { startWebdav } = await import("../webdav/server")
    const server = await startWebdav(context.client, { ...listen, volume, now: context.world.now })
    context.show({ webdav: server.url }, () => [`WebDAV on ${server.url}`])
    const { signal } = context.world
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener("abort", resolve))
    await server.close()
    throw new TwinfilerError("aborted", "stopped serving")
}

/** `PORT`, `HOST:PORT` or `[::1]:PORT`. Throws `usage`. */
export function parseListen(text: string): Listen {
    const found = /^(?:(.+):)?(\d{1,5})$/.exec(text)
    const port = found ? Number(found[2]) : -1
    if (!found || port > 65_535) throw new TwinfilerError("usage", `--webdav ${text}: give PORT or HOST:PORT`)
    return { host: found[1]?.replace(/^\[|\]$/g, "") ?? "127.0.0.1", port }
}
