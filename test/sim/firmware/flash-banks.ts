// @ts-nocheck: compiled by devs, not by the project's tsc
// The firmware's banks on a board: who is there, pages there and back, how long one takes.
import * as ds from "@devicescript/core"
import { NorBank } from "../../../src/flash/nor"
import { SdBank } from "../../../src/flash/sd"
import { crc16OfBlock } from "../../../src/flash/sd-crc"
import { homeSelects, startBoard } from "../../../src/hal/board"
import { CardSelects } from "../../../src/hal/card-port"
import { ChipPort } from "../../../src/hal/chip-port"
import { boardPlatform } from "../../../src/hal/platform"
import { usePlatform } from "../../../src/platform"

startBoard()
usePlatform(boardPlatform)
// as on a node: most of the heap is held, so calls are cheap
const held = Buffer.alloc(40000)
const pageOut = Buffer.alloc(260)
const pageIn = Buffer.alloc(260)
const page = Buffer.alloc(260)
const back = Buffer.alloc(260)
const nor = new NorBank(new ChipPort(homeSelects), pageOut, pageIn)
const sd = new SdBank(new CardSelects(homeSelects), pageOut, pageIn)
const count = 64

async function measure(name: string, bank: any) {
    let start = ds.millis()
    const alive = await bank.identify(6)
    console.log(name + " alive " + alive + " pages " + bank.pages[0] + " in " + (ds.millis() - start))
    if (!alive) return
    await bank.erase(alive, 0, 256)
    await bank.settle(-1)
    for (let i = 4; i < 260; i++) page[i] = (i * 7) & 0xff
    start = ds.millis()
    for (let i = 0; i < count; i++) {
        page[4] = i
        await bank.program(alive, i, page)
    }
    await bank.settle(-1)
    console.log(name + " program us " + ((((ds.millis() - start) * 1000) / count) | 0))
    start = ds.millis()
    let good = 0
    for (let i = 0; i < count; i++) {
        await bank.read(i & 1, i, back)
        if (back[4] === i && back[5] === 35 && back[259] === ((259 * 7) & 0xff)) good++
    }
    console.log(name + " read us " + ((((ds.millis() - start) * 1000) / count) | 0) + " good " + good)
    console.log(name + " alive " + bank.alive)
}

// a board has one kind of elements, and its image their driver: chips would hear nothing sensible of cards' commands, nor slowly enough cards
await measure("sd", sd)
if (sd.alive) {
    sd.inRuns = true
    await measure("run", sd)
} else await measure("nor", nor)
await ds.sleep(1)
const start = ds.millis()
for (let i = 0; i < 50; i++) crc16OfBlock(page)
await ds.sleep(1)
console.log("crc us " + (ds.millis() - start) * 20 + " " + held.length)
while (true) await ds.sleep(1000)
