/**
 * A firmware image as far as a host must know it before it gives it to a board: which program it is, and what a node of it can
 * serve. Those facts stand behind the version in the image's configuration (docs/decisions/0012), where the board's runtime
 * finds them too.
 */
import { TwinfilerError } from "./error"

/** Whether a program's name is that of a node's. The compiler adds what follows `main` in the name of the first source file. */
export const isProgramName = (name: string): boolean => /^twinfiler( -sd)?$/.test(name)

export interface ImageFacts {
    /** major.minor.patch */
    version: string
    protocol: number
    /** Of the volumes. */
    format: number
    elements: "nor" | "sd"
}

// devs_format.h
const magic0 = 0x53766544
const magic1 = 0xf1296e0a
const versionAt = 8
const sectionsAt = 32
const dcfgSection = 9
// jd_dcfg.h
const dcfgMagic = 0x47464344
const dcfgCountAt = 12
const dcfgEntriesAt = 88
const dcfgEntryBytes = 24
const dcfgString = 2

/** More does not fit the boards' flash (PLATFORM: 110,464 bytes on an RP2040). */
export const imageBytesMax = 110_464
const facts = /^v?(\d+\.\d+\.\d+)\+protocol\.(\d+)\.format\.(\d+)\.(nor|sd)$/

/** Reads a version as an image has it, or a board tells it; undefined when it is none of ours. */
export function parseVersion(version: string): ImageFacts | undefined {
    const found = facts.exec(version)
    if (!found) return undefined
    return {
        version: found[1],
        protocol: Number(found[2]),
        format: Number(found[3]),
        elements: found[4] as "nor" | "sd",
    }
}

/** Throws `badRequest`, with what is wrong, for bytes that are no image of ours; `tooLarge` for one too large for a board. */
export function readImage(bytes: Uint8Array, path: string): ImageFacts & { bytecode: string } {
    const image = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const no = (what: string): never => {
        throw new TwinfilerError("badRequest", `${path}: ${what}`)
    }
    if (image.length < sectionsAt + 8 * (dcfgSection + 1)) no("this is no DeviceScript image: it is too short")
    if (image.readUInt32LE(0) !== magic0 || image.readUInt32LE(4) !== magic1)
        no("this is no DeviceScript image: its first bytes are others")
    if (image.length > imageBytesMax)
        throw new TwinfilerError(
            "tooLarge",
            `${path}: ${image.length} bytes are more than a board holds (${imageBytesMax})`,
        )
    const [patch, minor, major] = [image.readUInt16LE(versionAt), image[versionAt + 2], image[versionAt + 3]]
    const start = image.readUInt32LE(sectionsAt + 8 * dcfgSection)
    const length = image.readUInt32LE(sectionsAt + 8 * dcfgSection + 4)
    if (start + length > image.length) no("this image is cut off")
    const config = strings(image.subarray(start, start + length))
    const name = config.get("@name")
    if (!isProgramName(name ?? ""))
        no(name ? `this is the image of another program, ${name}` : "this image does not say what it is")
    const version = config.get("@version") ?? ""
    const found = parseVersion(version)
    if (!found)
        return no(`its version ${JSON.stringify(version)} does not say which protocol, volumes and elements it serves`)
    return { ...found, bytecode: `${major}.${minor}.${patch}` }
}

/** The texts of a configuration block. */
function strings(block: Buffer): Map<string, string> {
    const found = new Map<string, string>()
    if (block.length < dcfgEntriesAt || block.readUInt32LE(0) !== dcfgMagic) return found
    const count = block.readUInt16LE(dcfgCountAt)
    for (let at = dcfgEntriesAt, index = 0; index < count && at + dcfgEntryBytes <= block.length; index++) {
        const key = block.toString("latin1", at, at + 16).replace(/\0.*$/s, "")
        const typeSize = block.readUInt16LE(at + 18)
        const value = block.readUInt32LE(at + 20)
        if ((typeSize & 3) === dcfgString) found.set(key, block.toString("utf8", value, value + (typeSize >> 2)))
        at += dcfgEntryBytes
    }
    return found
}
