/** Opens the bus a URL names, in real time. */
import { parseBusUrl } from "./address"
import { realClock, realRandom } from "./clock"
import { JacdacBus } from "./jacdac-bus"
import { ReconnectingTransport } from "./reconnecting"
import { tcpLink, webSocketLink } from "./sockets"

const defaultTcpPort = 8082

/** Throws `usage` for a URL it cannot read, `noBus` when nothing listens there. */
export async function connectBus(address: string): Promise<JacdacBus> {
    const url = parseBusUrl(address)
    const openLink =
        url.protocol === "tcp:"
            ? tcpLink(url.hostname.replace(/^\[|\]$/g, ""), Number(url.port) || defaultTcpPort)
            : webSocketLink(address)
    const transport = await ReconnectingTransport.open(address, openLink, realClock)
    return new JacdacBus(transport, { clock: realClock, random: realRandom })
}
