/** The client library. */
export { TwinfilerClient, type ClientOptions, type NodeState, type RangeOptions } from "./client"
export type { ByteSource } from "./block-source"
export type { ChangeOptions } from "./changes"
export type { CallOptions, ControlResult } from "./queries"
export type { PutOptions, PutResult } from "./upload"
export { showPath } from "./tree"
export { isError, TwinfilerError, exitCodes, type ErrorCode } from "../error"
