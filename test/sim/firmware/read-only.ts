// @ts-nocheck: compiled by devs, not by the project's tsc
import { pins } from "@dsboard/sim_node"
import { spi } from "@devicescript/spi"

spi.configure({ miso: pins.MISO, mosi: pins.MOSI, sck: pins.SCK, hz: 1_000_000 })
console.log("reading")
await spi.read(10)
console.log("never")
