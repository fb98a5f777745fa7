// Second power cuts: at each program and erase of the mount that follows a first cut of the work on files. All of them on the smallest arrays of each
// kind, a mirror and a parity of 3, in the full run; else some.

import { cutStages, fileStages, isFull, titleOf, type Stage } from "../support/cut-stages"

const shapes = process.env.ELEMENTS ? [Number(process.env.ELEMENTS)] : [2, 3, 4, 6]
/** First cuts of which the second ones are made, where it is not all of them. */
const firstMax = 300

function firstCuts({ name }: Stage, elements: number): number | undefined {
    if (!isFull) return 8
    // the volumes of these two are large, and each cut takes long
    return elements <= 3 && !/^(full|clean):/.test(name) ? undefined : firstMax
}

for (const elements of shapes)
    describe(`store: second power cuts during files, ${titleOf(elements)}`, function () {
        this.timeout(7_200_000)
        cutStages(
            elements,
            fileStages,
            stage => ({
                sample: firstCuts(stage, elements),
                second: isFull && elements <= 3 ? Infinity : 3,
                isSecondOnly: true,
            }),
            "[R23] [R22] [R21] [R29]",
        )
    })
