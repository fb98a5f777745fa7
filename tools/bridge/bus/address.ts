/** Where a bus is, as a URL: `ws://host:port`, `wss://…` or `tcp://host:port`. Serial ports join here. */
import { TwinfilerError } from "../error"

export const defaultBusUrl = "ws://127.0.0.1:8081"

/** Throws `usage` for an address it cannot read. */
export function parseBusUrl(address: string): URL {
    let url: URL | undefined
    try {
        url = new URL(address)
    } catch {
        // said below
    }
    if (!url || !["ws:", "wss:", "tcp:"].includes(url.protocol) || !url.hostname)
        throw new TwinfilerError(
            "usage",
            `cannot read the bus address ${JSON.stringify(address)}: give ws://HOST:PORT or tcp://HOST:PORT`,
        )
    return url
}
