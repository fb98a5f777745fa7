// The program image, built from its sources by the pinned compiler. The same sources give the same bytes, wherever and whenever
// they are built; a build is kept in build/ under the hash of its sources and not repeated.

import { createHash } from "node:crypto"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { functionBytesOf, functionLimitBytes } from "../link/image"
import { link, linkVersion } from "../link/link"
import { inScratchFolder, projectRoot, runCli, tagVersion, writeWhole } from "./devs-cli"

export interface ProgramSources {
    /** Folder that the paths below are relative to. */
    root: string
    /** Main file. */
    entry: string
    /** Files and folders that the build reads; missing ones are skipped. */
    inputs: string[]
    name: string
    /** What a node reports as its program's version. */
    version: string
    /** Id of the board the image is for; its pins take the place of the Pico's in src/hal/board.ts. */
    board?: string
}

/** The board that src/hal/board.ts names. */
export const firstBoard = "pico_node"

/**
 * The project's own firmware, for boards with SPI-NOR chips or with SD cards. Behind its version stands what a node of it can serve, which a
 * host reads in the image and at the board before it puts one there (docs/decisions/0012).
 */
export function firmwareSources(elements: "nor" | "sd" = "nor", release?: string, board?: string): ProgramSources {
    const { name, version: packageVersion } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"))
    const protocol = constantIn("src/config.ts", "protocolVersion")
    const format = constantIn("src/store/page.ts", "formatVersion")
    const version = `${release ?? packageVersion}+protocol.${protocol}.format.${format}.${elements}`
    return {
        root: projectRoot,
        entry: elements === "sd" ? "src/main-sd.ts" : "src/main.ts",
        inputs: ["src", "services", "boards", "devsconfig.json"],
        name,
        version,
        board: board === firstBoard ? undefined : board,
    }
}

function constantIn(path: string, name: string): string {
    const found = new RegExp(`^export const ${name} = (\\d+)$`, "m").exec(readFileSync(join(projectRoot, path), "utf8"))
    if (!found) throw new Error(`${path} does not say what ${name} is`)
    return found[1]
}

/** @param kept folder where builds are kept */
export function buildProgram(
    sources: ProgramSources = firmwareSources(),
    kept = join(projectRoot, "build"),
): Uint8Array {
    const hash = hashOf(sources)
    const cachePath = join(kept, "program", `${hash}.devs`)
    if (existsSync(cachePath)) return readFileSync(cachePath)
    const bytes = compileProgram(sources)
    writeWhole(cachePath, bytes)
    return bytes
}

/** Compiles and links in any case. @param limitBytes what the functions may take; more is refused by the VM's verifier, but can be looked at */
export function compileProgram(sources: ProgramSources, limitBytes = functionLimitBytes): Uint8Array {
    const bytes = link(compileUnlinked(sources))
    const end = functionBytesOf(bytes)
    if (end > limitBytes) throw new Error(`functions end at byte ${end}, after ${limitBytes}: see docs/decisions/0006`)
    return bytes
}

/** What the compiler writes, before the link step. */
export function compileUnlinked(sources: ProgramSources): Uint8Array {
    return inScratchFolder(folder => {
        for (const input of sources.inputs) {
            const from = join(sources.root, input)
            if (!existsSync(from)) continue
            mkdirSync(dirname(join(folder, input)), { recursive: true })
            cpSync(from, join(folder, input), { recursive: true })
        }
        const versionPath = join(folder, "src", "version.ts")
        if (existsSync(versionPath)) writeFileSync(versionPath, versionModule(sources.version))
        if (sources.board !== undefined) useBoard(join(folder, "src", "hal", "board.ts"), sources.board)
        writeFileSync(join(folder, "package.json"), packageJson(sources))
        if (!existsSync(join(folder, "devsconfig.json"))) writeFileSync(join(folder, "devsconfig.json"), "{}\n")
        tagVersion(folder, sources.version)
        const path = join(folder, ".devicescript", "bin", "bytecode.devs")
        try {
            runCli(folder, ["build", sources.entry])
        } catch (e) {
            // the compiler has written what its verifier refuses for the size of its functions alone
            if (!existsSync(path) || functionBytesOf(readFileSync(path)) <= functionLimitBytes) throw e
        }
        return new Uint8Array(readFileSync(path))
    })
}

/** What takes the place of src/version.ts. */
function versionModule(version: string): string {
    const [major, minor, patch] = (/^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number)
    if ([major, minor, patch].some(part => !(part <= 0xff)))
        throw new Error(`version ${version} has no place in a node's answer`)
    return `export const firmwareVersion = 0x${((major << 16) | (minor << 8) | patch).toString(16)}\n`
}

/** The compiler knows the pins by the module they are imported from. */
function useBoard(path: string, board: string): void {
    const text = readFileSync(path, "utf8")
    const from = `from "@dsboard/${firstBoard}"`
    if (!text.includes(from)) throw new Error(`${path} does not take its pins ${from}`)
    writeFileSync(path, text.replace(from, `from "@dsboard/${board}"`))
}

/** Without a package.json the compiler leaves name and version out of the image. */
function packageJson(sources: ProgramSources): string {
    return JSON.stringify({ name: sources.name, version: sources.version, dependencies: {}, devicescript: {} }) + "\n"
}

function hashOf(sources: ProgramSources): string {
    const hash = createHash("sha256")
    hash.update(
        `2.16.4 tagged linked ${linkVersion}\0${sources.entry}\0${sources.board ?? ""}\0${packageJson(sources)}`,
    )
    for (const input of [...sources.inputs].sort()) hashInto(hash, sources.root, input)
    return hash.digest("hex").slice(0, 24)
}

function hashInto(hash: ReturnType<typeof createHash>, root: string, path: string): void {
    const full = join(root, path)
    if (!existsSync(full)) return
    if (statSync(full).isDirectory()) {
        for (const name of readdirSync(full).sort()) hashInto(hash, root, `${path}/${name}`)
        return
    }
    const bytes = readFileSync(full)
    hash.update(`${path}\0${bytes.length}\0`).update(bytes)
}
