/** Opens the bus an address names, in real time. */
import { defaultBusUrl, parseBusAddress, type BusAddress } from "./address"
import { realClock, realRandom } from "./clock"
import { JacdacBus } from "./jacdac-bus"
import { ReconnectingTransport } from "./reconnecting"
import { serialLink } from "./serial-link"
import { boardPorts } from "./serial-ports"
import { SharedTransport, type FindSources } from "./shared-links"
import { tcpLink, webSocketLink } from "./sockets"
import type { FrameTransport } from "./transport"

const defaultTcpPort = 8082

/** Throws `usage` for an address it cannot read, `noBus` when nothing is there. */
export async function connectBus(address: string): Promise<JacdacBus> {
    return new JacdacBus(await openTransport(address, parseBusAddress(address)), {
        clock: realClock,
        random: realRandom,
    })
}

function openTransport(address: string, bus: BusAddress): Promise<FrameTransport> {
    if (bus.kind === "auto") return SharedTransport.open(findAnything(), realClock)
    if (bus.kind === "serial") {
        const sources = bus.paths.map(path => ({ name: path, open: serialLink(path, realClock) }))
        return SharedTransport.open(async () => sources, realClock)
    }
    const { protocol, hostname, port } = bus.url
    const openLink =
        protocol === "tcp:"
            ? tcpLink(hostname.replace(/^\[|\]$/g, ""), Number(port) || defaultTcpPort)
            : webSocketLink(address)
    return ReconnectingTransport.open(address, openLink, realClock)
}

/** A running `devs devtools` or simulator has the boards already, and the ports are its own; without one, every board that is plugged in. */
export function findAnything(devtoolsUrl = defaultBusUrl, ports = boardPorts): FindSources {
    return async open => {
        if (open.has(devtoolsUrl)) return []
        if (open.size === 0) {
            const link = webSocketLink(devtoolsUrl)
            const isThere = await link({ onFrame: () => undefined, onClose: () => undefined }).then(
                probe => (probe.close(), true),
                () => false,
            )
            if (isThere) return [{ name: devtoolsUrl, open: link }]
        }
        return (await ports()).map(({ path }) => ({ name: path, open: serialLink(path, realClock) }))
    }
}
