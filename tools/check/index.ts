/** Checks images of arrays on the host, from docs/FORMAT.md alone: shares no code with the firmware. */
export { checkArray, mark, type CheckOptions, type Report, type SegmentFigures } from "./check-array"
export { ChangedImage, FileImage, MemoryImage, type Image } from "./image"
export { PageChecks } from "./page"
export { problemCodes, type Place, type Problem, type ProblemCode, type Severity } from "./problems"
export { positionsLacking } from "./redundancy"
export type { TreeEntry } from "./objects"
export type { Upload } from "./tail"
export { groupImages, type Grouped } from "./arrays"
export { dumpArray, dumpPage, hasPage } from "./dump"
export { idText } from "./fields"
export { repairArray, type Repair } from "./repair"
export {
    arrayTitle,
    figuresOf,
    noteLines,
    printable,
    problemLine,
    summaryLines,
    verdict,
    volumeName,
    type Figures,
} from "./text"
