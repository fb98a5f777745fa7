/**
 * Image files: found in folders, and replaced when repaired. A repaired file is written beside the old one and renamed, so a file is always
 * the old one or the repaired one.
 */
import {
    closeSync,
    copyFileSync,
    fsyncSync,
    mkdirSync,
    openSync,
    readdirSync,
    realpathSync,
    renameSync,
    rmSync,
    statSync,
    writeSync,
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { ChangedImage, FileImage } from "./image"

/** How deep a folder of images goes: `DIR/<node>/E<n>.bin`, and one more. */
const depthMax = 3
/** Files in a folder, at most. */
const filesMax = 1_000
/** Smallest image: the reserved segment and one of the log. */
const imageBytesMin = 2 * 48 * 256

/** The files of a folder that may be images, and all files that are named. Throws an Error that says what to do. */
export function findImageFiles(paths: readonly string[]): string[] {
    const found: string[] = []
    for (const path of paths) {
        const stat = statOf(path)
        if (stat.isDirectory()) {
            const before = found.length
            collect(path, 1, found)
            if (found.length === before) throw new Error(`${path}: no images of elements in this folder`)
        } else if (stat.isFile()) found.push(path)
        else throw new Error(`${path} is neither a file nor a folder`)
    }
    return [...new Set(found)]
}

function statOf(path: string) {
    try {
        return statSync(path)
    } catch (error) {
        const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT"
        throw new Error(isMissing ? `${path}: no such file or folder` : (error as Error).message)
    }
}

function collect(folder: string, depth: number, found: string[]): void {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const path = join(folder, entry.name)
        if (entry.isDirectory() && depth < depthMax) collect(path, depth + 1, found)
        else if (entry.isFile() && statSync(path).size >= imageBytesMin && found.length < filesMax) found.push(path)
    }
}

/** The folders that images may have been made in: `DIR/<node>/E<n>.bin` is an image of DIR. */
export function foldersOf(files: readonly string[]): string[] {
    const under = files.map(file => dirname(realpathSync(file)))
    return [...new Set(under.flatMap(folder => [folder, dirname(folder)]))]
}

export function openImages(paths: readonly string[]): FileImage[] {
    const images: FileImage[] = []
    try {
        for (const path of paths) images.push(new FileImage(path))
        return images
    } catch (error) {
        for (const image of images) image.close()
        throw error
    }
}

/** Writes the changes of `image` to `to`, which may be the file itself. */
export function writeImage(image: ChangedImage, to: string): void {
    const temporary = join(dirname(to), `.${basename(to)}.repair`)
    mkdirSync(dirname(to), { recursive: true })
    try {
        copyFileSync(image.name, temporary)
        const file = openSync(temporary, "r+")
        try {
            for (const [offset, page] of image.changes) writeSync(file, page, 0, page.length, offset)
            fsyncSync(file)
        } finally {
            closeSync(file)
        }
        renameSync(temporary, to)
    } catch (error) {
        rmSync(temporary, { force: true })
        throw error
    }
}

/** Where each file goes in another folder: as it was below the folder all have in common. */
export function targetsIn(folder: string, paths: readonly string[]): string[] {
    const parts = paths.map(path => dirname(path).split(/[\\/]/))
    let common = 0
    while (parts[0] && common < parts[0].length && parts.every(one => one[common] === parts[0][common])) common++
    return paths.map((path, i) => join(folder, ...parts[i].slice(common), basename(path)))
}
