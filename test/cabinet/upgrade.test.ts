// New firmware for a pair that goes on serving: over the bus, to the node that serves nothing, by the runtime's own manager.

import assert from "node:assert/strict"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { commandsFrame, eachPacket, type Packet } from "../../tools/bridge/bus/jacdac-frame"
import { beatFlags } from "../../tools/bridge/protocol/numbers"
import { buildProgram, firmwareSources } from "../../tools/sim/bytecode"
import { imageSha256 } from "../../tools/bridge/bus/manager"
import { roles, source } from "../../tools/sim/session"
import { nextImage, nextVersion, UpgradeBench } from "./upgrade-bench"

/** Jacdac, DeviceScript manager; with 4 bytes of data, which no command of a node's has. */
const deployCommand = 0x80

interface Told {
    outputVersion: number
    ok: boolean
    ms: number
    nodes: { node: string; before: string | null; after: string; sha256: string; changed: boolean; deployMs: number }[]
}

function lastLine(out: string): Told {
    return JSON.parse(out.trim().split("\n").at(-1)!) as Told
}

async function withPair(
    seed: number,
    work: (bench: UpgradeBench) => Promise<void>,
    options: { chip?: string; panics?: boolean | "perhaps" } = {},
): Promise<void> {
    const { chip, panics } = options
    const bench = new UpgradeBench(chip === undefined ? { seed } : { seed, chip })
    try {
        await bench.session.run(async () => {
            await bench.session.healthy()
            await work(bench)
        })
        if (panics !== "perhaps") assert.equal(bench.session.simulation.panics.length > 0, panics ?? false)
    } finally {
        await bench.close()
    }
}

/** Both nodes run this image, and serve and record again. */
async function runsEverywhere(bench: UpgradeBench, image: Uint8Array, version: string): Promise<void> {
    const { session } = bench
    await session.healthy()
    for (const node of [0, 1]) assert.equal((await session.client.nodeFigures(node)).firmware, version)
    const { out } = await bench.command(["version", "--json"])
    const { nodes } = JSON.parse(out) as { nodes: { sha256: string }[] }
    assert.deepEqual(
        nodes.map(({ sha256 }) => sha256),
        [0, 1].map(() => imageSha256(image)),
    )
}

describe("upgrade", function () {
    this.timeout(120_000)

    it("both nodes, under load: nothing is lost, no operation fails, the versions are told [R34 R14]", () =>
        withPair(71, async bench => {
            const path = bench.file("next.devs", nextImage())
            bench.work()
            await bench.session.sleep(500)
            const { exitCode, out, err } = await bench.command(["upgrade", "--firmware", path, "--json"])
            assert.equal(exitCode, 0, err)
            await bench.session.sleep(500)
            await bench.rest()
            await bench.verify()
            const told = lastLine(out)
            assert.equal(told.outputVersion, 1)
            assert.deepEqual(
                told.nodes.map(({ node, before, after, changed }) => [node, before, after, changed]),
                [
                    ["b", "0.1.0", nextVersion, true],
                    ["a", "0.1.0", nextVersion, true],
                ],
            )
            await runsEverywhere(bench, nextImage(), nextVersion)
            console.log(
                `    ${bench.operations} operations, the longest stall ${Math.round(bench.longestStallMs)} ms; upgrade ${told.ms} ms, of it bytes ${told.nodes.map(({ deployMs }) => deployMs).join(" and ")} ms`,
            )
            const again = await bench.command(["upgrade", "--firmware", path, "--json"])
            assert.equal(again.exitCode, 0)
            assert.ok(lastLine(again.out).nodes.every(({ changed }) => !changed))
        }))

    it("a pair with SD cards gets the image for cards, built from the sources when none is given [R34 R17]", () =>
        withPair(
            79,
            async bench => {
                const path = bench.file("next.devs", nextImage("sd"))
                assert.equal((await bench.command(["upgrade", "--firmware", path])).exitCode, 0)
                await runsEverywhere(bench, nextImage("sd"), nextVersion)
                const { exitCode, err } = await bench.command(["upgrade"])
                assert.equal(exitCode, 0, err)
                await runsEverywhere(bench, buildProgram(firmwareSources("sd")), "0.1.0")
            },
            { chip: "sd-tiny" },
        ))

    it("--dry-run says what would be done and touches nothing; an upgrade while a node is off is refused [R34]", () =>
        withPair(72, async bench => {
            const path = bench.file("next.devs", nextImage())
            const { exitCode, out } = await bench.command(["upgrade", "--firmware", path, "--dry-run"])
            assert.equal(exitCode, 0)
            assert.equal(
                out,
                `node b would get firmware ${nextVersion} instead of 0.1.0\nnode a would get firmware ${nextVersion} instead of 0.1.0\n`,
            )
            await untouched(bench)
            bench.session.power("b", false)
            await bench.session.until("a serves both", () => bench.session.roleOf(0) === roles.takenOver)
            const refused = await bench.command(["upgrade", "--firmware", path])
            assert.equal(refused.exitCode, 5)
            assert.match(refused.err, /node b is silent/)
        }))

    it("what is no image of ours, or for other boards, is refused before anything is touched [R34 R33]", () =>
        withPair(73, async bench => {
            const image = Buffer.from(nextImage())
            const patched = (from: string, to: string) => {
                const bytes = Buffer.from(image)
                const at = bytes.indexOf(from)
                assert.ok(at > 0, from)
                bytes.write(to, at, "latin1")
                return bytes
            }
            const damaged = Buffer.from(image)
            // the descriptor of the first function says that its code begins elsewhere
            damaged.writeUInt32LE(0xffff_fff0, damaged.readUInt32LE(32))
            const other = buildProgram({ ...firmwareSources(), name: "other" })
            const cases: [string, Uint8Array, RegExp][] = [
                ["text", Buffer.from("x".repeat(500)), /no DeviceScript image/],
                ["empty", Buffer.alloc(0), /no DeviceScript image/],
                ["half", image.subarray(0, image.length / 2), /cut off/],
                ["other", other, /another program, other/],
                ["plain", patched("+protocol.", "-protocol."), /does not say which protocol/],
                ["sd", nextImage("sd"), /is for boards with SD cards; node \w has SPI-NOR chips/],
                ["protocol", patched("protocol.1", "protocol.2"), /speaks version 2 of the protocol/],
                ["format", patched("format.2", "format.3"), /volumes of format 3; those of node \w have format 2/],
                ["large", Buffer.concat([image, Buffer.alloc(50_000)]), /more than a board holds/],
                ["damaged", damaged, /no board would run it/],
            ]
            for (const [name, bytes, words] of cases) {
                const { exitCode, err } = await bench.command(["upgrade", "--firmware", bench.file(name, bytes)])
                assert.equal(exitCode, 1, `${name}: ${err}`)
                assert.match(err, words, `${name}: ${err}`)
            }
            assert.equal((await bench.command(["upgrade", "--firmware", "/nowhere/image"])).exitCode, 2)
            await untouched(bench)
        }))

    it("power stays off in mid-upgrade: the command says how the pair stands, and a later one finishes the work [R34]", () =>
        withPair(75, async bench => {
            const { session } = bench
            const path = bench.file("next.devs", nextImage())
            bench.work()
            const first = await bench.command(["upgrade", "--firmware", path], note => {
                if (/b gets its program/.test(note)) void session.sleep(1_500).then(() => session.power("b", false))
            })
            assert.equal(first.exitCode, 5, first.err)
            assert.match(first.err, /node b has no whole program now, and its partner serves both volumes/)
            assert.equal(session.roleOf(0), roles.takenOver)
            session.power("b", true)
            await session.sleep(5_000)
            assert.equal(session.roleOf(1), undefined, "b has no program")
            const { out } = await bench.command(["version"])
            assert.match(out, /node b: .*none/)
            const second = await bench.command(["upgrade", "--firmware", path])
            assert.equal(second.exitCode, 0, second.err)
            await bench.rest()
            await bench.verify()
            await runsEverywhere(bench, nextImage(), nextVersion)
        }))

    it("Ctrl-C in mid-upgrade: exit code 130, the partner serves, a later upgrade finishes the work [R34]", () =>
        withPair(76, async bench => {
            const { session } = bench
            const path = bench.file("next.devs", nextImage())
            const stop = new AbortController()
            bench.work()
            const interrupt = (note: string) => {
                if (/b gets its program/.test(note)) void session.sleep(1_500).then(() => stop.abort())
            }
            assert.equal((await bench.command(["upgrade", "--firmware", path], interrupt, stop)).exitCode, 130)
            assert.equal(session.roleOf(0), roles.takenOver)
            assert.equal((await bench.command(["upgrade", "--firmware", path])).exitCode, 0)
            await bench.rest()
            await bench.verify()
            await runsEverywhere(bench, nextImage(), nextVersion)
        }))

    it("firmware that does not start: the second node keeps the old one and serves, another upgrade heals the first [R34]", () =>
        withPair(
            80,
            async bench => {
                const { session } = bench
                bench.work()
                const bad = bench.file("bad.devs", panickingImage())
                const first = await bench.command(["upgrade", "--firmware", bad])
                assert.equal(first.exitCode, 1, first.err)
                assert.match(first.err, /node b does not start with firmware 0.1.2/)
                assert.match(first.err, /its partner serves both volumes and keeps its own firmware/)
                assert.doesNotMatch(first.err, /node a gets its program/)
                assert.equal(session.roleOf(0), roles.takenOver)
                const good = bench.file("next.devs", nextImage())
                const second = await bench.command(["upgrade", "--firmware", good])
                assert.equal(second.exitCode, 0, second.err)
                await bench.rest()
                await bench.verify()
                await runsEverywhere(bench, nextImage(), nextVersion)
            },
            { panics: true },
        ))

    it("a piece is damaged and its CRC is right all the same: no such program ever starts [R34 R24]", () =>
        withPair(81, async bench => {
            const path = bench.file("next.devs", nextImage())
            let damaged = 0
            let pieces = 0
            bench.onWay = frame => {
                // a frame with a piece is the longest there is; the first deploy has one damaged, in the middle
                if (frame.length < 200 || ++pieces !== 100) return frame
                damaged++
                const packets: Packet[] = []
                eachPacket(
                    frame,
                    (serviceIndex, code, data) => void packets.push({ serviceIndex, code, data: Buffer.from(data) }),
                )
                packets[1].data[50] ^= 0x10
                return commandsFrame(frame.subarray(4, 12), packets)
            }
            bench.work()
            const { exitCode, err } = await bench.command(["upgrade", "--firmware", path])
            assert.equal(exitCode, 0, err)
            assert.equal(damaged, 1)
            assert.ok(pieces > 3 * 300, `${pieces} pieces: node b got its program twice`)
            await bench.rest()
            await bench.verify()
            await runsEverywhere(bench, nextImage(), nextVersion)
            // its first start, and those of the takeovers' resets
            assert.ok(bench.starts("b").every(version => ["0.1.0", nextVersion].includes(version)))
            assert.equal(bench.starts("b").filter(version => version === nextVersion).length, 1)
        }))

    for (const [seed, share, lossP] of [
        [77, "twenty", 0.05],
        [78, "seven", 0.15],
    ] as const)
        it(`a bus that loses a frame in ${share}: the program arrives whole all the same [R34 R6]`, () =>
            withPair(seed, async bench => {
                const path = bench.file("next.devs", nextImage())
                bench.session.simulation.wire.fault.lossP = lossP
                bench.work()
                const { exitCode, err } = await bench.command(["upgrade", "--firmware", path])
                bench.session.simulation.wire.fault.lossP = 0
                assert.equal(exitCode, 0, err)
                await bench.rest()
                await bench.verify()
                await runsEverywhere(bench, nextImage(), nextVersion)
            }))

    it("what begins a program is lost five times in a row: it is sent again, and takes no try from what comes after it [R34]", () =>
        withPair(79, async bench => {
            let lost = 0
            bench.onWay = frame => {
                const packets: Packet[] = []
                let isBegin = false
                eachPacket(frame, (serviceIndex, code, data) => {
                    packets.push({ serviceIndex, code, data: Buffer.from(data) })
                    isBegin ||= code === deployCommand && data.length === 4
                })
                if (!isBegin || lost === 5) return frame
                lost++
                // to nobody
                return commandsFrame(Buffer.alloc(8), packets)
            }
            const path = bench.file("next.devs", nextImage())
            const { exitCode, err } = await bench.command(["upgrade", "--firmware", path])
            assert.equal(exitCode, 0, err)
            assert.equal(lost, 5)
            await runsEverywhere(bench, nextImage(), nextVersion)
        }))

    for (const [i, laterMs] of [0, 700, 2_000].entries())
        it(`two upgrades from two hosts, ${laterMs} ms apart: no operation fails; who is disturbed says how the pair stands, and a later one finishes [R34 R9]`, () =>
            withPair(
                82 + i,
                async bench => {
                    const path = bench.file("next.devs", nextImage())
                    bench.work()
                    const ends = await Promise.all(
                        ["one", "two"].map(async (host, index) => {
                            await bench.session.sleep(index * laterMs)
                            return bench.commandAt(host, ["upgrade", "--firmware", path])
                        }),
                    )
                    for (const { exitCode, err } of ends) if (exitCode !== 0) assert.match(err, /node [ab] /)
                    const last = await bench.command(["upgrade", "--firmware", path])
                    assert.equal(last.exitCode, 0, last.err)
                    await bench.rest()
                    await bench.verify()
                    await runsEverywhere(bench, nextImage(), nextVersion)
                },
                // rarely, one host stops what the other has just started
                { panics: "perhaps" },
            ))

    it("a pair in active/standby: it is so again after the upgrade [R34 R10]", () =>
        withPair(85, async bench => {
            const { session } = bench
            const path = bench.file("next.devs", nextImage())
            await session.client.mode(1, "active-standby")
            bench.work()
            const { exitCode, err } = await bench.command(["upgrade", "--firmware", path])
            assert.equal(exitCode, 0, err)
            await session.sleep(15_000)
            assert.deepEqual([session.roleOf(0), session.roleOf(1)], [roles.waiting, roles.takenOver])
            await bench.rest()
            await bench.verify()
            await session.client.mode(1, "active-active")
            await runsEverywhere(bench, nextImage(), nextVersion)
        }))

    const stops: [string, RegExp, number, RegExp][] = [
        ["the first node's bytes", /a gets its program/, 1_500, /active\/standby, by node b as before/],
        ["the first giveback", /hands volume a back/, 10, /active\/standby, by node b as before/],
        ["the second takeover", /takes volume b over/, 10, /active\/standby, by node [ab] /],
        ["the second node's bytes", /b gets its program/, 1_500, /active\/standby, by node a now; .*mode b/],
        ["the second giveback", /hands volume b back/, 10, /active\/standby, by node b as before/],
    ]
    for (const [i, [name, when, afterMs, words]] of stops.entries())
        it(`a pair in active/standby, Ctrl-C during ${name}: it is so when the command ends, and after the next upgrade [R34 R10]`, () =>
            withPair(90 + i, async bench => {
                const { session } = bench
                const path = bench.file("next.devs", nextImage())
                const isStandby = () => session.client.nodes().some(({ mode, role }) => mode === 1 && role === 4)
                await session.client.mode(1, "active-standby")
                await session.sleep(1_000)
                const stop = new AbortController()
                let isStopped = false
                bench.work()
                const { exitCode, err } = await bench.command(
                    ["upgrade", "--firmware", path],
                    note => {
                        if (isStopped || !when.test(note)) return
                        isStopped = true
                        void session.sleep(afterMs).then(() => {
                            // a host that is lost here leaves the mode in the beats
                            if (name.includes("bytes")) assert.ok(isStandby(), "while the bytes are sent")
                            stop.abort()
                        })
                    },
                    stop,
                )
                assert.equal(exitCode, 130, err)
                assert.match(err, words)
                await session.sleep(1_000)
                assert.ok(isStandby())
                const again = await bench.command(["upgrade", "--firmware", path])
                assert.equal(again.exitCode, 0, again.err)
                assert.match(again.err, /are active\/standby: node b serves both volumes/)
                await session.sleep(15_000)
                assert.deepEqual([session.roleOf(0), session.roleOf(1)], [roles.waiting, roles.takenOver])
                assert.ok(isStandby())
                await bench.rest()
                await bench.verify()
                await session.client.mode(1, "active-active")
                await runsEverywhere(bench, nextImage(), nextVersion)
            }))

    const ends: [string, RegExp, number][] = [
        ["the first takeover", /takes volume b over/, 10],
        ["the first takeover's mount", /takes volume b over/, 120],
        ["the first node's program, before it is erased", /b gets its program/, 0],
        ["the first giveback", /hands volume b back/, 10],
        ["the second takeover", /takes volume a over/, 10],
    ]
    for (const [i, [name, when, afterMs]] of ends.entries())
        it(`Ctrl-C during ${name}: it ends soon, each node serves its own volume, and a later upgrade finishes the work [R34 R15]`, () =>
            withPair(100 + i, async bench => {
                const { session } = bench
                const path = bench.file("next.devs", nextImage())
                const stop = new AbortController()
                let stopMs: number | undefined
                bench.work()
                const interrupt = (note: string) => {
                    if (stopMs !== undefined || !when.test(note)) return
                    stopMs = session.nowMs() + afterMs
                    if (afterMs) void session.sleep(afterMs).then(() => stop.abort())
                    else stop.abort()
                }
                const { exitCode, err } = await bench.command(["upgrade", "--firmware", path], interrupt, stop)
                assert.equal(exitCode, 130)
                assert.ok(session.nowMs() - stopMs! < 3_000, `${session.nowMs() - stopMs!} ms after the stop`)
                assert.match(
                    err,
                    /stopped; each node serves its own volume; `twinfiler upgrade` again finishes the work\n$/,
                )
                assert.deepEqual([session.roleOf(0), session.roleOf(1)], [roles.active, roles.active])
                assert.equal((await bench.command(["upgrade", "--firmware", path])).exitCode, 0)
                await bench.rest()
                await bench.verify()
                await runsEverywhere(bench, nextImage(), nextVersion)
            }))

    it("Ctrl-C before the first node's program is erased, while its board starts anew: it is not said to have no program, and both serve [R34 R15]", () =>
        withPair(110, async bench => {
            const { session } = bench
            const path = bench.file("next.devs", nextImage())
            const stop = new AbortController()
            const interrupt = (note: string) => {
                if (stop.signal.aborted || !/b gets its program/.test(note)) return
                session.power("b", false)
                session.power("b", true)
                stop.abort()
            }
            const { exitCode, err } = await bench.command(["upgrade", "--firmware", path], interrupt, stop)
            assert.equal(exitCode, 130)
            assert.match(
                err,
                /stopped; each node serves its own volume; `twinfiler upgrade` again finishes the work\n$/,
            )
            assert.equal((await bench.command(["upgrade", "--firmware", path])).exitCode, 0)
            await runsEverywhere(bench, nextImage(), nextVersion)
        }))

    it("power stays off in the takeover, and Ctrl-C in it or in what waits for the board: it ends soon and says who serves both volumes [R34 R15]", async () => {
        const both =
            /takeover a: stopped; node a serves both volumes and keeps them until `twinfiler giveback a`; `twinfiler upgrade` again/
        const keeps =
            /: stopped; node b keeps its program, and its partner serves both volumes: `twinfiler upgrade` again/
        for (const [afterMs, isBusy, words] of [
            [100, false, both],
            [10_000, true, keeps],
        ] as const)
            await withPair(110, async bench => {
                const { session } = bench
                const path = bench.file("next.devs", nextImage())
                const stop = new AbortController()
                let stopMs = 0
                // the mount takes longer than a silent board counts as there
                session.simulation.cabinet.element("b:1").faults.staysBusy = isBusy
                const { exitCode, err } = await bench.command(
                    ["upgrade", "--firmware", path],
                    note => {
                        if (!/takes volume b over/.test(note)) return
                        stopMs = session.nowMs() + afterMs
                        void session.sleep(50).then(() => session.power("b", false))
                        void session.sleep(afterMs).then(() => stop.abort())
                    },
                    stop,
                )
                assert.equal(exitCode, 130, err)
                assert.match(err, words)
                assert.ok(session.nowMs() - stopMs < 8_000, `${session.nowMs() - stopMs} ms after the stop`)
                session.simulation.cabinet.element("b:1").faults.staysBusy = false
                session.power("b", true)
                await session.until("b waits", () => session.roleOf(1) === roles.waiting)
                assert.equal((await bench.command(["upgrade", "--firmware", path])).exitCode, 0)
                await runsEverywhere(bench, nextImage(), nextVersion)
            })
    })

    it("an upgrade that finds one between two nodes was stopped, and no mode in the beats: it says how to set that again [R34 R10]", () =>
        withPair(96, async bench => {
            const { session } = bench
            const path = bench.file("next.devs", nextImage())
            const stop = new AbortController()
            const interrupt = (note: string) => {
                if (/a gets its program/.test(note)) void session.sleep(1_500).then(() => stop.abort())
            }
            const first = await bench.command(["upgrade", "--firmware", path], interrupt, stop)
            assert.equal(first.exitCode, 130)
            assert.doesNotMatch(first.err, /standby/)
            const second = await bench.command(["upgrade", "--firmware", path])
            assert.equal(second.exitCode, 0, second.err)
            assert.match(second.err, /are active\/active\. If they were .* `twinfiler mode NODE active-standby`/)
            const third = await bench.command(["upgrade", "--firmware", path])
            assert.doesNotMatch(third.err, /standby/)
            await runsEverywhere(bench, nextImage(), nextVersion)
        }))

    it("nodes of two protocol versions keep no copies for each other, and neither resets the other [R34 R31]", () =>
        withPair(78, async bench => {
            const { session } = bench
            session.simulation.board("b").flashProgram(otherProtocolImage())
            await session.until("a has both", () => session.roleOf(0) === roles.takenOver)
            await session.sleep(70_000)
            const [a] = session.client.nodes()
            assert.ok(a.uptimeMs > 70_000, "nobody has reset a")
            assert.equal(a.flags & beatFlags.partnerHeard, beatFlags.partnerHeard)
            assert.equal(a.flags & (beatFlags.protected | beatFlags.partnerFault), 0)
            await assert.rejects(session.client.giveback(0), /the partner is not waiting/)
            const { starts } = session.simulation.board("b").counters()
            assert.ok(starts <= 3, `b has started ${starts} times`)
            await session.client.put(1, "f", source(Buffer.alloc(10)), { mtime: 1_700_000_000 })
        }))

    const seeds = process.env.FULL === "1" ? 300 : 5
    it(`${seeds} upgrades with power cuts anywhere: the last one ends with both nodes on the new firmware [R34 R22]`, async function () {
        this.timeout(60_000 * (1 + seeds / 10))
        for (let seed = 1; seed <= seeds; seed++)
            await withPair(7_900 + seed, async bench => {
                const { session } = bench
                const path = bench.file("next.devs", nextImage())
                bench.work()
                // each at its own time: both at once, one after the other, again while the first comes up
                const cuts = Array.from({ length: 1 + session.random.int(3) }, async () => {
                    const node = session.random.chance(0.5) ? "a" : "b"
                    const offMs = 100 + session.random.int(4_000)
                    await session.sleep(session.random.int(12_000))
                    await bench.cut(node, offMs)
                })
                const first = await bench.command(["upgrade", "--firmware", path])
                await Promise.all(cuts)
                const volumes = [0, 1]
                const isServed = () => volumes.every(volume => session.client.controllerOf(volume) !== undefined)
                await session.until("both volumes are served", isServed, 30_000)
                const second = await bench.command(["upgrade", "--firmware", path])
                assert.equal(second.exitCode, 0, `seed ${seed}: first: ${first.err}, second: ${second.err}`)
                await bench.rest()
                await bench.verify()
                await runsEverywhere(bench, nextImage(), nextVersion)
            }).catch((error: unknown) => {
                throw new Error(`seed ${seed}`, { cause: error })
            })
    })

    const steps: [string, RegExp, number][] = [
        ["takeover", /takes volume b over/, 50],
        ["erase", /b gets its program/, 300],
        ["bytes", /b gets its program/, 1_500],
        ["last bytes", /b gets its program/, 2_450],
        ["start", /b starts/, 100],
        ["giveback", /hands volume b back/, 10],
        ["the second node's bytes", /a gets its program/, 1_500],
        ["the second node's giveback", /hands volume a back/, 10],
    ]
    for (const [name, when, afterMs] of steps)
        for (const who of ["the idle node", "the serving node", "both"])
            it(`cut during ${name}, power of ${who}: clients wait, and the upgrade goes on [R34 R9]`, () =>
                withPair(74, async bench => {
                    const { session } = bench
                    const path = bench.file("next.devs", nextImage())
                    const isSecond = String(when).includes("a gets") || String(when).includes("volume a")
                    const [idle, serving] = isSecond ? ["a", "b"] : ["b", "a"]
                    let cuts: Promise<unknown> | undefined
                    bench.work()
                    const first = await bench.command(["upgrade", "--firmware", path], note => {
                        if (cuts || !when.test(note)) return
                        const nodes = who === "both" ? [idle, serving] : who === "the idle node" ? [idle] : [serving]
                        cuts = session
                            .sleep(afterMs)
                            .then(() => Promise.all(nodes.map((node, index) => bench.cut(node, 1_500 + 700 * index))))
                    })
                    assert.ok(cuts, "the step was not reached")
                    assert.equal(first.exitCode, 0, first.err)
                    await cuts
                    await bench.rest()
                    await bench.verify()
                    await runsEverywhere(bench, nextImage(), nextVersion)
                }))
})

/** A program that every check before its start finds good. */
function panickingImage(): Uint8Array {
    const root = mkdtempSync(join(tmpdir(), "twinfiler-"))
    try {
        mkdirSync(join(root, "src"))
        writeFileSync(join(root, "src", "main.ts"), 'throw new Error("this program is of no use")\n')
        const { name, version } = firmwareSources("nor", "0.1.2")
        return buildProgram({ root, entry: "src/main.ts", inputs: ["src"], name, version })
    } finally {
        rmSync(root, { recursive: true, force: true })
    }
}

/** The firmware as it would be if it spoke version 2 of the protocol. */
function otherProtocolImage(): Uint8Array {
    const root = mkdtempSync(join(tmpdir(), "twinfiler-"))
    try {
        const sources = firmwareSources("nor", "0.2.0")
        for (const input of sources.inputs)
            if (existsSync(join(sources.root, input)))
                cpSync(join(sources.root, input), join(root, input), { recursive: true })
        const path = join(root, "src", "config.ts")
        const text = readFileSync(path, "utf8")
        const changed = text.replace("protocolVersion = 1", "protocolVersion = 2")
        assert.notEqual(changed, text)
        writeFileSync(path, changed)
        return buildProgram({ ...sources, root })
    } finally {
        rmSync(root, { recursive: true, force: true })
    }
}

/** Both nodes run what they did, and none has taken over. */
async function untouched(bench: UpgradeBench): Promise<void> {
    const { client } = bench.session
    for (const node of [0, 1]) {
        const { takeovers, firmware } = await client.nodeFigures(node)
        assert.deepEqual([takeovers, firmware], [0, "0.1.0"])
    }
    await runsEverywhere(bench, buildProgram(), "0.1.0")
}
