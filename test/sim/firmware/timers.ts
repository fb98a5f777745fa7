// @ts-nocheck: compiled by devs, not by the project's tsc
// Computes without a pause while a 10 ms timer waits, then says when the timer came.
import { millis, sleep } from "@devicescript/core"

console.log("random " + Math.randomInt(1000000))
let ticks = 0
setInterval(async () => {
    ticks++
}, 10)

await sleep(105)
const before = ticks
const startMs = millis()
let x = 0
for (let i = 0; i < 4000; ++i) x = x + i
const after = ticks
await sleep(1)
console.log("computed " + (millis() - startMs) + " ms; ticks before " + before + " during " + (after - before))
