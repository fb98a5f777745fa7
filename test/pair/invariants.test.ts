// The pair under random faults, by the million.

import assert from "node:assert/strict"
import { givebackMsMax, runWorld, settleMsMax, loneMsMax, type Kind } from "./pair-campaign"

const isFull = process.env.FULL === "1"

const kinds: Kind[] = [
    { title: "power, resets, commands", wires: false, bus: false, hangs: false, mounts: false },
    { title: "and a bus that is cut", wires: false, bus: true, hangs: false, mounts: false },
    { title: "and nodes that hang", wires: false, bus: true, hangs: true, mounts: false },
    { title: "and arrays that fail", wires: false, bus: true, hangs: true, mounts: true },
    { title: "and a wire between the nodes that breaks", wires: true, bus: true, hangs: true, mounts: true },
]

describe("pair: invariants under random faults", function () {
    this.timeout(600_000)
    for (const [index, kind] of kinds.entries())
        it(`${kind.title}: one controller of each array, and both again when the faults end [R6] [R9] [R31] [R32]`, function () {
            const start = process.hrtime.bigint()
            const sum = { steps: 0, settleMs: 0, givebackMs: 0, loneMs: 0 }
            const worlds = isFull ? 4_000 : 120
            for (let seed = 0; seed < worlds; seed++) {
                const result = runWorld(`pair/${index}/${seed}`, kind, 20)
                sum.steps += result.steps
                sum.settleMs = Math.max(sum.settleMs, result.settleMs)
                sum.givebackMs = Math.max(sum.givebackMs, result.givebackMs)
                sum.loneMs = Math.max(sum.loneMs, result.loneMs)
            }
            const seconds = Number(process.hrtime.bigint() - start) / 1e9
            console.log(
                `      ${(sum.steps / 1e6).toFixed(1)} million steps in ${seconds.toFixed(1)} s; longest: settled ${sum.settleMs.toFixed(0)} ms, ` +
                    `given back ${sum.givebackMs.toFixed(0)} ms, alone ${sum.loneMs.toFixed(0)} ms`,
            )
            assert.ok(sum.settleMs <= settleMsMax && sum.givebackMs <= givebackMsMax && sum.loneMs <= loneMsMax)
        })
})
