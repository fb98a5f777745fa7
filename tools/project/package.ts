// `npm run package`: build/release/, all that someone needs who has no checkout: the firmware for each board with its board file, the
// wiring page, the command line as an npm package, and the hashes of it all. The same commit gives the same firmware, byte for byte.

import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { boardConfig } from "../sim/board-config"
import { buildProgram, compileProgram, firmwareSources } from "../sim/bytecode"
import { projectRoot } from "../sim/devs-cli"
import { wiringPage } from "../wiring/wiring"

const release = join(projectRoot, "build", "release")
/** What the command line runs from, and what its simulator builds its firmware from. */
const packed = [
    "bin",
    "boards",
    "services",
    "src",
    "tools",
    "devsconfig.json",
    "tsconfig.json",
    "README.md",
    "LICENSE",
    "docs",
]
/** Not for those who only use it. */
const left = ["tools/project", "tools/bench", "tools/wiring"]

function boardIds(): string[] {
    return readdirSync(join(projectRoot, "boards"))
        .filter(name => name.endsWith(".board.json"))
        .map(name => name.replace(".board.json", ""))
        .sort()
}

function writeFirmware(): void {
    for (const id of boardIds()) {
        const folder = join(release, "firmware", id)
        mkdirSync(folder, { recursive: true })
        const file = `${id}.board.json`
        cpSync(join(projectRoot, "boards", file), join(folder, file))
        writeFileSync(join(folder, `${id}.dcfg`), boardConfig(join(projectRoot, "boards", file)).dcfg)
        // compiled anew: what is released comes from these sources and from no cache
        for (const elements of ["nor", "sd"] as const)
            writeFileSync(
                join(folder, `twinfiler-${elements}.devs`),
                compileProgram(firmwareSources(elements, undefined, id)),
            )
    }
}

/** @param release folder for the tarball @returns its path */
export function packCommandLine(release: string): string {
    const stage = join(projectRoot, "build", "package")
    rmSync(stage, { recursive: true, force: true })
    for (const path of packed)
        cpSync(join(projectRoot, path), join(stage, path), {
            recursive: true,
            filter: from => !left.includes(relative(projectRoot, from)),
        })
    carryBuilds(stage)
    const {
        devDependencies: _,
        scripts: __,
        private: ___,
        ...rest
    } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as Record<string, unknown>
    writeFileSync(join(stage, "package.json"), JSON.stringify({ ...rest, files: ["*", "build"] }, undefined, 4) + "\n")
    const run = spawnSync("npm", ["pack", "--silent", "--pack-destination", release], {
        cwd: stage,
        encoding: "utf8",
        shell: process.platform === "win32",
    })
    if (run.status !== 0) throw new Error(`npm pack failed: ${run.stderr}${run.error?.message ?? ""}`)
    return join(release, run.stdout.trim())
}

/** The simulator finds its firmware built, under the hash of the sources that go along. */
function carryBuilds(stage: string): void {
    for (const elements of ["nor", "sd"] as const) {
        const sources = { ...firmwareSources(elements), root: stage }
        buildProgram(sources, join(stage, "build"))
    }
    boardConfig(join(projectRoot, "boards", "pico_node.board.json"), join(stage, "build"))
}

/** In the form of `sha256sum`, to check with `sha256sum -c SHA256SUMS`. */
function writeHashes(): void {
    const lines = filesIn(release)
        .map(path => relative(release, path).replaceAll("\\", "/"))
        .filter(path => path !== "SHA256SUMS")
        .sort()
        .map(
            path =>
                `${createHash("sha256")
                    .update(readFileSync(join(release, path)))
                    .digest("hex")}  ${path}`,
        )
    writeFileSync(join(release, "SHA256SUMS"), lines.join("\n") + "\n")
    console.log(lines.join("\n"))
}

function filesIn(folder: string): string[] {
    return readdirSync(folder).flatMap(name => {
        const path = join(folder, name)
        return statSync(path).isDirectory() ? filesIn(path) : [path]
    })
}

if (process.argv[1]?.endsWith("package.ts")) {
    rmSync(release, { recursive: true, force: true })
    mkdirSync(release, { recursive: true })
    writeFirmware()
    writeFileSync(join(release, "wiring.html"), wiringPage())
    packCommandLine(release)
    writeHashes()
    console.log(`in ${release}`)
}
