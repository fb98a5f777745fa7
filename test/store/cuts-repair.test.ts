// Power cuts while an array is not whole: one element dead, a new one being filled while the volume is written to, damaged segments being
// written again. As in cuts.test.ts; and what was begun comes to its end, after which any other element may die.

import { cutStages, isFull, repairStages, titleOf } from "../support/cut-stages"

const shapes = process.env.ELEMENTS ? [Number(process.env.ELEMENTS)] : [2, 3, 4, 6]

for (const elements of shapes)
    describe(`store: power cuts during repairs, ${titleOf(elements)}`, function () {
        this.timeout(3_600_000)
        cutStages(
            elements,
            repairStages(elements),
            () => ({
                sample: isFull ? undefined : 64,
                checkedBeforeEvery: isFull ? 1 : 2,
                afterwardsEvery: isFull ? 4 : 8,
            }),
            "[R23] [R25] [R22]",
        )
    })
