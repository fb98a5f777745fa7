// Power cuts at every program and erase of a scripted workload: before, within and right after each. What is found after the mount must
// be what was acknowledged, or one request more; the check tool, written from docs/FORMAT.md, must find nothing; and the host goes on.

import { cutStages, fileStages, isFull, titleOf, type Stage } from "../support/cut-stages"

/** Of the full run. The volumes of these two are large, and each cut takes long; all of them with two elements. */
const largeMax = 1_500
const sampleOf = ({ name }: Stage, elements: number) =>
    elements > 2 && /^(full|clean):/.test(name) ? largeMax : undefined

const shapes = process.env.ELEMENTS ? [Number(process.env.ELEMENTS)] : [2, 3, 4, 6]

for (const elements of shapes)
    describe(`store: power cuts, ${titleOf(elements)}`, function () {
        this.timeout(3_600_000)
        cutStages(elements, fileStages, stage => ({
            sample: isFull ? sampleOf(stage, elements) : 64,
            checkedBeforeEvery: isFull ? 1 : 2,
        }))
    })
