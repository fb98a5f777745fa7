// `npm start`: the demonstration, on a machine that has Node and nothing else.

import { runScript } from "./setup.mjs"

await runScript("tools/demo/demo.ts", process.argv.slice(2))
