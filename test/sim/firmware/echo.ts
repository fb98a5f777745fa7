// @ts-nocheck: compiled by devs, not by the project's tsc
// A node that is sent packets: counts them, does some work for each, answers every tenth, and drives a pin by what it got.
import { pins } from "@dsboard/sim_node"
import "@devicescript/gpio"
import { GPIOMode } from "@devicescript/core"
import * as ds from "@devicescript/core"
import { Server, startServer } from "@devicescript/server"

class EchoServer extends Server {
    constructor() {
        super(ds.Echo.spec)
    }
}

const server = new EchoServer()
startServer(server)

let count = 0
const ring = Buffer.alloc(4096)
const dsAny = ds as any
dsAny._onServerPacket = async (pkt: ds.Packet) => {
    if (pkt.serviceCommand !== 0x80 || pkt.serviceIndex !== server.serviceIndex || pkt.isReport) return
    const bytes = pkt.payload
    ring.blitAt((count % 16) * 256, bytes, 0, bytes.length)
    count++
    const work = bytes.getAt(0, "u8")
    let x = 0
    for (let i = 0; i < work; ++i) x = x + i
    pins.OUT.setMode(count % 2 ? GPIOMode.OutputHigh : GPIOMode.OutputLow)
    if (count % 10 === 0) {
        const report = server.spec.lookup("load").response.encode(hex`00000000`)
        report.payload.setAt(0, "u32", count)
        const send = async () => {
            await server._send(report)
        }
        send.start()
    }
    if (count % 100 === 0) console.log("count " + count)
}
