// What the bench measures, each as a figure beside the limit it is held against. Virtual time throughout, so each repeats to the digit;
// only the simulation's own speed is real.

import { sha256, SimSession, source } from "../sim/session"
import { measureControl } from "./control"
import { coupledPairs } from "./coupled"
import { unprotectedAfterReboot } from "./reboots"
import { percentile, resultOf, type Figure, type Result } from "./result"

export interface BenchOptions {
    seed: number
    /** Power cuts per failover figure. */
    cuts: number
    cpu: "rp2040" | "ideal"
    wallMs(): number
}

const array = "mirror of 2 W25Q128JV"
const mtime = 1_700_000_000
const kB = 1_000

// Limits, from PLATFORM facts: a full frame takes 2.75 ms of wire for 224 bytes of file; a program may send 50 packets a second;
// the heap is 64 KB.
const wireKBs = 224 / 2.75
const sendKBs = (50 * 224) / kB
const smallWriteMs = 20
const heapKB = 64

/** A reboot is watched for longer than a cut: fewer of them. */
const cutsPerReboot = 5

const writeBytes = 512 * 1024
const readBytes = 128 * 1024
const smallFiles = 60
const smallBytes = 1024
const heapFiles = [10, 1_000]
const heapFileBytes = 100

/** By name: the store's sources are type-checked by rules of their own (tsconfig.firmware.json). */
const storeModule: string = "./store/measure"

interface StoreModule {
    measureStore(seed: number): Promise<(Figure & { array: string })[]>
}

export async function measureAll(options: BenchOptions): Promise<Result[]> {
    const figures = [
        ...(await throughput(options)),
        ...(await coupledPairs(options.seed, options.cpu, wireKBs)),
        ...(await heap(options)),
        await unprotectedAfterReboot(options.seed, options.cpu, Math.ceil(options.cuts / cutsPerReboot)),
    ]
    return [
        ...figures.map(figure => resultOf(figure, array, options.cpu)),
        ...(await measureControl(options)),
        ...(await measureStore(options.seed)),
    ]
}

/** The store alone, in Node over the chip models. */
export async function measureStore(seed: number): Promise<Result[]> {
    const { measureStore } = (await import(storeModule)) as StoreModule
    return (await measureStore(seed)).map(figure => resultOf(figure, figure.array, "the chips alone"))
}

async function throughput({ seed, cpu, wallMs }: BenchOptions): Promise<Figure[]> {
    const session = new SimSession({ seed, cpu })
    const { client } = session
    const figures = await session.run(async () => {
        await session.healthy()
        const bytes = session.random.bytes(writeBytes)
        const startWallMs = wallMs()
        const startMs = session.nowMs()
        await client.put(0, "sequential", source(bytes), { mtime })
        const writeMs = session.nowMs() - startMs
        const speed = writeMs / (wallMs() - startWallMs)

        await client.put(0, "read", source(bytes.subarray(0, readBytes)), { mtime })
        const readFromMs = session.nowMs()
        const back = await session.readAll(0, "read")
        const readMs = session.nowMs() - readFromMs
        if (sha256(back) !== sha256(bytes.subarray(0, readBytes)))
            throw new Error("what was read is not what was written")

        const small: number[] = []
        for (let i = 0; i < smallFiles; i++) {
            const fromMs = session.nowMs()
            await client.put(0, `small${i}`, source(bytes.subarray(i, i + smallBytes)), { mtime })
            small.push(session.nowMs() - fromMs)
        }
        await client.close()
        const limit = { limit: smallWriteMs, binds: "one reply, at a packet each 20 ms" }
        return [
            rate("write-seq", writeBytes / writeMs, wireKBs, "the wire: 224 bytes in a frame of 2.75 ms"),
            rate("read-seq", readBytes / readMs, sendKBs, "the runtime's 50 packets a second and node"),
            { name: "small-write-p50", value: percentile(small, 50), unit: "ms", ...limit },
            { name: "small-write-p99", value: percentile(small, 99), unit: "ms", ...limit },
            {
                name: "sim-speed-loaded",
                value: speed,
                unit: "virtual s/s",
                limit: 20,
                binds: "asked for; real time, so it does not repeat to the digit",
            },
        ]
    })
    const heaps = [...session.simulation.boards.values()].map(board => board.heap()!.liveBytesHigh / 1024)
    await session.bus.close()
    return [
        ...figures,
        {
            name: "heap-high-water",
            value: Math.max(...heaps),
            unit: "KB",
            limit: heapKB,
            binds: "the runtime's heap on an RP2040",
        },
    ]
}

function rate(name: string, value: number, limit: number, binds: string): Figure {
    return { name, value, unit: "kB/s", limit, binds }
}

/** What the runtime's heap holds at most does not depend on how many files there are. */
async function heap({ seed, cpu }: BenchOptions): Promise<Figure[]> {
    const session = new SimSession({ seed, cpu })
    const { client, random, simulation } = session
    const figures = await session.run(async () => {
        await session.healthy()
        const figures: Figure[] = []
        let count = 0
        for (const files of heapFiles) {
            for (; count < files; count++)
                await client.put(0, `file${count}`, source(random.bytes(heapFileBytes)), { mtime })
            const bytes = Math.max(...[...simulation.boards.values()].map(board => board.heap()!.liveBytesHigh))
            const binds = "the runtime's heap on an RP2040"
            figures.push({ name: `heap-at-${files}-files`, value: bytes / 1024, unit: "KB", limit: heapKB, binds })
        }
        await client.close()
        return figures
    })
    await session.bus.close()
    return figures
}
