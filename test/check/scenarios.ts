// Good arrays of all kinds the format knows, seeded.

import { Random } from "../../tools/sim/random"
import { ImageBuilder } from "./image-builder"
import type { Shape } from "./image-pages"

export interface Scenario {
    name: string
    builder: ImageBuilder
    /** Contents that must be read, by path. */
    files: Map<string, Buffer>
    /** Codes that must be reported, none other: a rebuild is not finished, an element is missing. */
    expected: string[]
}

export const shapes: Shape[] = [
    { elements: 2, stride: 256, segmentRows: 64, segments: 16 },
    { elements: 2, stride: 512, segmentRows: 48, segments: 100, moreRows: 13, volume: 1 },
    { elements: 3, stride: 256, segmentRows: 64, segments: 16, volume: 1 },
    { elements: 4, stride: 256, segmentRows: 48, segments: 24, moreRows: 7 },
    { elements: 5, stride: 512, segmentRows: 48, segments: 90 },
    { elements: 6, stride: 256, segmentRows: 48, segments: 16 },
]

export const shapeName = ({ elements, stride }: Shape): string =>
    `${elements === 2 ? "mirror" : `parity of ${elements}`}, stride ${stride}`

/** Pages that a scenario may fill are few: the arrays are small, and never near full. */
export function bytesOf(random: Random, count: number): Buffer {
    return Buffer.from(random.bytes(count))
}

export function busyArray(shape: Shape, seed: string): Scenario {
    const random = new Random(`${seed} ${JSON.stringify(shape)}`)
    const builder = new ImageBuilder(shape)
    const files = new Map<string, Buffer>()
    const { S } = builder.array
    builder.sessions = [
        [0x5e5510, 12, 99, 0],
        [0xbeef, 3, 0, 4],
    ]
    const write = (directory: number, path: string, count: number) => {
        const bytes = bytesOf(random, count)
        files.set(path, bytes)
        return builder.writeFile(directory, path.split("/").pop()!, bytes)
    }
    const docs = builder.mkdir(1, "docs")
    const deep = builder.mkdir(docs, "überblick")
    builder.mkdir(deep, "empty")
    write(1, "hello.txt", 18)
    write(docs, "docs/none", 0)
    write(deep, "docs/überblick/exact", 236 * 3)
    builder.commit()
    for (let i = 0; i < 40; i++) {
        write(docs, `docs/file ${i}`, random.int(700))
        if (i % 9 === 0) builder.commit()
    }
    builder.commit()
    // over the end of a segment
    const large = write(1, "large.bin", 236 * Math.floor(S * 0.8) + 5)
    builder.commit()
    builder.setProperties(large, { "user.mime": "application/octet-stream", tag: "" })
    builder.setProperties(1, { label: "a volume" })
    builder.snapshot(1, "before")
    const gone = write(1, "gone", 236 * Math.floor(S * 0.4))
    builder.commit()
    builder.snapshot(2, "with gone")
    builder.drop(gone)
    files.delete("gone")
    builder.commit()
    const free = builder.usage.lastIndexOf(0)
    builder.retire(free)
    builder.mount()
    // many segments, so that their usage changes more than the deltas can say
    const rounds = Math.min(26, Math.floor(shape.segments / 3))
    for (let i = 0; i < rounds; i++) {
        const bytes = bytesOf(random, 236 * Math.floor(S / 6))
        files.set(`round ${i}`, bytes)
        builder.writeFile(1, `round ${i}`, bytes)
        builder.commit()
    }
    const upload = builder.openUpload(0x5e5510, bytesOf(random, 500))
    builder.openUpload(0xbeef, Buffer.alloc(0))
    builder.commit()
    builder.addTail(upload, bytesOf(random, 236 * 4 + 20))
    return { name: `busy ${shapeName(shape)}`, builder, files, expected: [] }
}

/** The tail goes over two ends of segments. */
export function longTail(shape: Shape, seed: string): Scenario {
    const scenario = busyArray(shape, seed)
    const { builder } = scenario
    const random = new Random(`${seed} tail`)
    const upload = builder.openUpload(0x77, bytesOf(random, 236 * 2))
    builder.commit()
    const pages = Math.floor(builder.array.S * 1.4)
    builder.addTail(upload, bytesOf(random, 236 * pages))
    return { ...scenario, name: `long tail ${shapeName(shape)}` }
}

export function rebuild(shape: Shape, seed: string): Scenario {
    const scenario = busyArray(shape, seed)
    const { builder } = scenario
    const { array } = builder
    const position = seed.length % shape.elements
    builder.commit()
    array.generations[position]++
    array.members &= ~(1 << position)
    array.joining = position
    array.elements[position].fill(0xff)
    array.writeLabel(position, builder.epoch)
    builder.usage.forEach((usage, segment) => {
        if (segment > 0 && usage !== 0xffff) array.away[segment >> 3] |= 1 << (segment & 7)
    })
    builder.enterSegment()
    scenario.files.set("during", Buffer.from("written while the rebuild goes on"))
    builder.writeFile(1, "during", scenario.files.get("during")!)
    builder.commit()
    return { ...scenario, name: `rebuild ${shapeName(shape)}`, expected: ["element-joining"] }
}

export function lostElement(shape: Shape, seed: string): Scenario {
    const scenario = busyArray(shape, seed)
    const { builder } = scenario
    builder.commit()
    builder.array.members &= ~(1 << (seed.length % shape.elements))
    builder.anchor()
    scenario.files.set("after", Buffer.from("written after the loss"))
    builder.writeFile(1, "after", scenario.files.get("after")!)
    builder.commit()
    return { ...scenario, name: `lost element ${shapeName(shape)}`, expected: ["element-out"] }
}

export function freshArray(shape: Shape): Scenario {
    return { name: `fresh ${shapeName(shape)}`, builder: new ImageBuilder(shape), files: new Map(), expected: [] }
}

export const kinds = [freshArray, busyArray, longTail, rebuild, lostElement]
