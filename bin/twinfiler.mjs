#!/usr/bin/env node
// The command line runs from its sources: tsx compiles them as they are loaded.
import { register } from "tsx/esm/api"

register()
const { main } = await import("../tools/bridge/cli/main.ts")
await main(process.argv.slice(2))
