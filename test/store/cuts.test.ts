// Power cuts at every program and erase of a scripted workload: before, within and right after each. What is found after the mount must
// be what was acknowledged, or one request more; the check tool, written from docs/FORMAT.md, must find nothing; and the host goes on.

import { cutStages, fileStages, isFull, titleOf } from "../support/cut-stages"

const shapes = process.env.ELEMENTS ? [Number(process.env.ELEMENTS)] : [2, 3, 4, 6]

for (const elements of shapes)
    describe(`store: power cuts, ${titleOf(elements)}`, function () {
        this.timeout(3_600_000)
        cutStages(elements, fileStages, () => ({
            sample: isFull ? undefined : 80,
            checkedBeforeEvery: isFull ? 1 : 2,
        }))
    })
