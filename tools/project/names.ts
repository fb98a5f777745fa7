// `npm run names`: writes src/names.ts anew, with the names that both images of the firmware use most often (docs/decisions/0006). Run it when the firmware
// changed much; `npm run size` says what there is to gain.

import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { compileProgram, firmwareSources } from "../sim/bytecode"
import { projectRoot } from "../sim/devs-cli"
import { longNameBytes, namesOf } from "./image"

type Names = ReturnType<typeof namesOf>

/** Those that get a short number. */
const namesMax = 248
const lineWidth = 118

const images = () =>
    (["nor", "sd"] as const).map(elements => namesOf(compileProgram(firmwareSources(elements), Infinity)))

/** By what all images use together. */
function merged(lists: Names[]): { name: string; uses: number }[] {
    const uses = new Map<string, number>()
    for (const list of lists) for (const each of list) uses.set(each.name, (uses.get(each.name) ?? 0) + each.uses)
    return [...uses].map(([name, uses]) => ({ name, uses })).sort((a, b) => b.uses - a.uses)
}

const costs = (lists: Names[]) => lists.map(longNameBytes).join(" and ")

const before = images()
const names = merged(before)
console.log(`long numbers cost ${costs(before)} bytes`)
const lines = [""]
for (const { name } of names.slice(0, namesMax).filter(({ uses }) => uses > 2)) {
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
console.log(`and ${costs(images())} now`)
