// @ts-nocheck: compiled by devs, not by the project's tsc
// A node with work on all sides: SPI, pins, a checksum, and packets. Prints how late its timer was.
import { pins } from "@dsboard/sim_node"
import "@devicescript/gpio"
import { spi } from "@devicescript/spi"
import { GPIOMode, millis, sleep } from "@devicescript/core"

spi.configure({ miso: pins.MISO, mosi: pins.MOSI, sck: pins.SCK, hz: 31_250_000 })
const page = Buffer.alloc(260)

setInterval(async () => {
    const before = millis()
    for (let k = 0; k < 4; ++k) {
        let sum = 0
        for (let i = 0; i < 65; ++i) sum = sum ^ page.getAt(4 * i, "i32")
        pins.CS.setMode(GPIOMode.OutputLow)
        await spi.transfer(page)
        pins.CS.setMode(GPIOMode.OutputHigh)
    }
    if (millis() - before > 40) console.log("slow")
}, 12)

// computes for about 100 ms without a pause, while a 10 ms timer waits
let ticks = 0
setInterval(async () => {
    ticks++
}, 10)

while (true) {
    await sleep(500)
    const t0 = millis()
    const ticks0 = ticks
    let x = 0
    for (let i = 0; i < 3500; ++i) x = x + i
    console.log("computed " + (millis() - t0) + " ms, ticks " + (ticks - ticks0))
}
