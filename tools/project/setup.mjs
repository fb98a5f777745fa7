// What every command of the project does first: plain Node, for a clone that has no packages yet. After `prepare` node_modules
// holds what package-lock.json asks for; nothing else of the machine is changed.

import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))
const nodeMajorMin = 20

/** Ends the process with a message when it cannot be done. */
export function prepare() {
    const { node } = process.versions
    if (Number(node.split(".")[0]) < nodeMajorMin)
        fail(`Twinfiler needs Node ${nodeMajorMin} or newer; this is ${node}`)
    if (isInstalled()) return
    process.stderr.write("installing packages (npm ci); this happens once\n")
    // to standard error: standard output belongs to what runs next
    const done = spawnSync("npm", ["ci", "--include=dev", "--no-audit", "--no-fund"], {
        cwd: root,
        stdio: ["ignore", 2, 2],
        shell: process.platform === "win32",
    })
    if (done.error) fail(`npm cannot be run: ${done.error.message}`)
    if (done.status !== 0) fail("npm ci failed; see above. It needs the npm registry once")
}

/** npm writes the list it keeps in node_modules last, so an installation that was cut short is not taken for a whole one. */
function isInstalled() {
    const kept = join(root, "node_modules", ".package-lock.json")
    if (!existsSync(kept)) return false
    const wanted = packages(join(root, "package-lock.json"))
    const there = packages(kept)
    return Object.entries(wanted).every(
        ([path, entry]) => path === "" || entry.optional || there[path]?.version === entry.version,
    )
}

function packages(path) {
    return JSON.parse(readFileSync(path, "utf8")).packages
}

/** Runs a TypeScript file of the project in this process, as `node FILE ARGS`: signals and exit code are its own. */
export async function runScript(file, args) {
    prepare()
    const path = resolve(root, file)
    if (!existsSync(path)) fail(`${file} is not there yet`)
    const { register } = await import("tsx/esm/api")
    register()
    process.argv = [process.argv[0], path, ...args]
    await import(pathToFileURL(path).href)
}

function fail(text) {
    process.stderr.write(`${text}\n`)
    process.exit(1)
}
