// Where an element's contents live: one file per element under the folder of the cabinet, or memory.

import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { FileImage, MemoryImage, type ChipImage } from "./image-file"
import { SparseFileImage } from "./sparse-image"

/** Above this an image on disk is sparse, so its blank byte must be 0: a hole in a file reads so. */
const wholeBytesMax = 64 << 20

/** `DIR/<node>/E<n>.bin`, or nothing on disk when no folder is given. */
export function openChipImage(
    folder: string | undefined,
    node: string,
    element: number,
    bytes: number,
    blank = 0xff,
): ChipImage {
    if (folder === undefined) return new MemoryImage(bytes, `memory ${node}/E${element}`, blank)
    const under = join(folder, node)
    try {
        mkdirSync(under, { recursive: true })
    } catch (error) {
        throw new Error(`cannot make the image folder ${under}: ${(error as Error).message}. Choose another with --dir`)
    }
    const place = join(under, `E${element}.bin`)
    if (bytes <= wholeBytesMax) return new FileImage(place, bytes, blank)
    if (blank !== 0) throw new Error(`${place}: an image of ${bytes} bytes must be of a card whose erased bytes read 0`)
    return new SparseFileImage(place, bytes)
}
