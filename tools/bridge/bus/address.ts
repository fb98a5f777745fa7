/** Where a bus is: `ws://host:port`, `wss://…`, `tcp://host:port`, `serial:PATH` (several: `serial:PATH,PATH`) or `auto`. */
import { TwinfilerError } from "../error"

export const defaultBusUrl = "ws://127.0.0.1:8081"

export type BusAddress = { kind: "socket"; url: URL } | { kind: "serial"; paths: string[] } | { kind: "auto" }

/** Throws `usage` for an address it cannot read. */
export function parseBusAddress(address: string): BusAddress {
    if (address === "auto") return { kind: "auto" }
    if (address.startsWith("serial:")) {
        const paths = address
            .slice("serial:".length)
            .replace(/^\/\/(?=\/)/, "")
            .split(",")
        if (paths.every(path => path !== "")) return { kind: "serial", paths: [...new Set(paths)] }
    } else {
        const url = socketUrl(address)
        if (url) return { kind: "socket", url }
    }
    throw new TwinfilerError(
        "usage",
        `cannot read the bus address ${JSON.stringify(address)}: give ws://HOST:PORT, tcp://HOST:PORT, serial:PATH or auto`,
    )
}

function socketUrl(address: string): URL | undefined {
    try {
        const url = new URL(address)
        return ["ws:", "wss:", "tcp:"].includes(url.protocol) && url.hostname ? url : undefined
    } catch {
        return undefined
    }
}
