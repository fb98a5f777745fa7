// One node of a pair: wires the board's pins, the bus and the server together. No decision is taken here.

import * as ds from "@devicescript/core"
import {
    homeSelects,
    partnerSelects,
    readLines,
    setHold,
    setOwn,
    setPartnerReset,
    setSpiClock,
    startBoard,
} from "./hal/board"
import { boardPlatform, FiberSignal } from "./hal/platform"
import { announce, answerControl, serviceIndex } from "./hal/service"
import { step } from "./pair/role"
import { usePlatform } from "./platform"
import { Control, Lines, stop } from "./server/control"
import { Listener, hearCommand } from "./server/listener"
import { commandStore, storeMemory } from "./server/memory"
import { hostedBy, NodeServer } from "./server/node"
import { Carrier, noticeBase, queue, wakeCarrier } from "./server/outbox"
import { beatFrame, replyFlags } from "./server/telling"
import { Worker } from "./server/worker"
import { touchDirectory } from "./store/directory"
import { holdsNeeded } from "./store/log"
import { findSession } from "./store/sessions"
import { leavePartial, takenBytes } from "./store/upload"
import { pushCommand } from "./server/inbox"

const number = startBoard()
usePlatform(boardPlatform)

const workerSignal = new FiberSignal()
const node = new NodeServer(number, homeSelects, partnerSelects, workerSignal)
const lines: Lines = {
    read: readLines,
    setOwn: setOwn,
    setHold: setHold,
    setPartnerReset: setPartnerReset,
    setClock: setSpiClock,
    restart: ds.reboot,
}
const control = new Control(node, lines)
const worker = new Worker(node, control)
control.worker = worker
const listener = new Listener(node, control)

type PacketHandler = (pkt: ds.Packet) => Promise<void>
type Native = { _onServerPacket: PacketHandler }
type Listening = { _onPacket: PacketHandler }

// a role for this node's own service takes it, so that the next one can only find the partner's; it hears every command to this node
// once more; they are taken by `_onServerPacket`
// each pair has a class of its own, so that its nodes find each other only, and their programs are not woken by what others are sent; the
// classes go by twos, as the host service has the one after the first
const fileService = 0x17f11e50 + (number & 6)
const self = ds._allocRole(fileService, "self[app:0]") as any as Listening
const peer = ds._allocRole(fileService, "peer")
const host = new ds.TwinfilerHost("host")
self._onPacket = async () => {}

node.serviceIndex = serviceIndex

const inbox = node.inbox
// by another name of `ds`: what is set on `ds` itself is left out unless something calls it
const native = ds as any as Native
native._onServerPacket = async (pkt: ds.Packet) => {
    // an exception in a handler restarts the program, and a hostile packet might find one
    try {
        if (!pkt) return
        if (pkt.serviceIndex !== serviceIndex) {
            if (pkt.serviceIndex === 0) await answerControl(pkt)
            return
        }
        const command = pkt.serviceCommand
        if (command >= noticeBase) listener.notice(command, pkt.payload)
        else if (command === commandStore) storeMemory(node, pkt.payload)
        else {
            node.heardBus = true
            pushCommand(inbox, command, pkt.payload)
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
// what the stock handlers do is for registers and events, which these services do not have
;(peer as any as Listening)._onPacket = async (pkt: ds.Packet) => {
    try {
        if (pkt && pkt.isCommand && pkt.serviceCommand) {
            if (!peerIsSelf) hearCommand(listener, pkt.serviceCommand, pkt.payload)
        } else if (pkt) if (pkt.serviceCommand === 0) peerIsSelf = pkt.deviceIdentifier === ownId
        node.recording = peer.isBound && !peerIsSelf
    } catch (e) {
        node.badChecks++
    }
}
;(host as any as Listening)._onPacket = async (pkt: ds.Packet) => {
    try {
        if (!pkt) return
        if (pkt.isCommand && pkt.serviceCommand) listener.notice(pkt.serviceCommand, pkt.payload)
        // the host announces itself: the bus is there, whatever the partner does
        else node.heardBus = true
    } catch (e) {
        node.badChecks++
    }
}

/** Two nodes that speak to different hosts do not hear each other: while the partner is not heard, words go to either in turn. */
function isForPeer(): boolean {
    if (!peer.isBound) return false
    if (peerIsSelf) return false
    if (node.partnerAlive) return true
    return !host.isBound || (node.nowMs & 512) !== 0
}

const toPeer: Carrier = {
    signal: new FiberSignal(),
    isReady: isForPeer,
    send: async (command: number, payload: Buffer) => {
        await peer.sendCommand(command, payload)
    },
}
const toHost: Carrier = {
    signal: new FiberSignal(),
    isReady: () => host.isBound && !isForPeer(),
    send: async (command: number, payload: Buffer) => {
        await host.sendCommand(command, payload)
    },
}

node.outbox.carriers.push(toPeer)
node.outbox.carriers.push(toHost)

console.log("twinfiler node " + number)
node.outbox.run.start(toPeer)
node.outbox.run.start(toHost)
announce.start(fileService)
control.run.start()
worker.run.start()
