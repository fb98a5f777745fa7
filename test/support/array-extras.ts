// Steps of the model that concern elements: lost, back, damaged, swapped, replaced, rebuilt while others are used, scrubbed.
//
// Promise: at any time no more is taken away than an array must bear: one element, or pages of one element. So whatever differs then is
// the store's fault.

import { deadIn, isWritten } from "../../src/array/array"
import { rebuildElement } from "../../src/store/rebuild"
import { repairStep, scrubArray } from "../../src/store/repair"
import assert from "node:assert/strict"
import type { SpiNor } from "../../tools/sim/chips/spi-nor"
import { Random } from "../../tools/sim/random"
import { tidyStep } from "./array-work"
import type { ModelHost } from "./model-host"
import { hasWork, type StoreBench } from "./store-bench"

export interface ArrayExtras {
    /** @returns whether the step was one of these, and could be done now */
    step(kind: string, a: number, b: number): Promise<boolean>
    /** Lets what is under way come to its end. @returns whether every element then holds all it should */
    end(): Promise<boolean>
}

const ok = 0
const notFound = 1
const noSpace = 6
const replaceFlag = 2
const any = 0xff
const slotsMax = 6
const pageBytes = 256
const endStepsMax = 20_000

/** @param takesTurns repairs take turns with what else an idle node does, one by one, as in the firmware */
export function arrayExtras(bench: StoreBench, host: ModelHost, takesTurns: boolean): ArrayExtras {
    /** The element that may hold bad pages. */
    let doubtful: SpiNor | undefined
    /** The scrub that will have looked at all of them. */
    let scrub: { repair: object; passes: number } | undefined

    const array = () => bench.volume.array
    const slotsUsed = () => array().slots.slice(0, array().elements)
    const isWhole = () => deadIn(array()) === 0 && array().joining < 0 && !bench.silent && !doubtful

    /** What was damaged is left out, or looked through. */
    function judgeDoubt(): void {
        if (!doubtful) return
        const position = array().slots.indexOf(bench.chips.indexOf(doubtful))
        if (position < 0) doubtful = undefined
        else if (!(array().members & (1 << position)) && array().joining !== position) doubtful = undefined
        const { repair } = bench.volume
        if (scrub && (repair as object) === scrub.repair && repair.passes > scrub.passes && !hasWork(bench.volume))
            doubtful = undefined
        if (!doubtful) scrub = undefined
    }

    /** The element that may go now, -1 = none. */
    function expendable(part: number): number {
        if (bench.silent) return -1
        if (array().joining >= 0) return array().slots[array().joining]
        if (deadIn(array())) return -1
        if (doubtful) return bench.chips.indexOf(doubtful)
        return slotsUsed()[Math.floor(part * array().elements)]
    }

    async function repairOnly(): Promise<void> {
        bench.nowNs += 50e6
        await repairStep(bench.volume.repair, Math.floor(bench.nowNs / 1e6))
    }

    async function work(steps: number): Promise<boolean> {
        for (let i = 0; i < steps && hasWork(bench.volume); i++) {
            await host.own(() => (takesTurns ? tidyStep(bench) : repairOnly()))
            judgeDoubt()
        }
        return hasWork(bench.volume)
    }

    /** With a boot, as nobody changes elements while they have power. */
    async function boot(change: () => void): Promise<void> {
        bench.cutPowerNow()
        change()
        await host.powerUp()
    }

    const steps: Record<string, (a: number, b: number) => Promise<boolean>> = {
        async silence(a) {
            const slot = expendable(a)
            if (slot < 0) return false
            bench.silent = 1 << slot
            return true
        },
        /** The wire is back, with a boot: what the element missed keeps it out. */
        async back() {
            if (!bench.silent) return false
            await boot(() => (bench.silent = 0))
            return true
        },
        async swap(a, b) {
            if (bench.silent) return false
            const random = new Random(`swap ${a} ${b}`)
            await boot(() => {
                const { chips } = bench
                for (let i = chips.length - 1; i > 0; i--) {
                    const other = random.int(i + 1)
                    ;[chips[i], chips[other]] = [chips[other], chips[i]]
                }
            })
            return true
        },
        /** Onto the element that was lost, a new one in its place, or a spare; or in place of one that lives. */
        async rebuild(a, b) {
            if (array().joining >= 0) return false
            const dead = deadIn(array())
            const lives = dead === 0
            if (lives && (!isWhole() || a < 0.7)) return false
            const position = lives ? Math.floor(b * array().elements) : 31 - Math.clz32(dead)
            const spare = slotsUsed().length < slotsMax ? bench.chips.length : -1
            if (!lives && a < 0.4) {
                // a new one in the slot of the one that is gone, or beside it when nothing is known of that
                const slot = bench.chips.findIndex((_, i) => bench.silent & (1 << i) || !isWritten(array(), i))
                if (slot < 0) return false
                bench.insert(slot)
            } else if ((lives || a < 0.6) && spare >= 0 && spare < slotsMax) bench.insert(spare)
            const status = await host.own(() =>
                rebuildElement(bench.volume.repair, lives ? position : any, any, lives ? replaceFlag : 0),
            )
            judgeDoubt()
            if (status !== undefined)
                assert.ok([ok, noSpace, notFound].includes(status), `rebuild of position ${position}: status ${status}`)
            return true
        },
        async work(a) {
            if (!hasWork(bench.volume)) return false
            await work(1 + Math.floor(a * a * 150))
            return true
        },
        async damage(a, b) {
            if (!isWhole()) return false
            const slot = slotsUsed()[Math.floor(a * array().elements)]
            const random = new Random(`damage ${a} ${b}`)
            const chip = bench.chips[slot]
            const first = array().segmentRows
            const rows = array().rows - first
            let pages = 0
            for (let i = 0; i < 60 && pages < 1 + b * 12; i++) {
                const at = (first + random.int(rows)) * pageBytes
                if (chip.peek(at, pageBytes).every(byte => byte === 0xff)) continue
                const mask = new Uint8Array(pageBytes)
                // one bit, or all of the page
                if (random.chance(0.7)) mask[random.int(pageBytes)] = 1 << random.int(8)
                else mask.set(random.bytes(pageBytes))
                chip.corrupt(at, mask)
                pages++
            }
            if (pages === 0) return false
            doubtful = chip
            scrub = undefined
            return true
        },
        async scrub(a) {
            const { repair } = bench.volume
            const status = await host.own(() => scrubArray(repair, 100 + Math.floor(a * 2000)))
            if (status === ok && doubtful && !scrub) scrub = { repair, passes: repair.passes }
            assert.ok(status === undefined || status === ok || status === noSpace, `scrub: status ${status}`)
            return true
        },
        async takeSnapshot(a) {
            await host.takeSnapshot(`s${Math.floor(a * 12)}`)
            return true
        },
        async dropSnapshot(a) {
            const names = [...host.snapshots.keys()]
            if (!names.length) return false
            await host.dropSnapshot(names[Math.floor(a * names.length)])
            return true
        },
        async readSnapshot(a, b) {
            const names = [...host.snapshots.keys()]
            if (!names.length) return false
            await host.readSnapshot(names[Math.floor(a * names.length)], b)
            return true
        },
        async setProperty(a, b) {
            const paths = [...host.tree.keys()]
            if (!paths.length) return false
            const random = new Random(`property ${a} ${b}`)
            const value = random.chance(0.2) ? "" : "v".repeat(1 + random.int(random.chance(0.2) ? 190 : 30))
            await host.setProperty(paths[Math.floor(a * paths.length)], `n${random.int(5)}`, value)
            return true
        },
        async readProperties(a) {
            const paths = [...host.tree.keys()]
            if (!paths.length) return false
            await host.readProperties(paths[Math.floor(a * paths.length)])
            return true
        },
    }

    return {
        async step(kind, a, b) {
            judgeDoubt()
            if (!steps[kind]) return false
            const done = await steps[kind](a, b)
            judgeDoubt()
            return done
        },
        async end() {
            bench.cutPowerAt(-1, 0)
            host.again.length = 0
            const isPending = await work(endStepsMax)
            host.check()
            return !isPending && isWhole()
        },
    }
}
