// Frames as a host and a partner seal them, written from docs/PROTOCOL.md and not with the firmware's code.

import { buffersInNode } from "../support/device-buffer"
import { createHash } from "node:crypto"
import { useBanks, type ElementPort } from "../../src/flash/bank"
import { NorBank } from "../../src/flash/nor"
import { usePlatform } from "../../src/platform"

// DeviceScript's own: a negative count removes
if (!("insert" in Array.prototype))
    Object.defineProperty(Array.prototype, "insert", {
        value(this: unknown[], at: number, count: number) {
            if (count < 0) this.splice(at, -count)
            else this.splice(at, 0, ...new Array(count).fill(undefined))
        },
    })

const sha4 = (bytes: Buffer) => createHash("sha256").update(bytes).digest().subarray(0, 4)

export let clockMs = 0
export function setClock(ms: number): void {
    clockMs = ms
}

export function useTestPlatform(): void {
    clockMs = 0
    useBanks((port, out, into) => new NorBank(port as ElementPort, out, into))
    usePlatform({
        now: () => clockMs,
        sleep: async ms => void (clockMs += ms),
        ...buffersInNode,
        random: () => 1,
    })
}

function sealCommand(frame: Buffer): Buffer {
    const padded = Buffer.alloc(236)
    frame.copy(padded)
    padded.writeUInt32LE(frame.length, 0)
    sha4(padded).copy(frame)
    return frame
}

export function block(volume: number, handle: number, offset: number, bytes: number): Buffer {
    const frame = Buffer.alloc(12 + bytes, offset & 0xff)
    frame.fill(0, 0, 12)
    frame[4] = volume
    frame.writeUInt16LE(handle, 6)
    frame.writeUInt32LE(offset, 8)
    return sealCommand(frame)
}

export function request(volume: number, session: number, sequence: number, args = 4): Buffer {
    const frame = Buffer.alloc(16 + args, 7)
    frame[4] = volume
    frame.writeUInt32LE(session, 8)
    frame.writeUInt32LE(sequence, 12)
    return sealCommand(frame)
}

export function sealNotice(frame: Buffer): Buffer {
    frame.writeUInt32LE(0, 0)
    sha4(frame).copy(frame)
    return frame
}
