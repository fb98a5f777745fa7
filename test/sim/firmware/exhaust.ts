// @ts-nocheck: compiled by devs, not by the project's tsc
// Drives a pin, then takes more memory than there is.
import { pins } from "@dsboard/sim_node"
import "@devicescript/gpio"
import { GPIOMode, sleep } from "@devicescript/core"

console.log("alive")
pins.OUT.setMode(GPIOMode.OutputHigh)
await sleep(100)
const held: Buffer[] = []
while (true) held.push(Buffer.alloc(4000))
