// Makes the golden images of this version of the format: `node --import=tsx test/support/make-golden.ts`. Those that are there stay as they are, for ever:
// a later store must read what this one wrote.

import { createHash } from "node:crypto"
import { existsSync, writeFileSync } from "node:fs"
import { brotliCompressSync, constants } from "node:zlib"
import { busyArray, imageBuffers } from "./format-arrays"

const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex")

for (const [name, elements] of [
    ["mirror", 2],
    ["parity4", 4],
] as const) {
    const place = new URL(`../golden/format-2-${name}`, import.meta.url).pathname
    if (existsSync(`${place}.br`)) continue
    const { bench, tree, snapshots, uploads } = await busyArray(elements, `golden ${name}`)
    const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 11 }
    writeFileSync(`${place}.br`, brotliCompressSync(Buffer.concat(imageBuffers(bench)), { params }))
    const contents = (entries: Iterable<[string, Buffer | "directory"]>) =>
        Object.fromEntries([...entries].map(([path, data]) => [path, data === "directory" ? data : hash(data)]))
    const known = {
        elements,
        segmentRows: bench.segmentRows,
        tree: contents([...tree].map(([path, { type, content }]) => [path, type === 2 ? "directory" : content])),
        snapshots: Object.fromEntries([...snapshots].map(([snapshot, { content }]) => [snapshot, contents(content)])),
        uploads: Object.fromEntries([...uploads].map(([object, { sent }]) => [object, hash(sent)])),
    }
    writeFileSync(`${place}.json`, JSON.stringify(known, undefined, 4) + "\n")
}
