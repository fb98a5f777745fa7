/** The bridge: the host's side of Twinfiler. */
export * from "./bus"
export * from "./client"
export * as protocol from "./protocol"
