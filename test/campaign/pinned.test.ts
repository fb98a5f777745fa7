// What the campaign forgives a scrub: only what docs/decisions/0007 says that it must leave.

import assert from "node:assert/strict"
import { leftByScrub } from "../../tools/campaign/pinned"
import { checkArray, mark, MemoryImage } from "../../tools/check"
import { bit } from "../../tools/check/fields"
import { busyArray, shapes } from "../check/scenarios"

describe("campaign: what a scrub left", () => {
    for (const shape of [shapes[0], shapes[2]])
        it(`${shape.elements} elements: two lack something that a snapshot pins: forgiven; one alone, or nothing pinned: not [R24 R25 R30]`, () => {
            const { images } = busyArray(shape, "pinned").builder
            const check = () => checkArray(images.map((image, i) => new MemoryImage(image, `E${i}`, i)))
            const left = () => leftByScrub(check()).join("\n")
            const { marks, pages, snapshots, members } = check().reading!
            const { geometry } = pages
            const pins = (segment: number) => snapshots.some(({ record }) => bit(record.pins, segment))
            const used = [...marks.keys()].filter(
                page => marks[page] & mark.live && geometry.segmentOf(page) !== members.anchor.segment,
            )
            const isOn = (position: number) => (page: number) =>
                geometry.isMirror || geometry.positionOf(page) === position
            const rot = (position: number, page: number) =>
                (images[position][geometry.rowOf(page) * shape.stride + 100] ^= 1)

            const page = used.filter(isOn(0)).find(one => pins(geometry.segmentOf(one)))!
            const segment = geometry.segmentOf(page)
            const inIt = used.filter(one => geometry.segmentOf(one) === segment)
            const other = inIt.filter(isOn(1)).find(one => geometry.rowOf(one) !== geometry.rowOf(page))!
            const free = used.filter(isOn(0)).find(one => !pins(geometry.segmentOf(one)))!
            assert.equal(left(), "")
            rot(0, page)
            assert.match(left(), /^page \d+ is not good on position 0, and all others hold what/)
            rot(1, other)
            assert.equal(left(), "")
            rot(0, page)
            assert.match(left(), /^page \d+ is not good on position 1, and all others hold what/)
            rot(1, other)
            rot(0, free)
            assert.match(left(), /^page \d+ is not good on position 0, and no snapshot pins segment \d+$/)
        })
})
