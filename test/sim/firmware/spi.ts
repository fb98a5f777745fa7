// @ts-nocheck: compiled by devs, not by the project's tsc
// Drives chip select, SPI and pins; prints what came back.
import { pins } from "@dsboard/sim_node"
import "@devicescript/gpio"
import { spi } from "@devicescript/spi"
import { GPIOMode, sleep } from "@devicescript/core"
import * as ds from "@devicescript/core"

type Native = typeof ds & { spiXfer(tx: Buffer, rx: Buffer): Promise<void> }

async function attempt(name: string, work: () => Promise<void>) {
    try {
        await work()
        console.log(name + " ok")
    } catch (thrown) {
        const e = thrown as Error
        console.log(name + " " + e.name + " " + e.message)
    }
}

spi.configure({ miso: pins.MISO, mosi: pins.MOSI, sck: pins.SCK, hz: 10_000_000 })
pins.IN.setMode(GPIOMode.InputPullUp)
console.log("in " + pins.IN.value + " out " + pins.OUT.value + " free " + pins.FREE.value)
pins.OUT.setMode(GPIOMode.OutputHigh)
pins.CS.setMode(GPIOMode.OutputLow)
const id = await spi.transfer(hex`9f000000`)
pins.CS.setMode(GPIOMode.OutputHigh)
console.log("got " + id.toString("hex"))
await spi.write(hex`0102030405060708090a`)
const stale = await spi.transfer(hex`00000000000000000000`)
console.log("after write " + stale.toString("hex"))
await attempt("sizes", async () => {
    await (ds as Native).spiXfer(hex`0102`, Buffer.alloc(3))
})
await attempt("empty", async () => {
    await (ds as Native).spiXfer(Buffer.alloc(0), Buffer.alloc(0))
})
await attempt("long", async () => {
    await (ds as Native).spiXfer(Buffer.alloc(4097), Buffer.alloc(4097))
})
await attempt("mode", async () => {
    pins.OUT.setMode(0x77)
})
console.log("end")
while (true) {
    await sleep(10)
    pins.CS.setMode(GPIOMode.OutputLow)
    await spi.transfer(Buffer.alloc(1000))
    pins.CS.setMode(GPIOMode.OutputHigh)
}
