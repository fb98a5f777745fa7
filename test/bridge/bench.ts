/** A client on a fake cabinet, ready to use: what most tests of the bridge begin with. */
import { JacdacBus } from "../../tools/bridge/bus/jacdac-bus"
import { TwinfilerClient } from "../../tools/bridge/client"
import { FakeCabinet, type Faults } from "./fake-node"
import { seeded, VirtualClock } from "./virtual-clock"

export interface Bench {
    clock: VirtualClock
    cabinet: FakeCabinet
    bus: JacdacBus
    client: TwinfilerClient
    random: () => number
}

export async function bench(seed = 1, faults: Partial<Faults> = {}, timeoutMs?: number): Promise<Bench> {
    const clock = new VirtualClock()
    const random = seeded(seed)
    const cabinet = new FakeCabinet(clock, seeded(seed + 1))
    const bus = new JacdacBus(cabinet, { clock, random })
    const client = new TwinfilerClient(bus, { clock, random, timeoutMs })
    await clock.drive(client.ready())
    Object.assign(cabinet.faults, faults)
    return { clock, cabinet, bus, client, random }
}

export function bytes(count: number, seed = 7): Buffer {
    const random = seeded(seed)
    const data = Buffer.alloc(count)
    for (let index = 0; index < count; index++) data[index] = random()
    return data
}

/** `data` in pieces of `pieceBytes`. */
export async function* stream(data: Buffer, pieceBytes = 1_000): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < data.length; at += pieceBytes) yield data.subarray(at, at + pieceBytes)
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const pieces: Uint8Array[] = []
    for await (const piece of source) pieces.push(piece)
    return Buffer.concat(pieces)
}
