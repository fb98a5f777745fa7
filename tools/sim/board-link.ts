// A board's side of its buses: the receive queue in front of its program, the VM's own send queue behind it, the wire and the
// USB port. Frames wait, drop and overflow where they would on a board; a frame leaves no earlier than it was made.

import type { EventQueue } from "./event-queue"
import { ReceiveQueue } from "./receive-queue"
import type { VmInstance } from "./vm/vm-instance"
import { type Endpoint, frameHeaderBytes, frameOk, type Wire, type WirePort } from "./wire"

/** jdiface.c, devs_jd_server_device_id: own id xor 0xdb2249a7751b53f8; bytes as on the wire. */
const serverIdXor = [0xf8, 0x53, 0x1b, 0x75, 0xa7, 0x49, 0x22, 0xdb]
const commandOffset = 14

/**
 * "wire": as jd_need_to_send does on boards, what has the board's own id or that of its services (all their reports) stays off
 * the wire and goes to USB only. "all": every frame goes on the wire, as if a host relayed between the boards' USB ports.
 */
export type Reach = "wire" | "all"

export interface LinkOptions {
    name: string
    deviceId: string
    queue: EventQueue
    wire: Wire
    reach: Reach
    onUsb?: (frame: Uint8Array, atNs: number) => void
}

export interface LinkOutside {
    vm(): VmInstance | undefined
    nowNs(): number
    busyUntilNs(): number
    /** There is something to do as soon as the board is free. */
    wake(): void
    /** At the board's own time, unless power or reset comes first. */
    soon(effect: (atNs: number) => void): void
}

export class BoardLink implements Endpoint {
    readonly id: string
    readonly deviceIdBytes: Uint8Array
    droppedFrames = 0
    framesReceived = 0
    framesSent = 0
    private readonly serverIdBytes: Uint8Array
    private readonly received = new ReceiveQueue()
    private readonly wirePort: WirePort
    /** When each frame of the VM's send queue was made. */
    private readonly readyNs: number[] = []
    /** Address of the frame that is on the wire or next. */
    private sending = 0
    /** The first frame of the receive queue is being handled: it keeps its room till that is over. */
    private handling = false

    constructor(
        private readonly options: LinkOptions,
        private readonly outside: LinkOutside,
    ) {
        this.id = options.name
        this.deviceIdBytes = Uint8Array.from(Buffer.from(options.deviceId, "hex"))
        if (this.deviceIdBytes.length !== 8) throw new Error(`a device id is 16 hex digits, got ${options.deviceId}`)
        this.serverIdBytes = this.deviceIdBytes.map((byte, i) => byte ^ serverIdXor[i])
        this.wirePort = options.wire.attach(this)
    }

    /** A whole, correct frame from the wire. */
    deliver(frame: Uint8Array, atNs: number): void {
        if (!this.outside.vm()) return
        this.options.onUsb?.(frame, atNs)
        if (atNs >= this.outside.busyUntilNs()) this.releaseHandled()
        if (!this.received.push(frame)) {
            this.droppedFrames++
            return
        }
        this.framesReceived++
        this.outside.wake()
    }

    /** jd_usb.c, jd_usb_handle_frame: what the host sends goes to the board itself and on to the wire. */
    fromUsb(frame: Uint8Array): void {
        const vm = this.outside.vm()
        if (!vm || !frameOk(frame)) return
        vm.u8.set(frame, vm.frame)
        this.noteReady(vm.frame)
        vm.exports.jd_send_frame_raw(vm.frame)
        this.outside.wake()
    }

    /** The program hands a frame to its buses (jd_send_frame). */
    frameSending(pointer: number): void {
        this.noteReady(pointer)
        const { onUsb } = this.options
        if (!onUsb) return
        const frame = copyFrame(this.outside.vm()!, pointer)
        this.outside.soon(atNs => onUsb(frame, atNs))
    }

    /** Gives the wire the next frame of the VM's send queue; the frame keeps its room there until it has left. */
    pump(): void {
        const vm = this.outside.vm()
        if (this.sending !== 0 || !vm) return
        const pointer = vm.exports.jd_tx_get_frame()
        if (pointer === 0) {
            this.readyNs.length = 0
            return
        }
        this.sending = pointer
        this.framesSent++
        this.wirePort.send(copyFrame(vm, pointer), Math.max(this.readyNs.shift() ?? 0, this.options.queue.nowNs))
    }

    sent(): void {
        const vm = this.outside.vm()
        if (!vm || this.sending === 0) return
        const pointer = this.sending
        this.sending = 0
        vm.exports.jd_tx_frame_sent(pointer)
        this.pump()
    }

    /** Gives the VM the next frame from the wire, if there is one. */
    handleNext(vm: VmInstance): void {
        const frame = this.received.peek()
        if (!frame) return
        this.handling = true
        vm.u8.set(frame, vm.frame)
        vm.exports.jd_rx_frame_received_loopback(vm.frame)
    }

    releaseHandled(): void {
        if (!this.handling) return
        this.handling = false
        this.received.shift()
    }

    get hasWaiting(): boolean {
        return this.received.length > (this.handling ? 1 : 0)
    }

    /** Power or reset took the board. */
    drop(): void {
        this.received.clear()
        this.handling = false
        this.readyNs.length = 0
        this.sending = 0
        this.wirePort.silence()
    }

    private noteReady(pointer: number): void {
        if (this.options.reach === "all" || !this.staysHome(pointer)) this.readyNs.push(this.outside.nowNs())
    }

    /** jdiface.c, jd_need_to_send */
    private staysHome(pointer: number): boolean {
        const { u8 } = this.outside.vm()!
        const command = u8[pointer + commandOffset] | (u8[pointer + commandOffset + 1] << 8)
        if (command === 0) return false
        const hasId = (id: Uint8Array) => id.every((byte, i) => u8[pointer + 4 + i] === byte)
        return hasId(this.deviceIdBytes) || hasId(this.serverIdBytes)
    }
}

function copyFrame(vm: VmInstance, pointer: number): Uint8Array {
    return vm.u8.slice(pointer, pointer + frameHeaderBytes + vm.u8[pointer + 2])
}
