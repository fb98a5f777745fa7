import { pins } from "@dsboard/pico_node"
import "@devicescript/gpio"
import { GPIOMode } from "@devicescript/core"
import * as ds from "@devicescript/core"
import { Server, startServer } from "@devicescript/server"
class S extends Server { constructor() { super(ds.Twinfiler.spec) } }
pins.OWN.setMode(GPIOMode.OutputLow)
const r = new ds.Twinfiler(startServer(new S(), { roleName: "self" }))
console.log("hi " + pins.NODE.value)
