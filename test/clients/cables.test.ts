// Boards' USB cables, pulled and put back at odd moments, end to end: the command's bytes go by pseudo-terminals in the serial framing, two of them to
// one bus, to a simulated cabinet with the firmware that is flashed.

import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connectBus, realClock, realRandom, type JacdacBus } from "../../tools/bridge/bus"
import { tcpLink } from "../../tools/bridge/bus/sockets"
import type { Link } from "../../tools/bridge/bus/transport"
import { TwinfilerClient } from "../../tools/bridge/client"
import { Random } from "../../tools/sim/random"
import { stream } from "../bridge/bench"
import { UsbBoard } from "../bridge/usb-stand-in"
import { CabinetProcess } from "./cabinet-process"

const seed = 5
const files = 12
const fileBytes = 9_000
const mtime = 1_700_000_000
const pullMsMax = 400
const outMsMax = 500

describe("cables", function () {
    this.timeout(240_000)
    let folder: string
    let cabinet: CabinetProcess
    let boards: UsbBoard[]
    let links: Link[]
    let bus: JacdacBus

    before(async () => {
        folder = mkdtempSync(join(tmpdir(), "twinfiler-cables-"))
        cabinet = await CabinetProcess.start()
        const { hostname, port } = new URL(cabinet.tcpUrl)
        links = []
        boards = [0, 1].map(i => new UsbBoard(join(folder, `tty-${i}`), frame => links[i].send(frame)))
        // what one board brings to the bus the other passes on to its own cable, as boards do
        for (const board of boards)
            links.push(
                await tcpLink(
                    hostname,
                    Number(port),
                )({ onFrame: frame => board.pass(Buffer.from(frame)), onClose: () => undefined }),
            )
        for (const board of boards) board.plug()
        bus = await connectBus(`serial:${boards.map(({ path }) => path).join(",")}`)
    })

    after(async () => {
        await bus?.close()
        for (const board of boards) board.pull()
        for (const link of links) link.close()
        await cabinet?.close()
        rmSync(folder, { recursive: true, force: true })
    })

    it(`files and folders are made once each while cables come and go, both out at times, seed ${seed} [R18 R21 R22]`, async () => {
        const random = new Random(`cables ${seed}`)
        const client = new TwinfilerClient(bus, { clock: realClock, random: realRandom })
        await client.ready()
        let isOver = false
        let pulls = 0
        const pulling = (async () => {
            while (!isOver) {
                const [first, second] = random.chance(0.5) ? boards : [...boards].reverse()
                const isBoth = random.chance(0.3)
                await realClockSleep(random.int(pullMsMax))
                first.pull()
                if (isBoth) second.pull()
                pulls++
                await realClockSleep(random.int(outMsMax))
                first.plug()
                if (isBoth) second.plug()
            }
        })()
        try {
            for (let i = 0; i < files; i++) {
                const data = Buffer.from(random.bytes(fileBytes))
                await client.mkdir(i & 1, `folder ${i}`, { mtime }) // a second one would be told as `exists`
                await client.put(i & 1, `file ${i}`, stream(data), { mtime })
                const pieces: Uint8Array[] = []
                for await (const piece of client.get(i & 1, `file ${i}`)) pieces.push(piece)
                assert.equal(sha256(Buffer.concat(pieces)), sha256(data), `file ${i}`)
            }
        } finally {
            isOver = true
            await pulling
        }
        assert.ok(pulls > 10, `${pulls} pulls`)
        for (const volume of [0, 1]) {
            const names: string[] = []
            for await (const { name } of client.list(volume, "")) names.push(name)
            assert.equal(names.length, files, names.join())
        }
        assert.ok(boards.every(({ badFrames }) => badFrames === 0))
        await client.close()
    })
})

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
const realClockSleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
