// @ts-nocheck: compiled by devs, not by the project's tsc
// The smallest pair: the first node owns its array and writes a mirrored page; the second waits for the first to fall, fences
// it and reads the page from the first one's array. What it prints is what the test looks for.
import { pins } from "@dsboard/pico_node"
import "@devicescript/gpio"
import { spi } from "@devicescript/spi"
import { GPIOMode, IOPin, sleep } from "@devicescript/core"

spi.configure({ miso: pins.MISO, mosi: pins.MOSI, sck: pins.SCK, hz: 31_000_000 })
pins.NODE.setMode(GPIOMode.Input)
pins.P_OWN.setMode(GPIOMode.InputPullDown)

async function command(first: IOPin, second: IOPin | undefined, tx: Buffer) {
    first.setMode(GPIOMode.OutputLow)
    if (second) second.setMode(GPIOMode.OutputLow)
    const rx = await spi.transfer(tx)
    first.setMode(GPIOMode.OutputHigh)
    if (second) second.setMode(GPIOMode.OutputHigh)
    return rx
}

async function ready(select: IOPin) {
    while ((await command(select, undefined, hex`0500`))[1] & 1) await sleep(1)
}

async function write(tx: Buffer) {
    await command(pins.E0, pins.E1, hex`06`)
    await command(pins.E0, pins.E1, tx)
    await ready(pins.E0)
    await ready(pins.E1)
}

if (pins.NODE.value) {
    while (!pins.P_OWN.value) await sleep(5)
    console.log("partner up")
    console.log("locked out " + (await command(pins.F0, undefined, hex`9f000000`)).toString("hex"))
    while (pins.P_OWN.value) await sleep(5)
    pins.HOLD.setMode(GPIOMode.OutputHigh)
    pins.RESET.setMode(GPIOMode.OutputLow)
    await sleep(1)
    console.log("id " + (await command(pins.F1, undefined, hex`9f000000`)).toString("hex"))
    await ready(pins.F0)
    console.log("F0 " + (await command(pins.F0, undefined, hex`0300010000000000`)).toString("hex"))
    console.log("F1 " + (await command(pins.F1, undefined, hex`0300010000000000`)).toString("hex"))
    pins.RESET.setMode(GPIOMode.Input)
} else {
    pins.OWN.setMode(GPIOMode.OutputHigh)
    await write(hex`20000000`)
    await write(hex`02000100c0ffee11`)
    console.log("written")
    let page = 0x200
    while (true) {
        const tx = Buffer.alloc(260)
        tx[0] = 2
        tx[1] = page >> 16
        tx[2] = page >> 8
        await write(tx)
        page += 256
    }
}
