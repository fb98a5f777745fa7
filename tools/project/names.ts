// `npm run names`: writes src/names.ts anew, with the names the firmware uses most often (docs/decisions/0006). Run it when the firmware
// changed much; `npm run size` says what there is to gain.

import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { compileProgram, firmwareSources } from "../sim/bytecode"
import { projectRoot } from "../sim/devs-cli"
import { longNameBytes, namesOf } from "./image"

/** Those that get a short number. */
const namesMax = 248
const lineWidth = 118

const names = namesOf(compileProgram(firmwareSources(), Infinity))
console.log(`long numbers cost ${longNameBytes(names)} bytes`)
const lines = [""]
for (const { name } of names.slice(0, namesMax).filter(({ uses }) => uses > 1)) {
    if (lines.at(-1)!.length + name.length + 5 > lineWidth) lines.push("")
    lines[lines.length - 1] += ` + ${JSON.stringify(name)}`
}
writeFileSync(
    join(projectRoot, "src", "names.ts"),
    `// Written by \`npm run names\`: the names of fields and methods, the one used most often first. The compiler numbers names as it meets them,
// and the first 248 take one byte in the code instead of three. This takes none: what is only kept is not called (docs/decisions/0006).

import * as ds from "@devicescript/core"

// prettier-ignore
ds.keep(
    ds.keep${lines.map(line => `\n       ${line}`).join("")},
)
`,
)
console.log(`and ${longNameBytes(namesOf(compileProgram(firmwareSources(), Infinity)))} now`)
