// What a mount makes of the log's tail while it reads wrong for a moment: bytes that a host was told are durable are behind the last root, in rows
// that were ended early, in a row that a cut left weak, or in one that is appended again just then.
//
// Promise: such a mount is refused or has all of them, and goes back to no older root; nor does it wait without end for what is not there.

import assert from "node:assert/strict"
import { deadIn } from "../../src/array/array"
import { commitNumber } from "../../src/store/log"
import { uploadOf } from "../../src/store/volume"
import { fresh, remount } from "../support/array-work"
import { smallPart, StoreBench } from "../support/store-bench"
import { StoreHost } from "../support/store-host"

const isFull = process.env.FULL === "1"
const instants = isFull ? 200 : 30
const pageBytes = 256
const opRead = 0x03

/** What comes instead of what is read. */
const lines: Record<string, (byte: number) => number> = {
    ones: () => 0xff,
    zeros: () => 0,
    "wrong bits": byte => byte ^ 0x41,
}

/** All elements read wrong for `ms` from the transfer `glitch.at` on, counted from when `at` is set; Infinity = not at all. */
function glitching(bench: StoreBench): { at: number; ms: number; line: (byte: number) => number; transfers: number } {
    const glitch = { at: Infinity, ms: 0, line: lines.ones, transfers: 0 }
    const exchange = bench.exchange.bind(bench)
    let untilNs = 0
    bench.hasBroken = true
    bench.exchange = async (tx, rx) => {
        if (glitch.transfers++ === glitch.at) untilNs = bench.nowNs + glitch.ms * 1e6
        const isBad = bench.nowNs < untilNs && tx[0] === opRead
        await exchange(tx, rx)
        if (isBad) for (let i = 4; i < rx.length; i++) rx[i] = glitch.line(rx[i])
    }
    return glitch
}

async function mountOf(bench: StoreBench, images: ReturnType<StoreBench["snapshot"]>): Promise<boolean> {
    bench.load(images)
    bench.cutPowerNow()
    bench.powerUp()
    return bench.mount().catch(() => false)
}

/** One element did not take its part of a row, as a cut leaves it: with parity, the sum. */
function lackRow(bench: StoreBench, row: number): void {
    const images = bench.snapshot()
    const { elements } = bench.volume.array
    const sector = images[elements === 2 ? 1 : row % elements][row >> 4]
    assert.ok(sector)
    sector.fill(0xff, (row & 15) * pageBytes, ((row & 15) + 1) * pageBytes)
    bench.load(images)
}

function lastRow(bench: StoreBench): number {
    const { segment, next, array } = bench.volume.log
    return Math.floor((segment * array.segmentPages + next - 1) / array.rowPages)
}

/** An array with an open upload, of which some is in the tree and some behind the root. */
async function withUpload(elements: number, seed: string): Promise<{ host: StoreHost; object: number }> {
    const host = await fresh(elements, seed)
    host.bench.isIdleAfterMount = () => false
    const object = await host.create()
    await host.write(object, Buffer.alloc(500, 1))
    await host.bench.volume.commit()
    return { host, object }
}

function durable(bench: StoreBench, object: number): number {
    return uploadOf(bench.volume, object)?.durable ?? -1
}

for (const elements of [2, 3, 5])
    describe(`store: tails that read wrong, ${elements === 2 ? "mirror" : `parity of ${elements}`}`, function () {
        this.timeout(isFull ? 600_000 : 120_000)

        for (const hasWeak of [false, true])
            for (const [name, line] of Object.entries(lines))
                it(`all elements read ${name} for a moment, ${hasWeak ? "and a row was appended again" : "rows were ended early"}: refused, or nothing lost [R24] [R29]`, async () => {
                    const { host, object } = await withUpload(elements, `tail ${name}`)
                    const { bench } = host
                    for (let i = 0; i < 4; i++) await host.write(object, Buffer.alloc(236, 2))
                    if (hasWeak) {
                        // a mount appends it again, and more comes behind that
                        lackRow(bench, lastRow(bench))
                        assert.equal(await remount(host), true)
                    }
                    for (let i = 0; i < 3; i++) {
                        await host.write(object, Buffer.alloc(700, 3))
                        await host.write(object, Buffer.alloc(50, 4))
                    }
                    const acknowledged = host.uploads.get(object)!.acknowledged
                    const images = bench.snapshot()
                    const glitch = glitching(bench)
                    assert.equal(await mountOf(bench, images), true)
                    assert.equal(durable(bench, object), acknowledged)
                    const { transfers } = glitch
                    let served = 0
                    for (const ms of [0.3, 3, 45])
                        for (let at = 0; at < transfers; at += Math.max(1, Math.ceil(transfers / instants))) {
                            Object.assign(glitch, { at, ms, line, transfers: 0 })
                            const told = `${ms} ms at transfer ${at} of ${transfers}`
                            if (await mountOf(bench, images)) {
                                served++
                                assert.equal(durable(bench, object), acknowledged, told)
                            }
                            glitch.at = Infinity
                            assert.equal(await remount(host), true, `${told}, and once more`)
                            assert.equal(durable(bench, object), acknowledged, `${told}, and once more`)
                        }
                    assert.ok(served > instants, `${served} mounts were served`)
                })

        it("rows that mounts left alone have been waited for, and then a glitch comes while a row is appended again: refused, or nothing lost [R24] [R29]", async () => {
            // so large that no commit comes between
            const bench = new StoreBench(smallPart(20), 64, "left alone", elements)
            assert.equal(await bench.mount(), true)
            bench.isIdleAfterMount = () => false
            const host = new StoreHost(bench)
            await host.hello()
            const object = await host.create()
            await host.write(object, Buffer.alloc(500, 1))
            await bench.volume.commit()
            for (let mounts = 0; mounts < 7; mounts++) {
                await host.write(object, Buffer.alloc(236, 2))
                assert.equal(await remount(host), true)
            }
            await host.write(object, Buffer.alloc(236, 3))
            lackRow(bench, lastRow(bench))
            assert.equal(await remount(host), true)
            for (let i = 0; i < 2; i++) await host.write(object, Buffer.alloc(236, 4))
            const acknowledged = host.uploads.get(object)!.acknowledged
            const images = bench.snapshot()
            const glitch = glitching(bench)
            let isControl = false
            bench.onControl = () => {
                isControl = true
                glitch.transfers = 0
            }
            assert.equal(await mountOf(bench, images), true)
            assert.ok(isControl)
            const { transfers } = glitch
            for (let at = 0; at < transfers; at += Math.max(1, Math.ceil(transfers / (2 * instants)))) {
                Object.assign(glitch, { at: Infinity, ms: 3, line: lines["wrong bits"] })
                bench.onControl = () => Object.assign(glitch, { at, transfers: 0 })
                if (await mountOf(bench, images))
                    assert.equal(durable(bench, object), acknowledged, `transfer ${at} of ${transfers} after control`)
            }
        })

        for (const what of ["upload", "root"])
            it(`a row that a cut left weak (${what}) reads well by mistake, and then an element goes: what was said still holds [R24] [R21]`, async () => {
                const { host, object } = await withUpload(elements, `weak ${what}`)
                const { bench } = host
                await host.write(object, Buffer.alloc(5 * 236, 2))
                if (what === "root") await host.put("new", Buffer.alloc(300, 9))
                else await host.write(object, Buffer.alloc(236, 2))
                lackRow(bench, lastRow(bench))
                const images = bench.snapshot()
                const glitch = glitching(bench)
                assert.equal(await mountOf(bench, images), true)
                const { transfers } = glitch
                for (let at = 0; at < transfers; at++) {
                    Object.assign(glitch, { at, ms: 0.6, transfers: 0 })
                    if (!(await mountOf(bench, images))) continue
                    glitch.at = Infinity
                    const said = durable(bench, object)
                    const commit = commitNumber(bench.volume.log)
                    const then = bench.snapshot()
                    for (let slot = 0; slot < elements; slot++) {
                        bench.silent = 1 << slot
                        const told = `${at} of ${transfers}, without ${slot}`
                        assert.equal(await mountOf(bench, then), true, told)
                        assert.ok(durable(bench, object) >= said, told)
                        assert.ok(commitNumber(bench.volume.log) >= commit, told)
                        bench.silent = 0
                    }
                }
            })

        it("a root that one element lacks reads wrong for a moment, after a mount that was cut: no older one is taken [R24]", async () => {
            const host = await fresh(elements, "root")
            const { bench } = host
            bench.isIdleAfterMount = () => false
            await host.put("new", Buffer.alloc(300, 9))
            const { rootPage, array } = bench.volume.log
            const commit = commitNumber(bench.volume.log)
            lackRow(bench, Math.floor(rootPage / array.rowPages))
            let seen = 0
            for (let operation = 1; operation < 6; operation++) {
                const before = bench.snapshot()
                bench.cutPowerAt(bench.operations + operation, 0.0001)
                await bench.mount().catch(() => false)
                const images = bench.snapshot()
                const glitch = glitching(bench)
                assert.equal(await mountOf(bench, images), true)
                if (bench.volume.log.anchors.isRootWeak) seen++
                const { transfers } = glitch
                for (let at = 0; at < transfers; at++) {
                    Object.assign(glitch, { at, ms: 0.3, transfers: 0 })
                    if (await mountOf(bench, images))
                        assert.ok(commitNumber(bench.volume.log) >= commit, `cut ${operation}, transfer ${at}`)
                }
                glitch.at = Infinity
                bench.load(before)
            }
            assert.ok(seen > 0, "an anchor said that the root is weak")
        })

        it("an element that is silent when a mount begins, for 50 ms, is not left out [R24]", async () => {
            for (const ms of [5, 10, 20, 50]) {
                const { bench } = await fresh(elements, "silent")
                bench.hasBroken = true
                bench.cutPowerNow()
                bench.powerUp()
                const untilNs = bench.nowNs + ms * 1e6
                const exchange = bench.exchange.bind(bench)
                bench.exchange = async (tx, rx) => {
                    bench.chips[1].faults.silent = bench.nowNs < untilNs
                    await exchange(tx, rx)
                }
                assert.equal(await bench.mount(), true)
                assert.equal(deadIn(bench.volume.array), 0, `${ms} ms`)
            }
        })
    })

describe("store: tails that a mount waits for", function () {
    this.timeout(60_000)

    for (const elements of [2, 3, 6])
        for (const isDegraded of [false, true])
            for (const cuts of [0, 3])
                it(`many rows ended early, ${elements} elements${isDegraded ? ", one missing" : ""}, ${cuts} cuts: at most 2 s [R22] [R24]`, async () => {
                    const bench = new StoreBench(smallPart(20), 64, "time", elements)
                    bench.hasBroken = true
                    assert.equal(await bench.mount(), true)
                    bench.isIdleAfterMount = () => false
                    const host = new StoreHost(bench)
                    await host.hello()
                    if (isDegraded) {
                        bench.silent = 2
                        for (let i = 0; i < 3; i++) await host.put(`g${i}`, Buffer.alloc(800, 1))
                    }
                    const object = await host.create()
                    await bench.volume.commit()
                    for (let cut = 0; cut <= cuts; cut++) {
                        for (let i = 0; i < (cuts ? 15 : 200); i++) await host.write(object, Buffer.alloc(20, 3))
                        if (cut === cuts) break
                        bench.cutPowerAt(bench.operations, 0.5)
                        await host.write(object, Buffer.alloc(20, 4))
                    }
                    const { acknowledged } = host.uploads.get(object)!
                    const { silent } = bench
                    bench.cutPowerNow()
                    bench.powerUp()
                    bench.silent = silent
                    const beganNs = bench.nowNs
                    assert.equal(await bench.mount(), true)
                    assert.ok(bench.nowNs - beganNs < 2e9, `${(bench.nowNs - beganNs) / 1e6} ms`)
                    assert.ok(durable(bench, object) >= acknowledged)
                })
})
