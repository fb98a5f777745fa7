/** Checks images of arrays on the host, from docs/FORMAT.md alone: shares no code with the firmware. */
export { checkArray, mark, type CheckOptions, type Report, type SegmentFigures } from "./check-array"
export { ChangedImage, FileImage, MemoryImage, type Image } from "./image"
export { PageChecks } from "./page"
export { problemCodes, type Place, type Problem, type ProblemCode, type Severity } from "./problems"
export type { TreeEntry } from "./objects"
export type { Upload } from "./tail"
