import { pins } from "@dsboard/pico_node"
import "@devicescript/gpio"
import { GPIOMode } from "@devicescript/core"
pins.OWN.setMode(GPIOMode.OutputLow)
console.log("hi " + pins.NODE.value)
