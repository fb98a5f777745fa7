/** The firmware the verbs give to boards: a file, or what this project's sources make; whole, and such that boards run it. */
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { dirname, join, relative, resolve, sep } from "node:path"
import type { Firmware } from "../client/upgrade"
import { TwinfilerError } from "../error"
import { readImage } from "../image"

/** Paths in variables: the simulator, with the VM and the build, may be missing, and only these verbs need it. */
const verifierModule = "../../sim/program-flash"
const buildModule = "../../sim/bytecode"
const sumsFile = "SHA256SUMS"
/** A release has its list two folders above an image. */
const sumsLevels = 3

/**
 * An image carries no sum of its own, so one in a release is compared with the release's list. Throws `usage` for a file that cannot be
 * read, `badRequest` for one that is no image of ours, `checksum` for one that is not what was released.
 */
export async function readFirmware(path: string): Promise<Firmware> {
    const image = await readFile(path).catch((error: Error) => {
        throw new TwinfilerError("usage", `cannot read the firmware: ${error.message}`)
    })
    readImage(image, path)
    const listed = await listedSum(resolve(path))
    if (listed && listed.sum !== createHash("sha256").update(image).digest("hex"))
        throw new TwinfilerError(
            "checksum",
            `${path}: this is not the file that ${listed.list} names: it is damaged, or was changed; get the release again`,
        )
    return { path, image }
}

async function listedSum(path: string): Promise<{ list: string; sum: string } | undefined> {
    let folder = dirname(path)
    for (let level = 0; level < sumsLevels; level++) {
        const list = join(folder, sumsFile)
        const name = relative(folder, path).replaceAll(sep, "/")
        const lines = (await readFile(list, "utf8").catch(() => "")).split(/\r?\n/)
        const line = lines.find(each => /^[0-9a-f]{64} [ *]/.test(each) && each.slice(66) === name)
        if (line) return { list, sum: line.slice(0, 64) }
        folder = dirname(folder)
    }
    return undefined
}

export async function ownFirmware(elements: string): Promise<Firmware> {
    const { buildProgram, firmwareSources } = (await import(buildModule)) as {
        buildProgram(sources: object): Uint8Array
        firmwareSources(elements: string): object
    }
    return { path: "the firmware of this project", image: buildProgram(firmwareSources(elements)) }
}

/** By the VM that the boards run: what it refuses would leave a board without a program. */
export async function verifyFirmware({ path, image }: Firmware): Promise<void> {
    const { programFlash } = (await import(verifierModule)) as { programFlash(image: Uint8Array): Uint8Array }
    try {
        programFlash(image)
    } catch (error) {
        throw new TwinfilerError("badRequest", `${path}: no board would run it: ${(error as Error).message}`)
    }
}
