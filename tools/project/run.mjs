// `node tools/project/run.mjs FILE ARGS`: runs a TypeScript file of the project, packages installed before if need be.

import { runScript } from "./setup.mjs"

const [file, ...args] = process.argv.slice(2)
await runScript(file, args)
