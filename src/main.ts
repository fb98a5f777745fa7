// One node of a pair: wires the board's pins, the bus and the server together. No decision is taken here.

import * as ds from "@devicescript/core"
import { Server, startServer } from "@devicescript/server"
import { homeSelects, partnerSelects, readLines, setHold, setOwn, setPartnerReset, startBoard } from "./hal/board"
import { boardPlatform, FiberSignal } from "./hal/platform"
import { usePlatform } from "./platform"
import { Control, Lines } from "./server/control"
import { Listener } from "./server/listener"
import { NodeServer } from "./server/node"
import { Carrier, noticeBase } from "./server/outbox"
import { Worker } from "./server/worker"

const number = startBoard()
usePlatform(boardPlatform)

const workerSignal = new FiberSignal()
const node = new NodeServer(number, homeSelects, partnerSelects, workerSignal)
const lines: Lines = {
    read: () => readLines(),
    setOwn: on => setOwn(on),
    setHold: on => setHold(on),
    setPartnerReset: on => setPartnerReset(on),
    restart: () => ds.reboot(),
}
const control = new Control(node, lines)
const worker = new Worker(node, control)
control.worker = worker
const listener = new Listener(node, control)

class FileServer extends Server {
    constructor() {
        super(ds.Twinfiler.spec)
    }
}

type PacketHandler = (pkt: ds.Packet) => Promise<void>
type Native = { _onServerPacket: PacketHandler }
type Listening = { _onPacket: PacketHandler }

const server = new FileServer()
// a role for this node's own service takes it, so that the next one can only find the partner's
const self = new ds.Twinfiler(startServer(server, { roleName: "self" }))
// it hears every command to this node once more; they are taken by `_onServerPacket`
;(self as any as Listening)._onPacket = async () => {}
const peer = new ds.Twinfiler("peer")
const host = new ds.TwinfilerHost("host")

node.serviceIndex = server.serviceIndex

const native = ds as any as Native
const serveOthers = native._onServerPacket
const index = server.serviceIndex
const inbox = node.inbox
native._onServerPacket = async (pkt: ds.Packet) => {
    // an exception in a handler restarts the program, and a hostile packet finds one: the stock handlers throw for some
    try {
        if (!pkt) return
        if (pkt.serviceIndex !== index) {
            await serveOthers(pkt)
            return
        }
        const command = pkt.serviceCommand
        if (command >= noticeBase) listener.notice(command, pkt.payload)
        else if (pkt.isCommand) {
            node.heardBus = true
            inbox.push(command, pkt.payload)
            if (inbox.count === 1) workerSignal.notify()
        }
    } catch (e) {
        node.badChecks++
    }
}

// an announcement that lies can make the runtime bind `peer` to this node's own service, where nobody would hear it
const ownId = ds.deviceIdentifier("server")
node.deviceId = Buffer.from(ownId, "hex")
let peerIsSelf = false
const listenPeer = peer as any as Listening
const bindPeer = listenPeer._onPacket
listenPeer._onPacket = async (pkt: ds.Packet) => {
    try {
        if (pkt && pkt.isCommand && pkt.serviceCommand) {
            if (!peerIsSelf) listener.toPartner(pkt.serviceCommand, pkt.payload)
        } else {
            if (pkt && pkt.serviceCommand === 0) peerIsSelf = pkt.deviceIdentifier === ownId
            await bindPeer(pkt)
        }
        node.recording = peer.isBound && !peerIsSelf
    } catch (e) {
        node.badChecks++
    }
}

const listenHost = host as any as Listening
const bindHost = listenHost._onPacket
listenHost._onPacket = async (pkt: ds.Packet) => {
    try {
        if (pkt && pkt.isCommand && pkt.serviceCommand) listener.notice(pkt.serviceCommand, pkt.payload)
        else {
            // the host announces itself: the bus is there, whatever the partner does
            if (pkt) node.heardBus = true
            await bindHost(pkt)
        }
    } catch (e) {
        node.badChecks++
    }
}

const toPeer: Carrier = {
    signal: new FiberSignal(),
    isReady: () => peer.isBound && !peerIsSelf && (node.partnerAlive || !host.isBound),
    send: async (command: number, payload: Buffer) => {
        await peer.sendCommand(command, payload)
    },
}
const toHost: Carrier = {
    signal: new FiberSignal(),
    isReady: () => host.isBound && !(node.partnerAlive && peer.isBound && !peerIsSelf),
    send: async (command: number, payload: Buffer) => {
        await host.sendCommand(command, payload)
    },
}

node.outbox.addCarrier(toPeer)
node.outbox.addCarrier(toHost)

console.log("twinfiler node " + number)
node.outbox.run.start(toPeer)
node.outbox.run.start(toHost)
control.run.start()
worker.run.start()
