// A run for comparing processes: prints the trace's hash and the counters of both boards.

import { pathToFileURL } from "node:url"
import { frame, Host, ms, serverId, startedNs, World } from "./bench-rig"

/** Two nodes that a host sends `frames` packets, with work for each packet. */
export function loadedPair(seed: number, frames: number, loops = 20): World {
    const world = new World(seed)
    const [a, b] = [world.add("a", "echo.ts"), world.add("b", "echo.ts")]
    const host = new Host(world.wire)
    world.queue.runUntil(startedNs)
    const payloads = world.random.fork("payloads")
    for (let i = 0; i < frames; i++) {
        const payload = payloads.bytes(200)
        payload[0] = loops
        host.port.send(frame(serverId(i % 2 ? a : b), 1, 0x80, payload))
    }
    world.queue.runUntil(startedNs + frames * 3 * ms + 500 * ms)
    return world
}

export function summary(world: World) {
    return {
        hash: world.trace.hash(),
        entries: world.trace.entries,
        counters: world.boards.map(b => b.counters()),
        histograms: world.boards.map(b => [...b.histogram()]),
        heaps: world.boards.map(b => b.heap()),
    }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
    console.log(JSON.stringify(summary(loadedPair(Number(process.argv[2]), Number(process.argv[3])))))
